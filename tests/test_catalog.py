"""The catalog against the installed torchvision and timm."""

import dataclasses
import inspect
import json
import subprocess
import sys
from collections import Counter
from functools import cache

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision import models as torchvision_models
from torchvision.transforms import v2

from specc.catalog import detectors, models, transforms, videos
from tools import derive_catalog, derive_timm

DERIVED_FROM = json.loads((models.FOLDER / "versions.json").read_text(encoding="utf-8"))

TORCHVISION = [row.name for row in models.models().values() if row.library == "torchvision"]
TIMM = [row.name for row in models.models().values() if row.library == "timm"]
# One in fifty: to build all of them takes a quarter of an hour.
SOME_OF_TIMM = [*TIMM[::50], "timm/resnet50d", "timm/tf_efficientnet_lite0", "timm/hgnetv2_b0"]
every_model = pytest.mark.parametrize("name", TORCHVISION)
some_of_timm = pytest.mark.parametrize("name", SOME_OF_TIMM)
some_of_all = pytest.mark.parametrize("name", TORCHVISION + SOME_OF_TIMM)
every_transform = pytest.mark.parametrize("name", transforms.transforms())


@cache
def build(name: str) -> nn.Module:
    timm = name.startswith("timm/")
    return derive_timm.create(name, num_classes=1000) if timm else derive_catalog.build(name)


def need_the_versions_of_the_data(*libraries: str) -> None:
    """Other versions have other weights, arguments and modules."""
    for library in libraries:
        installed, of_data = derive_catalog.versions()[library], DERIVED_FROM[library]
        if installed.split(".")[:2] != of_data.split(".")[:2]:
            pytest.skip(f"the data is {library} {of_data}'s, installed is {installed}")


def parts(network: nn.Module, name: str) -> list[nn.Parameter | nn.Module]:
    """The parameters, and the batch norms, in what has this name."""
    try:
        module = network.get_submodule(name)
    except AttributeError:
        return [network.get_parameter(name)]
    norms = [part for part in module.modules() if isinstance(part, _BatchNorm)]
    return [*module.parameters(), *norms]


def stages_run(network: nn.Module, row: models.Model, *sides: int) -> list[int]:
    """The number of each stage that a module which runs is in; the head comes after the last."""
    ran: list[int] = []
    modules = dict(network.named_modules())
    hooks = [
        modules[key].register_forward_pre_hook(lambda *_, stage=stage: ran.append(stage))
        for stage, keys in enumerate([*row.stages, row.head[:1]])
        for key in keys
        if key in modules
    ]
    network.eval()  # without the side classifiers, which leave half-way
    network(torch.empty(2, 3, *sides, device="meta"))
    network.train()
    for hook in hooks:
        hook.remove()
    return ran


def test_every_builder_has_a_row() -> None:
    builders = torchvision_models.list_models(module=torchvision_models)
    rows = [row for row in models.models().values() if row.library == "torchvision"]
    assert [row.name for row in rows] == sorted(builders)
    assert len(rows) >= 80


def test_timm_s_classifiers_have_rows() -> None:
    need_the_versions_of_the_data("timm")
    assert len(TIMM) == 1357
    # For these timm names no layer as the head, or it is for images that are not square.
    known = ("_enc", "levit_384_s8", "levit_conv_384_s8", "_sapiens2")
    assert all(name.endswith(known) for name in {*derive_timm.names()} - {*TIMM})
    kept = [row.name for row in models.models().values() if row.library == "timm" and row.weights]
    assert {"timm/resnet50d", "timm/hgnet_base", "timm/hgnetv2_b6"} < {*kept}


@every_model
def test_head_is_what_the_number_of_classes_changes(name: str) -> None:
    row = models.models()[name]
    other = dict(derive_catalog.build(name, num_classes=10).named_parameters())
    changed = {
        key.rpartition(".")[0]
        for key, parameter in build(name).named_parameters()
        if parameter.shape != other[key].shape
    }
    assert set(row.head) == changed


@some_of_all
def test_stages_and_head_hold_everything_once(name: str) -> None:
    row, network = models.models()[name], build(name)
    held = Counter(
        id(part)
        for stage in (row.head, *row.stages)
        for key in stage
        for part in parts(network, key)
    )
    assert held == Counter(map(id, parts(network, "")))
    assert all(parts(network, key) for stage in row.stages for key in stage)


