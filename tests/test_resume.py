"""Stopping is free: whatever ends a run, resumed it ends as if it had never been stopped."""

import math
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from projects import (
    SPEC,
    Process,
    Project,
    compile_spec,
    differing,
    load,
    make_images,
    scalars,
)

STEPS = 8  # of each of two epochs
EVERY = 3  # steps between two checkpoints inside an epoch


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Project]:
    """A project with a run, `never-stopped`, for each model."""
    projects: dict[str, Project] = {}

    def finished(model: str) -> Project:
        if model not in projects:
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(tmp_path_factory.mktemp(model))
                make_images(train=STEPS)
                projects[model] = compile_spec(
                    SPEC,
                    f"model.name={model!r}",
                    "log.tensorboard=true",
                    f"train.checkpoint_steps={EVERY}",
                )
                projects[model].run("train.py", "--output", "never-stopped")
        return projects[model]

    return finished


@pytest.fixture
def project(
    finished: Callable[[str], Project], request: pytest.FixtureRequest, here: Path
) -> Project:
    """A copy of the project of a model, by default a ResNet-18, and of its finished run."""
    original = finished(getattr(request, "param", "resnet18"))
    shutil.copytree(original.here, here, dirs_exist_ok=True)
    return Project(here / "project", here)


def start(project: Project, *, until: int) -> Process:
    """Start a run, and wait until it is at a step of its second epoch."""
    (process,) = project.start("train.py", "--output", "run")

    def step() -> int:
        _, _, second_epoch = process.printed.partition("epoch 2/2")
        return len(set(re.findall(r"loss=(\S+)\]", second_epoch)))

    process.wait_for(lambda: step() >= until)
    return process


def assert_as_if_never_stopped(
    run: str = "run", other: str = "never-stopped", edited: str | None = None
) -> None:
    """The same bits, and the same curves; only a constant that was edited is another one."""
    settings = [f"/settings/{edited}"] if edited else []
    assert differing(load(f"{run}/last.pt"), load(f"{other}/last.pt")) == settings
    assert differing(load(f"{run}/best.pt"), load(f"{other}/best.pt")) == []
    assert load(f"{run}/last.pt")["step"] == 2 * STEPS
    assert scalars(Path(run)) == scalars(Path(other))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_killed_run_continues_from_its_last_checkpoint(project: Project, workers: int) -> None:
    project.edit("data.py", "WORKERS = 0", f"WORKERS = {workers}")
    killed = start(project, until=5)
    killed.kill()
    assert killed.join() == -signal.SIGKILL
    assert STEPS < load("run/last.pt")["step"] < 2 * STEPS
    project.run("train.py", "--output", "run", "--resume")
    assert_as_if_never_stopped(edited="WORKERS" if workers else None)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_a_run_after_its_step(project: Project, number: int) -> None:
    stopped = start(project, until=2)
    stopped.kill(number)
    assert stopped.join() == 1
    step = load("run/last.pt")["step"]
    assert f"stopped at step {step}; --resume continues" in stopped.printed
    assert STEPS + 2 <= step < 2 * STEPS
    project.run("train.py", "--output", "run", "--resume")
    assert_as_if_never_stopped()


@pytest.mark.slow
@pytest.mark.parametrize("project", ["mobilenet_v3_small", "efficientnet_b0"], indirect=True)
def test_dropout_continues_as_well(project: Project) -> None:
    """Dropout in the one, stochastic depth also in the other."""
    stopped = start(project, until=4)
    stopped.kill(signal.SIGTERM)
    assert stopped.join() == 1
    assert STEPS < load("run/last.pt")["step"] < 2 * STEPS
    project.run("train.py", "--output", "run", "--resume")
    assert_as_if_never_stopped()


def test_checkpoint_is_whole_at_every_moment(project: Project) -> None:
    project.edit("train.py", f"CHECKPOINT_STEPS = {EVERY}", "CHECKPOINT_STEPS = 1")
    arguments = ["--output", "run", "--resume"]  # one line begins the run and continues it
    writing, last = Path("run/last.pt.tmp"), Path("run/last.pt")
    for _ in range(3):
        (process,) = project.start("train.py", *arguments)
        writing.unlink(missing_ok=True)
        process.wait_for(lambda: last.exists() and writing.exists())
        process.kill()
        assert process.join() == -signal.SIGKILL
        step = load(last)["step"]
        assert step < 2 * STEPS
    assert f"run: from step {step} on\n" in project.run("train.py", *arguments)
    assert_as_if_never_stopped(edited="CHECKPOINT_STEPS")


