"""Video classifiers are trained, resumed, evaluated, asked and exported as they should be."""

import csv
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from clips import frames, make_folders, make_rawframes, write_video
from projects import (
    Project,
    differing,
    largest_difference,
    load,
    make_weights,
    scalars,
)
from test_video_data import MOTIONS, R3D, SMALL, TSN, video_project
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision import models
from torchvision.transforms.v2.functional import normalize, to_dtype

EPOCHS, BATCH, STEPS = 2, 3, 2  # of 8 videos: the last two of an epoch are left out
MAX_NORM = 1.5
# In r3d_18 all batch norms: on the CPU those that train see each process's share of a batch.
FROZEN = "model.freeze=['stem.1', '*.conv?.1', '*.downsample.1']"
KINETICS400 = ([0.43216, 0.394666, 0.37645], [0.22803, 0.22145, 0.216989])
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A group of one process."""
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 0)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 1)


# ---- training ----


class Segments(nn.Module):
    """A TSN as its paper has it: the mean of what a classifier says of each segment."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = models.resnet18()
        self.fc = nn.Linear(512, 4)
        self.backbone.fc = nn.Identity()

    def forward(self, clips: Tensor) -> Tensor:
        scores = self.fc(self.backbone(clips.flatten(0, 1)))
        return scores.unflatten(0, clips.shape[:2]).mean(1)


def train_by_hand(project: Project, model: str) -> tuple[list[float], dict[str, Tensor]]:
    """The losses and the final state of the training that is asked for below."""
    samples, _ = project.module("data").build_datasets(Path("videos"))
    torch.manual_seed(7)
    network = (Segments() if model == TSN else models.video.r3d_18(num_classes=4)).train()
    nn.init.normal_(network.fc.weight, std=0.01)
    nn.init.zeros_(network.fc.bias)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.02, momentum=0.8, weight_decay=1e-3)
    losses: list[float] = []
    for epoch in range(EPOCHS):
        generator = torch.Generator().manual_seed(7 + epoch)
        order = torch.randperm(len(samples), generator=generator)
        seeds = torch.randint(2**31, (len(samples),), generator=generator)
        optimizer.param_groups[0]["lr"] = 0.02 * 0.3**epoch
        for batch in order[: BATCH * STEPS].split(BATCH):
            clips, labels = [], []
            for index in batch.tolist():
                clip, label, _ = samples[index, seeds[index].item()]
                mean, std = IMAGENET if model == TSN else KINETICS400
                clips.append(normalize(to_dtype(clip, scale=True), mean, std))
                labels.append(label)
            inputs = torch.stack(clips)
            inputs = inputs if model == TSN else inputs.transpose(1, 2)  # to [B, 3, T, H, W]
            loss = F.cross_entropy(network(inputs), torch.tensor(labels))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), MAX_NORM)
            optimizer.step()
            losses.append(loss.item())
    return losses, network.state_dict()


@pytest.mark.parametrize("model", [TSN, R3D])
def test_training_is_the_loop_written_by_hand(here: Path, model: str) -> None:
    if model == TSN:
        make_rawframes("videos", MOTIONS, **SMALL)
    else:
        make_folders("videos", MOTIONS, **SMALL)
    project = video_project(
        model,
        "rawframes" if model == TSN else "videofolder",
        "model.dropout=0" if model == TSN else "model.init_std=0.01",
        "optim={ name = 'sgd', lr = 0.02, momentum = 0.8, weight_decay = 1e-3, clip_norm = 1.5 }",
        "schedule={ name = 'multistep', epochs = 2, milestones = [1], gamma = 0.3 }",
        "train.seed=7",
        f"train.batch_size={BATCH}",
        "log.tensorboard=true",
    )
    project.run("train.py", "--output", "run")
    losses, state = train_by_hand(project, model)
    # The mean over the segments comes before the last layer there: the same but for rounding.
    tolerance = 1e-5 if model == TSN else 0
    expected = [pytest.approx(loss, rel=tolerance, abs=0) for loss in losses]
    assert scalars(Path("run"))["train/loss"] == list(enumerate(expected, start=1))
    assert largest_difference(load("run/last.pt")["model"], state) <= tolerance
    assert load("run/best.pt")["classes"] == (["0", "1", "2", "3"] if model == TSN else [*MOTIONS])


