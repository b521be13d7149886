"""Every model of torchvision, and some of timm: built, frozen and loaded by generated code.

Nearly all of it is on the meta device, where tensors have shapes and no numbers.
"""

import json
import sys
import types
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import timm
import timm.optim
import torch
import torchvision
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision.models import WeightsEnum
from torchvision.models.regnet import BlockParams

from specc import build, render
from specc.catalog import models
from specc.source.diagnostics import SpecError
from specc.tasks.common.plan import Plan

CLASSES = 5
TORCHVISION = [row.name for row in models.models().values() if row.library == "torchvision"]
# One for each way in which timm's models differ: heads, sizes, families.
TIMM = [
    "timm/crossvit_9_240",
    "timm/deit_tiny_distilled_patch16_224",
    "timm/hgnetv2_b0",
    "timm/resnet18",
    "timm/resnet50d",
    "timm/swin_tiny_patch4_window7_224",
    "timm/tf_efficientnet_lite0",
    "timm/vit_tiny_patch16_224",
]
every_model = pytest.mark.parametrize("name", TORCHVISION)
every_kind = pytest.mark.parametrize("name", TORCHVISION + TIMM)
block_params = BlockParams.from_init_params


@pytest.fixture(autouse=True)
def unformatted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What black takes its time for is of no matter here."""
    monkeypatch.setattr(render.black, "format_str", lambda text, mode: text)


@pytest.fixture
def meta(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Build on the meta device."""

    def on_cpu(**arguments: Any) -> BlockParams:  # RegNet computes its widths in tensors
        with torch.device("cpu"):
            return block_params(**arguments)

    monkeypatch.setattr(BlockParams, "from_init_params", on_cpu)
    with torch.device("meta"):
        yield


Size = int | tuple[int, int]


def plan_of(folder: Path, name: str, image_size: Size | None = None, **model: Any) -> Plan:
    optim = model.pop("optim", {})
    channels = model.pop("channels", 3)
    spec = {
        "task": "classification",
        "model": {"name": name, "num_classes": CLASSES, "weights": "none"} | model,
        "optim": optim,
        "data": {"format": "imagefolder", "root": "images"},
    }
    if channels != 3:
        several = {"mean": [0.5] * channels, "std": [0.5] * channels}
        spec["data"] |= {"channels": channels} | several
    if image_size:
        spec["data"]["image_size"] = image_size
    path = folder / "spec.json"
    path.write_text(json.dumps(spec))
    return build.load(path)


def generated(folder: Path, name: str, image_size: Size | None = None, **model: Any) -> Any:
    """The module model.py of a project."""
    plan = plan_of(folder, name, image_size, **model)
    source = render.render(replace(plan, files={"model.py": "classification/model.py"}))["model.py"]
    data = types.ModuleType("data")
    sizes = {"NUM_CLASSES": CLASSES, "IMAGE_SIZE": plan.data.image_size}
    vars(data).update(sizes, CHANNELS=plan.data.channels)
    module = types.ModuleType("model")
    sys.modules["data"] = data
    try:
        exec(compile(source, "model.py", "exec"), vars(module))
    finally:
        del sys.modules["data"]
    vars(module)["image_size"] = plan.data.image_size
    return module


def problems_of(folder: Path, name: str, image_size: Size | None = None, **model: Any) -> str:
    with pytest.raises(SpecError) as error:
        plan_of(folder, name, image_size, **model)
    return str(error.value)


def logits_of(model: nn.Module, size: Size, channels: int = 3) -> Tensor:
    sides = [size, size] if isinstance(size, int) else size
    return model(torch.empty(2, channels, *sides))


# ---- building ----


@pytest.mark.slow
@every_kind
def test_another_number_of_classes_changes_the_head(name: str, meta: None, tmp_path: Path) -> None:
    module = generated(tmp_path, name)
    model = module.build_model()
    assert logits_of(model, module.image_size).shape == (2, CLASSES)
    row = models.models()[name]
    for head in map(model.get_submodule, row.head):
        assert head.weight.shape[0] == CLASSES
        assert (head.bias is None) == (row.head_kind == "linear-no-bias")


