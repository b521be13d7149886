"""What a build lets pass, and a person would want to know before a training begins."""

from collections.abc import Iterator, Mapping
from typing import Any

from specc.diagnostics import Diagnostic
from specc.keys import Key, dotted
from specc.plan.plan import ClassesPlan, Plan
from specc.source import Source

FEW = 5  # samples of a class
IMBALANCE = 20  # times as many of one class as of another
# The recipes of torchvision and timm stay an order of magnitude below these.
HIGHEST_LR = {"sgd": 1.0, "adam": 0.02, "adamw": 0.02, "nadam": 0.02, "lamb": 0.1}
NAMED = 5  # classes in a warning


def warnings(
    plan: Plan, source: Source, answers: Mapping[str, Any], processes: int
) -> Iterator[Diagnostic]:
    """All that is to be said, each with the place in the spec.

    Args:
        answers: of the project itself; see probe.py.
        processes: GPUs of all machines.
    """
    for key, message in _found(plan, source, answers, processes):
        yield Diagnostic(source.place(key), dotted(key), message)


def _found(
    plan: Plan, source: Source, answers: Mapping[str, Any], processes: int
) -> Iterator[tuple[Key, str]]:
    size = plan.train.batch_size
    parts = processes * (2 if plan.batches.mix else 1)
    if size % parts:
        pairs = " in pairs" if plan.batches.mix else ""
        fitting = size + -size % parts
        message = f"{size} cannot be divided among {processes} GPUs{pairs}; write {fitting}, say"
        yield ("train", "batch_size"), message
    optim = source.tree.get("optim", {})
    name, lr = optim.get("name", "sgd"), optim.get("lr")
    if lr and lr > HIGHEST_LR.get(name, lr):
        yield ("optim", "lr"), f"{lr:g} is far above what {name} is used with"
    if "data" not in answers:
        return
    train, val = answers["data"]["classes"]
    things = f"{plan.sample}s" if isinstance(plan, ClassesPlan) else "objects"
    if none := sorted(name for name, number in train.items() if not number):
        yield ("data",), f"no {things} to train on of {_listed(none)}"
    if few := sorted(name for name, number in train.items() if 0 < number < FEW):
        message = f"fewer than {FEW} {things} to train on of {_listed(few)}"
        yield ("data",), message
    if absent := sorted(name for name in train if train[name] and not val.get(name)):
        yield ("data",), f"none to validate on of {_listed(absent)}"
    counts = [number for number in train.values() if number]
    weighted = source.tree.get("train", {}).get("class_weights")
    balanced = weighted or source.tree["data"].get("balance")
    if isinstance(plan, ClassesPlan) and counts and not balanced:
        if max(counts) > IMBALANCE * min(counts):
            yield (
                ("data",),
                f"{max(counts)} {things} of the largest class, and {min(counts)} of the smallest; "
                'write data.balance = true, or train.class_weights = "balanced"',
            )


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more classes" if len(names) > NAMED else ""
    return ", ".join(f'"{name}"' for name in names[:NAMED]) + more