@pytest.mark.slow
def test_two_processes_train_as_one(here: Path) -> None:
    make_folders("videos", MOTIONS, **SMALL)
    project = video_project(R3D, "videofolder", FROZEN, "log.tensorboard=true")
    project.run("train.py", "--output", "one")
    project.run("train.py", "--output", "two", processes=2)
    one, two = load("one/last.pt"), load("two/last.pt")
    assert one["step"] == two["step"] == 4
    assert largest_difference(one["model"], two["model"]) < 1e-6
    expected = scalars(Path("one"))
    for tag, curve in scalars(Path("two")).items():
        assert curve == [(step, pytest.approx(value, rel=1e-4)) for step, value in expected[tag]]


@pytest.mark.slow
def test_a_stopped_run_continues_bit_for_bit(here: Path) -> None:
    make_folders("videos", MOTIONS, **(SMALL | {"train": 5}))
    project = video_project(R3D, "videofolder", "train.workers=1", "log.tensorboard=true")
    project.run("train.py", "--output", "whole")
    (process,) = project.start("train.py", "--output", "run")

    def steps() -> int:
        _, _, second_epoch = process.printed.partition("epoch 2/2")
        return len(set(re.findall(r"loss=(\S+)\]", second_epoch)))

    process.wait_for(lambda: steps() >= 2)
    process.kill(signal.SIGTERM)
    assert process.join() == 1
    assert 5 < load("run/last.pt")["step"] < 10
    project.run("train.py", "--output", "run", "--resume")
    for file in ("last.pt", "best.pt"):
        assert differing(load(f"run/{file}"), load(f"whole/{file}")) == []
    assert scalars(Path("run")) == scalars(Path("whole"))

    project.edit("data.py", "STRIDE = 2", "STRIDE = 3")  # with no step left to train
    printed = project.run("train.py", "--output", "run", "--resume")
    assert "run: from step 10 on, STRIDE: 2 -> 3\n" in printed
    project.edit("train.py", "SEED = 0", "SEED = 1")
    video = next(Path("videos/train").glob("*/*"))
    shutil.copy(video, video.with_stem("more"))
    printed = project.fail("train.py", "--output", "run", "--resume")
    assert "  SEED: 0 -> 1\n" in printed and "  samples: 20 -> 21\n" in printed


# ---- weights ----