# One of each family of torchvision's, and of the ways in which timm's begin.
FAMILIES = {models.models()[name].family: name for name in reversed(TORCHVISION)}


@pytest.mark.parametrize(
    "name", [*FAMILIES.values(), "timm/repvgg_a0", "timm/vit_tiny_patch16_224"]
)
def test_another_number_of_channels_changes_what_sees_them(
    name: str, meta: None, tmp_path: Path
) -> None:
    """And nothing else; GoogLeNet and Inception compute with the colours, and are refused."""
    if name in ("googlenet", "inception_v3"):
        found = problems_of(tmp_path, name, channels=1)
        assert f"model.name: {name} takes RGB images only; leave channels out" in found
        return
    usual = generated(tmp_path, name).build_model().state_dict()
    for channels in (1, 5):
        module = generated(tmp_path, name, channels=channels)
        model = module.build_model().eval()
        assert logits_of(model, module.image_size, channels).shape == (2, CLASSES)
        state = model.state_dict()
        changed = [key for key in usual if state[key].shape != usual[key].shape]
        assert state.keys() == usual.keys() and changed
        for key in changed:
            assert state[key].shape[1] == channels and usual[key].shape[1] == 3


def test_a_new_head_starts_small(tmp_path: Path) -> None:
    for name in ("squeezenet1_1", "timm/deit_tiny_distilled_patch16_224", "timm/resnet18"):
        model = generated(tmp_path, name, init_std=0.5).build_model()
        for head in map(model.get_submodule, models.models()[name].head):
            assert head.weight.std().item() == pytest.approx(0.5, rel=0.1)
            assert not head.bias.any()


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_side_classifiers_are_left_out(name: str, tmp_path: Path, meta: None) -> None:
    for weights in ("none", "default"):
        model = generated(tmp_path, name, weights=weights).build_model()
        assert not [part for part, _ in model.named_modules() if "aux" in part.lower()]
        assert isinstance(logits_of(model, models.models()[name].image_size), Tensor)
        assert model.transform_input is (weights == "default")


# ---- freezing ----


def same_builder(name: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., nn.Module]:
    """Let the builder build once, and then return that model as if it were fresh."""
    library, _, builder = name.rpartition("/")
    owner, attribute = (timm, "create_model") if library else (torchvision.models, builder)
    once = cache(getattr(owner, attribute))

    def fresh(*arguments: Any, **options: Any) -> nn.Module:
        model = once(*arguments, **options).requires_grad_(True)
        for module in model.modules():
            vars(module).pop("train", None)
        return model.train()

    monkeypatch.setattr(owner, attribute, fresh)
    return fresh


