"""Stopping is free: whatever ends a run, resumed it ends as if it had never been stopped."""

import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
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


def assert_as_if_never_stopped(run: str = "run", other: str = "never-stopped") -> None:
    """The same bits, and the same curves."""
    for file in ("last.pt", "best.pt"):
        assert differing(load(f"{run}/{file}"), load(f"{other}/{file}")) == []
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
    assert_as_if_never_stopped()


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
    assert f"run/last.pt: from step {step} on\n" in project.run("train.py", *arguments)
    assert_as_if_never_stopped()


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
