"""Ask a generated project what it would do: run with its folder as argument, where it trains.

It is the project's own code that answers, in a process of its own: its samples are listed, its
model is built without memory for weights, and its schedule is followed. Prints one line of JSON;
what cannot be found out is under "missing", with the reason.
"""

import ast
import contextlib
import importlib
import json
import os
import sys
import warnings
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

POINTS = 64  # of the curve
LOOKED_AT = 32  # images whose values are looked at
LONGEST = 20_000  # steps that are followed one by one; longer schedules are shrunk to that
STATEMENTS = {"parameters", "optimizer", "scheduler"}  # of train.py that make the schedule


def main() -> None:
    folder = sys.argv[1]
    asked = json.loads(sys.argv[2])  # batch_size, epochs, repeat, data
    sys.path.insert(0, folder)
    warnings.simplefilter("ignore")
    answers: dict[str, Any] = {"missing": {}}
    with contextlib.redirect_stdout(sys.stderr):
        for name, ask in (("data", data), ("model", model), ("curve", curve)):
            try:
                answers[name] = ask(asked, answers)
            except ImportError as error:
                answers["missing"][name] = f"{error.name} is not installed here"
            except (Exception, SystemExit) as error:
                answers["missing"][name] = str(error) or type(error).__name__
                if name == "data" and isinstance(error, ValueError):  # of what is wrong there
                    answers["wrong"] = True
    print(json.dumps(answers))


def data(asked: dict[str, Any], answers: dict[str, Any]) -> dict[str, Any]:
    """How many samples there are, and of each class."""
    if not asked["data"]:
        raise LookupError("torchvision downloads them at the first start")
    module = importlib.import_module("data")
    importlib.import_module("distributed").init()
    root = Path(module.DATA_DIR)
    if not root.exists():
        raise LookupError(f"there is no {root} here")
    left_out: list[str] = []
    annotations: Any = sys.modules.get("annotations")  # of a detector
    if annotations:
        report = annotations.report

        def listen(problems: list[str]) -> None:
            left_out.extend(problems)
            report(problems)

        annotations.report = listen
    grouped: list[Any] = []  # the groups of the samples, and their classes
    divides: Any = annotations or module
    if hasattr(divides, "choose_groups"):
        choose_groups = divides.choose_groups

        def choose(*asked: Any) -> Any:
            grouped.extend(asked)
            return choose_groups(*asked)

        divides.choose_groups = choose
    train, val = module.build_datasets(root)
    found = {"train": len(train), "val": len(val), "classes": [count(train), count(val)]}
    if grouped:
        names = annotations.CLASSES if annotations else train.classes
        found["groups"] = groups(grouped[0], grouped[1], [*names, "no class"])
    found["left_out"] = left_out
    if hasattr(val, "records"):
        found["most"] = max((int((~it.crowd).sum()) for it in val.records), default=0)
    return found | {"deep": deepest(train), "range": getattr(module, "VALUE_RANGE", None)}


def groups(of: list[str], labels: list[list[int]], names: list[str]) -> dict[str, Any]:
    """How many groups there are, and of which classes all samples are of one."""
    found: dict[int, set[str]] = {}
    for group, some in zip(of, labels, strict=True):
        for label in some:
            found.setdefault(label, set()).add(group)
    single = sorted(names[label] for label, some in found.items() if len(some) == 1)
    return {"count": len(set(of)), "samples": len(of), "single": single}


def deepest(samples: Any) -> int:
    """The greatest value in the 16-bit images among a few; 0 if none has 16 bits."""
    from PIL import Image

    records = getattr(samples, "records", None)
    files = [it.file for it in records] if records else getattr(samples, "files", [])
    highest = 0
    for file in files[:: -(-len(files) // LOOKED_AT) or 1]:
        with contextlib.suppress(Exception), Image.open(file) as image:
            if image.mode.startswith("I;16"):
                values: Any = image.convert("I").getextrema()
                highest = max(highest, values[1])
    return highest


def count(samples: Any) -> dict[str, int]:
    """The samples of each class; of a detector the objects."""
    if hasattr(samples, "records"):
        names = importlib.import_module("annotations").CLASSES
        numbers = Counter(int(label) for it in samples.records for label in it.labels[~it.crowd])
        return {name: numbers[i] for i, name in enumerate(names) if name != "__background__"}
    numbers = Counter(
        number
        for label in samples.labels
        for number in (label if isinstance(label, list | tuple) else [int(label)])
    )
    return {name: numbers[index] for index, name in enumerate(samples.classes)}


@cache
def built() -> Any:
    """The model, without memory for its weights."""
    import torch

    with torch.device("meta"):
        return importlib.import_module("model").build_model()


def model(asked: dict[str, Any], answers: dict[str, Any]) -> dict[str, int]:
    """The parameters of the model, all and those that train at first; how much a detector finds."""
    sizes = [(it.numel(), it.requires_grad) for it in built().parameters()]
    counts = {"all": sum(n for n, _ in sizes), "trained": sum(n for n, trains in sizes if trains)}
    found = getattr(getattr(built(), "roi_heads", built()), "detections_per_img", None)
    return counts if found is None else counts | {"found": found}


def curve(asked: dict[str, Any], answers: dict[str, Any]) -> dict[str, Any]:
    """The learning rate over all epochs, of the group with the highest one, and all at first."""
    train = importlib.import_module("train")
    samples = answers.get("data", {}).get("train")
    steps = asked["repeat"] * samples // asked["batch_size"] if samples else 100
    real = steps * asked["epochs"]
    scale = max(1.0, real / LONGEST)
    names: dict[str, Any] = vars(train) | {"model": built()}
    names["steps_per_epoch"] = steps_per_epoch = max(1, round(steps / scale))
    if "WARMUP_STEPS" in names:
        names["WARMUP_STEPS"] = max(1, round(names["WARMUP_STEPS"] / scale))
    source = Path(train.__file__ or "").read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)]) if name in STATEMENTS:
                exec(compile(ast.Module([node], []), "train.py", "exec"), names)
    groups, scheduler = names["optimizer"].param_groups, names.get("scheduler")
    if scheduler is None:
        return {"plateau": [group["lr"] for group in groups]}
    highest = max(range(len(groups)), key=lambda index: groups[index].get("initial_lr", 0.0))
    rates, peaks = [], [0.0] * len(groups)
    for _ in range(asked["epochs"] * steps_per_epoch):
        rates.append(groups[highest]["lr"])
        peaks = [max(peak, group["lr"]) for peak, group in zip(peaks, groups, strict=True)]
        scheduler.step()
    shown = [rates[round(i * (len(rates) - 1) / (POINTS - 1))] for i in range(POINTS)]
    return {"rates": shown, "last": rates[-1], "first": rates[0], "peaks": sorted(set(peaks))}


if __name__ == "__main__":
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    main()