@every_model
def test_stages_are_in_the_order_of_the_forward_pass(name: str) -> None:
    row = models.models()[name]
    ran = stages_run(build(name), row, row.image_size, row.image_size)
    assert ran == sorted(ran)
    assert set(ran) == set(range(len(row.stages) + 1))


@pytest.mark.slow
@every_model
def test_row_is_derived(name: str) -> None:
    row = models.models()[name]
    need_the_versions_of_the_data(row.library)
    derived = derive_catalog.model_row(name, build(name))
    fields = dataclasses.asdict(row)
    assert fields.pop("name") == name
    assert fields.pop("resize") == ""  # a function of timm's
    assert json.loads(json.dumps(fields)) == json.loads(json.dumps(derived))


@pytest.mark.slow
@some_of_timm
def test_row_of_timm_is_derived(name: str) -> None:
    need_the_versions_of_the_data("timm")
    fields = dataclasses.asdict(models.models()[name])
    derived, tree = derive_timm.row(name)
    assert {key: fields[key] for key in derived} == json.loads(
        json.dumps(derived), object_hook=lambda it: {k: deep(v) for k, v in it.items()}
    )
    assert tree == models._tree_text(name)


def deep(value: object) -> object:
    """Lists as the tuples that readers give."""
    return tuple(map(deep, value)) if isinstance(value, list) else value


@pytest.mark.parametrize("name", TIMM)
def test_facts_about_timm_s_models_agree(name: str) -> None:
    row, tree = models.models()[name], models.tree(name)
    parts = {*tree.modules, *tree.parameters}
    named = [part for stage in (row.head, *row.stages) for part in stage]
    assert parts.issuperset(named) and len(set(named)) == len(named)
    for parameter in tree.parameters:
        assert sum(f"{parameter}.".startswith(f"{part}.") for part in named) == 1
    assert sum(tree.parameters.values()) == row.parameters
    assert row.default in [None, *(weights.name for weights in row.weights)]
    assert row.image_size >= row.min_size and len(row.stages) > 1


@some_of_all
def test_tree_names_all_modules_and_parameters(name: str) -> None:
    need_the_versions_of_the_data(models.models()[name].library)
    tree, network = models.tree(name), build(name)
    assert ("", *tree.modules) == tuple(key for key, _ in network.named_modules())
    assert list(tree.parameters.items()) == [
        (key, parameter.numel()) for key, parameter in network.named_parameters()
    ]
    assert sum(tree.parameters.values()) == models.models()[name].parameters


def test_no_file_of_modules_without_a_model() -> None:
    files = {file.stem for file in (models.FOLDER / "modules").iterdir()}
    assert files == {*TORCHVISION, *detectors.detectors(), *videos.video_models()}


def test_known_facts() -> None:
    """A few, from torchvision's own pages."""
    rows = models.models()
    v1, v2_weights = rows["resnet50"].weights
    assert (v1.name, v1.acc1, v1.resize_size) == ("IMAGENET1K_V1", 76.13, 256)
    assert (v2_weights.acc1, v2_weights.acc5) == (80.858, 95.434)
    assert (v2_weights.crop_size, v2_weights.resize_size) == (224, 232)
    assert rows["resnet50"].default == v2_weights.name
    assert rows["efficientnet_v2_l"].weights[0].mean == (0.5, 0.5, 0.5)
    assert rows["efficientnet_b0"].weights[0].interpolation == "bicubic"
    assert rows["resnet50"].parameters == 25_557_032
    assert (rows["inception_v3"].min_size, rows["inception_v3"].image_size) == (75, 299)
    assert {name: rows[name].size_multiple for name in TORCHVISION if rows[name].size_argument} == {
        "maxvit_t": 224,
        "vit_b_16": 16,
        "vit_b_32": 32,
        "vit_h_14": 14,
        "vit_l_16": 16,
        "vit_l_32": 32,
    }
    assert [weights.name for weights in rows["vgg16"].weights] == ["IMAGENET1K_V1"]
    assert not rows["resnet50"].draws and rows["vgg11"].draws
    assert not rows["resnet50"].dropout and not rows["swin_t"].drop_path
    assert (rows["vgg11"].dropout, rows["densenet121"].dropout) == ("dropout", "drop_rate")
    assert rows["convnext_tiny"].drop_path == "stochastic_depth_prob"
    assert rows["timm/resnet50d"].dropout == "drop_rate"
    assert rows["resnet50"].batch_norm and not rows["swin_t"].batch_norm
    assert rows["maxvit_t"].head_kind == "linear-no-bias"
    assert rows["squeezenet1_0"].head_kind == "conv"
    assert models.model("resnet9") is None


