"""Checkpoints that survive a kill at any moment, and a damaged file."""

import os
import sys
import warnings
import zipfile
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler


def save(path: Path, state: dict[str, Any], previous: Path | None = None) -> None:
    """Write a temporary file and rename it: `path` is always a whole checkpoint.

    The one that was there becomes `previous`, unless it is cut short.
    """
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    if previous and zipfile.is_zipfile(path):
        os.replace(path, previous)
    os.replace(temporary, path)


def load(
    path: Path, previous: Path | None = None, key: str = "classes"
) -> dict[str, Any]:
    """Read what `save` wrote, its tensors on the CPU; `previous` if `path` is damaged.

    A file without `key` is none of this kind.
    """
    faults = []
    for file in filter(None, (path, previous)):
        try:
            state = read(file, key)
        except ValueError as error:
            faults.append(f"{file}: {error}")
            continue
        if faults and os.environ.get("RANK", "0") == "0":
            print(*faults, f"{file} is used, the checkpoint before that", sep="\n")
        return state
    raise SystemExit("\n".join(faults))


def read(path: Path, key: str) -> dict[str, Any]:
    """Read a checkpoint.

    Raises:
        ValueError: says why it is not one of train.py's.
    """
    try:
        with zipfile.ZipFile(path) as file:
            if file.testzip():  # torch.load compares no checksums
                raise zipfile.BadZipFile
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ValueError("no checkpoint here; `python train.py` writes one") from None
    except OSError as error:
        raise SystemExit(f"{path}: {error.strerror}") from error
    except (zipfile.BadZipFile, RuntimeError, UnpicklingError) as error:
        raise ValueError("damaged, or no checkpoint of train.py") from error
    if not isinstance(state, dict) or key not in state:
        raise ValueError(f"another file, without {key!r}")
    return state


def advance(scheduler: LRScheduler, steps: int) -> None:
    """Bring a learning rate schedule to a step, with the settings that it has now."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, that the optimizer has not stepped
        for _ in range(steps):
            scheduler.step()


def restore(parts: dict[str, Any], state: dict[str, Any]) -> None:
    """Load what a run has learned; an optimizer's settings stay those of the code."""
    state["optimizer"]["param_groups"] = parts["optimizer"].state_dict()["param_groups"]
    for name, part in parts.items():
        part.load_state_dict(state[name])


def fill(model: nn.Module, path: Path, classes: list[str]) -> None:
    """Begin with the model of a checkpoint; for other classes its head may not fit."""
    saved = load(path)
    state, own = saved["model"], model.state_dict()
    if saved["classes"] != classes:
        print(f"{path} has other classes: {difference(saved['classes'], classes)}")
        for name in state.keys() & own.keys():
            if state[name].shape != own[name].shape:
                state[name] = own[name]
    load_model(model, state, path)


def load_model(model: nn.Module, state: dict[str, Any], path: Path) -> None:
    """Load the weights of a checkpoint; stop if they are another model's."""
    saved, own = (
        [f"{name} {list(tensor.shape)}" for name, tensor in tensors.items()]
        for tensors in (state, model.state_dict())
    )
    if set(saved) != set(own):
        raise SystemExit(f"{path} is of another model: {difference(saved, own)}")
    model.load_state_dict(state)


def describe(parts: dict[str, Any]) -> dict[str, Any]:
    """Describe the parts of a run, which have to be the same when it is resumed."""
    model, optimizer = parts["model"], parts["optimizer"]
    names = {parameter: name for name, parameter in model.named_parameters()}
    weights = sum(parameter.numel() for parameter in names)
    trained = [p for group in optimizer.param_groups for p in group["params"]]
    return {
        "model": f"{type(model).__name__} of {weights:,} weights",
        "optimizer": type(optimizer).__name__,
        "trained": [names[parameter] for parameter in trained],
        "state of": list(parts),
    }


def check_classes(path: Path | str, trained: list[str], classes: list[str]) -> None:
    """Stop if a checkpoint was trained on other classes, and say which."""
    if trained != classes:
        raise SystemExit(f"{path} has other classes: {difference(trained, classes)}")


def check_recipe(path: Path, saved: dict[str, Any], recipe: dict[str, Any]) -> None:
    """Stop if a run is to be resumed with another recipe, and name each difference."""
    if lines := differences(saved, recipe):
        advice = "restore these, or name another --output"
        if saved["model"] == recipe["model"]:
            best = path.with_name("best.pt")
            advice += f", and --weights {best} to begin with its model"
        raise SystemExit(
            "\n  ".join([f"{path} is of another recipe; {advice}:", *lines])
        )


def report(run: Path, state: dict[str, Any], settings: dict[str, str]) -> None:
    """Say from where on a run continues, and which settings are new."""
    changes = differences(state.get("settings", settings), settings)
    if os.environ.get("RANK", "0") == "0":
        print(f"{run}: from step {state['step']} on", *changes, sep=", ")


def settings(*modules: str) -> dict[str, str]:
    """Return the constants of modules that are imported, as text."""
    names = {n: value for it in modules for n, value in vars(sys.modules[it]).items()}
    kinds = int | float | str | tuple
    return {
        n: str(value)
        for n, value in names.items()
        if n.isupper() and isinstance(value, kinds)
    }


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return which values differ, as `name: old -> new`."""
    return [
        f"{name}: {difference(old.get(name), new.get(name))}"
        for name in new | old
        if old.get(name) != new.get(name)
    ]


def difference(old: Any, new: Any, shown: int = 5) -> str:
    """Describe how two values differ; of lists, the items of only one."""
    if not isinstance(old, list) or not isinstance(new, list):
        return f"{old} -> {new}"
    sides = {"gone": set(old) - set(new), "new": set(new) - set(old)}
    texts = [
        f"{side}: {', '.join(sorted(names)[:shown])}"
        + (f" and {len(names) - shown} more" if len(names) > shown else "")
        for side, names in sides.items()
        if names
    ]
    return "; ".join(texts) or "the same in another order"
