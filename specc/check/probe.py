"""Ask a generated project what it would do: run with its folder as argument, where it trains.

It is the project's own code that answers, in a process of its own: its samples are listed, its
model is built without memory for weights, and its schedule is followed. Prints one line of JSON;
what cannot be found out is under "missing", with the reason.
"""

import ast
import contextlib
import hashlib
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
    asked = json.loads(sys.argv[2])  # batch_size, epochs, repeat, data, test
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
    train, val = module.build_datasets(root)
    found = {"train": len(train), "val": len(val), "classes": [count(train), count(val)]}
    found["left_out"] = left_out
    if hasattr(val, "records"):
        found["most"] = max((int((~it.crowd).sum()) for it in val.records), default=0)
    if asked["test"]:
        found["test"] = look_at_test(root, train, val)
    return found | {"deep": deepest(train), "range": getattr(module, "VALUE_RANGE", None)}


def look_at_test(root: Path, train: Any, val: Any) -> dict[str, Any]:
    """How many samples there are to test on, and which of them training sees.

    What is wrong with them keeps nobody from training.
    """
    classes = [] if hasattr(train, "records") else [train.classes]
    try:
        test = importlib.import_module("data").build_eval_set(root, *classes, "test")
    except (Exception, SystemExit) as error:
        return {"wrong": str(error) or type(error).__name__}
    return {"count": len(test), "train": shared(test, train), "val": shared(test, val)}


def shared(samples: Any, others: Any) -> list[str]:
    """The samples that are among others as well: the same files, or copies of them."""
    mine, theirs = sources(samples), sources(others)
    sizes = {size(it) for it in mine} & {size(it) for it in theirs}
    sizes -= {0}
    known = {*theirs, *(digest(it) for it in theirs if size(it) in sizes)}
    return [str(it) for it in mine if it in known or (size(it) in sizes and digest(it) in known)]


def sources(samples: Any) -> list[Any]:
    """The files that samples are read from; of videos as images a folder, and from where on."""
    records = getattr(samples, "records", None)
    if records is not None:
        return [os.path.realpath(it.file) for it in records]
    files = getattr(samples, "files", None) or getattr(samples, "videos", [])
    return [it if isinstance(it, tuple) else os.path.realpath(it) for it in files]


@cache
def size(source: Any) -> int:
    """The size of a file in bytes; 0 of none."""
    return os.path.getsize(source) if isinstance(source, str) and os.path.isfile(source) else 0


@cache
def digest(source: Any) -> bytes:
    """What tells a file's contents from others'."""
    with open(source, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


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
