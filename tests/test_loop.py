"""What the training loop does around its steps: when it evaluates, keeps, stops and logs."""

import json
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from PIL import Image
from projects import (
    CLASSES,
    SPEC,
    Project,
    compile_spec,
    differing,
    largest_difference,
    load,
    make_images,
    scalars,
)
from torch.nn import functional as F
from torchvision.models import resnet34
from torchvision.transforms.v2.functional import (
    normalize,
    pil_to_tensor,
    to_dtype,
    to_pil_image,
)

FROZEN_NORMS = 'model.freeze=["*bn*", "*downsample.1"]'


@pytest.fixture(autouse=True)
def images(here: Path) -> None:
    make_images()


def compiled(*keys: str, epochs: int = 2) -> Project:
    return compile_spec(SPEC, *keys, f"schedule.epochs={epochs}")


def printed_metrics(printed: str) -> list[dict[str, float]]:
    """The line that each evaluation printed."""
    lines = [line for line in printed.splitlines() if line.startswith("loss ")]
    return [
        {name: float(value) for name, value in (part.split() for part in line.split(", "))}
        for line in lines
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "amp, weights",
    [("off", ("train.class_weights=[1.0, 0.5, 2.0, 4.0]",)), ("fp16", ())],
    ids=["class-weights", "fp16"],
)
def test_a_batch_in_parts_is_the_whole_batch(amp: str, weights: tuple[str, ...]) -> None:
    keys = (FROZEN_NORMS, f"train.amp={amp}", "optim.clip_norm=0.5", "log.tensorboard=true")
    keys += weights
    project = compiled(*keys, epochs=1)
    project.run("train.py", "--output", "whole")
    parts = compile_spec(SPEC, *keys, "schedule.epochs=1", "train.max_batch_per_gpu=3")
    parts.run("train.py", "--output", "parts")
    parts.run("train.py", "--output", "two", processes=2)
    tolerance = 1e-6 if amp == "off" else 1e-2
    whole = load("whole/last.pt")["model"]
    for run in ("parts", "two"):
        assert largest_difference(whole, load(f"{run}/last.pt")["model"]) < tolerance
        losses = [loss for _, loss in scalars(Path("whole"))["train/loss"]]
        assert [loss for _, loss in scalars(Path(run))["train/loss"]] == pytest.approx(
            losses, rel=1e-5 if amp == "off" else 1e-1
        )


@pytest.mark.slow
def test_everything_that_has_a_state_resumes_bit_for_bit() -> None:
    keys = [
        'train.amp="fp16"',
        "train.ema=0.9",
        "train.early_stop=9",
        "train.checkpoint_steps=3",
        "train.max_batch_per_gpu=3",
        'optim.name="adamw"',
        'schedule.name="plateau"',
        "schedule.patience=0",
        "schedule.warmup={steps=6}",
        "optim.head_lr=0.1",
    ]
    project = compiled(*keys, epochs=3)
    project.run("train.py", "--output", "never-stopped")
    project.edit("train.py", "EPOCHS = 3", "EPOCHS = 1")
    project.run("train.py", "--output", "run")
    project.edit("train.py", "EPOCHS = 1", "EPOCHS = 3")
    project.run("train.py", "--output", "run", "--resume")
    for file in ("last.pt", "best.pt"):
        assert differing(load(f"run/{file}"), load(f"never-stopped/{file}")) == []


def test_the_average_is_what_is_evaluated_and_saved() -> None:
    project = compiled("train.ema=0.5")
    project.run("train.py")
    best = load(project.folder / "runs/best.pt")["model"]
    last = load(project.folder / "runs/last.pt")
    assert largest_difference(best, last["model"]) > 1e-3
    project.run("evaluate.py")


def test_evaluations_come_every_so_many_epochs_and_in_the_end() -> None:
    project = compiled("evaluate.every=2", "log.tensorboard=true", epochs=5)
    printed = project.run("train.py")
    assert len(printed_metrics(printed)) == 3
    assert [step for step, _ in scalars(project.folder / "runs")["val/top1"]] == [8, 16, 20]