def inside(model: nn.Module, parts: list[str]) -> tuple[set[str], set[str]]:
    """The parameters in some modules and among some parameters; and the norms."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    modules = dict(model.named_modules())
    parameters: set[str] = set()
    norms: set[str] = set()
    for part in parts:
        if part not in modules:
            parameters.add(names[id(model.get_parameter(part))])
            continue
        parameters |= {names[id(parameter)] for parameter in modules[part].parameters()}
        inner = modules[part].named_modules(prefix=part)
        norms |= {path for path, module in inner if isinstance(module, _BatchNorm)}
    return parameters, norms


def assert_frozen(model: nn.Module, parts: list[str]) -> None:
    """Exactly these parts are frozen, and stay so in training."""
    parameters, norms = inside(model, parts)
    model.train()
    assert {n for n, it in model.named_parameters() if not it.requires_grad} == parameters
    resting = {
        path
        for path, module in model.named_modules()
        if isinstance(module, _BatchNorm) and not module.training
    }
    assert resting == norms


@every_kind
def test_every_stage_can_be_frozen(
    name: str, meta: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    same_builder(name, monkeypatch)
    stages = models.models()[name].stages
    for number in range(len(stages)):
        model = generated(tmp_path, name, freeze=number).build_model()
        assert_frozen(model, [part for stage in stages[: number + 1] for part in stage])
    model = generated(tmp_path, name, freeze="backbone").build_model()
    heads = tuple(f"{head}." for head in models.models()[name].head)
    trained = {n for n, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained == {n for n, _ in model.named_parameters() if n.startswith(heads)}
    message = f"has {len(stages) - 1} stages after its stem, not {len(stages)}"
    assert message in problems_of(tmp_path, name, freeze=len(stages))


@pytest.mark.parametrize(
    ("name", "freeze", "parts"),
    [
        ("resnet50", 2, "conv1 bn1 layer1 layer2"),
        ("timm/resnet50d", 2, "conv1 bn1 layer1 layer2"),
        ("vgg11", 1, "features.0 features.3"),
        ("densenet121", 0, "features.conv0 features.norm0"),
        ("vit_b_32", 0, "conv_proj class_token encoder.pos_embedding"),
        ("swin_t", 1, "features.0 features.1"),
        ("mobilenet_v2", 0, "features.0 features.1"),
        ("timm/vit_tiny_patch16_224", 1, "patch_embed cls_token pos_embed blocks.0"),
        ("timm/hgnetv2_b0", 1, "stem stages.0"),
        ("timm/tf_efficientnet_lite0", 1, "conv_stem bn1 blocks.0"),
        ("resnet18", ["layer1.*.conv?", "bn1"], "layer1.0.conv1 layer1.0.conv2 layer1.1.conv1 "
         "layer1.1.conv2 bn1"),
    ],
)  # fmt: skip
def test_known_stages(name: str, freeze: Any, parts: str, meta: None, tmp_path: Path) -> None:
    assert_frozen(generated(tmp_path, name, freeze=freeze).build_model(), parts.split())


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        ("resnet18", ["conv1 bn1 layer1 layer2", "conv1 bn1", ""]),
        ("vit_b_32", [
            "conv_proj class_token encoder.pos_embedding encoder.layers.encoder_layer_0 "
            "encoder.layers.encoder_layer_1",
            "conv_proj class_token encoder.pos_embedding",
            "",
        ]),
    ],
)  # fmt: skip
def test_less_is_frozen_from_epoch_to_epoch(
    name: str, stages: list[str], meta: None, tmp_path: Path
) -> None:
    unfreeze = [{"epoch": 3, "freeze": 0}, {"epoch": 6, "freeze": "none"}]
    module = generated(tmp_path, name, freeze=2, unfreeze=unfreeze)
    model = module.build_model()
    changed = []
    for epoch in range(8):
        if module.set_frozen(model, epoch):
            changed.append(epoch)
        assert not module.set_frozen(model, epoch)
        assert_frozen(model, stages[(epoch >= 3) + (epoch >= 6)].split())
        assert_frozen(model.eval(), stages[(epoch >= 3) + (epoch >= 6)].split())
    assert changed == [3, 6]
    resumed = module.build_model()  # in the middle
    assert module.set_frozen(resumed, 4)
    assert_frozen(resumed, stages[1].split())


# ---- weights ----


def as_saved(name: str, size: int) -> OrderedDict[str, Tensor]:
    """The tensors of a file as torchvision offers it."""
    options: dict[str, Any] = {}
    if models.models()[name].size_argument == "image_size":
        options = {"image_size": size}
    if name in ("googlenet", "inception_v3"):
        options = {"aux_logits": True, "init_weights": False}
    state = torchvision.models.get_model(name, **options).state_dict()
    if name.startswith("densenet"):
        del state._metadata  # the files are so old that they have none, nor these counts
        for key in list(state):
            if key.endswith("num_batches_tracked"):
                del state[key]
                continue
            for part in ("norm", "conv"):
                for number in "12":
                    old = key.replace(f".{part}{number}.", f".{part}.{number}.")
                    if "denselayer" in key and old != key:
                        state[old] = state.pop(key)
    return state


@pytest.mark.slow
@every_model
def test_every_file_of_torchvision_loads(
    name: str, meta: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    same_builder(name, monkeypatch)
    for weights in models.models()[name].weights:
        module = generated(tmp_path, name, weights=weights.name)
        assert module.image_size == weights.crop_size
        state = as_saved(name, weights.crop_size)
        monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda *_, **__: state)  # noqa: B023
        module.load_pretrained(module.build_model())
        del state[next(iter(state))]
        with pytest.raises(RuntimeError, match="Missing key"):
            module.load_pretrained(module.build_model())


@pytest.mark.parametrize(
    "name", ["densenet121", "googlenet", "mnasnet0_5", "shufflenet_v2_x0_5", "squeezenet1_1"]
)
def test_what_loads_is_what_torchvision_loads(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = as_saved(name, 224)
    copies = iter([saved.copy(), saved.copy()])

    def get_state_dict(*_: Any, **__: Any) -> OrderedDict[str, Tensor]:
        state = next(copies)
        if hasattr(saved, "_metadata"):
            state._metadata = saved._metadata
        return state

    monkeypatch.setattr(WeightsEnum, "get_state_dict", get_state_dict)
    module = generated(tmp_path, name, weights="default")
    model = module.build_model()
    module.load_pretrained(model)
    theirs = torchvision.models.get_model(name, weights="DEFAULT")
    head = models.models()[name].head[0]
    path, _, last = head.rpartition(".")
    setattr(theirs.get_submodule(path), last, model.get_submodule(head))
    theirs.num_classes = CLASSES  # of SqueezeNet; others do not look
    images = torch.rand(2, 3, 224, 224)
    with torch.inference_mode():
        assert torch.equal(model.eval()(images), theirs.eval()(images))


# ---- sizes of images ----


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("vit_b_32", 160),
        ("vit_h_14", 238),
        ("maxvit_t", 448),
        ("inception_v3", 224),
        ("timm/vit_tiny_patch16_224", 160),
        ("timm/swin_tiny_patch4_window7_224", 256),
        ("timm/swin_tiny_patch4_window7_224", (224, 160)),
        ("timm/vit_tiny_patch16_224", (224, 160)),
        ("timm/maxvit_tiny_tf_224", (224, 160)),
        ("swin_t", (224, 160)),
    ],
)
def test_models_are_built_for_the_size_of_images(
    name: str, size: Size, meta: None, tmp_path: Path
) -> None:
    model = generated(tmp_path, name, size).build_model()
    assert logits_of(model, size).shape == (2, CLASSES)


def test_positions_are_interpolated_for_another_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a ViT that was trained on images of 384, and sees such of 160."""
    state = as_saved("vit_b_16", 384)
    positions = torch.rand(1, 24, 24, 1).repeat(1, 1, 1, 768)
    columns = torch.linspace(0, 1, 24)[None, None, :, None].expand_as(positions)
    state["encoder.pos_embedding"] = torch.cat([torch.zeros(1, 1, 768), columns.flatten(1, 2)], 1)
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda *_, **__: state)
    module = generated(tmp_path, "vit_b_16", 160, weights="IMAGENET1K_SWAG_E2E_V1")
    model = module.build_model()
    module.load_pretrained(model)
    found = model.encoder.pos_embedding[0, 1:, 0].reshape(10, 10)
    assert torch.allclose(found, torch.linspace(0, 1, 10).expand(10, 10), atol=0.02)


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("vit_b_16", 200, "a multiple of 16; write 192 or 208"),
        ("maxvit_t", 300, "a multiple of 224; write 224 or 448"),
        ("timm/vit_tiny_patch16_224", 230, "a multiple of 16; write 224 or 240"),
        ("timm/crossvit_9_240", 224, "takes images of 240 only"),
        ("inception_v3", 64, "needs images of 75 or more"),
        ("inception_v3", (299, 64), "needs images of 75 or more"),
        ("vit_b_16", (224, 160), "takes square images only"),
        ("maxvit_t", (448, 224), "takes square images only"),
        ("timm/nest_tiny", (224, 256), "takes square images only"),
    ],
)
def test_sizes_that_a_model_does_not_take(
    name: str, size: Size, message: str, tmp_path: Path
) -> None:
    assert message in problems_of(tmp_path, name, size)


