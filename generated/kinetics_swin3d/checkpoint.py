"""Checkpoints that survive a kill at any moment."""

import os
from pathlib import Path
from typing import Any

import torch


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a temporary file and rename it: `path` is always a whole checkpoint."""
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def load(path: Path) -> dict[str, Any]:
    """Read what `save` wrote, its tensors on the CPU."""
    if not path.exists():
        raise SystemExit(f"{path}: no checkpoint here; `python train.py` writes one")
    return torch.load(path, map_location="cpu", weights_only=True)