def test_training_ends_when_nothing_gets_better() -> None:
    project = compiled(
        "train.early_stop=2",
        "optim.lr=1e-12",
        FROZEN_NORMS,
        'model.weights="none"',
        epochs=9,
    )
    printed = project.run("train.py")
    assert len(printed_metrics(printed)) == 3
    resumed = project.run("train.py", "--resume")
    assert printed_metrics(resumed) == []
    assert "best top1" in resumed


@pytest.mark.slow
def test_checkpoints_of_epochs_are_kept() -> None:
    project = compiled("train.checkpoint_every=2", "train.keep=2", epochs=7)
    project.run("train.py")
    runs = project.folder / "runs"
    assert sorted(p.name for p in runs.glob("epoch_*")) == ["epoch_0004.pt", "epoch_0006.pt"]
    assert load(runs / "epoch_0006.pt")["classes"] == ["ash", "birch", "cedar", "elm"]
    for checkpoint in ("epoch_0004.pt", "last.pt"):
        project.run("evaluate.py", "--checkpoint", runs / checkpoint)
        project.run("predict.py", "images/val/elm/0.png", "--checkpoint", runs / checkpoint)


@pytest.mark.slow
@pytest.mark.parametrize("monitor", ["loss", "f1"])
def test_the_best_is_best_by_the_monitored_metric(monitor: str) -> None:
    project = compiled(f"evaluate.monitor={monitor}", 'evaluate.metrics=["f1"]', epochs=4)
    metrics = printed_metrics(project.run("train.py"))
    values = [epoch[monitor] for epoch in metrics]
    best = min(values) if monitor == "loss" else max(values)
    assert load(project.folder / "runs/last.pt")["best"] == pytest.approx(best, abs=1e-4)
    evaluated = project.run("evaluate.py")
    assert f"{monitor:8} {best:.4f}" in evaluated


def test_the_plateau_waits_and_then_falls() -> None:
    project = compiled(
        'schedule.name="plateau"',
        "schedule.patience=1",
        "schedule.gamma=0.5",
        "optim.lr=1e-12",
        FROZEN_NORMS,
        "log.tensorboard=true",
        epochs=6,
    )
    project.run("train.py")
    lrs = [lr for _, lr in scalars(project.folder / "runs")["train/lr"]]
    # The first evaluation is the best one; two are as good, after which the rate falls.
    expected = [1e-12] * 12 + [0.5e-12] * 8 + [0.25e-12] * 4
    assert lrs == pytest.approx(expected, rel=1e-6)


class Answers(torch.nn.Module):
    """A model that has its answers ready, for one batch after the other."""

    def __init__(self, answers: list[torch.Tensor]) -> None:
        super().__init__()
        self.answers = iter(answers)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return next(self.answers)


