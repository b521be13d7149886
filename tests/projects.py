"""Specs, data and weights made on the spot, and the generated projects in processes of their own.

A process is forked from a server that has imported torch and the like, which saves the seconds
that `python train.py` takes to begin; all else is as there. `torchrun` and `python` themselves
run wherever a test is about them.
"""

import multiprocessing
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn
from torchvision.transforms.v2.functional import to_pil_image

from specc import build

PATIENCE = 1200  # seconds that a process may take
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        "matplotlib.backends.backend_agg",
        "matplotlib.figure",
        "timm",
        "torch.nn.parallel",
        "torch.utils.tensorboard",
        "torchmetrics.classification",
        "torchvision.transforms.v2",
        "tqdm",
    ]
)

# A ResNet-18 on four classes of pictures of 32 pixels: a step takes 30 milliseconds.
SPEC = """
task = "classification"
[model]
name = "resnet18"
weights = "none"
[data]
format = "imagefolder"
root = "images"
image_size = 32
augment = "random-resized-crop"
[schedule]
epochs = 2
[train]
batch_size = 4
workers = 0
log_every = 1
[log]
tensorboard = false
"""
CLASSES = ("ash", "birch", "cedar", "elm")


@dataclass
class Process:
    """A process of a project, and what it prints."""

    process: Any
    log: Path

    @property
    def printed(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so, while the process runs."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.is_alive(), self.printed
            assert time.monotonic() < end, self.printed
            time.sleep(0.002)

    def kill(self, number: int = signal.SIGKILL) -> None:
        os.kill(self.process.pid, number)

    def join(self) -> int:
        """The exit code."""
        self.process.join(PATIENCE)
        if self.process.is_alive():
            self.process.kill()
            raise AssertionError(f"still running after {PATIENCE} s:\n{self.printed}")
        return int(self.process.exitcode)


@dataclass
class Project:
    """A generated project, and the folder that its commands are started in."""

    folder: Path
    here: Path
    env: dict[str, str] = field(default_factory=dict)

    def start(self, script: str, *arguments: object, processes: int = 1) -> list[Process]:
        """Start a script of the project, in some processes that work together."""
        group = {"MASTER_ADDR": "localhost", "MASTER_PORT": str(free_port())}
        started = []
        for rank in range(processes):
            env = dict(self.env)
            if processes > 1:
                env |= group | {"WORLD_SIZE": str(processes)}
                env |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
            log = self.here / f"log{len(list(self.here.glob('log*')))}"
            log.touch()
            argv = [str(self.folder / script), *map(str, arguments)]
            process = FORKS.Process(target=_script, args=(argv, self.here, env, log))
            process.start()
            started.append(Process(process, log))
        return started

    def run(self, script: str, *arguments: object, processes: int = 1) -> str:
        """Run a script of the project, and return what its first process printed."""
        started = self.start(script, *arguments, processes=processes)
        codes = [process.join() for process in started]
        assert not any(codes), "\n".join(process.printed for process in started)
        return started[0].printed

    def fail(self, script: str, *arguments: object, processes: int = 1) -> str:
        """Run a script that must fail, and return what all its processes printed."""
        started = self.start(script, *arguments, processes=processes)
        codes = [process.join() for process in started]
        printed = "\n".join(process.printed for process in started)
        assert all(codes), printed
        return printed

    def edit(self, file: str, old: str, new: str) -> None:
        """Edit a file by hand."""
        text = (self.folder / file).read_text(encoding="utf-8")
        assert old in text, f"{file} has no {old}"
        (self.folder / file).write_text(text.replace(old, new), encoding="utf-8")

    def module(self, name: str) -> Any:
        """A module of the project, imported afresh."""
        own = [file.stem for file in self.folder.glob("*.py")]
        sys.path.insert(0, str(self.folder))
        try:
            return __import__(name)
        finally:
            sys.path.remove(str(self.folder))
            for module in own:
                sys.modules.pop(module, None)


def _script(argv: list[str], here: Path, env: Mapping[str, str], log: Path) -> None:
    with open(log, "w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(here)
    os.environ.update(env)
    multiprocessing.set_start_method(multiprocessing.get_all_start_methods()[0], force=True)
    torch.set_num_threads(1)
    sys.argv = argv
    sys.path.insert(0, str(Path(argv[0]).parent))
    runpy.run_path(argv[0], run_name="__main__")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return int(listener.getsockname()[1])


def compile_spec(spec: str | Path, *overrides: str, folder: str = "project") -> Project:
    """The project of a spec, or of the text of one, in the current directory."""
    if isinstance(spec, str):
        path = Path("spec.toml")
        path.write_text(spec, encoding="utf-8")
        spec = path
    build.build(build.load(spec, overrides), Path(folder))
    return Project(Path(folder).resolve(), Path.cwd())


def make_images(
    root: Path | str = "images",
    classes: Sequence[str] = CLASSES,
    train: int = 4,
    val: int = 2,
    size: tuple[int, int] = (36, 48),
) -> None:
    """Write noisy pictures of a colour for each class, as PNG."""
    generator = torch.Generator().manual_seed(0)
    for part, count in {"train": train, "val": val}.items():
        for name in classes:
            folder = Path(root, part, name)
            folder.mkdir(parents=True, exist_ok=True)
            color = torch.randint(40, 216, (3, 1, 1), generator=generator)
            for index in range(count):
                noise = torch.randint(-40, 40, (3, *size), generator=generator)
                to_pil_image((color + noise).to(torch.uint8)).save(folder / f"{index}.png")


def command(*arguments: object, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start a command, in a session of its own, with what it prints in one stream."""
    return subprocess.Popen(
        [str(argument) for argument in arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1"} | dict(env or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str], code: int = 0) -> str:
    """Wait for a command that must exit with `code`, and return what it printed."""
    try:
        printed, _ = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        printed, _ = process.communicate()
        raise AssertionError(f"still running after {PATIENCE} s:\n{printed}") from None
    assert process.returncode == code, printed
    return printed


def make_weights(model: nn.Module, path: Path | str) -> dict[str, torch.Tensor]:
    """Write pretrained weights that are not those of a fresh model, batch norms included."""
    generator = torch.Generator().manual_seed(1)
    state = model.state_dict()
    for tensor in state.values():
        if tensor.is_floating_point():
            tensor.mul_(1 + 0.1 * torch.rand(tensor.shape, generator=generator))
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path)
    return state


def differing(one: Any, other: Any, path: str = "") -> list[str]:
    """Where two nested states differ in a bit."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        same = one.dtype == other.dtype and torch.equal(one, other)
        return [] if same else [path]
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted({*one, *other}, key=str)
        missing = object()
        pairs = [(key, one.get(key, missing), other.get(key, missing)) for key in keys]
        return [p for key, a, b in pairs for p in differing(a, b, f"{path}/{key}")]
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        if len(one) != len(other):
            return [path]
        pairs = [(key, *pair) for key, pair in enumerate(zip(one, other, strict=True))]
        return [p for key, a, b in pairs for p in differing(a, b, f"{path}/{key}")]
    return [] if one == other else [path]


def largest_difference(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> float:
    """By how much numbers of two states differ at most."""
    assert one.keys() == other.keys()
    return max(float((one[name].double() - other[name].double()).abs().max()) for name in one)


def load(path: Path | str) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(path, weights_only=True)
    return state


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The curves that a run wrote for TensorBoard: (step, value) by tag."""
    events = EventAccumulator(str(folder))
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }
