"""Whatever is written: a spec that is valid becomes a project, and any other one a diagnostic."""

import ast
import copy
import json
import os
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import black
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specc import build
from specc.catalog import models
from specc.catalog.classes import classes as known_classes
from specc.catalog.detectors import detectors
from specc.catalog.videos import tsn, video_models
from specc.render import render
from specc.source.diagnostics import SpecError
from specc.tasks.detection.model import MMDET_MODELS

DETECTORS = list(detectors())
TORCHVISION = [row.name for row in models.models().values() if row.library == "torchvision"]
TIMM = [row.name for row in models.models().values() if row.library == "timm"]
text = st.text(st.characters().filter(str.isprintable), min_size=1, max_size=20)
size = st.integers(75, 512)  # no model needs more, but for those of one size only
share = st.floats(0, 1)
positive = st.floats(1e-6, 1e3)
channels = st.lists(st.floats(0.1, 0.9), min_size=3, max_size=3)


def table(needed: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(needed, optional=optional)


resize = table({"name": st.just("Resize"), "size": st.tuples(size, size).map(list)}, {})
crop = table({"name": st.just("CenterCrop"), "size": size}, {})
flip = table({"name": st.just("RandomHorizontalFlip")}, {"p": share})
jitter = table({"name": st.just("ColorJitter")}, {"brightness": share, "hue": st.floats(0, 0.5)})
transforms = st.tuples(st.lists(st.one_of(flip, jitter), max_size=3), st.one_of(resize, crop)).map(
    lambda parts: [*parts[0], parts[1]]
)
PRESETS = ["random-resized-crop", "flip", "none", "rand-augment", "trivial-augment", "aug-mix"]
preset = table(
    {},
    {
        "augment": st.sampled_from(PRESETS),
        "color_jitter": positive,
        "random_erasing": st.floats(0.01, 1),
    },
)
augmentation = st.one_of(preset, table({"train_transforms": transforms}, {}))
part = st.floats(0.01, 0.99)
# Keys of all formats; and those that are for one label an image.
drawn = {"repeat": st.integers(1, 9), "mixup": positive, "cutmix": positive}
ranges = st.sampled_from([[0, 4095], [256, 65535]])
files = {"on_bad_image": st.sampled_from(["error", "skip"]), "value_range": ranges}
single = {"balance": st.booleans(), "label_smoothing": part}


def labelled(kind: str, file: str, further: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    split = table({file: text}, {"root": text})
    needed = {"format": st.just(kind), "train": split}
    validated = ({"val": split}, {"val_fraction": part}, {"val_fraction": part, "val_groups": text})
    labels = ({}, single), ({"multi_label": st.just(True)}, {})
    return st.one_of(
        table(
            needed | val | several,
            {"classes": text, "image_suffix": text} | files | further | drawn | keys,
        )
        for val in validated
        for several, keys in labels
    )


def folders() -> st.SearchStrategy[dict[str, Any]]:
    needed = {"format": st.just("imagefolder"), "root": text}
    validated = ({"val": text}, {"val_fraction": part}, {"val_fraction": part, "val_groups": text})
    return st.one_of(table(needed, files | drawn | single | keys) for keys in validated)


sources = st.one_of(
    folders(),
    labelled("list", "list", {"separator": st.sampled_from(["\t", ";", "'", '"', "\\"])}),
    labelled("csv", "csv", {"image_column": text, "label_column": text}),
    labelled("openmmlab", "json", {}),
)
epochs = st.integers(2, 300)
weights = st.one_of(
    st.just("none"),
    text.map(lambda name: f"./{name}"),
    text.map(lambda name: f"https://localhost/{name}"),
    table(
        {"source": st.sampled_from(["package://pack/age.pth", "a.safetensors", "https://a/b.pth"])},
        {"prefix": text, "rename": st.dictionaries(text, st.one_of(st.just(""), text), min_size=1)},
    ),
)


def optimizers(head: str) -> st.SearchStrategy[dict[str, Any]]:
    """`[optim]` for a model whose head, or a part of it, is called so."""
    group = table({"match": st.just(head), "lr": positive}, {"weight_decay": share})
    parts = {
        "head_lr": positive,
        "layer_decay": st.floats(0.1, 0.9),
        "clip_norm": positive,
        "no_decay": st.lists(st.sampled_from(["norm", "bias", f"{head}.*"]), min_size=1),
        "groups": st.lists(group, min_size=1, max_size=2),
    }
    return st.one_of(
        table({}, {"lr": positive, "momentum": share, "weight_decay": share} | parts),
        table(
            {"name": st.sampled_from(["adam", "adamw", "nadam", "lamb"])},
            {"lr": positive, "betas": st.tuples(share, share).map(list)} | parts,
        ),
        table({"name": st.sampled_from(["rmsprop", "muon"])}, {"momentum": share} | parts),
    )


def schedules(epochs: int) -> st.SearchStrategy[dict[str, Any]]:
    """`[schedule]` of so many epochs."""
    length = {"epochs": st.just(epochs)}
    warm = {"warmup": table({"steps": st.integers(1, 999)}, {"factor": st.floats(0.001, 1)})}
    milestones = st.lists(st.integers(1, epochs - 1), min_size=1, unique=True).map(sorted)
    smooth = st.sampled_from(["cosine", "constant", "poly", "plateau"])
    step_size = st.integers(1, epochs - 1)
    return st.one_of(
        table(length, {"name": smooth} | warm),
        table(
            length | {"name": st.just("multistep"), "milestones": milestones},
            {"gamma": st.floats(0.01, 1)},
        ),
        table(length | {"name": st.just("step"), "step_size": step_size}, warm),
        table(length | {"name": st.just("onecycle")}, {"div_factor": st.floats(2, 100)}),
    )


def unfreezing(epochs: int) -> st.SearchStrategy[list[dict[str, Any]]]:
    less = {"epoch": st.integers(1, epochs - 1), "freeze": st.just("none")}
    return st.lists(table(less, {}), min_size=1, max_size=1)


# Of `[train]`, what all tasks have.
loop = {
    "batch_size": st.integers(1, 5_000).map(lambda half: 2 * half),
    "seed": st.integers(0, 2**31 - 1),
    "workers": st.integers(0, 64),
    "deterministic": st.booleans(),
    "sync_bn": st.booleans(),
    "max_batch_per_gpu": st.integers(3, 64),  # a part of one is no batch for batch norm
    "amp": st.sampled_from(["bf16", "fp16", "off"]),
    "ema": st.floats(0.5, 0.9999),
    "early_stop": st.integers(1, 9),
    "checkpoint_every": st.integers(1, 9),
}
log = table({}, {"tensorboard": st.booleans(), "wandb": text, "mlflow": text})


@st.composite
def valid_classifiers(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.one_of(st.sampled_from(TORCHVISION), st.sampled_from(TIMM)))
    row = models.models()[name]
    freeze = st.one_of(st.sampled_from(["none", "backbone"]), st.integers(0, len(row.stages) - 1))
    classes = draw(st.integers(2, 2000))
    optional = {"mean": channels, "std": channels}
    if step := row.size_multiple:
        least = -(-max(row.min_size, 32) // step)
        optional["image_size"] = st.integers(least, max(least, 512 // step)).map(step.__mul__)
    data = draw(sources) | draw(table({}, optional))
    any_size = row.size_multiple == 1 and row.min_size <= 75
    steps = draw(epochs)
    further = {
        "class_weights": st.just("balanced"),
        "compile": st.booleans(),
        "channels_last": st.booleans(),
    }
    measured = {
        "every": st.integers(1, 9),
        "metrics": st.lists(st.sampled_from(["precision", "recall", "f1"])),
        "monitor": st.just("loss"),
    }
    spec = {
        "task": "classification",
        "model": draw(
            table(
                {"name": st.just(name), "weights": weights, "num_classes": st.just(classes)},
                {"freeze": freeze, "init_std": positive}
                | ({"dropout": st.floats(0, 0.9)} if row.dropout else {})
                | ({"drop_path": st.floats(0, 0.9)} if row.drop_path else {}),
            )
        ),
        "data": data | draw(augmentation if any_size else preset),
        "optim": draw(optimizers(row.head[0])),
        "schedule": draw(schedules(steps)),
        "train": draw(table({}, loop | further)),
        "evaluate": draw(table({}, measured)),
        "export": draw(table({}, {"format": st.sampled_from(["torch", "onnx"])})),
        "log": draw(log),
    }
    if spec["model"].get("freeze", "none") != "none" and draw(st.booleans()):
        spec["model"]["unfreeze"] = draw(unfreezing(steps))
    return spec


# ---- detection ----

names = st.lists(text, min_size=1, max_size=5, unique=True)
# Nothing of the data is here, and so nothing can be missing beside it.
place = text.filter(lambda path: not os.path.exists(path))
STREETS = known_classes("cityscapes").names
streets = st.lists(st.sampled_from(STREETS), min_size=1, unique=True)
pixels = st.integers(32, 999)
long = st.integers(999, 2000)


def annotated(masks: bool) -> st.SearchStrategy[dict[str, Any]]:
    """Where annotations are; `[data]` without what is done to the images."""
    file = table({"images": place, "json": place}, {})
    root = {"root": place}
    kinds = [
        ({"format": st.just("coco"), "train": file, "classes": names}, {}, file),
        ({"format": st.just("voc")} | root, {"classes": names, "train": names}, names),
        ({"format": st.just("cityscapes")} | root, {"classes": streets, "train": text}, text),
        ({"format": st.just("yolo"), "classes": names} | root, {"train": text}, text),
    ]
    if not masks:
        style = {"annotations": st.sampled_from(["text", "voc"])}
        kinds.append(({"format": st.just("wider-face")} | root, style, text))
        folders = {"format": st.just("voc-folders"), "classes": names} | root
        kinds.append((folders, {"xml": text}, text))
    return st.one_of(
        table(needed | validated, optional)
        for needed, optional, split in kinds
        for validated in (
            {"val": split},
            {"val_fraction": part},
            {"val_fraction": part, "val_groups": text},
        )
    )


one_size = table({"short": pixels, "long": long}, {})
several = st.lists(pixels, min_size=2, max_size=4, unique=True).map(sorted)
drawn_sizes = table({"short": several, "long": long}, {})
prepared = {
    "keep_empty": st.booleans(),
    "on_bad_annotation": st.sampled_from(["error", "fix"]),
    "min_size": st.floats(0, 50),
    "value_range": ranges,
    "repeat": st.integers(1, 9),
    "mean": channels,
    "std": channels,
}
distorted = {"photometric_distort": st.booleans()}


@st.composite
def valid_detectors(draw: st.DrawFn) -> dict[str, Any]:
    row = detectors()[draw(st.sampled_from(DETECTORS))]
    masks = row.task == "instance-segmentation"
    resize, resizes = (
        ({}, {}) if row.fixed_size else ({"resize": one_size}, {"resize": drawn_sizes})
    )
    presets = st.sampled_from(["flip", "ssd", "ssdlite", "none"])
    augmentation = st.one_of(
        table({}, resizes | distorted | {"augment": presets}),
        table({"augment": st.just("large-scale-jitter")}, resize | distorted),
        table({"train_transforms": st.lists(st.one_of(flip, jitter), max_size=3)}, resize),
    )
    named = ["none", "default", row.default]
    named += row.backbone_weights if row.backbone_fits else []
    kinds = [st.sampled_from(named), weights]
    if row.name in MMDET_MODELS:
        source = st.sampled_from(["a.pth", "package://pack/a.pth", "https://a/b.safetensors"])
        layout = st.sampled_from(["mmdet", "mmdet-caffe"])
        kinds.append(table({"source": source, "layout": layout}, {"head": st.booleans()}))
    freeze = st.one_of(st.sampled_from(["none", "backbone"]), st.integers(0, len(row.stages) - 1))
    norm = {"batch_norm": st.sampled_from(["frozen", "eval", "train"])}
    options = st.sampled_from(sorted(row.options))
    steps = draw(epochs)
    loss = draw(st.booleans())
    monitors = ["box_AP", "box_AP50"] + ["mask_AP75"] * masks + ["loss"] * loss
    pasted = {"copy_paste": st.floats(0.01, 1)} if masks else {}
    spec = {
        "task": row.task,
        "model": draw(
            table(
                {"name": st.just(row.name), "weights": st.one_of(kinds)},
                {"freeze": freeze, "options": st.dictionaries(options, st.integers(0, 1))}
                | (norm if row.batch_norm else {}),
            )
        ),
        "data": draw(annotated(masks)) | draw(table({}, prepared | pasted)) | draw(augmentation),
        "optim": draw(optimizers(row.head[0])),
        "schedule": draw(schedules(steps)),
        "train": draw(table({}, loop | {"group_by_shape": st.booleans()})),
        "evaluate": draw(
            table(
                {"loss": st.just(loss)},
                {"monitor": st.sampled_from(monitors), "max_detections": st.integers(11, 500)},
            )
        ),
        "log": draw(log),
    }
    if spec["model"].get("freeze", "none") != "none" and draw(st.booleans()):
        spec["model"]["unfreeze"] = draw(unfreezing(steps))
    return spec


# ---- videos ----


def videos() -> st.SearchStrategy[dict[str, Any]]:
    """Where videos are; `[data]` without what the model sees of them."""
    split = table({"list": place}, {"root": place})
    root = {"root": place}
    kinds = [
        ({"format": st.just("rawframes"), "train": split}, {"classes": text}, split),
        ({"format": st.just("videos"), "train": split}, {"separator": text}, split),
        ({"format": st.just("videofolder")} | root, {"train": text}, text),
        ({"format": st.just("kinetics")} | root, {"train": text}, text),
    ]
    fold = {"fold": st.sampled_from([1, 2, 3]), "val_fraction": part}
    return st.one_of(
        table({"format": st.just("ucf101")} | root, fold),
        *(
            table(needed | validated, optional)
            for needed, optional, split in kinds
            for validated in (
                {"val": split},
                {"val_fraction": part},
                {"val_fraction": part, "val_groups": text},
            )
        ),
    )


@st.composite
def valid_video_classifiers(draw: st.DrawFn) -> dict[str, Any]:
    data = draw(videos())
    classes = 101 if data["format"] == "ucf101" else draw(st.integers(2, 2000))
    name = draw(st.sampled_from([*video_models(), "tsn"]))
    model = {"name": name, "num_classes": classes, "weights": draw(weights)}
    if name == "tsn":
        named = st.sampled_from(
            [it for it in TORCHVISION if it not in ("googlenet", "inception_v3")]
        )
        row = tsn(models.models()[draw(named)])
        model["backbone"] = row.name.removeprefix("tsn/")
        clips = table({}, {"segments": st.integers(1, 30)})
    else:
        row = video_models()[name]
        step = {"stride": st.integers(1, 9)}
        if data["format"] != "rawframes":
            step |= {"fps": st.floats(1, 60)}
        length = st.integers(row.min_frames, 40) if row.any_frames else st.just(row.frames)
        kinds = [table({}, {"frames": length, key: value}) for key, value in step.items()]
        clips = st.one_of(kinds)
    freeze = st.one_of(st.sampled_from(["none", "backbone"]), st.integers(0, len(row.stages) - 1))
    rates = [rate for rate in ("dropout", "drop_path") if getattr(row, rate)]
    model |= draw(table({}, {"freeze": freeze} | dict.fromkeys(rates, st.floats(0, 0.9))))
    steps = draw(epochs)
    crops = ["random-crop", "multi-scale-crop", "random-resized-crop", "center-crop", "aug-mix"]
    shown = {
        "flip": st.booleans(),
        "augment": st.sampled_from(crops),
        "decoder": st.sampled_from(["pyav", "torchcodec"]),
        "mean": channels,
        "std": channels,
    }
    test = table(
        {"clips": st.integers(1, 30)},
        {
            "crops": st.sampled_from([1, 3, 5, 10]),
            "average": st.sampled_from(["scores", "probabilities"]),
        },
    )
    return {
        "task": "video-classification",
        "model": model,
        "data": data | {"clips": draw(clips)} | draw(table({}, drawn | single | shown)),
        "optim": draw(optimizers(row.head[0])),
        "schedule": draw(schedules(steps)),
        "train": draw(table({}, loop | {"compile": st.booleans()})),
        "evaluate": draw(table({}, {"test": test, "every": st.integers(1, 9)})),
        "export": draw(table({}, {"format": st.sampled_from(["torch", "onnx"])})),
        "log": draw(log),
    }


def compiled(spec: Any) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "spec.json")
        path.write_text(json.dumps(spec))
        return render(build.load(path))


def check(spec: dict[str, Any]) -> None:
    """The project of a spec is Python as Black has it, and each of its modules is imported."""
    files = compiled(spec)
    for path, source in files.items():
        if path.endswith(".py"):
            ast.parse(source)
            assert black.format_str(source, mode=black.Mode()) == source
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        for path, source in {**files, "pack/__init__.py": "", "pack/age.pth": ""}.items():
            Path(folder, path).parent.mkdir(exist_ok=True)
            Path(folder, path).write_text(source)
        modules = [Path(path).stem for path in files if path.endswith(".py")]
        try:
            for module in modules:
                import_module(module)
        finally:
            for module in [*modules, "pack"]:
                sys.modules.pop(module, None)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(valid_classifiers())
def test_a_valid_classifier_becomes_a_project(spec: dict[str, Any]) -> None:
    check(spec)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(valid_detectors())
def test_a_valid_detector_becomes_a_project(spec: dict[str, Any]) -> None:
    check(spec)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(valid_video_classifiers())
def test_a_valid_video_classifier_becomes_a_project(spec: dict[str, Any]) -> None:
    check(spec)


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner)),
    max_leaves=5,
)


# Keys of the language in wrong places, and the names by which pydantic tells variants apart.
MISPLACED = [
    "name",
    "lr",
    "source",
    "size",
    "format",
    "sgd",
    "cosine",
    "imagefolder",
    "text",
    "epoch",
    "voc",
    "train",
    "short",
    "layout",
    "clips",
    "videos",
]


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.one_of(valid_classifiers(), valid_detectors(), valid_video_classifiers()), st.data())
def test_a_broken_spec_ends_in_diagnostics(spec: dict[str, Any], data: st.DataObject) -> None:
    broken = copy.deepcopy(spec)
    for _ in range(data.draw(st.integers(1, 3))):
        node = broken
        while True:
            names = sorted([*node, *MISPLACED])
            key = data.draw(st.one_of(st.sampled_from(names), st.text()))
            if isinstance(node.get(key), dict) and data.draw(st.booleans()):
                node = node[key]
                continue
            if data.draw(st.booleans()) and key in node:
                del node[key]
            else:
                node[key] = data.draw(values)
            break
    try:
        compiled(broken)
    except SpecError as error:
        assert error.diagnostics
        assert all(diagnostic.message for diagnostic in error.diagnostics)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(), st.text().map(str.encode)), st.sampled_from(["toml", "json"]))
def test_any_bytes_are_a_spec_or_end_in_diagnostics(content: bytes, suffix: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"spec.{suffix}")
        path.write_bytes(content)
        try:
            build.load(path)
        except SpecError as error:
            assert error.diagnostics