@pytest.mark.parametrize("labels", [[0, 1, 1, 1, 0, 2, 2, 3, 3, 3], [0, 2, 2, 2, 0, 3, 3, 3, 2, 3]])
def test_metrics_are_those_of_their_definitions(labels: list[int]) -> None:
    """Of the second labels class 1 is absent, and among the answers."""
    names = ["precision", "recall", "f1", "mean_class_accuracy"]
    project = compiled(f"evaluate.metrics={json.dumps(names)}", "evaluate.topk=[1, 2]")
    module = project.module("evaluate")
    generator = torch.Generator().manual_seed(0)
    targets = torch.tensor(labels)
    # All metrics agree on the first batch, in which every answer is right.
    sure = torch.tensor([9.0, 9, 1, 0, 0, 0, 0, 0, 0, 0]).unsqueeze(1)
    logits = torch.rand(10, 4, generator=generator) + F.one_hot(targets, 4) * sure
    images = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    batches = [(images, part, part) for part in targets.split(2)]
    module.distributed.init()
    try:
        metrics, confusion = module.evaluate(
            Answers(list(logits.split(2))), batches, torch.device("cpu")
        )
    finally:
        torch.distributed.destroy_process_group()

    places = logits.argsort(1, descending=True).eq(targets.unsqueeze(1)).int().argmax(1)
    expected = torch.zeros(4, 4, dtype=torch.int64)
    for label, answer in zip(targets.tolist(), logits.argmax(1).tolist(), strict=True):
        expected[label, answer] += 1
    assert torch.equal(confusion, expected)
    assert metrics["top1"] == pytest.approx((places < 1).float().mean().item())
    assert metrics["top2"] == pytest.approx((places < 2).float().mean().item())
    assert metrics["top1"] < metrics["top2"] < 1
    assert expected.sum(0).all()
    right, found, there = (
        it[expected.sum(1) > 0] for it in (expected.diag(), *map(expected.sum, (0, 1)))
    )
    precision, recall = (right / found.clamp(min=1)), right / there
    f1 = 2 * right / (found + there)
    assert metrics["precision"] == pytest.approx(precision.mean().item())
    assert metrics["recall"] == pytest.approx(recall.mean().item())
    assert metrics["mean_class_accuracy"] == pytest.approx(recall.mean().item())
    assert metrics["f1"] == pytest.approx(f1.mean().item())
    assert metrics["loss"] == pytest.approx(F.cross_entropy(logits, targets).item(), rel=1e-5)
    table = module.table(confusion, ["a", "b", "c", "d"]).splitlines()
    assert table[0].split() == ["precision", "recall", "f1", "images", "class"]
    rows = [row for row in table[1:] if row.split()[3] != "0"]
    names = [name for name, count in zip("abcd", expected.sum(1), strict=True) if count]
    for name, row, *values in zip(names, rows, recall, f1, there, strict=True):
        assert row.split()[1:] == [*(f"{v:.4f}" for v in values[:2]), str(values[2].item()), name]


def evaluated(module: Any, logits: torch.Tensor, labels: torch.Tensor, size: int) -> Any:
    """What a project's `evaluate` says of these logits, in batches of `size`."""
    images = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    batches = [(images, part, part) for part in labels.split(size)]
    module.normalize = lambda inputs: inputs
    module.distributed.init()
    try:
        return module.evaluate(Answers(list(logits.split(size))), batches, torch.device("cpu"))
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.parametrize("size", [1, 3, 8])
def test_metrics_of_several_labels_are_those_of_their_definitions(size: int) -> None:
    """Whatever the batches are, though the logits of some lie between 0 and 1."""
    make_multi_label_images()
    names = ["precision", "recall", "f1", "mean_class_accuracy"]
    project = compile_spec(MULTI_LABEL, f"evaluate.metrics={json.dumps(names)}")
    logits = torch.tensor(
        [
            [0.9, 0.1, 0.3],
            [0.6, 0.8, -3.0],
            [0.2, -0.4, 0.7],
            [-1.0, 0.5, 0.1],
            [0.7, 0.2, 0.4],
            [4.0, -2.0, 0.6],
            [-0.1, -0.3, -0.2],
            [0.3, 0.9, 0.8],
        ]
    )
    labels = torch.tensor([[1, 0], [0, 1], [0, 0], [0, 1], [1, 0], [1, 1], [0, 0], [0, 1]])
    labels = F.pad(labels, (0, 1)).float()  # no image has the third class
    module = project.module("evaluate")
    metrics, precisions = evaluated(module, logits, labels, size)
    # By falling logit the first class is 1 1 1 0 0 0 0 0, and the second 1 1 1 0 0 0 0 1.
    first, second = 1.0, (1 + 1 + 1 + 4 / 8) / 4
    assert precisions[:2].tolist() == pytest.approx([first, second])
    assert precisions[2].isnan()
    assert metrics["mAP"] == pytest.approx((first + second) / 2)
    # A logit above 0 is a yes: of the first class 3 of 6, of the second 3 of 5.
    assert metrics["precision"] == pytest.approx((3 / 6 + 3 / 5) / 2)
    assert metrics["recall"] == pytest.approx((3 / 3 + 3 / 4) / 2)
    assert metrics["f1"] == pytest.approx((2 * 3 / (6 + 3) + 2 * 3 / (5 + 4)) / 2)
    assert metrics["mean_class_accuracy"] == pytest.approx((5 / 8 + 5 / 8) / 2)