# ---- dropout ----


@every_kind
def test_dropout_is_the_one_asked_for_or_refused(name: str, meta: None, tmp_path: Path) -> None:
    row = models.models()[name]
    for key in ("dropout", "drop_path"):
        if not getattr(row, key):
            assert f"model.{key}: {name} has no {key} to set" in problems_of(
                tmp_path, name, **{key: 0.25}
            )
            continue
        model = generated(tmp_path, name, **{key: 0.25}).build_model()
        rates = [
            value
            for module in model.modules()
            for attribute, value in vars(module).items()
            if isinstance(value, float) and ("drop" in attribute or attribute == "p")
        ]
        assert max(rates) >= 0.2, key
        assert plan_of(tmp_path, name, **{key: 0.25}).model.draws


# ---- weight decay ----


@pytest.mark.parametrize(
    ("name", "left_out"),
    [
        ("timm/vit_tiny_patch16_224", None),  # None: what timm's own function says
        ("timm/swin_tiny_patch4_window7_224", None),
        ("timm/swinv2_tiny_window8_256", None),
        ("timm/beit_base_patch16_224", None),
        ("timm/resnet18", None),
        # As facebookresearch/ConvNeXt, the ViT in facebookresearch/deit and Swin's own code say.
        ("convnext_tiny", ["layer_scale"]),
        ("vit_b_16", ["class_token", "pos_embedding"]),
        ("swin_t", ["relative_position_bias_table"]),
    ],
)
def test_what_is_not_decayed_is_what_the_model_s_authors_leave_out(
    name: str, left_out: list[str] | None, meta: None, tmp_path: Path
) -> None:
    plan = plan_of(tmp_path, name, optim={"no_decay": ["norm", "bias"]})
    source = render.render(replace(plan, files={"optimizer.py": "shared/optimizer.py"}))
    module = types.ModuleType("optimizer")
    exec(compile(source["optimizer.py"], "optimizer.py", "exec"), vars(module))
    model = generated(tmp_path, name).build_model()
    names = {id(parameter): key for key, parameter in model.named_parameters()}
    groups = module.build_optimizer(model).param_groups
    found = {names[id(p)] for g in groups if not g["weight_decay"] for p in g["params"]}
    if left_out is None:
        listed = getattr(model, "no_weight_decay", set)()
        theirs = timm.optim.param_groups_weight_decay(model, 0.1, no_weight_decay_list=listed)
        expected = {names[id(p)] for p in theirs[0]["params"]}
    else:
        ends = tuple(left_out)
        parameters = model.named_parameters()
        expected = {key for key, p in parameters if p.ndim < 2 or key.endswith(ends)}
    assert found == expected


# ---- batch norm over all GPUs ----


def test_batch_norm_of_timm_keeps_its_activation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """timm's layers of batch norm contain the activation."""
    torch.manual_seed(0)
    plain = generated(tmp_path, "timm/tf_efficientnet_lite0").build_model().eval()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    model = generated(tmp_path, "timm/tf_efficientnet_lite0").build_model().eval()
    assert any(isinstance(module, nn.SyncBatchNorm) for module in model.modules())
    model.load_state_dict(plain.state_dict())
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(model(images), plain(images))
