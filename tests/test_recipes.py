"""Every recipe is what its definition says: the same bits as a loop written by hand."""

import math
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import timm.optim
import torch
from PIL import Image
from projects import compile_spec, differing, largest_difference, load, make_images, scalars
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import get_model
from torchvision.transforms import v2
from torchvision.transforms.v2.functional import normalize, pil_to_tensor, to_dtype

pytestmark = pytest.mark.slow

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
EPOCHS, BATCH, STEPS = 3, 5, 3  # of 16 images: the last one of an epoch is left out
BASE = f"""
task = "classification"
model = {{ name = "resnet18", weights = "none", init_std = 0.02 }}
data = {{ format = "imagefolder", root = "images", image_size = 32 }}
train = {{ batch_size = {BATCH}, workers = 0, log_every = 1, seed = 7 }}
"""


def CONSTANT(step: int) -> float:
    return 1.0


Parameters = Iterable[nn.Parameter]


def all_alike(make: Callable[[Parameters], torch.optim.Optimizer]) -> Any:
    return lambda model: make(model.parameters())


@dataclass
class Recipe:
    """What a spec asks for, and the same in plain PyTorch."""

    keys: str
    optimizer: Callable[[nn.Module], torch.optim.Optimizer]
    factor: Callable[[int], float] = CONSTANT  # of the learning rate at a step
    loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy
    clip_norm: float | None = None
    amp: torch.dtype | None = None
    ema: float | None = None
    model: str = "resnet18"
    images: dict[str, int] = field(default_factory=dict)  # of a class, where not 4


def run_by_hand(recipe: Recipe) -> tuple[list[float], dict[str, Tensor], dict[str, Tensor]]:
    """The losses of the steps, the model in the end, and its moving average."""
    files = sorted(Path("images/train").glob("*/*.png"))
    classes = sorted({file.parent.name for file in files})
    augment = v2.Compose([v2.RandomResizedCrop(32), v2.RandomHorizontalFlip()])
    torch.manual_seed(7)
    model = get_model(recipe.model, num_classes=len(classes)).train()
    nn.init.normal_(model.fc.weight, std=0.02)
    nn.init.zeros_(model.fc.bias)
    optimizer = recipe.optimizer(model)
    lrs = [group["lr"] for group in optimizer.param_groups]
    scaler = torch.amp.GradScaler("cpu", enabled=recipe.amp is torch.float16)
    average: dict[str, Tensor] = {}
    losses: list[float] = []
    for epoch in range(EPOCHS):
        generator = torch.Generator().manual_seed(7 + epoch)
        order = torch.randperm(len(files), generator=generator)
        seeds = torch.randint(2**31, (len(files),), generator=generator)
        for batch in order[: BATCH * STEPS].split(BATCH):
            images, labels = [], []
            for index in batch.tolist():
                image = pil_to_tensor(Image.open(files[index]))
                torch.manual_seed(seeds[index].item())
                images.append(normalize(to_dtype(augment(image), scale=True), MEAN, STD))
                labels.append(classes.index(files[index].parent.name))
            for group, lr in zip(optimizer.param_groups, lrs, strict=True):
                group["lr"] = lr * recipe.factor(len(losses))
            with torch.autocast("cpu", recipe.amp, enabled=recipe.amp is not None):
                logits = model(torch.stack(images))
            loss = recipe.loss(logits.float(), torch.tensor(labels))
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            if recipe.clip_norm:
                scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
            scaler.step(optimizer)
            scaler.update()
            losses.append(loss.item())
            for name, tensor in model.state_dict().items():
                if recipe.ema and name in average and tensor.is_floating_point():
                    decay = min(recipe.ema, len(losses) / (9 + len(losses)))
                    average[name] = average[name] * decay + tensor * (1 - decay)
                else:
                    average[name] = tensor.clone()
    return losses, model.state_dict(), average


def warmed(factor: float, steps: int) -> Callable[[int], float]:
    return lambda step: 1 - (1 - min(step, steps) / steps) * (1 - factor)


def sgd(parameters: Any, **options: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, **{"lr": 0.01, "momentum": 0.9, **options})


def weighted(weights: list[float]) -> Callable[[Tensor, Tensor], Tensor]:
    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        losses = F.cross_entropy(logits, labels, torch.tensor(weights), reduction="none")
        return losses.mean()

    return loss