CLIPS = """
task = "video-classification"
model = { name = "r3d_18", weights = "none", num_classes = 4 }
data = { format = "videofolder", root = "videos" }
evaluate = { topk = [1], metrics = ["precision", "recall", "f1", "mean_class_accuracy"] }
"""


@pytest.mark.parametrize("spec", [CLIPS, SPEC], ids=["videos", "images"])
def test_a_class_that_is_not_there_is_in_no_mean(spec: str) -> None:
    keys = () if spec is CLIPS else ('evaluate.metrics=["precision","recall","f1"]',)
    module = compile_spec(spec, *keys).module("evaluate")
    labels = torch.tensor([0, 0, 0, 1, 1, 2])
    answers = torch.tensor([0, 0, 3, 1, 0, 2])  # 3 is no image's class
    logits = F.one_hot(answers, 4).float()
    first, *others = (evaluated(module, logits, labels, size) for size in (6, 3, 1))
    metrics, confusion = first
    assert metrics["precision"] == pytest.approx((2 / 3 + 1 + 1) / 3)
    assert metrics["recall"] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert metrics["f1"] == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    for other, _ in others:
        assert other == pytest.approx(metrics)
    *_, last = module.table(confusion, ["a", "b", "c", "d"]).splitlines()
    assert last.split() == ["-", "-", "-", "0", "d"]


TYPES = {"off": "float32", "bf16": "bfloat16"}


