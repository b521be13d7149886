"""Pretrained detectors arrive whole: torchvision's, of a backbone, and MMDetection's files."""

import re
from pathlib import Path
from unittest import mock

import pytest
import torch
from projects import Project, make_weights
from scenes import FEW_BOXES, detector, make_scenes
from torch import Tensor, nn
from torchvision.models import ResNet50_Weights, WeightsEnum, resnet50
from torchvision.models import detection as builders
from torchvision.ops.misc import FrozenBatchNorm2d

pytestmark = pytest.mark.slow

MASK, FASTER = "maskrcnn_resnet50_fpn", "fasterrcnn_resnet50_fpn"
HUB = Path("cache/hub/checkpoints")


@pytest.fixture
def scenes(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data, and an empty cache of torch.hub's."""
    monkeypatch.setenv("TORCH_HOME", str(here / "cache"))
    make_scenes()


def loaded(project: Project) -> nn.Module:
    module = project.module("model")
    torch.manual_seed(1)
    model: nn.Module = module.build_model()
    module.load_pretrained(model)
    return model


def an_image() -> Tensor:
    return torch.rand(3, 96, 128, generator=torch.Generator().manual_seed(3))


def unlike(one: Tensor, other: Tensor) -> float:
    """How far two tensors are apart, as a share of the larger one's largest number."""
    return float((one - other).detach().abs().max() / other.detach().abs().max())


# ---- torchvision's ----


def make_trained(name: str) -> nn.Module:
    """A detector as torchvision builds it for its COCO weights, which are put into the cache.

    Its batch norms are torchvision's fixed ones, which save no count of batches; their variances
    are as small as an eps, which therefore matters.
    """
    with mock.patch.object(WeightsEnum, "get_state_dict", lambda *_, **__: resnet50().state_dict()):
        model: nn.Module = getattr(builders, name)(
            weights=None, weights_backbone="IMAGENET1K_V1", num_classes=91
        )
    generator = torch.Generator().manual_seed(2)
    for module in model.modules():
        if isinstance(module, FrozenBatchNorm2d):
            variance = torch.rand(module.running_var.shape, generator=generator)
            module.running_var.copy_(1e-5 * (1 + variance))
            module.weight.copy_(3e-3 * (1 + torch.rand(variance.shape, generator=generator)))
    weights = builders.__dict__[f"{WEIGHTS[name]}_Weights"].COCO_V1
    make_weights(model, HUB / Path(weights.url).name)
    trained: nn.Module = getattr(builders, name)(weights=weights)
    return trained


WEIGHTS = {FASTER: "FasterRCNN_ResNet50_FPN", "retinanet_resnet50_fpn": "RetinaNet_ResNet50_FPN"}
HEADS = {
    FASTER: ("roi_heads.box_predictor.",),
    "retinanet_resnet50_fpn": ("head.classification_head.cls_logits.",),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_coco_weights_fill_all_but_the_new_head(name: str, scenes: None) -> None:
    trained = make_trained(name).eval()
    model = loaded(detector(name, "model.weights=COCO_V1")).eval()
    state = model.state_dict()
    for key, tensor in trained.state_dict().items():
        assert torch.equal(state[key], tensor) != key.startswith(HEADS[name]), key
    image = an_image()[None]
    expected, found = trained.backbone(image), model.backbone(image)
    assert max(unlike(found[level], expected[level]) for level in expected) < 1e-4
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-5  # which these weights were not trained with
    assert max(unlike(it, expected[level]) for level, it in model.backbone(image).items()) > 0.1


@pytest.mark.parametrize("name", ["retinanet_resnet50_fpn_v2", MASK])
def test_a_backbone_is_filled_and_all_else_is_new(name: str, scenes: None) -> None:
    url = ResNet50_Weights.IMAGENET1K_V2.url
    pretrained = make_weights(resnet50(), HUB / Path(url).name)
    project = detector(name, "model.weights=IMAGENET1K_V2")
    state = loaded(project).state_dict()
    arrived = {f"backbone.body.{key}": tensor for key, tensor in pretrained.items()}
    for key, tensor in arrived.items():
        assert key.startswith("backbone.body.fc.") or torch.equal(state[key], tensor), key
    torch.manual_seed(1)
    fresh = project.module("model").build_model().state_dict()
    others = [key for key in state if not key.startswith("backbone.")]
    assert others and all(torch.equal(state[key], fresh[key]) for key in others)


# ---- MMDetection's ----

# What torchvision calls the same layers.
MMDET = [
    (r"backbone\.body\.(.*)", r"backbone.\1"),
    (r"backbone\.fpn\.inner_blocks\.(\d)\.0\.(.*)", r"neck.lateral_convs.\1.conv.\2"),
    (r"backbone\.fpn\.layer_blocks\.(\d)\.0\.(.*)", r"neck.fpn_convs.\1.conv.\2"),
    (r"rpn\.head\.conv\.0\.0\.(.*)", r"rpn_head.rpn_conv.\1"),
    (r"rpn\.head\.cls_logits\.(.*)", r"rpn_head.rpn_cls.\1"),
    (r"rpn\.head\.bbox_pred\.(.*)", r"rpn_head.rpn_reg.\1"),
    (r"roi_heads\.box_head\.fc6\.(.*)", r"roi_head.bbox_head.shared_fcs.0.\1"),
    (r"roi_heads\.box_head\.fc7\.(.*)", r"roi_head.bbox_head.shared_fcs.1.\1"),
    (r"roi_heads\.box_predictor\.cls_score\.(.*)", r"roi_head.bbox_head.fc_cls.\1"),
    (r"roi_heads\.box_predictor\.bbox_pred\.(.*)", r"roi_head.bbox_head.fc_reg.\1"),
    (r"roi_heads\.mask_head\.(\d)\.0\.(.*)", r"roi_head.mask_head.convs.\1.conv.\2"),
    (r"roi_heads\.mask_predictor\.conv5_mask\.(.*)", r"roi_head.mask_head.upsample.\1"),
    (r"roi_heads\.mask_predictor\.mask_fcn_logits\.(.*)", r"roi_head.mask_head.conv_logits.\1"),
]


def make_mmdet(model: nn.Module, path: str) -> dict[str, Tensor]:
    """Write a torchvision model's weights, which change a little, as MMDetection has them.

    Returns them under torchvision's names.
    """
    weights = make_weights(model, path)
    state = {}
    for key, tensor in weights.items():
        (name,) = (re.sub(old, new, key) for old, new in MMDET if re.fullmatch(old, key))
        if "fc_cls" in name:
            tensor = torch.cat([tensor[1:], tensor[:1]])  # the background is the last there
        if "fc_reg" in name:
            tensor = tensor[4:]  # and has neither a box
        if "conv_logits" in name:
            tensor = tensor[1:]  # nor a mask
        state[name] = tensor
    meta = {"epoch": 12, "CLASSES": ("Bag", "Ankle boot", "Trouser", "Dress")}
    torch.save({"meta": meta, "state_dict": state, "optimizer": {"state": {}}}, path)
    return weights


def mmdet(path: str, *options: str) -> str:
    return f"model.weights={{{', '.join([f'source={path!r}', *options])}}}"


@pytest.mark.parametrize("name", [MASK, FASTER])
def test_mmdetection_s_weights_arrive_with_their_head(name: str, scenes: None) -> None:
    options = {"weights": None, "weights_backbone": None, "num_classes": 5}
    sizes = {"min_size": 96, "max_size": 128}
    theirs = getattr(builders, name)(**options, **sizes, **FEW_BOXES).eval()
    with torch.no_grad():  # else all boxes are as large as the image
        for block in theirs.backbone.fpn.inner_blocks:
            block[0].weight /= 400
    weights = make_mmdet(theirs, "theirs.pth")
    # Sizes 8 times the stride; ratios of height to width; nothing is rounded.
    corners = [
        [-size / 2 / root, -size / 2 * root, size / 2 / root, size / 2 * root]
        for size in (32, 64, 128, 256, 512)
        for root in (0.5**0.5, 1.0, 2**0.5)
    ]
    theirs.rpn.anchor_generator.cell_anchors = list(torch.tensor(corners).split(3))

    model = loaded(detector(name, mmdet("theirs.pth", "layout='mmdet'", "head=true"))).eval()
    state = model.state_dict()
    assert len(state) == len(weights) == (360 if name == MASK else 348)
    unused = (
        "bbox_pred.weight",
        "bbox_pred.bias",
        "mask_fcn_logits.weight",
        "mask_fcn_logits.bias",
    )
    for key, tensor in weights.items():
        rows = 0  # that are the background's, and are not there
        if "roi_heads" in key and key.endswith(unused):
            rows = 4 if "bbox_pred" in key else 1
        if rows:
            assert not state[key][:rows].any()
            tensor = torch.cat([torch.zeros_like(tensor[:rows]), tensor[rows:]])
        assert torch.equal(state[key], tensor), key
    with torch.no_grad():
        (expected,), (found,) = theirs([an_image()]), model([an_image()])
    assert len(expected["boxes"]) > 10
    for key, tensor in expected.items():
        torch.testing.assert_close(found[key], tensor, rtol=1e-4, atol=1e-4)


def test_mmdetection_s_weights_arrive_but_for_a_new_head(scenes: None) -> None:
    theirs = builders.maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=81)
    weights = make_mmdet(theirs, "theirs.pth")
    state = loaded(detector(MASK, mmdet("theirs.pth", "layout='mmdet'"))).state_dict()
    assert len(state) == len(weights) == 360
    head = ("box_predictor", "mask_fcn_logits")
    for key, tensor in weights.items():
        assert any(part in key for part in head) or torch.equal(state[key], tensor), key


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("deeper", ["backbone.body.layer3.6.conv1.weight", "backbone.body.layer3.22.bn3.weight"]),
        ("lost", ["rpn.head.conv.0.0.weight"]),
        ("torchvision's own", ["backbone.body.conv1.weight", "backbone.body.body.conv1.weight"]),
    ],
)
def test_other_weights_than_the_layout_s_are_named(
    change: str, named: list[str], scenes: None
) -> None:
    options = {"weights": None, "weights_backbone": None, "num_classes": 5}
    if change == "deeper":
        fpn = builders.backbone_utils.resnet_fpn_backbone(backbone_name="resnet101", weights=None)
        model = builders.FasterRCNN(fpn, num_classes=5)
        make_mmdet(model, "theirs.pth")
    else:
        model = builders.fasterrcnn_resnet50_fpn(**options)
        make_mmdet(model, "theirs.pth")
        checkpoint = torch.load("theirs.pth")
        if change == "lost":
            del checkpoint["state_dict"]["rpn_head.rpn_conv.weight"]
        else:
            checkpoint = model.state_dict()
        torch.save(checkpoint, "theirs.pth")
    with pytest.raises(RuntimeError) as error:
        loaded(detector(FASTER, mmdet("theirs.pth", "layout='mmdet'")))
    for key in named:
        assert f'"{key}"' in str(error.value)
    if change == "lost":
        assert str(error.value).count('"') == 2


