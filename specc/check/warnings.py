"""Warnings about what a build lets pass, for a person to read before training."""

from collections.abc import Iterator, Mapping
from typing import Any

from specc.source.diagnostics import Diagnostic
from specc.source.keys import Key, dotted
from specc.source.read import Source
from specc.tasks.common.plan import ClassesPlan, Plan
from specc.tasks.detection.plans import DetectionPlan

FEW = 5  # samples of a class
IMBALANCE = 20  # times as many of one class as of another
# The recipes of torchvision and timm stay an order of magnitude below these.
HIGHEST_LR = {"sgd": 1.0, "adam": 0.02, "adamw": 0.02, "nadam": 0.02, "lamb": 0.1}
NAMED = 5  # classes in a warning


def warnings(
    plan: Plan, source: Source, answers: Mapping[str, Any], processes: int
) -> Iterator[Diagnostic]:
    """Yield all that is to be said, each with the place in the spec.

    Args:
        answers: of the project itself; see probe.py.
        processes: GPUs of all machines.
    """
    for key, message in _found(plan, source, answers, processes):
        yield Diagnostic(source.place(key), dotted(key), message)


def shares(plan: Plan, processes: int) -> int:
    """Return the number that a batch has to be a multiple of."""
    return processes * (2 if plan.batches.mix else 1)