@every_model
def test_default_weights_exist(name: str) -> None:
    row = models.models()[name]
    assert row.default in [weights.name for weights in row.weights]


def test_every_transform_is_listed_or_left_out_on_purpose() -> None:
    need_the_versions_of_the_data("torchvision")
    public = {
        name
        for name in dir(v2)
        if inspect.isclass(getattr(v2, name)) and issubclass(getattr(v2, name), v2.Transform)
    }
    listed = set(transforms.transforms())
    assert listed | derive_catalog.NOT_LISTED == public
    assert not listed & derive_catalog.NOT_LISTED


@every_transform
def test_transform_has_the_signature(name: str) -> None:
    need_the_versions_of_the_data("torchvision")
    row = transforms.transforms()[name]
    signature = inspect.signature(getattr(v2, name)).parameters.values()
    assert [(parameter.name, parameter.required) for parameter in row.parameters] == [
        (parameter.name, parameter.default is parameter.empty) for parameter in signature
    ]
    assert all(parameter.kinds for parameter in row.parameters)


@every_transform
def test_transform_row_is_derived(name: str) -> None:
    need_the_versions_of_the_data("torchvision")
    rows = json.loads((models.FOLDER / "transforms.json").read_text(encoding="utf-8"))
    assert rows[name] == derive_catalog.transform_row(name)


def test_transform_reader() -> None:
    crop = transforms.transform("RandomCrop")
    assert crop is not None and crop.random
    size, *_, padding_mode = crop.parameters
    assert size == transforms.Parameter("size", True, ("int", "list"))
    assert padding_mode == transforms.Parameter(
        "padding_mode", False, ("str",), ("constant", "edge", "reflect", "symmetric")
    )
    rotation = transforms.transform("RandomRotation")
    assert rotation is not None
    assert rotation.parameters[1] == transforms.Parameter(
        "interpolation", False, ("interpolation",), ("nearest", "bilinear")
    )
    center = transforms.transform("CenterCrop")
    assert center is not None and not center.random
    assert transforms.transform("Compose") is None


def test_readers_import_no_torch() -> None:
    code = (
        "import sys; from specc.catalog import models, transforms; models.models();"
        "models.tree('vit_b_16'); models.tree('timm/resnet18'); transforms.transforms();"
        "sys.exit(bool({'torch', 'torchvision', 'timm'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_check_names_what_differs(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(derive_catalog, "CATALOG", tmp_path)
    monkeypatch.setattr(derive_catalog, "model_names", lambda: ["alexnet", "resnet18"])
    monkeypatch.setattr(derive_catalog, "DETECTORS", {})
    monkeypatch.setattr(derive_catalog, "VIDEOS", {})
    row, tree = derive_timm.row("timm/resnet18")
    trees = {"timm/resnet18": tree}
    found = {"timm/resnet18": row}, trees, {"timm/no_head": "no head"}
    monkeypatch.setattr(derive_timm, "rows", lambda: found)
    monkeypatch.setattr(sys, "argv", ["derive_catalog"])
    assert derive_catalog.main() == 0
    monkeypatch.setattr(sys, "argv", ["derive_catalog", "--check"])
    assert derive_catalog.main() == 0

    file = tmp_path / "models.json"
    rows = json.loads(file.read_text())
    rows["alexnet"]["head"] = ["classifier.5"]
    file.write_text(derive_catalog.layout(rows))
    (tmp_path / "modules" / "resnet18.txt").write_text("resnet18\n")
    (tmp_path / "modules" / "resnet19.txt").write_text("resnet19\n")
    trees["timm/resnet18"] = tree.replace("fc", "head")
    capsys.readouterr()
    assert derive_catalog.main() == 1
    assert capsys.readouterr().out.split("\n") == [
        "modules/resnet18.txt",
        "models.json: alexnet",
        "timm.zip: resnet.txt",
        "modules/resnet19.txt",
        "",
    ]
