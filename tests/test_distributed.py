"""The number of processes changes the speed, not the recipe, and not what is measured."""

import re
import signal
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
    load,
    make_images,
    scalars,
)
from torch import nn

pytestmark = pytest.mark.slow
# All batch norms are frozen: on the CPU those that train see each process's share of a batch.
FROZEN = ('model.freeze=["*bn*", "*downsample.1"]', "log.tensorboard=true")


@pytest.fixture
def project(here: Path) -> Project:
    make_images(train=6, val=3)
    return compile_spec(SPEC, *FROZEN)


def largest_difference(one: dict[str, Any], other: dict[str, Any]) -> float:
    return max(float((one[name].double() - other[name].double()).abs().max()) for name in one)


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


def test_the_number_of_workers_changes_no_bit(project: Project) -> None:
    project.run("train.py", "--output", "none")
    project.edit("data.py", "WORKERS = 0", "WORKERS = 3")
    project.run("train.py", "--output", "three")
    assert differing(load("none/last.pt"), load("three/last.pt")) == []


def test_processes_share_each_batch_of_one_order(project: Project) -> None:
    data = project.module("data")

    def share(rank: int, processes: int, epoch: int) -> list[list[tuple[int, int]]]:
        data.dist.get_rank = lambda: rank
        data.dist.get_world_size = lambda: processes
        batches = data.Batches(24, 8, 0)
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
    assert "as 6" in printed


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


# ---- torchrun itself ----


def torchrun(project: Project, *arguments: str) -> Any:
    program = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return command(*program, "--nproc-per-node", "2", project.folder / "train.py", *arguments)


def test_torchrun_told_to_stop_leaves_a_checkpoint_to_go_on_from(project: Project) -> None:
    project.edit("train.py", "EPOCHS = 2", "EPOCHS = 40")
    finish(torchrun(project, "--output", "whole"))

    stopped = torchrun(project, "--output", "stopped")
    deadline = time.monotonic() + 100
    while not Path("stopped/last.pt").exists():
        assert stopped.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    stopped.send_signal(signal.SIGTERM)
    stopped.communicate(timeout=100)
    assert stopped.returncode != 0
    assert 0 < load("stopped/last.pt")["step"] < 240

    finish(torchrun(project, "--output", "stopped", "--resume"))
    assert differing(load("whole/last.pt"), load("stopped/last.pt")) == []
