"""Observations of a model on the meta device, where tensors have shapes and no numbers."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils._python_dispatch import TorchDispatchMode


def learned(network: nn.Module) -> list[str]:
    """Return what training changes: the parameters, and modules with running statistics."""
    norms = [n for n, module in network.named_modules() if isinstance(module, _BatchNorm)]
    return [n for n, _ in network.named_parameters()] + norms


def check(name: str, network: nn.Module, parts: list[str]) -> None:
    """Raise unless the parts exist and hold all that is learned exactly once."""
    real = {n for n, _ in [*network.named_modules(), *network.named_parameters()]}
    if unknown := set(parts) - real:
        raise ValueError(f"{name} has no {unknown}")
    for key in learned(network):
        holders = [part for part in parts if f"{key}.".startswith(f"{part}.")]
        if len(holders) != 1:
            raise ValueError(f"{name}: {key} is in {holders}")


def stages(network: nn.Module, numbers: Mapping[str, int], apart: Iterable[str]) -> list[list[str]]:
    """Return each stage as the fewest modules and parameters that make it up.

    Args:
        numbers: the stage of each of the parameters and norms that are in one.
        apart: modules or parameters that are in none.
    """
    others = list(apart)
    found: dict[int, list[str]] = defaultdict(list)
    left = dict(numbers)
    for path, _ in network.named_modules():
        inside = [key for key in left if path and f"{key}.".startswith(f"{path}.")]
        stage = {left[key] for key in inside}
        if len(stage) == 1 and not any(f"{part}.".startswith(f"{path}.") for part in others):
            found[stage.pop()].append(path)
            for key in inside:
                del left[key]
    for key, number in left.items():
        found[number].append(key)
    order = {path: n for n, path in enumerate([*dict(network.named_modules()), *learned(network)])}
    return [sorted(found[n], key=order.__getitem__) for n in sorted(found)]


def no_decay(network: nn.Module, listed: Iterable[str]) -> list[str]:
    """Return the fewest globs that match the `listed` parameters of two dimensions or more.

    Scales and biases, of one dimension, are told apart by that.
    """
    parameters = dict(network.named_parameters())
    found = {
        key
        for key, parameter in parameters.items()
        if parameter.ndim > 1 and any(fnmatchcase(key, pattern) for pattern in listed)
    }
    globs = []
    for key in parameters:
        if key in found and not any(fnmatchcase(key, glob) for glob in globs):
            parts = key.split(".")
            ends = ["*." + ".".join(parts[-count:]) for count in range(1, len(parts))]
            fitting = [e for e in ends if {k for k in parameters if fnmatchcase(k, e)} <= found]
            several = fitting and sum(fnmatchcase(k, fitting[0]) for k in parameters) > 1
            globs.append(fitting[0] if several else key)
    return globs


def head_kind(head: nn.Module) -> str:
    kind = "linear" if isinstance(head, nn.Linear) else "conv"
    return kind if head.bias is not None else f"{kind}-no-bias"


def input_convs(network: nn.Module) -> list[str]:
    """Find the convolutions of RGB images; none if the network computes with colours before."""
    if getattr(network, "transform_input", False):
        return []
    modules = network.named_modules()
    return [n for n, it in modules if isinstance(it, nn.Conv2d) and it.in_channels == 3]


def train_step(network: nn.Module, *sides: int) -> None:
    """Run it on two images of these sides, or two clips: the number of frames comes first."""
    with torch.no_grad():
        network(torch.empty(2, 3, *sides, device="meta"))


def trains(network: nn.Module, *sides: int) -> bool:
    try:
        train_step(network, *sides)
    except (RuntimeError, AssertionError):
        return False
    return True


def least(works: Callable[[int], bool], known: int) -> int:
    """Return the least number that works, where `known` does and all between them do."""
    low, high = 0, known
    while high - low > 1:
        middle = 1 if low == 0 and high == known else (low + high) // 2  # often 1 works
        low, high = (low, middle) if works(middle) else (middle, high)
    return high


def draws(network: nn.Module, *sides: int) -> bool:
    """Return whether a training step draws random numbers."""
    found = False

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            nonlocal found
            found |= torch.Tag.nondeterministic_seeded in func.tags
            return func(*args, **kwargs or {})

    with Watch():
        train_step(network, *sides)
    return found


def rates(network: nn.Module) -> set[tuple[str, str, float]]:
    """Return the rates of all kinds of dropout in a model."""
    return {
        (path, name, float(value))
        for path, module in network.named_modules()
        for name, value in vars(module).items()
        if isinstance(value, int | float) and ("drop" in name or name in ("p", "rate"))
    }


def rate_argument(network: nn.Module, build: Callable[..., nn.Module], *arguments: str) -> str:
    """Return the first argument for a rate that the builder takes and that changes the model."""
    for argument in arguments:
        try:
            other = build(**{argument: 0.123})
        except TypeError:
            continue
        if rates(other) != rates(network):
            return argument
    return ""


def tree(name: str, network: nn.Module) -> str:
    """Return a line a module, indented as it is nested, with its own parameters' sizes."""
    lines = []
    for path, module in network.named_modules():
        depth = path.count(".") + 1 if path else 0
        own = [f"{n}={p.numel()}" for n, p in module.named_parameters(recurse=False)]
        lines.append(" " * depth + " ".join([path.rpartition(".")[2] or name, *own]))
    return "\n".join(lines) + "\n"
