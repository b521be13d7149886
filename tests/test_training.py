"""What training does: as a loop written by hand does it, and as two tutorials have it."""

import hashlib
import math
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import timm
import torch
from PIL import Image
from projects import (
    CLASSES,
    SPEC,
    command,
    compile_spec,
    differing,
    finish,
    load,
    make_images,
    make_weights,
    scalars,
)
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision.models import ResNet50_Weights, resnet18, resnet50
from torchvision.transforms import v2
from torchvision.transforms.v2.functional import normalize, pil_to_tensor, to_dtype

SPECS = Path(__file__).parent.parent / "specs"
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
EPOCHS, BATCH, STEPS = 3, 5, 3  # of 16 images: the last one of an epoch is left out

Optimizer = Callable[[Iterator[nn.Parameter]], torch.optim.Optimizer]
Schedule = Callable[[int], float]


def train_by_hand(make: Optimizer, lr_of: Schedule) -> tuple[list[float], dict[str, Tensor]]:
    """The losses and the final state of the training that RECIPES ask for."""
    files = sorted(Path("images/train").glob("*/*.png"))
    classes = sorted({file.parent.name for file in files})
    augment = v2.Compose([v2.RandomResizedCrop(32), v2.RandomHorizontalFlip()])
    torch.manual_seed(7)
    model = resnet18(num_classes=len(classes)).train()
    nn.init.normal_(model.fc.weight, std=0.02)
    nn.init.zeros_(model.fc.bias)
    optimizer = make(model.parameters())
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
            optimizer.param_groups[0]["lr"] = lr_of(len(losses))
            loss = F.cross_entropy(model(torch.stack(images)), torch.tensor(labels))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses, model.state_dict()