def test_run_is_not_overwritten(project: Project) -> None:
    before = Path("never-stopped/last.pt").read_bytes()
    printed = project.fail("train.py", "--output", "never-stopped")
    assert "never-stopped/last.pt exists: --resume that run, or name another --output" in printed
    assert Path("never-stopped/last.pt").read_bytes() == before


def test_resuming_nothing_begins_a_run_and_says_so(project: Project) -> None:
    printed = project.run("train.py", "--output", "run", "--resume")
    assert "no run/last.pt: a new run\n" in printed
    assert_as_if_never_stopped()


def test_resuming_a_finished_run_changes_nothing(project: Project) -> None:
    shutil.copytree("never-stopped", "run")
    project.run("train.py", "--output", "run", "--resume")
    assert_as_if_never_stopped()


def test_evaluation_that_fails_costs_no_training(project: Project) -> None:
    start = "    loss = MeanMetric()"
    project.edit("evaluate.py", start, f'    raise RuntimeError("no space")\n{start}')
    assert "no space" in project.fail("train.py", "--output", "run")
    assert load("run/last.pt")["step"] == STEPS
    assert not Path("run/best.pt").exists()
    project.edit("evaluate.py", f'    raise RuntimeError("no space")\n{start}', start)
    project.run("train.py", "--output", "run", "--resume")
    assert_as_if_never_stopped()


