"""A 3D network learns motions, which no single frame tells, from nothing on the CPU."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from clips import make_folders
from projects import compile_spec

pytestmark = pytest.mark.slow

MOTIONS = ("down", "left", "right", "up")
SPEC = """
task = "video-classification"
[model]
name = "r3d_18"
weights = "none"
[data]
format = "videofolder"
root = "videos"
image_size = 32
flip = false
augment = "center-crop"
[optim]
name = "adamw"
[schedule]
name = "onecycle"
[train]
batch_size = 8
workers = 1
[evaluate]
every = 5
"""
FRAMES = {"r3d_18": "data.clips={ frames = 4, stride = 4 }", "tsn": "data.clips={ segments = 4 }"}


def top1(model: str, epochs: int, lr: float, *further: str) -> float:
    """What a model reaches on the validation videos, as train.py prints it."""
    changes = [FRAMES[model], f"schedule.epochs={epochs}", f"optim.lr={lr}", *further]
    project = compile_spec(SPEC, f"model.name={model}", *changes, folder=model)
    command = [sys.executable, str(project.folder / "train.py")]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
    printed = done.stdout
    found = re.search(r"best top1 (\S+);", printed)
    assert found, printed
    print(model, printed)
    return float(found[1])


def test_motions_are_learned_by_a_network_that_sees_time(here: Path) -> None:
    make_folders(Path("videos"), MOTIONS, train=40, val=16, count=(16, 20), size=(48, 48))
    frames_only = top1("tsn", 5, 1e-3, "model.backbone=resnet18")
    motion = top1("r3d_18", 25, 1e-3)
    print(f"of {len(MOTIONS)} motions: r3d_18 {motion:.4f}, tsn {frames_only:.4f}")
    assert motion > 0.5  # chance is 0.25
    assert frames_only < 0.4
