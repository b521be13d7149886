"""Ask a generated project what it would do: run with its folder as argument, where it trains.

It is the project's own code that answers, in a process of its own: its samples are listed, its
model is built without memory for weights, and its schedule is followed. Prints one line of JSON;
what cannot be found out is under "missing", with the reason.
"""

import ast
import contextlib
import filecmp
import importlib
import json
import os
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

POINTS = 64  # of the curve
LOOKED_AT = 32  # images whose values are looked at
COMPARED = 1000  # files to validate on that are compared with those to train on
ALIKE = 20  # files of one size that one is compared with
LONGEST = 20_000  # steps that are followed one by one; longer schedules are shrunk to that
IN_WORDS = (ValueError, RuntimeError, SystemExit)  # by which a project says what is wrong
STATEMENTS = {"parameters", "optimizer", "scheduler"}  # of train.py that make the schedule


class Absent(Exception):
    """Data that are not on this machine, where a training may be on another one."""


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
            except Absent as error:
                answers["missing"][name] = str(error)
            except (Exception, SystemExit) as error:
                answers["missing"][name] = sentence(error)
                if name != "curve":  # which train.py alone draws as it is
                    answers["wrong"] = True
    print(json.dumps(answers))


def sentence(error: BaseException) -> str:
    """Say what an error of the project is: in its own words, or with its kind and place."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    if type(error) in IN_WORDS and str(error):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    own = [it for it in frames if Path(it.filename).parent == Path(sys.argv[1])] or frames
    place = f"{Path(own[-1].filename).name}:{own[-1].lineno}"
    return f"{type(error).__name__} in {place}: {error}"


def data(asked: dict[str, Any], answers: dict[str, Any]) -> dict[str, Any]:
    """Return how many samples there are, and of each class."""
    if not asked["data"]:
        raise Absent("torchvision downloads them at the first start")
    module = importlib.import_module("data")
    importlib.import_module("distributed").init()
    root = Path(module.DATA_DIR)
    if not root.exists():
        raise Absent(f"there is no {root} here")
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
    begin(asked, train, val)
    found = {"train": len(train), "val": len(val), "classes": [count(train), count(val)]}
    if grouped:
        names = annotations.CLASSES if annotations else train.classes
        found["groups"] = groups(grouped[0], grouped[1], [*names, "no class"])
    found["left_out"] = left_out
    found["doubled"] = doubled(train, val)
    if hasattr(val, "records"):
        found["most"] = max((int((~it.crowd).sum()) for it in val.records), default=0)
    if asked["test"]:
        found["test"] = look_at_test(root, train, val)
    return found | {"deep": deepest(train), "range": getattr(module, "VALUE_RANGE", None)}


def doubled(train: Any, val: Any) -> dict[str, list[Any]]:
    """Find what is there twice: under each name how often, and the first example."""
    answer: dict[str, list[Any]] = {}

    def note(name: str, example: Any) -> None:
        answer.setdefault(name, [0, example])[0] += 1

    labels: dict[str, set[str]] = {}
    counts: dict[str, Counter[str]] = {"train": Counter(), "val": Counter()}
    for part, samples in (("train", train), ("val", val)):
        for source, label in labelled(samples):
            counts[part][source] += 1
            labels.setdefault(source, set()).add(label)
            if counts[part][source] == 2:
                note(part, source)
        for record in getattr(samples, "records", ()):
            rows = zip(record.boxes.tolist(), record.labels.tolist(), record.crowd, strict=True)
            seen = Counter((*box, label) for box, label, crowd in rows if not crowd)
            for _ in range(seen.total() - len(seen)):
                note("objects", str(record.file))
    for source, names in labels.items():
        if source in counts["train"] and source in counts["val"]:
            note("both", source)
        if len(names) > 1:
            note("labels", [source, sorted(names)])
    for pair in copies(
        list(counts["train"]), [it for it in counts["val"] if it not in counts["train"]]
    ):
        note("copies", pair)
    return answer


def copies(train: Sequence[str], val: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield validation files with the contents of a training file, of COMPARED from all over."""
    by_size: dict[int, list[str]] = {}
    for file in train:
        with contextlib.suppress(OSError):
            by_size.setdefault(os.path.getsize(file), []).append(file)
    for file in val[:: -(-len(val) // COMPARED) or 1]:
        with contextlib.suppress(OSError):
            others = by_size.get(os.path.getsize(file), [])[:ALIKE]
            if same := [it for it in others if filecmp.cmp(file, it, shallow=False)]:
                yield file, same[0]


def labelled(samples: Any) -> Iterator[tuple[str, str]]:
    """Yield where each sample is read from, and its label; of a detector "" for that."""
    if hasattr(samples, "records"):
        yield from ((resolved(it.file), "") for it in samples.records)
        return
    sources = samples.files if hasattr(samples, "files") else samples.videos
    for source, label in zip(sources, samples.labels, strict=True):
        numbers = label if isinstance(label, list | tuple) else [int(label)]
        yield resolved(source), ", ".join(samples.classes[number] for number in numbers)


def resolved(source: Any) -> str:
    """Return the path of a sample, the same for all links to its folder."""
    if hasattr(source, "first"):  # a video as images
        return f"{resolved(source.folder)} from image {source.first} on"
    folder, name = os.path.split(source)
    return os.path.join(real_folder(folder), name)


@cache
def real_folder(folder: str) -> str:
    real, here = os.path.realpath(folder), os.path.realpath(".")
    return os.path.relpath(real) if real.startswith(os.path.join(here, "")) else real


def begin(asked: dict[str, Any], train: Any, val: Any) -> None:
    """Do with the samples what a training does before its first step, and may stop at."""
    module, training = (importlib.import_module(name) for name in ("data", "train"))
    module.Batches(train, asked["batch_size"], training.SEED)
    if hasattr(val, "records"):
        importlib.import_module("evaluate").build_truth(val, training.MONITOR)
    elif isinstance(next(iter(val.labels), 0), list) and not any(val.labels):
        if training.MONITOR != "loss":
            raise ValueError(f"no validation image has a label, and so {training.MONITOR} no value")
    module.draw_sheet(train)


def groups(of: list[str], labels: list[list[int]], names: list[str]) -> dict[str, Any]:
    """Count the groups, and find the classes whose samples are all of one."""
    found: dict[int, set[str]] = {}
    for group, some in zip(of, labels, strict=True):
        for label in some:
            found.setdefault(label, set()).add(group)
    single = sorted(names[label] for label, some in found.items() if len(some) == 1)
    return {"count": len(set(of)), "samples": len(of), "single": single}


def look_at_test(root: Path, train: Any, val: Any) -> dict[str, Any]:
    """Count the samples to test on, and find those that training sees.

    What is wrong with them keeps nobody from training.
    """
    classes = [] if hasattr(train, "records") else [train.classes]
    try:
        test = importlib.import_module("data").build_eval_set(root, *classes, "test")
    except (Exception, SystemExit) as error:
        return {"wrong": sentence(error)}
    return {"count": len(test), "train": shared(test, train), "val": shared(test, val)}


def shared(samples: Any, others: Any) -> list[str]:
    """Return the samples that are among others as well: the same files, or copies of them."""
    mine, theirs = ([source for source, _ in labelled(it)] for it in (samples, others))
    known = set(theirs)
    same = [it for it in mine if it in known]
    return same + [copy for copy, _ in copies(theirs, [it for it in mine if it not in known])]


def deepest(samples: Any) -> int:
    """Return the greatest value in the 16-bit images among a few; 0 if none has 16 bits."""
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
    """Return the samples of each class; of a detector the objects."""
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
    """Return the model, without memory for its weights if that can be."""
    import torch

    build_model = importlib.import_module("model").build_model
    with contextlib.suppress(Exception), torch.device("meta"):
        return build_model()
    return build_model()


def model(asked: dict[str, Any], answers: dict[str, Any]) -> dict[str, int]:
    """Count the model's parameters, all and those that train at first, and a detector's objects."""
    sizes = [(it.numel(), it.requires_grad) for it in built().parameters()]
    counts = {"all": sum(n for n, _ in sizes), "trained": sum(n for n, trains in sizes if trains)}
    found = getattr(getattr(built(), "roi_heads", built()), "detections_per_img", None)
    return counts if found is None else counts | {"found": found}


def curve(asked: dict[str, Any], answers: dict[str, Any]) -> dict[str, Any]:
    """Return the highest group's learning rate over all epochs, and each group's at the start."""
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
