"""The number of processes changes the speed, not the recipe, and not what is measured."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from projects import (
    SPEC,
    Project,
    command,
    compile_spec,
    differing,
    finish,
    largest_difference,
    load,
    make_images,
    scalars,
)
from torch import nn

# All batch norms are frozen: on the CPU those that train see each process's share of a batch.
FROZEN = ('model.freeze=["*bn*", "*downsample.1"]', "log.tensorboard=true")


@pytest.fixture
def project(here: Path) -> Project:
    make_images(train=6, val=3)
    return compile_spec(SPEC, *FROZEN)


def test_one_and_two_processes_end_with_the_same_weights(project: Project) -> None:
    project.run("train.py", "--output", "one")
    project.run("train.py", "--output", "two", processes=2)
    one, two = load("one/last.pt"), load("two/last.pt")
    assert one["step"] == two["step"] == 12
    assert largest_difference(one["model"], two["model"]) < 1e-6
    fresh = project.module("model")
    torch.manual_seed(0)
    assert largest_difference(one["model"], fresh.build_model().state_dict()) > 1e-3
    expected = scalars(Path("one"))
    for tag, curve in scalars(Path("two")).items():
        assert curve == [(step, pytest.approx(value, rel=1e-4)) for step, value in expected[tag]]


OTHER_SYSTEM = """
import multiprocessing, os
import torch.distributed
multiprocessing.set_start_method("spawn")
torch.distributed.is_nccl_available = lambda: False
del os.setsid
"""


def test_the_number_of_workers_changes_no_bit(project: Project) -> None:
    """Nor does a system that spawns them and has no sessions, as Windows."""
    project.run("train.py", "--output", "none")
    project.edit("data.py", "WORKERS = 0", "WORKERS = 2")
    project.run("train.py", "--output", "two")
    assert differing(load("none/last.pt"), load("two/last.pt")) == ["/settings/WORKERS"]
    (project.here / "sitecustomize.py").write_text(OTHER_SYSTEM)
    env = {"PYTHONPATH": str(project.here)}
    finish(command(sys.executable, project.folder / "train.py", "--output", "spawned", env=env))
    assert differing(load("none/last.pt"), load("spawned/last.pt")) == ["/settings/WORKERS"]


def test_processes_share_each_batch_of_one_order(project: Project) -> None:
    data = project.module("data")

    def share(rank: int, processes: int, epoch: int) -> list[list[tuple[int, int]]]:
        data.dist.get_rank = lambda: rank
        data.dist.get_world_size = lambda: processes
        batches = data.Batches(range(24), 8, 0)
        batches.start(epoch, 0)
        return list(batches)

    rank, size = data.dist.get_rank, data.dist.get_world_size
    try:
        whole = share(0, 1, 1)
        parts = [share(number, 4, 1) for number in range(4)]
        other = share(0, 1, 2)
    finally:
        data.dist.get_rank, data.dist.get_world_size = rank, size
    assert [sum(batch, []) for batch in zip(*parts, strict=True)] == whole
    assert sorted(index for batch in whole for index, _ in batch) == list(range(24))
    assert other != whole
    assert not {seed for batch in whole for _, seed in batch} & {s for b in other for _, s in b}


def test_a_batch_that_cannot_be_divided_names_a_size_that_can(project: Project) -> None:
    project.edit("train.py", "BATCH_SIZE = 4", "BATCH_SIZE = 5")
    printed = project.fail("train.py", processes=2)
    assert "a batch of 5 cannot be divided among 2 processes" in printed
    assert "e.g. 6" in printed


def test_a_batch_larger_than_the_data_is_an_error(project: Project) -> None:
    project.edit("train.py", "BATCH_SIZE = 4", "BATCH_SIZE = 100")
    assert "24 samples make no batch of 100" in project.fail("train.py")


# ---- evaluation ----


@pytest.mark.parametrize("processes", [1, 2])
def test_evaluation_counts_each_sample_once(here: Path, processes: int) -> None:
    make_images(val=3)
    Path("images/val/elm/2.png").unlink()  # 11 samples: the processes' shares differ
    project = compile_spec(
        SPEC, "model.freeze=backbone", "evaluate.batch_size=2", "evaluate.topk=[1,2]"
    )
    project.run("train.py")
    printed = project.run("evaluate.py", processes=processes)
    metrics = {
        name: float(value) for name, value in re.findall(r"(loss|top\d) +(\d\.\d+)", printed)
    }

    data, model = project.module("data"), project.module("model").build_model()
    model.load_state_dict(load("project/runs/best.pt")["model"])
    _, samples = data.build_datasets(Path("images"))
    images, labels, _ = zip(*(samples[index, 0] for index in range(len(samples))), strict=True)
    truth = torch.tensor(labels)
    assert len(truth) == 11
    with torch.inference_mode():
        logits = model.eval()(data.normalize(torch.stack(images)))
    best = logits.topk(2).indices == truth[:, None]
    assert metrics == pytest.approx(
        {
            "loss": nn.functional.cross_entropy(logits, truth).item(),
            "top1": best[:, 0].float().mean().item(),
            "top2": best.any(1).float().mean().item(),
        },
        abs=1e-4,
    )


CONFUSION = """
from pathlib import Path
import torch
import checkpoint, data, distributed, evaluate, model