RECIPES: dict[str, tuple[str, Optimizer, Schedule]] = {
    "sgd-multistep": (
        """
        optim = { name = "sgd", lr = 0.02, momentum = 0.8, weight_decay = 1e-3 }
        schedule = { name = "multistep", epochs = 3, milestones = [1, 2], gamma = 0.3 }
        """,
        lambda parameters: torch.optim.SGD(parameters, momentum=0.8, weight_decay=1e-3),
        lambda step: 0.02 * 0.3 ** (step // STEPS),
    ),
    "adamw-cosine": (
        """
        optim = { name = "adamw", lr = 1e-3, betas = [0.8, 0.99], weight_decay = 0.1 }
        schedule = { name = "cosine", epochs = 3 }
        """,
        lambda parameters: torch.optim.AdamW(parameters, betas=(0.8, 0.99), weight_decay=0.1),
        lambda step: 1e-3 * (1 + math.cos(math.pi * step / (EPOCHS * STEPS))) / 2,
    ),
}


@pytest.mark.parametrize("recipe", RECIPES)
def test_training_is_the_loop_written_by_hand(recipe: str, here: Path) -> None:
    text, make, lr_of = RECIPES[recipe]
    make_images()
    project = compile_spec(
        text + SPEC.replace("[schedule]\nepochs = 2\n", ""),
        "model.init_std=0.02",
        "train.seed=7",
        f"train.batch_size={BATCH}",
        "log.tensorboard=true",
    )
    project.run("train.py")
    losses, state = train_by_hand(make, lr_of)
    curves = scalars(project.folder / "runs")
    assert curves["train/loss"] == list(enumerate(losses, start=1))
    next_lrs = [lr for _, lr in curves["train/lr"][:-1]]
    assert next_lrs == pytest.approx([lr_of(step) for step in range(1, EPOCHS * STEPS)])
    assert differing(load(project.folder / "runs/last.pt")["model"], state) == []


# Seed 000: CIFAR-10 from an ImageNet ResNet-50, stem and two stages frozen.


def make_cifar10(root: Path) -> str:
    """Write a small CIFAR-10 in the real format; return code that makes torchvision take it."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    generator = torch.Generator().manual_seed(0)
    md5 = {}
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"]:
        labels = torch.randint(10, (2,), generator=generator)
        pixels = torch.randint(256, (2, 3072), dtype=torch.uint8, generator=generator)
        content = {"data": pixels.numpy(), "labels": labels.tolist()}
        if name == "batches.meta":
            content = {"label_names": [f"kind {label}" for label in range(10)]}
        (folder / name).write_bytes(pickle.dumps(content))
        md5[name] = hashlib.md5((folder / name).read_bytes()).hexdigest()
    meta = {"filename": "batches.meta", "key": "label_names", "md5": md5.pop("batches.meta")}
    *train, test = md5.items()
    return (
        "from torchvision.datasets import CIFAR10\n"
        f"CIFAR10.train_list, CIFAR10.test_list, CIFAR10.meta = {train!r}, {[test]!r}, {meta!r}\n"
    )


CIFAR10 = (SPECS / "cifar10_resnet50.toml", "train.batch_size=5", "train.workers=0")
STEM_AND_TWO_STAGES = ("conv1.", "bn1.", "layer1.", "layer2.")


def test_cifar10_freezes_the_stem_and_two_stages(here: Path) -> None:
    model = compile_spec(*CIFAR10).module("model").build_model()
    parameters = list(model.parameters())
    assert sum(p.numel() for p in parameters) == 23_528_522
    assert sum(p.numel() for p in parameters if p.requires_grad) == 22_083_594
    for mode in (True, False, True):
        model.train(mode)
        for name, module in model.named_modules():
            if isinstance(module, _BatchNorm):
                frozen = f"{name}.".startswith(STEM_AND_TWO_STAGES)
                assert module.training == (mode and not frozen), name


@pytest.mark.slow
def test_cifar10_trains_all_but_the_stem_and_two_stages(here: Path) -> None:
    smaller = '[{ name = "RandomCrop", size = 32, padding = 4 }, { name = "Resize", size = 64 }]'
    compile_spec(
        *CIFAR10,
        "schedule.epochs=2",
        "schedule.milestones=[1]",
        f"data.train_transforms={smaller}",
        'data.eval_transforms=[{ name = "Resize", size = 64 }]',
    )
    Path("sitecustomize.py").write_text(make_cifar10(Path("data")))
    cached = Path("hub/checkpoints", Path(ResNet50_Weights.IMAGENET1K_V2.url).name)
    before = make_weights(resnet50(), cached)
    env = {"PYTHONPATH": str(here), "TORCH_HOME": str(here)}
    finish(command(sys.executable, "project/train.py", "--output", "run", env=env))
    after = load("run/last.pt")["model"]
    changed = {key for key in after if not torch.equal(after[key], before[key])}
    assert changed == {key for key in after if not key.startswith(STEM_AND_TWO_STAGES)}
    assert load("run/best.pt")["classes"] == [f"kind {label}" for label in range(10)]


# Seed 004: four kinds of chairs from an ImageNet ResNet-18, all but the new head frozen.

CHAIRS = (SPECS / "chairs_resnet18.toml", "train.batch_size=4", "train.workers=0")


def test_chairs_train_the_head_only(here: Path) -> None:
    make_images("data/chairs")
    before = make_weights(resnet18(), "model/resnet18-f37072fd.pth")
    project = compile_spec(*CHAIRS, "data.image_size=64", "schedule.epochs=2")
    project.run("train.py", "--output", "run")
    state = load("run/last.pt")
    changed = {k for k, tensor in state["model"].items() if not torch.equal(tensor, before[k])}
    assert changed == {"fc.weight", "fc.bias"}
    assert state["model"]["fc.bias"].any()
    assert [group["params"] for group in state["optimizer"]["param_groups"]] == [[0, 1]]


def test_frozen_layers_store_no_activations(here: Path) -> None:
    saved: list[int] = []

    def elements_saved(model: nn.Module) -> int:
        saved.clear()
        with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.numel()), id):
            model.train()(torch.rand(2, 3, 64, 64))
        return sum(saved)

    head = 2 * 512 + 4 * 512  # its input and its weights
    frozen = compile_spec(*CHAIRS).module("model").build_model()
    assert 0 < elements_saved(frozen) <= head
    trained = compile_spec(*CHAIRS, 'model.freeze="none"', folder="all").module("model")
    assert elements_saved(trained.build_model()) > 100 * head


# Seed 003: a ResNet50_vd on list files, with mixup, smoothing, and images of another size.


@pytest.mark.slow
def test_a_resnet50_vd_learns_from_list_files(here: Path) -> None:
    root = Path("data/flowers102")
    make_images(root / "my pictures")
    for part in ("train", "val"):
        files = sorted(Path(root, "my pictures", part).glob("*/*.png"))
        labels = {name: number for number, name in enumerate(CLASSES)}
        lines = [f"{file.relative_to(root)} {labels[file.parent.name]}" for file in files]
        (root / f"{part}_list.txt").write_text("\n".join(lines))
    before = make_weights(timm.create_model("resnet50d"), "weights/resnet50d.pth")
    project = compile_spec(
        SPECS / "resnet50d_list.toml",
        "model.num_classes=4",
        "model.weights=weights/resnet50d.pth",
        "data.image_size=64",
        "schedule.epochs=1",
        "train.batch_size=4",
        "train.workers=0",
    )
    project.run("train.py", "--output", "run")
    state = load("run/last.pt")["model"]
    fresh = timm.create_model("resnet50d", num_classes=4).state_dict()
    assert {name: it.shape for name, it in state.items()} == {n: t.shape for n, t in fresh.items()}
    moved = (state["conv1.0.weight"] - before["conv1.0.weight"]).abs().max()
    assert 0 < moved < 0.05 < (fresh["conv1.0.weight"] - state["conv1.0.weight"]).abs().max()
    printed = project.run("evaluate.py", "--checkpoint", "run/best.pt")
    assert "top1" in printed and "top3" in printed
    exported = project.run("export.py", "--checkpoint", "run/best.pt", "--image-size", "96")
    assert "agrees with the model" in exported


# What a run leaves behind


def test_run_folder(here: Path) -> None:
    make_images()
    project = compile_spec(SPEC, "train.log_every=3", "log.tensorboard=true")
    project.run("train.py")
    run = project.folder / "runs"
    names = {path.name for path in run.iterdir() if not path.name.startswith("events.")}
    assert names == {"best.pt", "last.pt", "previous.pt", "samples.png", "confusion_matrix.png"}
    for picture in ("samples.png", "confusion_matrix.png"):
        assert len(Image.open(run / picture).convert("L").getcolors() or []) > 20
    curves = scalars(run)
    steps = {tag: [step for step, _ in curve] for tag, curve in curves.items()}
    train, val = [3, 4, 6, 8], [4, 8]  # every third step, and the last of each epoch
    assert steps == dict.fromkeys(["train/loss", "train/lr"], train) | dict.fromkeys(
        ["val/loss", "val/top1"], val
    )
    best = load(run / "best.pt")
    assert best["classes"] == ["ash", "birch", "cedar", "elm"]
    assert max(value for _, value in curves["val/top1"]) == load(run / "last.pt")["best"]


def test_tensorboard_is_not_needed_when_switched_off(here: Path) -> None:
    make_images()
    compile_spec(SPEC, "schedule.epochs=1")
    Path("tensorboard.py").write_text("raise ImportError('tensorboard is not here')\n")
    env = {"PYTHONPATH": str(here)}
    finish(command(sys.executable, "project/train.py", "--output", "run", env=env))
    assert not list(Path("run").glob("events.*"))
    assert "tensorboard" not in Path("project/requirements.txt").read_text()
