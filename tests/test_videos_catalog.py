"""What the catalog says of video classifiers, against the installed torchvision."""

import dataclasses
import json
import subprocess
import sys
from collections import Counter
from functools import cache
from unittest import mock

import pytest
import test_catalog
import torch
from test_catalog import need_the_versions_of_the_data, parts, stages_run
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision import models as torchvision_models
from torchvision.models import WeightsEnum
from torchvision.ops import StochasticDepth
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from specc.catalog import models
from specc.catalog.videos import VideoClassifier, tsn, video_model, video_models
from tools import derive_catalog, derive_videos

every_video_model = pytest.mark.parametrize("row", video_models().values(), ids=lambda r: r.name)

BACKBONES = [
    "resnet18",
    "vgg11",  # the head is the last of several layers
    "squeezenet1_0",  # a convolution before the mean over the image
    "efficientnet_b0",
    "googlenet",  # has arguments of its own
    "maxvit_t",  # a head without bias
    "vit_b_32",  # for images of one size
    "timm/resnet18d",
    "timm/vit_tiny_patch16_224",
    "timm/dla34",  # a convolution after the mean over the image
    "timm/deit_tiny_distilled_patch16_224",  # two heads, whose mean counts
]


@cache
def build(name: str) -> nn.Module:
    return plain(name)


def plain(name: str, **arguments: object) -> nn.Module:
    with torch.device("meta"):
        network: nn.Module = torchvision_models.get_model(name, **arguments)
    return network.train()


def takes(network: nn.Module, frames: int, size: int) -> bool:
    try:
        with torch.no_grad():
            logits = network(torch.empty(2, 3, frames, size, size, device="meta"))
    except RuntimeError:
        return False
    assert logits.shape == (2, 400)
    return True


# ---- torchvision's ----


def test_every_builder_has_a_row() -> None:
    builders = torchvision_models.list_models(module=torchvision_models.video)
    assert list(video_models()) == sorted(builders)
    assert len(video_models()) == 9


@pytest.mark.slow
@every_video_model
def test_row_is_derived(row: VideoClassifier) -> None:
    need_the_versions_of_the_data("torchvision")
    families = derive_catalog.VIDEOS
    family = derive_videos.names(families)[row.name]
    derived = derive_videos.row(row.name, family, families[family])
    fields = dataclasses.asdict(row)
    assert {key: fields[key] for key in derived} == {
        key: tuple(map(models.frozen, value)) if key == "weights" else value
        for key, value in models.frozen(json.loads(json.dumps(derived))).items()
    }


@every_video_model
def test_tree_names_all_modules_and_parameters(row: VideoClassifier) -> None:
    need_the_versions_of_the_data("torchvision")
    tree, network = models.tree(row.name), build(row.name)
    assert ("", *tree.modules) == tuple(key for key, _ in network.named_modules())
    assert list(tree.parameters.items()) == [
        (key, parameter.numel()) for key, parameter in network.named_parameters()
    ]
    assert sum(tree.parameters.values()) == row.parameters


@every_video_model
def test_head_is_what_the_number_of_classes_changes(row: VideoClassifier) -> None:
    other = plain(row.name, num_classes=10)
    shapes = {key: tensor.shape for key, tensor in build(row.name).state_dict().items()}
    changed = [key for key, tensor in other.state_dict().items() if tensor.shape != shapes[key]]
    assert changed == [f"{layer}.{part}" for layer in row.head for part in ("weight", "bias")]
    kind = {"linear": nn.Linear, "conv": nn.Conv3d}[row.head_kind]
    assert isinstance(other.get_submodule(row.head[0]), kind)


@every_video_model
def test_stages_and_head_hold_everything_once(row: VideoClassifier) -> None:
    network = build(row.name)
    stages = (row.head, *row.stages)
    held = Counter(id(part) for stage in stages for key in stage for part in parts(network, key))
    assert held == Counter(map(id, parts(network, "")))
    assert all(parts(network, key) for stage in row.stages for key in stage)
    assert row.batch_norm == any(isinstance(part, _BatchNorm) for part in parts(network, ""))


@every_video_model
def test_stages_are_in_the_order_of_the_forward_pass(row: VideoClassifier) -> None:
    ran = stages_run(build(row.name), row, row.frames, row.image_size, row.image_size)
    assert ran == sorted(ran)
    assert set(ran) == set(range(len(row.stages) + 1))


@pytest.mark.slow
@every_video_model
def test_takes_the_sizes_and_frames_that_the_row_says(row: VideoClassifier) -> None:
    network, size, frames = build(row.name), row.image_size, row.frames
    assert takes(network, frames, size)
    assert takes(network, row.min_frames, row.min_size)
    for other in (192, 225, 256):
        assert takes(network, frames, other) == (row.size_multiple == 1 and other >= row.min_size)
    for other in (8, 31, 64):
        assert takes(network, other, size) == (row.any_frames and other >= row.min_frames)
    if row.size_multiple:
        assert not takes(network, frames, row.min_size - 1)
        assert all(takes(network, frames, row.min_size + more) for more in (1, 2, 7))
    if row.any_frames:
        assert not takes(network, row.min_frames - 1, size)
        assert all(takes(network, row.min_frames + more, size) for more in (1, 2, 3))