def _found(
    plan: Plan, source: Source, answers: Mapping[str, Any], processes: int
) -> Iterator[tuple[Key, str]]:
    size = plan.train.batch_size
    if size % (parts := shares(plan, processes)):
        pairs = " in pairs" if plan.batches.mix else ""
        fitting = size + -size % parts
        message = f"{size} cannot be divided among {processes} GPUs{pairs}; write e.g. {fitting}"
        yield ("train", "batch_size"), message
    optim = source.tree.get("optim", {})
    name, lr = optim.get("name", "sgd"), optim.get("lr")
    if lr and lr > HIGHEST_LR.get(name, lr):
        yield ("optim", "lr"), f"{lr:g} is far above what {name} is used with"
    if isinstance(plan, DetectionPlan):
        yield from _crowded(plan, source, answers)
    if "data" not in answers:
        return
    train_keys = source.tree.get("train", {})
    repeated = source.tree["data"].get("repeat", 1) * answers["data"]["train"]
    steps = plan.train.epochs * (repeated // size)
    if plan.train.ema and steps and (decay := train_keys["ema"]) > (reached := steps / (9 + steps)):
        message = (
            f"{decay:g} is not reached: the average's decay begins as (1 + step) / (10 + step), "
            f"which is {reached:.3g} at the last of {steps} steps"
        )
        yield ("train", "ema"), message
    yield from _tested(plan, answers["data"].get("test", {}))
    train, val = answers["data"]["classes"]
    things = f"{plan.sample}s" if isinstance(plan, ClassesPlan) else "objects"
    yield from _doubled(answers["data"].get("doubled", {}), f"{plan.sample}s")
    yield from _depth(answers["data"].get("deep", 0), answers["data"].get("range"))
    yield from _groups(answers["data"].get("groups"), things)
    alike: dict[str, list[str]] = {}
    for name in sorted({*train, *val}):
        alike.setdefault("".join(name.casefold().split()), []).append(name)
    for names in alike.values():
        if len(names) > 1:
            message = "are classes of their own, and differ in case or spaces only"
            yield ("data",), f"{_listed(names)} {message}"
    if none := sorted(name for name, number in train.items() if not number):
        yield ("data",), f"no {things} to train on of {_listed(none)}"
    if few := sorted(name for name, number in train.items() if 0 < number < FEW):
        message = f"fewer than {FEW} {things} to train on of {_listed(few)}"
        yield ("data",), message
    if absent := sorted(name for name in train if train[name] and not val.get(name)):
        yield ("data",), f"none to validate on of {_listed(absent)}"
    counts = [number for number in train.values() if number]
    weighted = train_keys.get("class_weights")
    balanced = weighted or source.tree["data"].get("balance")
    if isinstance(plan, ClassesPlan) and counts and not balanced:
        if max(counts) > IMBALANCE * min(counts):
            yield (
                ("data",),
                f"{max(counts)} {things} of the largest class, and {min(counts)} of the smallest; "
                'write data.balance = true, or train.class_weights = "balanced"',
            )


def _doubled(found: Mapping[str, list[Any]], things: str) -> Iterator[tuple[Key, str]]:
    """Report samples and objects that are there more than once."""
    if "labels" in found:
        number, (example, labels) = found["labels"]
        more = f"; {number - 1} more {things} have several" if number > 1 else ""
        yield ("data",), f"{example} is listed with the labels {_listed(labels)}{more}"
    texts = {
        "train": f"{things} to train on are listed more than once, e.g. {{}}",
        "val": f"{things} to validate on are listed more than once, e.g. {{}}",
        "both": f"{things} are trained on and validated on, e.g. {{}}",
        "objects": "objects have the box and the class of another one, e.g. in {}",
    }
    if "copies" in found:
        number, (copy, original) = found["copies"]
        more = f"; {number - 1} more are copies of some" if number > 1 else ""
        message = f"{copy} is validated on, and has the contents of {original}, which trains"
        yield ("data",), f"{message}{more}"
    for name, text in texts.items():
        if name in found:
            number, example = found[name]
            yield ("data",), f"{number} {text.format(example)}"


def _groups(found: Mapping[str, Any] | None, things: str) -> Iterator[tuple[Key, str]]:
    """Report groups that divide nothing, or leave a class without validation."""
    key = ("data", "val_groups")
    if found and found["count"] == found["samples"]:
        yield key, f"each of {found['samples']} groups has one sample; is that where they stand?"
    if found and found["single"]:
        message = "are of one group, and so none is validated on"
        yield key, f"all {things} of {_listed(found['single'])} {message}"


def _depth(highest: int, values: list[int] | None) -> Iterator[tuple[Key, str]]:
    """Report 16-bit images that come out nearly black, or white.

    Args:
        highest: the greatest value in some of them; 0 if there are none.
    """
    fitting = f"[0, {(1 << highest.bit_length()) - 1}]"
    there = f"16-bit images have values up to {highest}"
    if values and highest > values[1]:
        yield ("data", "value_range"), f"{there}, which become white; write {fitting}, e.g."
    elif not values and 0 < highest < 1 << 15:
        message = f"{there} only, of 65535, and so are dark; write value_range = {fitting}"
        yield ("data",), message


def _tested(plan: Plan, test: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    """Report a test that cannot be made, or is none, as training sees its samples."""
    if "wrong" in test:
        yield ("data", "test"), f"cannot be tested on: {test['wrong']}"
    for part, use in (("train", "trained on"), ("val", "validated on")):
        if names := test.get(part):
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            listed = ", ".join(names[:NAMED]) + more
            count = f"{len(names)} of {test['count']} {plan.sample}s"
            yield ("data", "test"), f"{count} are {use} as well: {listed}"


def _crowded(
    plan: DetectionPlan, source: Source, answers: Mapping[str, Any]
) -> Iterator[tuple[Key, str]]:
    """Report images with more objects than are counted, or than the model finds."""
    most = answers.get("data", {}).get("most", 0)
    counted, found = plan.evaluate.max_detections, answers.get("model", {}).get("found")
    if most > counted:
        yield (
            ("evaluate", "max_detections"),
            f"an image to validate on has {most} objects, and average precision counts the best "
            f"{counted} that are found; write e.g. {-(-most // 100) * 100}",
        )
    wanted = max(most, source.tree.get("evaluate", {}).get("max_detections", 0))
    if found is not None and wanted > found:
        option = "box_detections_per_img" if plan.evaluate.two_stage else "detections_per_img"
        yield (
            ("model", "options"),
            f"the model finds {found} objects in an image at most, and {wanted} are asked for or "
            f"are there; write e.g. {{ {option} = {-(-wanted // 100) * 100} }}",
        )


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more classes" if len(names) > NAMED else ""
    return ", ".join(f'"{name}"' for name in names[:NAMED]) + more