class CaffeBlock(nn.Module):
    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 1, stride, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = None
        if stride > 1 or channels != 4 * width:
            conv = nn.Conv2d(channels, 4 * width, 1, stride, bias=False)
            self.downsample = nn.Sequential(conv, nn.BatchNorm2d(4 * width))

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn1(self.conv1(x)).relu()
        out = self.bn2(self.conv2(out)).relu()
        out = self.bn3(self.conv3(out))
        return (out + (self.downsample(x) if self.downsample else x)).relu()


class CaffeResNet50(nn.Module):
    """As Caffe has it: the stride is in a block's first convolution, images are BGR bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.pool = nn.MaxPool2d(3, 2, 1)
        channels = 64
        for stage, blocks in enumerate((3, 4, 6, 3)):
            layers = []
            for block in range(blocks):
                stride = 2 if stage and not block else 1
                layers.append(CaffeBlock(channels, 64 * 2**stage, stride))
                channels = 4 * 64 * 2**stage
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of an RGB image from 0 to 1."""
        mean = torch.tensor([103.53, 116.28, 123.675])[:, None, None]
        x = self.pool(self.bn1(self.conv1((255 * image.flip(0) - mean)[None])).relu())
        features = []
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
            features.append(x)
        return features


def test_caffe_s_weights_see_what_they_were_trained_on(scenes: None) -> None:
    caffe = CaffeResNet50().eval()
    theirs = builders.maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=81)
    weights = make_mmdet(theirs, "mask_rcnn_r50_caffe_fpn.pth")
    body = "backbone.body."
    inside = {key.removeprefix(body): it for key, it in weights.items() if key.startswith(body)}
    caffe.load_state_dict(inside)

    source = mmdet("mask_rcnn_r50_caffe_fpn.pth", "layout='mmdet-caffe'")
    model = loaded(detector(MASK, source)).eval()
    images, _ = model.transform([an_image()])
    with torch.no_grad():
        expected = caffe(an_image())
        found = model.backbone.body(images.tensors)
    assert [tensor.shape for tensor in found.values()] == [tensor.shape for tensor in expected]
    for one, other in zip(found.values(), expected, strict=True):
        assert unlike(one, other) < 1e-4