class Means(torch.nn.Module):
    """A model that weighs the means of colours."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = torch.rand(3, 4, generator=torch.Generator().manual_seed(1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3)) @ self.weights


@pytest.mark.parametrize("amp", ["off", "bf16"])
def test_evaluation_has_the_precision_of_training(amp: str) -> None:
    module = compiled(f"train.amp={amp}").module("evaluate")
    images = torch.randint(256, (6, 3, 8, 8), generator=torch.Generator().manual_seed(0))
    images, labels = images.to(torch.uint8), torch.arange(6) % 4
    module.distributed.init()
    try:
        metrics, _ = module.evaluate(Means(), [(images, labels, labels)], torch.device("cpu"))
    finally:
        torch.distributed.destroy_process_group()
    means, dtype = module.normalize(images).mean((2, 3)), getattr(torch, TYPES[amp])
    logits = (means.to(dtype) @ Means().weights.to(dtype)).float()
    assert metrics["loss"] == pytest.approx(F.cross_entropy(logits, labels).item(), rel=1e-6)


def test_a_teacher_is_learned_from() -> None:
    """It sees images as its own weights were trained on them: of mean 0.5, as timm says."""
    torch.manual_seed(3)
    teacher = timm.create_model("test_resnet", num_classes=4)
    with torch.no_grad():
        for parameter in teacher.fc.parameters():
            parameter.mul_(20)
    torch.save({"model": teacher.state_dict(), "classes": list("abcd")}, "teacher.pt")
    project = compiled(
        'distill={ name = "timm/test_resnet", weights = "teacher.pt", alpha = 0.7 }',
        "distill.temperature=3.0",
        "log.tensorboard=true",
        "data.augment=none",
        'model.freeze="backbone"',
        epochs=1,
    )
    refused = project.fail("train.py")
    assert "teacher.pt has other classes: gone: a, b, c, d; new: ash, birch, cedar, elm" in refused
    torch.save({"model": teacher.state_dict(), "classes": list(CLASSES)}, "teacher.pt")
    project.run("train.py")
    first = scalars(project.folder / "runs")["train/loss"][0][1]

    files = sorted(Path("images/train").glob("*/*.png"))
    generator = torch.Generator().manual_seed(0)
    batch = torch.randperm(16, generator=generator)[:4].tolist()
    prepare = project.module("data").eval_transform
    images = torch.stack([prepare(pil_to_tensor(Image.open(files[i]))) for i in batch])
    pixels = to_dtype(images, scale=True)
    images = normalize(pixels, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    labels = torch.tensor([i // 4 for i in batch])
    torch.manual_seed(0)
    student = project.module("model").build_model().train()
    logits, aims = student(images), teacher.eval()(2 * pixels - 1)
    probabilities, aimed = (logits / 3).softmax(1), (aims / 3).softmax(1)
    divergence = (aimed * (aimed / probabilities).log()).sum(1).mean() * 9
    expected = 0.3 * F.cross_entropy(logits, labels) + 0.7 * divergence
    assert first == pytest.approx(expected.item(), rel=1e-4)


def test_a_teacher_of_other_classes_is_named() -> None:
    torch.save(resnet34(num_classes=5).state_dict(), "teacher.pt")
    project = compiled('distill={ name = "resnet34", weights = "teacher.pt" }')
    assert "fc.weight" in project.fail("train.py")


@pytest.mark.slow
def test_a_compiled_model_trains_as_another() -> None:
    # With the batch norms frozen, in which small differences would grow large.
    compiled(FROZEN_NORMS, epochs=1).run("train.py", "--output", "plain")
    keys = (FROZEN_NORMS, "train.compile=true", "train.channels_last=true")
    project = compiled(*keys, epochs=1)
    # TorchInductor takes a minute; what runs before it is the same with any backend.
    project.edit("train.py", "model.compile()", 'model.compile(backend="eager")')
    project.run("train.py", "--output", "compiled")
    states = [load(f"{run}/last.pt")["model"] for run in ("compiled", "plain")]
    assert largest_difference(*states) < 1e-4


@pytest.mark.slow
def test_curves_go_to_wandb_and_mlflow() -> None:
    project = compiled('log.wandb="proj \'ect"', 'log.mlflow="an experiment"')
    project.env |= {"WANDB_MODE": "offline", "MLFLOW_TRACKING_URI": "file:mlruns"}
    project.env |= {"MLFLOW_ALLOW_FILE_STORE": "true"}
    project.edit("train.py", "EPOCHS = 2", "EPOCHS = 1")
    project.run("train.py")
    project.edit("train.py", "EPOCHS = 1", "EPOCHS = 2")
    project.run("train.py", "--resume")
    (curve,) = Path("mlruns").glob("*/*/metrics/train/loss")
    steps = [int(line.split()[2]) for line in curve.read_text().splitlines()]
    assert steps == list(range(1, 9))
    (picture,) = Path("mlruns").rglob("samples.png")
    runs = [p for p in (project.folder / "runs/wandb").iterdir() if p.name.startswith("offline")]
    assert {run.name.rpartition("-")[2] for run in runs} == {
        load(project.folder / "runs/last.pt")["wandb"]
    }


MULTI_LABEL = """
task = "classification"
model = { name = "resnet18", weights = "none", num_classes = 3 }
optim = { lr = 0.05 }
schedule = { epochs = 6 }
evaluate = { metrics = ["f1", "precision"] }
log = { tensorboard = false }
[data]
format = "csv"
train = { root = "pictures", csv = "train.csv" }
val = { root = "pictures", csv = "val.csv" }
label_columns = ["left", "middle", "right"]
multi_label = true
image_size = 32
augment = "none"
[train]
batch_size = 8
workers = 0
log_every = 1
"""


def make_multi_label_images() -> None:
    """Pictures with a bright bar at the left, in the middle, at the right, or several of them."""
    Path("pictures").mkdir()
    for part, count in {"train": 64, "val": 24}.items():
        lines = ["image,left,middle,right"]
        for index in range(count):
            labels = [index >> bit & 1 for bit in range(3)]
            generator = torch.Generator().manual_seed(index)
            image = torch.randint(0, 90, (3, 32, 36), generator=generator).to(torch.uint8)
            for bar, there in enumerate(labels):
                image[:, :, 12 * bar + 4 : 12 * bar + 8] += 150 * there
            to_pil_image(image).save(f"pictures/{part}{index}.png")
            lines.append(f"{part}{index}.png,{','.join(map(str, labels))}")
        Path(f"{part}.csv").write_text("\n".join(lines))


@pytest.mark.slow
@pytest.mark.parametrize(
    "keys",
    [(), ("train.loss=focal",), ("train.class_weights=balanced", "data.mixup=0.2")],
    ids=["plain", "focal", "weights-mixup"],
)
def test_several_labels_are_learned(keys: tuple[str, ...]) -> None:
    make_multi_label_images()
    project = compile_spec(MULTI_LABEL, *keys)
    *_, last = printed_metrics(project.run("train.py"))
    assert last["mAP"] > 0.95
    assert {*last} == {"loss", "mAP", "f1", "precision"}
    assert (project.folder / "runs/average_precision.png").exists()
    one, two = project.run("evaluate.py"), project.run("evaluate.py", processes=2)
    assert one[one.index("loss ") :] == two[two.index("loss ") :]
    assert "average precision" in one
    answers = project.run("predict.py", "pictures/val7.png", "pictures/val0.png")
    first, second = [line for line in answers.splitlines() if "val" in line]
    assert all(name in first for name in ("left", "middle", "right"))
    assert not any(name in second for name in ("left", "middle", "right"))
    if not keys:  # these do not change what follows
        project.run("export.py")
        project.run("smoke_test.py")


@pytest.mark.parametrize("unfreeze", ["[]", '[{ epoch = 1, freeze = "none" }]'])
def test_batch_norms_keep_their_statistics_and_learn(unfreeze: str) -> None:
    freeze = "none" if unfreeze == "[]" else "backbone"
    keys = ["model.batch_norm=eval", f"model.unfreeze={unfreeze}", f"model.freeze={freeze}"]
    project = compiled(*keys)
    project.run("train.py")
    state = load(project.folder / "runs/last.pt")["model"]
    torch.manual_seed(0)
    fresh = project.module("model").build_model().state_dict()
    same = {name for name in state if torch.equal(state[name], fresh[name])}
    assert same == {name for name in state if name.endswith(("_mean", "_var", "_tracked"))}


@pytest.mark.slow
def test_less_is_frozen_from_epoch_to_epoch() -> None:
    keys = [
        "model.freeze=backbone",
        'model.unfreeze=[{ epoch = 1, freeze = 3 }, { epoch = 2, freeze = "none" }]',
        "train.checkpoint_every=1",
        "train.checkpoint_steps=3",
        "train.ema=0.5",
        "schedule.name=constant",
    ]
    project = compiled(*keys, epochs=3)
    project.run("train.py", "--output", "run")
    torch.manual_seed(0)
    states = [project.module("model").build_model().state_dict()]
    states += [load(f"run/epoch_{epoch:04}.pt")["model"] for epoch in (1, 2, 3)]
    changed = [
        {name.split(".")[0] for name in one if not torch.equal(one[name], other[name])}
        for one, other in zip(states, states[1:], strict=False)
    ]
    everything = {"conv1", "bn1", "layer1", "layer2", "layer3", "layer4", "fc"}
    assert changed == [{"fc"}, {"layer4", "fc"}, everything]

    project.edit("train.py", "EPOCHS = 3", "EPOCHS = 2")
    project.run("train.py", "--output", "stopped")
    project.edit("train.py", "EPOCHS = 2", "EPOCHS = 3")
    project.run("train.py", "--output", "stopped", "--resume")
    assert differing(load("stopped/last.pt"), load("run/last.pt")) == []
    project.run("train.py", "--output", "two", processes=2)
