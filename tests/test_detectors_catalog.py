"""What the catalog says of detectors, against the installed torchvision."""

import dataclasses
import json
import subprocess
import sys
from functools import cache
from unittest import mock

import pytest
import torch
from test_catalog import need_the_versions_of_the_data
from torch import Tensor, nn
from torchvision import models as torchvision_models
from torchvision.models import WeightsEnum
from torchvision.ops import FrozenBatchNorm2d

from specc.catalog import models
from specc.catalog.detectors import Detector, detector, detectors
from tools import derive_catalog, derive_detectors

pytestmark = pytest.mark.slow

every_detector = pytest.mark.parametrize("row", detectors().values(), ids=lambda row: row.name)


@cache
def build(name: str) -> nn.Module:
    return derive_detectors.build(name)


def trained(row: Detector, **arguments: object) -> nn.Module:
    """The model as torchvision builds it on a trained backbone."""
    weights = row.backbone_weights[0]
    return derive_detectors.build_trained(row.name, weights_backbone=weights, **arguments)[0]


def inside(names: tuple[str, ...], key: str) -> bool:
    return f"{key}.".startswith(tuple(f"{name}." for name in names))


def body(row: Detector) -> tuple[str, ...]:
    return tuple(name for stage in row.stages for name in stage)


def in_the_detector(row: Detector, key: str) -> str:
    """What a tensor of the backbone's weights is called in the detector."""
    pairs = [*row.backbone_names, ("", "none.")]
    old, new = next(pair for pair in pairs if key.startswith(pair[0]))
    return new + key.removeprefix(old)


def test_every_builder_has_a_row() -> None:
    builders = set(torchvision_models.list_models(module=torchvision_models.detection))
    assert builders - set(detectors()) == {"keypointrcnn_resnet50_fpn"}
    assert len(detectors()) == 11 and list(detectors()) == sorted(detectors())


@every_detector
def test_row_is_derived(row: Detector) -> None:
    need_the_versions_of_the_data("torchvision")
    families = derive_catalog.DETECTORS
    family = derive_detectors.names(families)[row.name]
    derived = derive_detectors.row(row.name, family, families[family])
    fields = dataclasses.asdict(row)
    assert {key: fields[key] for key in derived} == {
        key: tuple(value) if key == "weights" else value
        for key, value in models.frozen(json.loads(json.dumps(derived))).items()
    }


@every_detector
def test_tree_names_all_modules_and_parameters(row: Detector) -> None:
    need_the_versions_of_the_data("torchvision")
    tree, network = models.tree(row.name), build(row.name)
    assert ("", *tree.modules) == tuple(key for key, _ in network.named_modules())
    assert list(tree.parameters.items()) == [
        (key, parameter.numel()) for key, parameter in network.named_parameters()
    ]
    assert sum(tree.parameters.values()) == row.parameters


@every_detector
def test_only_the_head_has_another_shape_with_other_classes(row: Detector) -> None:
    other = derive_detectors.build(row.name, num_classes=4).state_dict()
    for key, tensor in build(row.name).state_dict().items():
        assert (tensor.shape != other[key].shape) == inside(row.head, key), key


@every_detector
def test_stages_are_apart_and_in_the_backbone(row: Detector) -> None:
    names = body(row)
    assert len(set(names)) == len(names)
    held = [key for key in models.tree(row.name).parameters if inside(names, key)]
    assert held and all(key.startswith("backbone.") for key in held)
    for key in held:
        assert sum(inside(stage, key) for stage in row.stages) == 1


@every_detector
def test_stages_are_what_torchvision_freezes(row: Detector) -> None:
    """The scales and shifts of its `FrozenBatchNorm2d` are no parameters."""
    for layers in range(len(row.stages) + 1):
        network = trained(row, trainable_backbone_layers=layers)
        stages = row.stages[: len(row.stages) - layers]
        for key, parameter in network.named_parameters():
            frozen = any(inside(stage, key) for stage in stages)
            assert parameter.requires_grad != frozen, (layers, key)
    with pytest.raises((ValueError, AssertionError)):
        trained(row, trainable_backbone_layers=len(row.stages) + 1)


@every_detector
def test_freezes_by_default_what_torchvision_does(row: Detector) -> None:
    stages = row.stages[: row.default_freeze + 1] if row.default_freeze is not None else ()
    for key, parameter in trained(row).named_parameters():
        assert parameter.requires_grad != any(inside(stage, key) for stage in stages)


@every_detector
def test_published_weights_fit_the_model_without_weights(row: Detector) -> None:
    for weights in row.weights:
        published, _ = derive_detectors.build_trained(row.name, weights=weights.name)
        network = derive_detectors.build(row.name)
        # No `num_batches_tracked` is in what a FrozenBatchNorm2d saves, but batch norms of
        # torch take that for a file of older versions, and begin to count.
        network.load_state_dict(published.state_dict(), assign=True)
        norms = [m for m in published.modules() if isinstance(m, FrozenBatchNorm2d)]
        assert bool(norms) == (row.norm == "frozen")


@every_detector
def test_weights_exist(row: Detector) -> None:
    enum = getattr(torchvision_models.detection, row.weights_enum)
    assert [(w.name, w.url) for w in row.weights] == [(w.name, w.url) for w in enum]
    assert row.default == enum.DEFAULT.name
    backbone = getattr(torchvision_models, row.backbone_weights_enum)
    assert {*row.backbone_weights} <= {weights.name for weights in backbone}