def damaged(whole: bytes) -> Iterator[bytes]:
    """What may have become of a checkpoint's bytes: a disk was full, or lost its power."""
    yield b""
    yield whole[: len(whole) // 2]
    yield bytes(len(whole))
    middle = len(whole) // 2
    yield whole[:middle] + bytes(4096) + whole[middle + 4096 :]
    yield b"a text, and no checkpoint"


def test_damaged_checkpoint_is_noticed_and_the_one_before_used(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    module = project.module("checkpoint")
    shutil.copytree("never-stopped", "run")
    last, previous = Path("run/last.pt"), Path("run/previous.pt")
    for contents in damaged(last.read_bytes()):
        last.write_bytes(contents)
        with pytest.raises(SystemExit, match=r"^run/last.pt: damaged, or no checkpoint"):
            module.load(last)  # as evaluate.py, predict.py and export.py do
        assert module.load(last, previous)["step"] == 2 * STEPS
        assert "run/previous.pt is used, the checkpoint before that" in capsys.readouterr().out
    module.save(last, {"classes": []}, previous)
    assert load(last) == {"classes": []} and load(previous)["finished"] == 1
    torch.save([1, 2], last)
    with pytest.raises(SystemExit, match=r"^run/last.pt: another file, without 'classes'$"):
        module.load(last)
    with pytest.raises(SystemExit, match=r"^run: Is a directory$"):
        module.load(Path("run"))

    shutil.copy("run/best.pt", last)
    printed = project.run("train.py", "--output", "run", "--resume")
    assert "run/last.pt: another file, without 'recipe'" in printed
    for file in ("last.pt", "best.pt"):
        assert differing(load(f"run/{file}"), load(f"never-stopped/{file}")) == []


def test_another_recipe_is_refused_and_each_difference_named(project: Project) -> None:
    shutil.copytree("never-stopped", "run")
    shutil.copy("images/train/ash/0.png", "images/train/ash/more.png")
    for part in ("train", "val"):
        Path(f"images/{part}/elm").rename(f"images/{part}/fir")
    printed = project.fail("evaluate.py", "--checkpoint", "run/best.pt")
    assert "images/val: not in training: ['fir']" in printed
    project.edit("train.py", "SEED = 0", "SEED = 1")
    project.edit("train.py", "BATCH_SIZE = 4", "BATCH_SIZE = 8")
    project.edit("train.py", 'MONITOR = "top1"', 'MONITOR = "loss"')
    project.edit("train.py", "torch.optim.SGD(", "torch.optim.RMSprop(")
    project.edit("model.py", "models.resnet18(", "models.resnet34(")
    project.edit("train.py", "model.parameters(), lr=LR", "model.fc.parameters(), lr=LR")
    printed = project.fail("train.py", "--output", "run", "--resume")
    # 11,689,512 and 21,797,672 are torchvision's numbers for 1000 classes, of 513 weights each.
    weights = 11_689_512 - 996 * 513, 21_797_672 - 996 * 513
    for line in (
        "run/last.pt is of another recipe; restore these, or name another --output:\n  model",
        "  SEED: 0 -> 1",
        "  BATCH_SIZE: 4 -> 8",
        "  MONITOR: top1 -> loss",
        "  steps per epoch: 8 -> 4",
        "  samples: 32 -> 33",
        "  classes: gone: elm; new: fir",
        "  model: ResNet of {:,} weights -> ResNet of {:,} weights".format(*weights),
        "  optimizer: SGD -> RMSprop",
        "  trained: gone: bn1.bias, bn1.weight, conv1.weight, layer1.0.bn1.bias,",
        "layer1.0.bn1.weight and 55 more",
    ):
        assert line in printed, line
    project.edit("model.py", "models.resnet34(", "models.resnet18(")
    printed = project.fail("train.py", "--output", "run", "--resume")
    assert "another --output, and --weights run/best.pt to begin with its model:\n" in printed


def test_checkpoint_of_another_model_is_refused_in_a_line(project: Project) -> None:
    """ResNet-34 has 3, 4, 6 and 3 blocks where ResNet-18 has 2 of each."""
    project.edit("model.py", "models.resnet18(", "models.resnet34(")
    line = (
        "never-stopped/best.pt is of another model: new: layer1.2.bn1.bias [64], "
        "layer1.2.bn1.num_batches_tracked [], layer1.2.bn1.running_mean [64], "
        "layer1.2.bn1.running_var [64], layer1.2.bn1.weight [64] and 91 more\n"
    )  # 8 new blocks of two convolutions and two norms with five tensors each: 96
    begin = ["train.py", "--output", "new", "--weights"]
    for arguments in (begin, ["evaluate.py", "--checkpoint"]):
        printed = project.fail(*arguments, "never-stopped/best.pt")
        assert line in printed and "Traceback" not in printed, printed


def test_resumed_run_takes_new_settings(project: Project) -> None:
    """The learning rate is what it were if the settings had been these from the beginning."""
    shutil.copytree("never-stopped", "run")
    old, epochs, lr = 2 * STEPS, 3, 0.02
    project.edit("train.py", "EPOCHS = 2", f"EPOCHS = {epochs}")
    project.edit("train.py", "LR = 0.01", f"LR = {lr}")
    project.edit("train.py", "MOMENTUM = 0.9", "MOMENTUM = 0.8")
    state = load("run/last.pt")
    state["settings"]["CLIP_NORM"] = "1.0"  # a setting that is gone by now
    torch.save(state, "run/last.pt")
    printed = project.run("train.py", "--output", "run", "--resume")
    changes = "EPOCHS: 2 -> 3, LR: 0.01 -> 0.02, MOMENTUM: 0.9 -> 0.8, CLIP_NORM: 1.0 -> None"
    assert f"run: from step {old} on, {changes}\n" in printed
    logged = dict(scalars(Path("run"))["train/lr"])
    for step in range(old + 1, epochs * STEPS + 1):
        cosine = math.cos(math.pi * step / (epochs * STEPS))
        assert logged[step] == pytest.approx(lr * (1 + cosine) / 2, abs=1e-9)
    assert load("run/last.pt")["optimizer"]["param_groups"][0]["momentum"] == 0.8


def test_a_new_run_begins_with_the_model_of_another(project: Project) -> None:
    """Nothing is learned at a rate of 0; with another number of classes the head is new."""
    for part in ("train", "val"):
        shutil.rmtree(f"images/{part}/elm")
    project.edit("data.py", "NUM_CLASSES = 4", "NUM_CLASSES = 3")
    project.edit("train.py", "EPOCHS = 2", "EPOCHS = 1")
    project.edit("train.py", "LR = 0.01", "LR = 0.0")
    printed = project.run("train.py", "--output", "new", "--weights", "never-stopped/best.pt")
    assert "never-stopped/best.pt has other classes: gone: elm\n" in printed
    old, new = (load(f"{run}/best.pt")["model"] for run in ("never-stopped", "new"))
    assert new["fc.weight"].shape == (3, 512)
    learned = [name for name in old if name.endswith(("weight", "bias")) and "fc." not in name]
    assert len(learned) == 60  # 20 convolutions, and weight and bias of 20 norms
    assert all(torch.equal(old[name], new[name]) for name in learned)
