"""The command that trains a project."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NoReturn

from packaging.requirements import InvalidRequirement, Requirement

from specc.source.diagnostics import UserError
from specc.tasks.common.plan import LaunchPlan

WINDOWS = os.name == "nt"


def where(
    plan: LaunchPlan,
    gpus: int | None,
    nodes: int | None,
    endpoint: str | None,
    cpu: int | None = None,
) -> LaunchPlan:
    """Return the plan, with what was said on the command line in place of it.

    Raises:
        UserError: if that is both GPUs and the CPU.
    """
    if cpu and (gpus or (nodes or 1) > 1):
        raise UserError("--cpu N trains on the CPU of this machine: leave --gpus and --nodes out")
    if cpu:
        return LaunchPlan(None, 1, plan.endpoint, cpu)
    return LaunchPlan(gpus or plan.gpus, nodes or plan.nodes, endpoint or plan.endpoint)


def train(project: Path, launch: LaunchPlan, arguments: Sequence[str]) -> NoReturn:
    """Replace this process by the one that trains `project`, so that its exit code is ours.

    Raises:
        UserError: if packages are missing, or the machine has fewer GPUs than asked for.
    """
    if missing := missing_requirements(project):
        python = shlex.quote(sys.executable)
        file = shlex.quote(str(project / "requirements.txt"))
        raise UserError(f"{project} needs {', '.join(missing)}: {python} -m pip install -r {file}")
    gpus = count_gpus()
    line = command(project, launch, gpus, arguments)
    if launch.cpu or not gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        print(f"training on the CPU, in {launch.cpu or 1} process(es)")
    print(shlex.join(line), flush=True)
    beginning, quieter = torchrun(), project / "launch.py"
    if line[: len(beginning)] == beginning and quieter.exists():
        line = [sys.executable, str(quieter), *line[len(beginning) :]]
    if WINDOWS:  # where exec does not wait for what it starts
        # Ctrl-C reaches the training as well, which stops after its step: wait for that.
        signal.signal(signal.SIGINT, lambda *_: None)
        sys.exit(subprocess.run(line, check=False).returncode)
    os.execvp(line[0], line)


def command(
    project: Path, launch: LaunchPlan, available: int, arguments: Sequence[str]
) -> list[str]:
    """Return the line that trains: of one process plain Python, of several torchrun.

    Args:
        available: GPUs of this machine.
        arguments: of train.py.

    Raises:
        UserError: if there are fewer GPUs than asked for, or several machines have no place
            to meet.
    """
    if not launch.cpu and (launch.gpus or 0) > available:
        raise UserError(
            f"{launch.gpus} GPUs asked for, and this machine has {available}: write "
            + (f"--gpus {available}" if available else "--cpu 1, to train on its CPU")
        )
    script = [str(project / "train.py"), *arguments]
    processes = launch.cpu or launch.gpus or max(1, available)
    meeting = ["--standalone"]
    if launch.nodes > 1:
        if launch.endpoint.startswith("localhost:"):
            raise UserError(
                f"{launch.nodes} machines need a place to meet: write --endpoint "
                "HOST:PORT, with the name or address of one of them"
            )
        meeting = ["--nnodes", str(launch.nodes), "--rdzv-backend", "c10d"]
        meeting += ["--rdzv-endpoint", launch.endpoint]
    elif processes == 1:
        return [sys.executable, *script]
    return [*torchrun(), *meeting, "--nproc-per-node", str(processes), *script]


def claim(folder: Path, spec: Path, *, named: bool) -> None:
    """Note that `folder` is the project of `spec`, for the next run of a spec of that name.

    Args:
        named: whether the folder was named by the user, who may give it to another spec.

    Raises:
        UserError: if it is another spec's.
    """
    note, path = folder / ".specc" / "spec", spec.as_posix().encode(errors="backslashreplace")
    if not named and note.exists() and (other := note.read_bytes()) != path:
        raise UserError(
            f"{folder} is the project of {other.decode()}, not of {path.decode()}: name another "
            "folder with --output, or the same if it is to become this spec's"
        )
    if note.parent.exists():
        note.write_bytes(path)


def missing_requirements(project: Path) -> list[str]:
    """Return the lines of requirements.txt that this Python's packages do not fulfil.

    The file may have been edited or deleted: what only pip understands is pip's affair.
    """
    file = project / "requirements.txt"
    missing = []
    for line in file.read_text().splitlines() if file.exists() else ():
        try:
            requirement = Requirement(line)
            found = version(requirement.name)
        except InvalidRequirement:
            continue
        except PackageNotFoundError:
            missing.append(line)
        else:
            if not requirement.specifier.contains(found, prereleases=True):
                missing.append(line)
    return missing


def count_gpus() -> int:
    """Return the GPUs that PyTorch sees. Another process asks it: specc never imports torch."""
    question = "import torch; print(torch.cuda.device_count())"
    line = [sys.executable, "-c", question]
    answer = subprocess.run(line, capture_output=True, text=True, check=False)
    return int(answer.stdout) if answer.returncode == 0 else 0


def torchrun() -> list[str]:
    """Return this Python's torchrun, by its bare name if a shell would find it."""
    beside = Path(sys.executable).with_name("torchrun")
    if shutil.which("torchrun") == str(beside):
        return ["torchrun"]
    return [sys.executable, "-m", "torch.distributed.run"]