def focal(logits: Tensor, labels: Tensor, gamma: float = 2.0) -> Tensor:
    losses = -logits.log_softmax(1)[torch.arange(len(labels)), labels]
    return ((1 - torch.exp(-losses)) ** gamma * losses).mean()


def layers_of_resnet18(model: nn.Module) -> torch.optim.Optimizer:
    """The head at 0.1, layer4 at 0.003, all else 0.01 times 0.5 for each stage to the head."""
    lrs = {"conv1": 0.5**5, "bn1": 0.5**5, "layer1": 0.5**4, "layer2": 0.5**3, "layer3": 0.5**2}
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        lr = 0.01 * lrs.get(name.split(".")[0], 0.0)
        lr = 0.003 if name.startswith("layer4") else 0.1 if name.startswith("fc") else lr
        decay = 0.05 if parameter.ndim > 1 else 0.0
        groups.setdefault((lr, decay), []).append(parameter)
    return torch.optim.AdamW(
        [{"params": p, "lr": lr, "weight_decay": decay} for (lr, decay), p in groups.items()]
    )


COSINE = [(1 + math.cos(math.pi * step / (EPOCHS * STEPS))) / 2 for step in range(9)]
RECIPES = {
    "sgd-multistep": Recipe(
        """
        optim = { name = "sgd", lr = 0.02, momentum = 0.8, weight_decay = 1e-3 }
        schedule = { name = "multistep", epochs = 3, milestones = [1, 2], gamma = 0.3 }
        """,
        all_alike(lambda p: torch.optim.SGD(p, 0.02, momentum=0.8, weight_decay=1e-3)),
        factor=lambda step: 0.3 ** (step // STEPS),
    ),
    "adamw-cosine": Recipe(
        """
        optim = { name = "adamw", lr = 1e-3, betas = [0.8, 0.99], weight_decay = 0.1 }
        schedule = { name = "cosine", epochs = 3 }
        """,
        all_alike(lambda p: torch.optim.AdamW(p, 1e-3, betas=(0.8, 0.99), weight_decay=0.1)),
        factor=lambda step: COSINE[step],
    ),
    "nesterov-step-warmup-clip": Recipe(
        """
        optim = { nesterov = true, weight_decay = 0.0, clip_norm = 0.5 }
        [schedule]
        name = "step"
        epochs = 3
        step_size = 1
        gamma = 0.5
        warmup = { steps = 5, factor = 0.1 }
        """,
        all_alike(lambda p: sgd(p, nesterov=True)),
        factor=lambda step: 0.5 ** (step // STEPS) * warmed(0.1, 5)(step),
        clip_norm=0.5,
    ),
    "adam-poly-warmup-smoothing": Recipe(
        """
        optim = { name = "adam", lr = 1e-3 }
        schedule = { name = "poly", epochs = 3, power = 2.0, warmup = { epochs = 1 } }
        data.label_smoothing = 0.1
        """,
        all_alike(lambda p: torch.optim.Adam(p, 1e-3)),
        factor=lambda step: (1 - step / 9) ** 2 * warmed(0.01, STEPS)(step),
        loss=lambda logits, labels: F.cross_entropy(logits, labels, label_smoothing=0.1),
    ),
    "nadam-constant-warmup-class-weights": Recipe(
        """
        optim = { name = "nadam", lr = 1e-3 }
        schedule = { name = "constant", epochs = 3, warmup = { steps = 4, factor = 0.5 } }
        train.class_weights = [1.0, 0.5, 2.0, 4.0]
        """,
        all_alike(lambda p: torch.optim.NAdam(p, 1e-3)),
        factor=warmed(0.5, 4),
        loss=nn.CrossEntropyLoss(torch.tensor([1.0, 0.5, 2.0, 4.0])),
    ),
    "rmsprop-onecycle": Recipe(
        """
        optim = { name = "rmsprop", lr = 1e-3, momentum = 0.9, alpha = 0.9 }
        schedule = { name = "onecycle", epochs = 3, pct_start = 0.5, div_factor = 10.0 }
        """,
        all_alike(lambda p: torch.optim.RMSprop(p, 1e-3, alpha=0.9, momentum=0.9)),
        factor=lambda step: (
            0.55 - 0.45 * math.cos(math.pi * step / 3.5)
            if step <= 3.5
            else (1 + 1e-5 + (1 - 1e-5) * math.cos(math.pi * (step - 3.5) / 4.5)) / 2
        ),
    ),
    "adagrad": Recipe(
        'optim.name = "adagrad"\nschedule = { name = "constant", epochs = 3 }',
        all_alike(lambda p: torch.optim.Adagrad(p, 0.01)),
    ),
    "lamb": Recipe(
        'optim.name = "lamb"\nschedule = { name = "constant", epochs = 3 }',
        all_alike(lambda p: timm.optim.Lamb(p, 1e-3, weight_decay=0.01)),
    ),
    "muon": Recipe(
        """
        optim = { name = "muon", lr = 0.01 }
        schedule = { name = "constant", epochs = 3 }
        model.name = "shufflenet_v2_x0_5"
        """,
        all_alike(lambda p: timm.optim.Muon(p, 0.01, momentum=0.95)),
        model="shufflenet_v2_x0_5",  # a small one: some CPUs are very slow at bfloat16
    ),
    "layers": Recipe(
        """
        schedule = { epochs = 3 }
        [optim]
        name = "adamw"
        lr = 0.01
        weight_decay = 0.05
        layer_decay = 0.5
        head_lr = 0.1
        no_decay = ["norm", "bias"]
        groups = [{ match = "layer4", lr = 0.003 }]
        """,
        layers_of_resnet18,
        factor=lambda step: COSINE[step],
    ),
    "focal": Recipe(
        'train.loss = "focal"\nschedule = { name = "constant", epochs = 3 }',
        all_alike(lambda p: sgd(p, weight_decay=1e-4)),
        loss=focal,
    ),
    "focal-gamma-0-balanced": Recipe(
        """
        train.loss = { name = "focal", gamma = 0.0 }
        train.class_weights = "balanced"
        schedule = { name = "constant", epochs = 3 }
        """,
        all_alike(lambda p: sgd(p, weight_decay=1e-4)),
        loss=weighted([16 / 4 / 4, 16 / 4 / 1, 16 / 4 / 4, 16 / 4 / 7]),
        images={"birch": 1, "elm": 7},
    ),
    "balanced": Recipe(
        """
        train.class_weights = "balanced"
        schedule = { name = "constant", epochs = 3 }
        """,
        all_alike(lambda p: sgd(p, weight_decay=1e-4)),
        loss=weighted([16 / 4 / 4, 16 / 4 / 1, 16 / 4 / 4, 16 / 4 / 7]),
        images={"birch": 1, "elm": 7},
    ),
    "bf16-ema": Recipe(
        """
        train.amp = "bf16"
        train.ema = 0.4
        schedule = { name = "constant", epochs = 3 }
        """,
        all_alike(lambda p: sgd(p, weight_decay=1e-4)),
        amp=torch.bfloat16,
        ema=0.4,
    ),
    "fp16-clip": Recipe(
        """
        train.amp = "fp16"
        optim.clip_norm = 1.0
        schedule = { name = "constant", epochs = 3 }
        """,
        all_alike(lambda p: sgd(p, weight_decay=1e-4)),
        amp=torch.float16,
        clip_norm=1.0,
    ),
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_the_loop_written_by_hand(name: str, here: Path) -> None:
    recipe = RECIPES[name]
    make_images()
    for class_name, count in recipe.images.items():
        shutil.rmtree(f"images/train/{class_name}")
        make_images("more", (class_name,), train=count)
        shutil.move(f"more/train/{class_name}", "images/train")
        shutil.rmtree("more")
    Path("base.toml").write_text(BASE)
    project = compile_spec('extends = "base.toml"\n' + recipe.keys)
    project.run("train.py")
    losses, state, average = run_by_hand(recipe)
    curves = scalars(project.folder / "runs")
    last = load(project.folder / "runs/last.pt")
    if recipe.factor is CONSTANT and recipe.loss is F.cross_entropy:
        assert curves["train/loss"] == list(enumerate(losses, start=1))
        assert differing(last["model"], state) == []
    else:  # schedulers multiply step by step, and so round otherwise; so do losses
        assert [loss for _, loss in curves["train/loss"]] == pytest.approx(losses, rel=1e-3)
        assert largest_difference(last["model"], state) < 1e-3
    if recipe.ema:
        moved = {k.removeprefix("module."): v for k, v in last["ema"].items()}
        floats = {key: it for key, it in average.items() if it.is_floating_point()}
        for key, tensor in floats.items():
            torch.testing.assert_close(moved[key], tensor, rtol=1e-5, atol=1e-6)
