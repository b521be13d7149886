"""The language as a whole: every key is described, does something, and is in the schema."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

from specc import build
from specc.render import render
from specc.source import read
from specc.spec.classification import Classification
from specc.spec.data import Transform
from specc.spec.schema import schema_text
from specc.spec.section import Section

ROOT = Path(__file__).parent.parent
SPECS = sorted((ROOT / "specs").glob("*.toml"))

# For each key a spec in which it counts, and another value. Sections with a choice of kinds are
# written "optim=adamw". A key that is not here, or changes nothing, fails the test.
MODEL = {"name": "resnet18", "num_classes": 10}
FOLDER = {"format": "imagefolder", "root": "images"}
STEPS = {"name": "multistep", "milestones": [2]}
PACKAGE = {"source": "package://a/b.pth", "layout": "efficientnet-pytorch"}
THAWING = MODEL | {"freeze": 1, "unfreeze": [{"epoch": 1, "freeze": "none"}]}
CHANGES: dict[str, tuple[dict[str, Any], Any]] = {
    "task": ({}, "…"),  # the only key with one value so far
    "model.name": ({}, "resnet34"),
    "model.weights": ({}, "none"),
    "model.weights.source": ({"model": MODEL | {"weights": PACKAGE}}, "package://c/d.pth"),
    "model.weights.layout": ({"model": MODEL | {"weights": PACKAGE}}, None),
    "model.weights.prefix": ({"model": MODEL | {"weights": PACKAGE}}, "encoder."),
    "model.weights.rename": ({"model": MODEL | {"weights": PACKAGE}}, {"body.": ""}),
    "model.freeze": ({}, 1),
    "model.unfreeze": ({"model": THAWING}, []),
    "model.unfreeze.epoch": ({"model": THAWING}, 2),
    "model.unfreeze.freeze": ({"model": THAWING}, 0),
    "model.dropout": ({"model": MODEL | {"name": "efficientnet_b0"}}, 0.5),
    "model.drop_path": ({"model": MODEL | {"name": "efficientnet_b0"}}, 0.5),
    "model.init_std": ({}, 0.5),
    "model.num_classes": ({}, 11),
    "data.image_size": ({}, 96),
    "data.mean": ({}, [0.1, 0.2, 0.3]),
    "data.std": ({}, [0.1, 0.2, 0.3]),
    "data.augment": ({}, "flip"),
    "data.train_transforms": ({}, [{"name": "CenterCrop", "size": 224}]),
    "data.eval_transforms": ({}, [{"name": "CenterCrop", "size": 200}]),
    "data=imagefolder.format": ({}, "cifar10"),
    "data=imagefolder.root": ({}, "pictures"),
    "data=imagefolder.train": ({}, "training"),
    "data=imagefolder.val": ({}, "test"),
    "data=cifar10.format": ({"data": {"format": "cifar10", "root": "images"}}, "imagefolder"),
    "data=cifar10.root": ({"data": {"format": "cifar10"}}, "pictures"),
    "optim=sgd.name": ({}, "adamw"),
    "optim=sgd.lr": ({}, 0.5),
    "optim=sgd.momentum": ({}, 0.5),
    "optim=sgd.weight_decay": ({}, 0.5),
    "optim=adamw.name": ({"optim": {"name": "adamw"}}, "sgd"),
    "optim=adamw.lr": ({"optim": {"name": "adamw"}}, 0.5),
    "optim=adamw.betas": ({"optim": {"name": "adamw"}}, [0.5, 0.6]),
    "optim=adamw.weight_decay": ({"optim": {"name": "adamw"}}, 0.5),
    "schedule=cosine.name": ({}, "constant"),
    "schedule=cosine.epochs": ({}, 3),
    "schedule=multistep.name": ({"schedule": STEPS}, "multistep"),
    "schedule=multistep.epochs": ({"schedule": STEPS}, 3),
    "schedule=multistep.milestones": ({"schedule": STEPS}, [3]),
    "schedule=multistep.gamma": ({"schedule": STEPS}, 0.5),
    "schedule=constant.name": ({"schedule": {"name": "constant"}}, "cosine"),
    "schedule=constant.epochs": ({"schedule": {"name": "constant"}}, 3),
    "train.batch_size": ({}, 8),
    "train.seed": ({}, 8),
    "train.workers": ({}, 8),
    "train.log_every": ({}, 8),
    "train.checkpoint_every": ({}, 8),
    "train.deterministic": ({}, False),
    "train.sync_bn": ({}, False),
    "evaluate.batch_size": ({}, 8),
    "evaluate.topk": ({}, [1, 3]),
    "log.tensorboard": ({}, False),
    "launch.gpus": ({}, 2),
    "launch.nodes": ({}, 2),
    "launch.endpoint": ({}, "first:29500"),
}
ALONE = {"task", "schedule=multistep.name"}  # another value has other keys, or there is none


def keys(section: type[Section], prefix: str = "") -> Iterator[str]:
    """Every key of a section and of those in it, a kind of section named once."""
    for name, field in section.model_fields.items():
        inner = [s for s in sections(field.annotation) if s is not Transform]
        if prefix or not inner:
            yield f"{prefix}{name}"
        for kind in inner:
            choice = f"={tag(kind)}" if len(inner) > 1 else ""
            yield from keys(kind, f"{prefix}{name}{choice}.")


def sections(annotation: Any) -> list[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [section for argument in get_args(annotation) for section in sections(argument)]


def tag(section: type[Section]) -> str:
    key = "format" if "format" in section.model_fields else "name"
    return str(get_args(section.model_fields[key].annotation)[0])


def shared(key: str) -> str:
    """The key by which CHANGES knows it: what all formats of data have is there once."""
    section, _, name = key.partition(".")
    return f"data.{name}" if section.startswith("data=") and f"data.{name}" in CHANGES else key


def spec_with(changes: dict[str, Any]) -> dict[str, Any]:
    return {"task": "classification", "model": MODEL, "data": FOLDER} | changes


def compiled(spec: dict[str, Any], folder: Path) -> dict[str, str]:
    path = folder / "spec.json"
    path.write_text(json.dumps(spec))
    return render(build.load(path))


ALL = sorted(set(map(shared, keys(Classification))))


def test_the_test_knows_every_key() -> None:
    assert ALL == sorted(CHANGES)


@pytest.mark.parametrize("key", [key for key in ALL if key not in ALONE])
def test_every_key_does_something(key: str, tmp_path: Path) -> None:
    changes, value = CHANGES[key]
    spec = spec_with(changes)
    before = compiled(spec, tmp_path)
    node = spec = json.loads(json.dumps(spec))
    *parents, last = [part.partition("=")[0] for part in key.split(".")]
    for parent in parents:
        node = node.setdefault(parent, {})
        node = node[0] if isinstance(node, list) else node
    node[last] = value
    if value is None:
        del node[last]
    assert compiled(spec, tmp_path) != before


def test_every_key_is_described() -> None:
    def described(section: type[Section]) -> Iterator[str]:
        for name, field in section.model_fields.items():
            if not field.description and not sections(field.annotation):
                yield f"{section.__name__}.{name}"
            for inner in sections(field.annotation):
                yield from described(inner)

    assert list(described(Classification)) == []


# ---- TOML and JSON, extends and --set ----


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_json_says_the_same_as_toml(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    as_json = tmp_path / f"{path.stem}.json"
    as_json.write_text(json.dumps(read(path).tree))
    assert render(build.load(as_json)) == render(build.load(path))


def test_own_keys_win_over_extended_ones_and_set_over_all(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text("[optim]\nlr = 0.1\nmomentum = 0.5\n[train]\nseed = 1\n")
    (tmp_path / "spec.toml").write_text(
        'extends = "base.toml"\ntask = "classification"\n[optim]\nlr = 0.2\n'
        '[model]\nname = "resnet18"\n[data]\nformat = "cifar10"\n'
    )
    plan = build.load(tmp_path / "spec.toml", ["train.seed=3"])
    values = {setting.name: setting.value for setting in plan.train.settings}
    assert (values["LR"], values["MOMENTUM"], plan.train.seed) == (0.2, 0.5, 3)


# ---- the schema ----


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json.loads(schema_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("path", sorted((ROOT / "specs").rglob("*.toml")), ids=lambda p: p.stem)
def test_the_schema_takes_the_example_specs(path: Path, validator: Draft202012Validator) -> None:
    assert list(validator.iter_errors(tomllib.loads(path.read_text()))) == []
    first, *_ = path.read_text().splitlines()
    schema = first.removeprefix("#:schema ")
    assert (path.parent / schema).resolve() == ROOT / "specs/schema.json"


@pytest.mark.parametrize(
    "changes",
    [
        {"optim": {"learning_rate": 1}},
        {"optim": {"name": "sdg"}},
        {"optim": {"lr": "0.1"}},
        {"schedule": {"name": "cosine", "milestones": [1]}},
        {"model": {"name": "resnet18", "freeze": -1}},
        {"train": {"batch_size": 0}},
        {"task": "classify"},
        {"data": {"format": "folder", "root": "x"}},
    ],
)
def test_the_schema_refuses_what_a_build_refuses(
    changes: dict[str, Any], validator: Draft202012Validator
) -> None:
    assert list(validator.iter_errors(spec_with(changes)))