@every_video_model
def test_draws_and_drops_as_the_row_says(row: VideoClassifier) -> None:
    layers = build(row.name).modules()
    dropped = [layer for layer in layers if isinstance(layer, nn.Dropout | StochasticDepth)]
    assert row.draws == any(layer.p > 0 for layer in dropped)
    arguments = {"dropout": nn.Dropout, "stochastic_depth_prob": StochasticDepth}
    for argument, kind in arguments.items():
        if argument in (row.dropout, row.drop_path):
            layers = plain(row.name, **{argument: 0.75}).modules()
            assert max(layer.p for layer in layers if isinstance(layer, kind)) == 0.75
        else:
            with pytest.raises(TypeError):
                plain(row.name, **{argument: 0.75})
    assert row.dropout in ("", "dropout") and row.drop_path in ("", "stochastic_depth_prob")


@every_video_model
def test_weights_are_torchvision_s(row: VideoClassifier) -> None:
    enum = getattr(torchvision_models.video, row.weights_enum)
    assert [(w.name, w.url) for w in row.weights] == [(w.name, w.url) for w in enum]
    assert row.default == enum.DEFAULT.name
    for weights, known in zip(row.weights, enum, strict=True):
        accuracy = known.meta["_metrics"]["Kinetics-400"]
        assert (weights.acc1, weights.acc5) == (accuracy["acc@1"], accuracy["acc@5"])
        assert row.parameters == known.meta["num_params"]
        assert (row.image_size, row.frames) == (weights.crop_size, weights.frames)
        assert row.min_size <= max(known.meta["min_size"])
        rate = f"{weights.frame_rate:g}"
        said = f"`frame_rate={rate}`, `clips_per_video={weights.clips}`, and `clip_len="
        assert f"{said}{weights.frames}`" in known.meta["_docs"]


@every_video_model
def test_weights_are_for_what_is_built_without_them(row: VideoClassifier) -> None:
    loaded: list[dict[str, Tensor]] = []
    shapes = {key: tensor.shape for key, tensor in build(row.name).state_dict().items()}
    with (
        mock.patch.object(WeightsEnum, "get_state_dict", lambda *_, **__: {}),
        mock.patch.object(nn.Module, "load_state_dict", lambda it, _: loaded.append(it)),
    ):
        for weights in row.weights:
            plain(row.name, weights=weights.name)
    assert len(loaded) == len(row.weights)
    for network in loaded:
        assert {key: tensor.shape for key, tensor in network.state_dict().items()} == shapes


@every_video_model
def test_clips_are_prepared_as_torchvision_does(row: VideoClassifier) -> None:
    """Seen in a clip of another shape than the crop."""
    clip = torch.rand(2, 3, 240, 320)
    for weights in row.weights:
        mode = InterpolationMode(weights.interpolation)
        frames = F.resize(clip, list(weights.resize_size), interpolation=mode, antialias=False)
        frames = F.center_crop(frames, [weights.crop_size, weights.crop_size])
        frames = F.normalize(frames, list(weights.mean), list(weights.std))
        enum = getattr(torchvision_models.video, row.weights_enum)
        expected = enum[weights.name].transforms()(clip)
        assert torch.equal(frames.transpose(0, 1), expected)