@pytest.mark.parametrize("name", ["fasterrcnn_mobilenet_v3_large_320_fpn", "ssd300_vgg16"])
def test_weights_of_a_backbone_arrive_where_torchvision_loads_them(name: str) -> None:
    """With numbers, and through torchvision's own `load_state_dict`."""
    row = detector(name)
    assert row is not None and row.backbone_fits
    backbone = row.backbone_weights_enum.removesuffix("_Weights").lower()
    state = torchvision_models.get_model(backbone).state_dict()
    weights = row.backbone_weights[0]
    with mock.patch.object(WeightsEnum, "get_state_dict", lambda *_, **__: state):
        expected = derive_detectors.build(name, device="cpu", weights_backbone=weights)
    arrived: dict[str, Tensor] = {
        in_the_detector(row, key): tensor
        for key, tensor in state.items()
        if not key.endswith("num_batches_tracked")
    }
    known = expected.state_dict()
    found = {key: tensor for key, tensor in arrived.items() if key in known}
    assert {*found} == {
        key for key in known if inside(body(row), key) and not key.endswith("num_batches_tracked")
    }
    assert all(torch.equal(tensor, known[key]) for key, tensor in found.items())


@every_detector
def test_a_backbone_s_names_are_the_detector_s(row: Detector) -> None:
    backbone = row.backbone_weights_enum.removesuffix("_Weights").lower()
    with torch.device("meta"):
        state = torchvision_models.get_model(backbone).state_dict()
    arrived = {in_the_detector(row, key): tensor for key, tensor in state.items()}
    own = {key: t for key, t in build(row.name).state_dict().items() if inside(body(row), key)}
    assert own.keys() <= arrived.keys()
    left = arrived.keys() - own.keys()  # to the classifier
    assert all("classifier." in key or key.startswith("backbone.body.fc.") for key in left)
    assert row.backbone_fits == all(own[key].shape == arrived[key].shape for key in own)


@every_detector
def test_normalises_and_resizes_as_the_row_says(row: Detector) -> None:
    """Seen in what comes out of the model's own transform."""
    transform = build(row.name).eval().transform
    image = torch.full((3, 400, 1600), 0.5)
    batch, _ = transform([image])
    height, width = batch.image_sizes[0]
    if row.fixed_size:
        assert (height, width) == (row.fixed_size, row.fixed_size)
    else:
        assert row.min_size and row.max_size
        scale = min(row.min_size / 400, row.max_size / 1600)
        assert (height, width) == (int(400 * scale), int(1600 * scale))
    pixel = batch.tensors[0, :, height // 2, width // 2]
    normal = [(0.5 - m) / s for m, s in zip(row.image_mean, row.image_std, strict=True)]
    assert pixel.tolist() == pytest.approx(normal, rel=1e-4, abs=1e-5)


def test_known_facts() -> None:
    rows = detectors()
    mask = rows["maskrcnn_resnet50_fpn"]
    assert mask.task == "instance-segmentation" and mask.family == "mask-rcnn"
    assert (mask.weights[0].box_ap, mask.weights[0].mask_ap) == (37.9, 34.6)
    assert mask.head == (
        "roi_heads.box_predictor.cls_score",
        "roi_heads.box_predictor.bbox_pred",
        "roi_heads.mask_predictor.mask_fcn_logits",
    )
    assert mask.stages[:2] == (
        ("backbone.body.conv1", "backbone.body.bn1"),
        ("backbone.body.layer1",),
    )
    assert mask.default_freeze == 1
    assert {row.task for row in rows.values() if row is not mask} == {
        "detection",
        "instance-segmentation",
    }
    # https://github.com/pytorch/vision/issues/2599: these were trained with FrozenBatchNorm2d
    # when it had no eps.
    assert {name for name, row in rows.items() if row.weights[0].norm_eps == 0} == {
        "fasterrcnn_resnet50_fpn",
        "maskrcnn_resnet50_fpn",
        "retinanet_resnet50_fpn",
    }
    assert {row.weights[0].norm_eps for row in rows.values()} == {0.0, None}
    assert {row.family for row in rows.values() if not row.background} == {"retinanet", "fcos"}
    assert {row.family for row in rows.values() if row.draws} == {"faster-rcnn", "mask-rcnn"}
    assert {name for name, row in rows.items() if row.norm == "trained"} == {
        *(name for name in rows if name.endswith("_v2")),
        "ssdlite320_mobilenet_v3_large",
    }
    ssd, ssdlite = rows["ssd300_vgg16"], rows["ssdlite320_mobilenet_v3_large"]
    assert (ssd.norm, ssd.batch_norm, ssd.augment) == ("none", False, "ssd")
    assert (ssd.fixed_size, ssd.min_size) == (300, None)
    assert ssd.backbone_weights == ("IMAGENET1K_FEATURES",)
    assert (ssd.default_freeze, ssdlite.default_freeze) == (0, None)
    assert [name for name, row in rows.items() if not row.backbone_fits] == [ssdlite.name]
    assert (mask.min_size, mask.max_size) == (800, 1333)
    assert rows["fasterrcnn_mobilenet_v3_large_320_fpn"].min_size == 320
    assert mask.options["box_batch_size_per_image"] == "int"
    assert ssdlite.options["score_thresh"] == "float"
    assert detector("keypointrcnn_resnet50_fpn") is None and detector("resnet50") is None


def test_reader_imports_no_torch() -> None:
    code = (
        "import sys; from specc.catalog import detectors, models, table; detectors.detectors();"
        "models.tree('ssd300_vgg16'); table.table();"
        "sys.exit(bool({'torch', 'torchvision', 'timm'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