def mmaction_names(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """What MMAction2 calls the tensors of a ResNet-18 of torchvision, but for its head."""
    named = {}
    for name, tensor in weights.items():
        if name.startswith("fc."):
            continue
        name = re.sub(r"\bconv(\d)\.", r"conv\1.conv.", name)
        name = re.sub(r"\bbn(\d)\.", r"conv\1.bn.", name)
        name = name.replace("downsample.0.", "downsample.conv.")
        named[f"backbone.{name.replace('downsample.1.', 'downsample.bn.')}"] = tensor
    return named


def loaded(project: Project) -> nn.Module:
    module = project.module("model")
    model: nn.Module = module.build_model()
    module.load_pretrained(model)
    return model


def assert_backbone(model: nn.Module, weights: dict[str, Tensor]) -> None:
    state = model.state_dict()
    names = {name for name in weights if not name.startswith("fc.")}
    assert {f"backbone.{name}" for name in names} | {"fc.weight", "fc.bias"} == {*state}
    for name in names:
        assert torch.equal(state[f"backbone.{name}"], weights[name]), name
    assert state["fc.weight"].shape == (4, 512)
    assert state["fc.weight"].std().item() == pytest.approx(0.01, rel=0.1)
    assert not state["fc.bias"].any()


def tsn_of(layout: str) -> Project:
    make_rawframes("videos", MOTIONS, **(SMALL | {"train": 1, "count": 3}))
    weights = f"model.weights={{ source = 'a.pth', layout = '{layout}' }}"
    return video_project(TSN, "rawframes", weights)


def test_a_tsn_of_mmaction2_loads(here: Path) -> None:
    weights = make_weights(models.resnet18(), "plain.pth")
    state = mmaction_names(weights)
    assert "backbone.layer2.0.downsample.bn.running_var" in state
    assert "backbone.conv1.conv.weight" in state and "backbone.layer1.0.conv2.bn.bias" in state
    head = {"cls_head.fc_cls.weight": torch.ones(400, 512), "cls_head.fc_cls.bias": torch.ones(400)}
    meta = {"epoch": 100, "mmaction_version": "0.24.0", "CLASSES": None}
    torch.save({"meta": meta, "state_dict": state | head}, "a.pth")
    project = tsn_of("mmaction")
    assert_backbone(loaded(project), weights)

    del state["backbone.layer3.1.conv2.bn.running_mean"]
    torch.save({"meta": meta, "state_dict": state | head}, "a.pth")
    with pytest.raises(RuntimeError, match=r"backbone\.layer3\.1\.bn2\.running_mean") as error:
        loaded(project)
    assert "layer2" not in str(error.value)


@pytest.mark.parametrize("key", ["", "state_dict"])
def test_an_image_classifier_becomes_the_backbone(here: Path, key: str) -> None:
    weights = make_weights(models.resnet18(), "a.pth")
    if key:
        torch.save({key: weights}, "a.pth")
    project = tsn_of("classifier")
    assert_backbone(loaded(project), weights)
    rest = {name: tensor for name, tensor in weights.items() if name != "layer4.0.bn1.bias"}
    torch.save(rest, "a.pth")
    with pytest.raises(RuntimeError, match=r"backbone\.layer4\.0\.bn1\.bias"):
        loaded(project)


def test_the_checkpoint_of_a_tsn_is_weights_for_another(here: Path) -> None:
    make_rawframes("videos", MOTIONS, **(SMALL | {"train": 1, "count": 3}))
    other = video_project(TSN, "rawframes").module("model").build_model()
    state = make_weights(other, "b.pth")
    torch.save({"model": state, "classes": ["a", "b"]}, "a.pth")
    model = loaded(video_project(TSN, "rawframes", "model.weights=./a.pth", folder="second"))
    names = {name.removeprefix("backbone."): tensor for name, tensor in state.items()}
    assert_backbone(model, names)


# ---- a trained model ----


def checkpointed(project: Project, classes: list[str]) -> nn.Module:
    """A model that was not trained, but tells one video from another, and its checkpoint."""
    torch.manual_seed(0)
    data, model = project.module("data"), project.module("model").build_model()
    _, samples = data.build_datasets(Path("videos"))
    clips = data.normalize(torch.stack([samples[index, 0][0] for index in range(len(samples))]))
    with torch.no_grad():
        nn.init.normal_(model.fc.weight)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
                module.momentum = None  # the mean of what it sees
        model.train()(clips)
        logits = model.eval()(clips)
        model.fc.weight /= logits.std(0).clamp(min=1e-3)[:, None]
        model.fc.bias -= model(clips).mean(0)
    (project.folder / "runs").mkdir()
    state = {"model": model.state_dict(), "classes": classes}
    torch.save(state, project.folder / "runs/best.pt")
    return model


def printed_metrics(printed: str) -> dict[str, float]:
    found = re.findall(r"^(loss|top1|top2|mean_class_accuracy) +(\d+\.\d+)$", printed, re.M)
    return {name: float(value) for name, value in found}


@pytest.mark.parametrize(
    "test", ["", "{ clips = 2, crops = 3 }", "{ clips = 3, average = 'scores' }"]
)
def test_evaluation_counts_each_video_once(here: Path, test: str) -> None:
    make_folders("videos", MOTIONS, **(SMALL | {"train": 1, "val": 2}))
    Path("videos/val/left/clip_001.mp4").unlink()  # 7 videos: the processes' shares differ
    project = video_project(
        R3D,
        "videofolder",
        "evaluate.metrics=['mean_class_accuracy']",
        "evaluate.topk=[1, 2]",
        "evaluate.batch_size=2",
        *([f"evaluate.test={test}"] if test else []),
    )
    model = checkpointed(project, [*MOTIONS])
    data = project.module("data")
    _, samples = data.build_datasets(Path("videos"))
    truth = torch.tensor(samples.labels)
    logits = []
    with torch.inference_mode():
        for index, video in enumerate(samples.videos):
            views = data.test_views(video) if test else samples[index, 0][0][None]
            scores = model(data.normalize(views))
            logits.append(scores.mean(0) if "scores" in test else scores.softmax(1).mean(0).log())
    scores = torch.stack(logits)
    assert len(truth) == 7
    best = scores.topk(2).indices == truth[:, None]
    right = best[:, 0].float()
    expected = {
        "loss": F.cross_entropy(scores, truth).item(),
        "top1": right.mean().item(),
        "top2": best.any(1).float().mean().item(),
        "mean_class_accuracy": torch.stack([right[truth == k].mean() for k in range(4)])
        .mean()
        .item(),
    }
    assert 0 < expected["top2"]
    one, two = project.run("evaluate.py"), project.run("evaluate.py", processes=2)
    assert printed_metrics(one) == pytest.approx(expected, abs=2e-4)
    assert printed_metrics(two) == pytest.approx(expected, abs=2e-4)
    counts = re.findall(r" +(\d+)  (down|left|right|up)$", two, re.M)
    assert counts == [("2", "down"), ("1", "left"), ("2", "right"), ("2", "up")]


def answers(path: str = "answers.csv") -> dict[str, list[str]]:
    with open(path, newline="") as file:
        header, *rows = csv.reader(file)
    assert header[:3] == ["path", "class_1", "probability_1"]
    return {row[0]: row[1:] for row in rows}


TESTS = {"": lambda data: data.eval_clip, "{ clips = 2, crops = 3 }": lambda data: data.test_views}


@pytest.mark.parametrize("test", TESTS)
def test_videos_are_answered_and_broken_ones_named(here: Path, test: str) -> None:
    make_folders("videos", MOTIONS, **(SMALL | {"train": 1, "val": 1}))
    overrides = [f"evaluate.test={test}"] if test else []
    project = video_project(R3D, "videofolder", *overrides)
    model = checkpointed(project, [*MOTIONS])
    shutil.copy("videos/val/up/clip_000.mp4", "one.mp4")
    content = Path("one.mp4").read_bytes()
    Path("videos/val/down/broken.mp4").write_bytes(content[: len(content) // 2])
    Path("videos/val/down/notes.txt").write_text("no video")
    found = project.fail(
        "predict.py", "one.mp4", "videos/val", "--csv", "answers.csv", "--draw", "drawn.png"
    )
    broken = "videos/val/down/broken.mp4: not a readable video; mend or remove it"
    assert "1 of 6 files were not read:" in found and broken in found
    assert Path("drawn.png").stat().st_size > 1000
    data = project.module("data")
    seen: Callable[[Path], Tensor] = TESTS[test](data)
    table = answers()
    assert [*table] == ["one.mp4", *(f"videos/val/{name}/clip_000.mp4" for name in MOTIONS)]
    for path, row in table.items():
        clip = seen(Path(path))
        with torch.inference_mode():
            logits = model(data.normalize(clip if test else clip[None]))
        p = logits.softmax(1).mean(0)
        top = p.topk(len(row) // 2)
        assert row[::2] == [MOTIONS[number] for number in top.indices]
        assert [float(text) for text in row[1::2]] == pytest.approx(top.values.tolist(), abs=1e-4)
        assert path in found
    whole = project.run("predict.py", "one.mp4")
    assert "one.mp4" in whole and table["one.mp4"][0] in whole


@pytest.mark.parametrize("test", ["", "{ clips = 4, crops = 5, average = 'scores' }"])
def test_a_project_of_frames_answers_video_files(here: Path, test: str) -> None:
    make_rawframes("videos", MOTIONS, **(SMALL | {"train": 1, "val": 2}))
    overrides = [f"evaluate.test={test}"] if test else []
    project = video_project(TSN, "rawframes", *overrides)
    model = checkpointed(project, [str(number) for number in range(4)])
    write_video("one.mp4", frames("left", 3, 12, SMALL["size"]))
    project.run("predict.py", "one.mp4", "--csv", "answers.csv")
    data = project.module("data")
    views = data.test_views(Path("one.mp4")) if test else data.eval_clip(Path("one.mp4"))[None]
    with torch.inference_mode():
        p = model(data.normalize(views)).mean(0).softmax(0)
    (row,) = answers().values()
    top = p.topk(len(row) // 2)
    assert row[::2] == [str(number) for number in top.indices.tolist()]
    assert [float(text) for text in row[1::2]] == pytest.approx(top.values.tolist(), abs=1e-4)


@pytest.mark.parametrize("model", [TSN, R3D])
def test_the_exported_model_agrees(here: Path, model: str) -> None:
    make_rawframes("videos", MOTIONS, **(SMALL | {"train": 1, "val": 2}))
    project = video_project(model, "rawframes")
    network = checkpointed(project, [str(number) for number in range(4)])
    assert "agrees with the model" in project.run("export.py", "--output", "model.pt2")
    exported = torch.export.load("model.pt2").module()
    data = project.module("data")
    _, samples = data.build_datasets(Path("videos"))
    clips = torch.stack([samples[index, 0][0] for index in range(5)])
    with torch.inference_mode():
        expected = network(data.normalize(clips)).softmax(1)
        torch.testing.assert_close(exported(clips), expected, rtol=0, atol=1e-4)
