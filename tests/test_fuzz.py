"""Whatever is written: a spec that is valid becomes a project, and any other one a diagnostic."""

import ast
import copy
import json
import tempfile
from pathlib import Path
from typing import Any

import black
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specc import build
from specc.catalog import models
from specc.diagnostics import SpecError
from specc.render import render

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
single = {"balance": st.booleans(), "label_smoothing": part}


def labelled(kind: str, file: str, further: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    split = table({file: text}, {"root": text})
    needed = {"format": st.just(kind), "train": split}
    validated = ({"val": split}, {"val_fraction": part})
    labels = ({}, single), ({"multi_label": st.just(True)}, {})
    return st.one_of(
        table(needed | val | several, {"classes": text} | further | drawn | keys)
        for val in validated
        for several, keys in labels
    )


def folders() -> st.SearchStrategy[dict[str, Any]]:
    needed = {"format": st.just("imagefolder"), "root": text}
    validated = ({"val": text}, {"val_fraction": part})
    return st.one_of(table(needed, drawn | single | keys) for keys in validated)


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


@st.composite
def valid_specs(draw: st.DrawFn) -> dict[str, Any]:
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
    warm = {"warmup": table({"steps": st.integers(1, 999)}, {"factor": st.floats(0.001, 1)})}
    group = table({"match": st.just(row.head[0]), "lr": positive}, {"weight_decay": share})
    parts = {
        "head_lr": positive,
        "layer_decay": st.floats(0.1, 0.9),
        "clip_norm": positive,
        "no_decay": st.lists(st.sampled_from(["norm", "bias", f"{row.head[0]}.*"]), min_size=1),
        "groups": st.lists(group, min_size=1, max_size=2),
    }
    less = {"epoch": st.integers(1, steps - 1), "freeze": st.just("none")}
    unfreeze = st.lists(table(less, {}), min_size=1, max_size=1)
    milestones = st.lists(st.integers(1, steps - 1), min_size=1, unique=True).map(sorted)
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
        "optim": draw(
            st.one_of(
                table({}, {"lr": positive, "momentum": share, "weight_decay": share} | parts),
                table(
                    {"name": st.sampled_from(["adam", "adamw", "nadam", "lamb"])},
                    {"lr": positive, "betas": st.tuples(share, share).map(list)} | parts,
                ),
                table({"name": st.sampled_from(["rmsprop", "muon"])}, {"momentum": share} | parts),
            )
        ),
        "schedule": {"epochs": steps}
        | draw(
            st.one_of(
                table(
                    {}, {"name": st.sampled_from(["cosine", "constant", "poly", "plateau"])} | warm
                ),
                table({"name": st.just("multistep"), "milestones": milestones}, {"gamma": share}),
                table({"name": st.just("step"), "step_size": st.integers(1, steps - 1)}, warm),
                table({"name": st.just("onecycle")}, {"div_factor": st.floats(2, 100)}),
            ).filter(lambda schedule: schedule.get("gamma") != 0)
        ),
        "train": draw(
            table(
                {},
                {
                    "batch_size": st.integers(1, 5_000).map(lambda half: 2 * half),
                    "seed": st.integers(0, 2**31 - 1),
                    "workers": st.integers(0, 64),
                    "deterministic": st.booleans(),
                    "sync_bn": st.booleans(),
                    "max_batch_per_gpu": st.integers(1, 64),
                    "class_weights": st.just("balanced"),
                    "amp": st.sampled_from(["bf16", "fp16", "off"]),
                    "compile": st.booleans(),
                    "channels_last": st.booleans(),
                    "ema": st.floats(0.5, 0.9999),
                    "early_stop": st.integers(1, 9),
                    "checkpoint_every": st.integers(1, 9),
                },
            )
        ),
        "evaluate": draw(
            table(
                {},
                {
                    "every": st.integers(1, 9),
                    "metrics": st.lists(st.sampled_from(["precision", "recall", "f1"])),
                    "monitor": st.just("loss"),
                },
            )
        ),
        "export": draw(table({}, {"format": st.sampled_from(["torch", "onnx"])})),
        "log": draw(table({}, {"tensorboard": st.booleans(), "wandb": text, "mlflow": text})),
    }
    if spec["model"].get("freeze", "none") != "none" and draw(st.booleans()):
        spec["model"]["unfreeze"] = draw(unfreeze)
    return spec


def compiled(spec: Any) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "spec.json")
        path.write_text(json.dumps(spec))
        return render(build.load(path))


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(valid_specs())
def test_a_valid_spec_becomes_a_project(spec: dict[str, Any]) -> None:
    for path, source in compiled(spec).items():
        if path.endswith(".py"):
            ast.parse(source)
            assert black.format_str(source, mode=black.Mode()) == source


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
]


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(valid_specs(), st.data())
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