def test_known_facts() -> None:
    """From torchvision's pages, and from what its models refuse."""
    rows = video_models()
    accuracies = {(name, w.name): (w.acc1, w.acc5) for name, r in rows.items() for w in r.weights}
    assert accuracies == {
        ("mc3_18", "KINETICS400_V1"): (63.96, 84.13),
        ("mvit_v1_b", "KINETICS400_V1"): (78.477, 93.582),
        ("mvit_v2_s", "KINETICS400_V1"): (80.757, 94.665),
        ("r2plus1d_18", "KINETICS400_V1"): (67.463, 86.175),
        ("r3d_18", "KINETICS400_V1"): (63.2, 83.479),
        ("s3d", "KINETICS400_V1"): (68.368, 88.05),
        ("swin3d_b", "KINETICS400_V1"): (79.427, 94.386),
        ("swin3d_b", "KINETICS400_IMAGENET22K_V1"): (81.643, 95.574),
        ("swin3d_s", "KINETICS400_V1"): (79.521, 94.158),
        ("swin3d_t", "KINETICS400_V1"): (77.715, 93.519),
    }
    assert {row.task for row in rows.values()} == {"video-classification"}
    clips = {name: (row.frames, row.image_size) for name, row in rows.items()}
    assert clips["r2plus1d_18"] == (16, 112) and clips["s3d"] == (128, 224)
    (weights,) = rows["r2plus1d_18"].weights
    assert (weights.resize_size, weights.frame_rate, weights.clips) == ((128, 171), 15.0, 5)
    assert rows["mvit_v2_s"].weights[0].frame_rate == 7.5
    assert rows["swin3d_t"].weights[0].clips == 12
    assert {name for name, row in rows.items() if not row.any_frames} == {"mvit_v1_b", "mvit_v2_s"}
    assert {name for name, row in rows.items() if not row.size_multiple} == {
        "mvit_v1_b",
        "mvit_v2_s",
    }
    assert (rows["s3d"].min_frames, rows["s3d"].min_size) == (13, 209)
    assert rows["s3d"].stages[3] == tuple(f"features.{n}" for n in range(8, 13))
    assert rows["s3d"].head_kind == "conv" and rows["s3d"].dropout == "dropout"
    assert rows["mvit_v2_s"].drop_path == "stochastic_depth_prob"
    assert len(rows["mvit_v1_b"].stages) == 1 + 16 + 1
    assert not any(row.size_argument for row in rows.values())
    assert video_model("resnet18") is None and models.model("r3d_18") is None


# ---- temporal segment networks ----


class TSN(nn.Module):
    """As in generated code: `fc` sees the mean of a classifier's features over some frames."""

    def __init__(self, backbone: nn.Module, head: tuple[str, ...]) -> None:
        super().__init__()
        layer = backbone.get_submodule(head[0])
        features = layer.in_channels if isinstance(layer, nn.Conv2d) else layer.in_features
        for name in head:
            backbone.set_submodule(name, nn.Identity())
        self.backbone = backbone
        self.fc = nn.Linear(features, 1000, device="meta")

    def forward(self, clips: Tensor) -> Tensor:
        features = self.backbone(clips.flatten(0, 1))
        mean: Tensor = features.unflatten(0, clips.shape[:2]).mean(1)
        return self.fc(mean)


@cache
def build_tsn(backbone: str) -> nn.Module:
    # Not the cached one, which other tests use as it is.
    return TSN(test_catalog.build.__wrapped__(backbone), models.models()[backbone].head).train()


every_backbone = pytest.mark.parametrize("name", BACKBONES)


@every_backbone
def test_tree_of_a_tsn_names_all_modules_and_parameters(name: str) -> None:
    need_the_versions_of_the_data(models.models()[name].library)
    tree, network = models.tree(f"tsn/{name}"), build_tsn(name)
    assert ("", *tree.modules) == tuple(key for key, _ in network.named_modules())
    assert list(tree.parameters.items()) == [
        (key, parameter.numel()) for key, parameter in network.named_parameters()
    ]


@every_backbone
def test_row_of_a_tsn(name: str) -> None:
    backbone, network = models.models()[name], build_tsn(name)
    row = tsn(backbone)
    assert (row.name, row.task) == (f"tsn/{name}", "video-classification")
    assert row.parameters == sum(parameter.numel() for parameter in network.parameters())
    stages = (row.head, *row.stages)
    held = Counter(id(part) for stage in stages for key in stage for part in parts(network, key))
    assert held == Counter(map(id, parts(network, "")))
    assert row.batch_norm == any(isinstance(part, _BatchNorm) for part in parts(network, ""))
    assert row.min_frames == 1 and row.any_frames
    for frames in (row.min_frames, row.frames):
        size = row.image_size
        with torch.no_grad():
            logits = network(torch.empty(2, frames, 3, size, size, device="meta"))
        assert logits.shape == (2, 1000)
    assert (row.weights, row.default, row.weights_enum, row.dropout) == ((), None, "", "")
    shared = ("size_argument", "size_multiple", "min_size", "drop_path", "draws", "library")
    assert all(getattr(row, field) == getattr(backbone, field) for field in shared)


def test_other_classifiers_make_a_tsn() -> None:
    rows = models.models().values()
    for backbone in [*list(rows)[::20], *(row for row in rows if len(row.head) > 1)]:
        row = tsn(backbone)
        tree = models.tree(row.name)
        named = [part for stage in (row.head, *row.stages) for part in stage]
        assert {*tree.modules, *tree.parameters}.issuperset(named)
        for parameter in tree.parameters:
            assert sum(f"{parameter}.".startswith(f"{part}.") for part in named) == 1


# ---- the readers ----


def test_readers_import_no_torch() -> None:
    code = (
        "import sys; from specc.catalog import models, table, videos; videos.video_models();"
        "videos.tsn(models.model('timm/resnet18')); models.tree('s3d'); table.table();"
        "sys.exit(bool({'torch', 'torchvision', 'timm'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