device = distributed.init()
network = model.build_model()
network.load_state_dict(checkpoint.load(evaluate.CHECKPOINT)["model"])
_, val_set = data.build_datasets(Path("images"))
_, confusion = evaluate.evaluate(network, data.build_eval_loader(val_set), device)
torch.save({"confusion": confusion}, f"confusion{torch.distributed.get_rank()}.pt")
"""


@pytest.mark.parametrize("count", [11, 1])
def test_confusion_matrix_has_each_sample_once(here: Path, count: int) -> None:
    """With shares that differ, and with a process that has none."""
    make_images(val=3)
    project = compile_spec(SPEC, "evaluate.batch_size=2")
    project.run("train.py")
    (project.folder / "confusion.py").write_text(CONFUSION)
    for file in sorted(Path("images/val").glob("*/*.png"))[count:]:
        file.unlink()
    data, model = project.module("data"), project.module("model").build_model()
    model.load_state_dict(load("project/runs/best.pt")["model"])
    _, samples = data.build_datasets(Path("images"))
    expected = torch.zeros(4, 4, dtype=torch.int64)
    for index in range(count):
        image, label, _ = samples[index, 0]
        with torch.inference_mode():
            expected[label, model.eval()(data.normalize(image[None])).argmax()] += 1
    project.run("confusion.py", processes=2)
    for rank in range(2):
        assert torch.equal(load(f"confusion{rank}.pt")["confusion"], expected)


def test_processes_evaluate_the_model_that_is_saved(here: Path) -> None:
    make_images(val=6)
    project = compile_spec(SPEC, "train.batch_size=8", "log.tensorboard=true")
    project.run("train.py", processes=2)
    best = load("project/runs/last.pt")["best"]
    printed = project.run("evaluate.py")
    assert f"top1     {best:.4f}" in printed
    curves = scalars(project.folder / "runs")
    step, _ = max(curves["val/top1"], key=lambda point: point[1])  # the first, as best.pt
    assert f"loss     {dict(curves['val/loss'])[step]:.4f}" in printed


# ---- torchrun itself ----


def torchrun(project: Project, *arguments: str) -> Any:
    program = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    program += ["--max-restarts", "1", "--nproc-per-node", "2"]
    return command(*program, project.folder / "train.py", "--resume", *arguments)


@pytest.mark.slow
@pytest.mark.parametrize("end", ["told to stop", "one process killed"])
def test_torchrun_is_resumed_as_if_never_stopped(project: Project, end: str) -> None:
    """With processes that read images, which must outlive what tells all the group to stop.

    Where one process is killed, torchrun starts all of them again by the same command line.
    """
    project.edit("data.py", "WORKERS = 0", "WORKERS = 1")
    project.edit("train.py", "CHECKPOINT_STEPS = 1000", "CHECKPOINT_STEPS = 4")
    project.run("train.py", "--output", "whole", processes=2)

    stopped = torchrun(project, "--output", "stopped")
    last = Path("stopped/last.pt")
    deadline = time.monotonic() + 100
    while not last.exists():
        assert stopped.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    if end == "told to stop":
        stopped.send_signal(signal.SIGTERM)
    else:
        processes = subprocess.check_output(["pgrep", "-P", str(stopped.pid)], text=True)
        os.kill(int(processes.split()[-1]), signal.SIGKILL)
    printed = finish(stopped, code=int(end == "told to stop"))
    assert printed.count(f"no {last}: a new run") == 1
    if end == "told to stop":
        step = load(last)["step"]
        assert 4 <= step < 12
        assert f"stopped at step {step}; --resume" in printed, printed
        printed = project.run("train.py", "--output", "stopped", "--resume", processes=2)
    (step,) = map(int, re.findall(r"stopped: from step (\d+) on", printed))
    assert 4 <= step < 12
    assert differing(load("whole/last.pt"), load("stopped/last.pt")) == []


def signalled(process: Any, number: int, code: int, times: int = 1, alone: bool = False) -> str:
    """Send a signal to a process, or as a terminal does to its whole group: what is printed.

    That ends where no process is left that could print, the workers of loaders included.
    """
    sent = time.monotonic()
    for before in range(times):
        time.sleep(1.2 * before)  # what comes within a second is the same, passed on by torchrun
        (os.kill if alone else os.killpg)(process.pid, number)
    printed = finish(process, code)
    assert time.monotonic() - sent < 40
    assert "Traceback" not in printed and "KeyboardInterrupt" not in printed, printed
    return printed


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_ctrl_c_ends_a_run_after_its_step_and_twice_at_once(
    project: Project, processes: int
) -> None:
    """The first is said at once, and by the main process alone; nothing is left behind."""
    code = 1 if processes == 1 else 128 + signal.SIGINT
    project.edit("data.py", "WORKERS = 0", "WORKERS = 1")
    project.edit("train.py", "EPOCHS = 2", "EPOCHS = 100")
    project.edit("evaluate.py", "    loss = MeanMetric()", "    PAUSE\n    loss = MeanMetric()")
    program = [Path(sys.executable).with_name("specc"), "run", "spec.toml", "-o", "project"]
    program += [argument for override in FROZEN for argument in ("--set", override)]
    program += ["--cpu", str(processes), "--resume"]
    last = project.folder / "runs/last.pt"

    def start(pause: str, step: int) -> Any:
        """Start a run whose evaluations begin with `pause`, and wait until it is beyond `step`."""
        evaluation = project.folder / "evaluate.py"
        text = re.sub(r"(\n    ).*(\n    loss = Mean)", rf"\1{pause}\2", evaluation.read_text())
        evaluation.write_text(text)
        process = command(*program)
        deadline = time.monotonic() + 100
        while not (last.exists() and load(last)["step"] > step):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        return process

    first = signal.SIGTERM if processes == 1 else signal.SIGINT
    printed = signalled(start("pass", 0), first, code, alone=first == signal.SIGTERM)
    step = load(last)["step"]
    assert printed.splitlines()[-1] == f"stopped at step {step}; --resume continues", printed
    assert printed.count("stopped at step") == printed.count("stopping after this step") == 1

    evaluating = start("__import__('time').sleep(60)", step)
    code = -signal.SIGINT if processes == 1 else code
    printed = signalled(evaluating, signal.SIGINT, code, times=2)
    assert f"from step {step} on" in printed and printed.count("stopping after this step") == 1


@pytest.mark.slow
def test_launch_sh_says_the_reason_last_and_ctrl_c_no_traceback(project: Project) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "CPU": "2"}
    failing = command(project.folder / "launch.sh", "--data", "nowhere", env=environment)
    printed = finish(failing, code=1)
    assert printed.splitlines()[-1].startswith("nowhere: no such folder"), printed
    pause = "    print('here', flush=True)\n    __import__('time').sleep(60)\n"
    project.edit("predict.py", "    files = find(", f"{pause}    files = find(")
    predicting = command(sys.executable, project.folder / "predict.py", "images")
    assert predicting.stdout is not None and predicting.stdout.readline() == "here\n"
    signalled(predicting, signal.SIGINT, 128 + signal.SIGINT)
