"""The catalog's rows of torchvision's detectors, for tools/derive_catalog.py.

By hand are only the tables of families.toml below "detectors". Everything else is seen in models
that torchvision builds: with trained weights too, of which only the names of tensors are needed,
so that none is downloaded.
"""

import inspect
import typing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision import models, ops
from torchvision.models import WeightsEnum
from torchvision.models.detection.rpn import RegionProposalNetwork

from tools import probe
from tools.families import Family, families_of

Detections = list[dict[str, Tensor]]


def names(families: Mapping[str, Family]) -> dict[str, str]:
    """Return the builders of some families, with the names of these."""
    return families_of(models.list_models(module=models.detection), families)


def build(name: str, *, device: str = "meta", **arguments: Any) -> nn.Module:
    """Return the model in training mode, without trained weights unless arguments name some."""
    untrained = {"weights": None, "weights_backbone": None}
    with torch.device(device):
        network: nn.Module = models.get_model(name, **untrained | arguments)
    return network.train()


def build_trained(name: str, **arguments: Any) -> tuple[nn.Module, dict[int, str]]:
    """Return the model as it is with trained weights; and tensors' names in these, by `id`."""
    with mock.patch.object(WeightsEnum, "get_state_dict", lambda *_, **__: {}), loads() as loaded:
        network = build(name, **arguments)
    # An id is a tensor's own as long as that lives: only what the network keeps is of use.
    kept = {id(tensor) for tensor in network.state_dict(keep_vars=True).values()}
    return network, {id(tensor): key for key, tensor in loaded.items() if id(tensor) in kept}


@contextmanager
def loads() -> Iterator[dict[str, Tensor]]:
    """Load no weights; collect the tensors, by name, into which they would have gone."""
    loaded: dict[str, Tensor] = {}

    def load_state_dict(self: nn.Module, *_: Any, **__: Any) -> None:
        loaded.update(self.state_dict(keep_vars=True))

    with mock.patch.object(nn.Module, "load_state_dict", load_state_dict):
        yield loaded


def row(name: str, family: str, table: Family) -> dict[str, Any]:
    """Return the model's row in detectors.json."""
    network = build(name)
    backbone_enum, backbone_weights = backbone_weights_of(name)
    stages, default_freeze = stages_of(name, backbone_weights[0])
    transform: Any = network.transform
    fixed = transform.fixed_size
    tried = trial(name)
    return {
        "task": table["task"],
        "library": "torchvision",
        "family": family,
        "head": head_of(name, network),
        "stages": stages,
        "weights": [weights_row(name, weights) for weights in models.get_model_weights(name)],
        "weights_enum": models.get_model_weights(name).__name__,
        "default": models.get_model_weights(name).DEFAULT.name,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "draws": draws(tried),
        "batch_norm": any(isinstance(module, _BatchNorm) for module in network.modules()),
        "default_freeze": default_freeze,
        "norm": norm_of(name, backbone_weights[0]),
        "background": background(tried),
        "min_size": None if fixed else transform.min_size[0],
        "max_size": None if fixed else transform.max_size,
        "fixed_size": fixed[0] if fixed else None,
        "image_mean": transform.image_mean,
        "image_std": transform.image_std,
        "backbone_weights_enum": backbone_enum,
        "backbone_weights": backbone_weights,
        "backbone_names": backbone_names(name, backbone_weights[0]),
        "backbone_fits": backbone_fits(name, backbone_weights[0]),
        "options": options_of(network),
        "augment": table["augment"],
    }


# ---- parts ----


def head_of(name: str, network: nn.Module) -> list[str]:
    """Return the layers that the number of classes changes."""
    shapes = {key: tensor.shape for key, tensor in network.state_dict().items()}
    other = build(name, num_classes=10).state_dict()
    changed = [key for key, tensor in other.items() if tensor.shape != shapes[key]]
    head = list(dict.fromkeys(key.rpartition(".")[0] for key in changed))
    inside = [key for key in other if key.rpartition(".")[0] in head]
    if inside != changed:
        raise ValueError(f"{name}: only parts of {head} change with the number of classes")
    return head


def trained_backbone(name: str, weights: str, **arguments: Any) -> nn.Module:
    return build_trained(name, weights_backbone=weights, **arguments)[0]


def frozen(name: str, weights: str, **arguments: Any) -> list[str]:
    """Return the parameters that torchvision freezes, where its batch norms are no frozen kind."""
    with mock.patch.object(ops.misc, "FrozenBatchNorm2d", nn.BatchNorm2d):
        network = trained_backbone(name, weights, **arguments)
    return [key for key, parameter in network.named_parameters() if not parameter.requires_grad]


def stages_of(name: str, weights: str) -> tuple[list[list[str]], int | None]:
    """Return what each lower value of `trainable_backbone_layers` freezes in addition.

    Returns: the stages, and what torchvision freezes by default: the first of them and so many
        after it; None for nothing.
    """
    by_trained: list[list[str]] = []
    while True:
        try:
            layers = len(by_trained)
            by_trained.append(frozen(name, weights, trainable_backbone_layers=layers))
        except (ValueError, AssertionError):  # no more layers
            break
    if by_trained[-1]:
        raise ValueError(f"{name}: {by_trained[-1]} are always frozen")
    numbers: dict[str, int] = {}
    for number, keys in enumerate(reversed(by_trained[:-1])):
        numbers |= {key: number for key in keys if key not in numbers}
    default = by_trained[::-1].index(frozen(name, weights))
    network = build(name)
    apart = [key for key, _ in network.named_parameters() if key not in numbers]
    return probe.stages(network, numbers, apart), default - 1 if default else None


def norm_of(name: str, weights: str) -> str:
    """Return how torchvision treats the batch norms of a trained backbone."""
    backbone = trained_backbone(name, weights).get_submodule("backbone")
    kinds = {type(module) for module in backbone.modules()}
    if ops.FrozenBatchNorm2d in kinds:
        return "frozen"
    return "trained" if nn.BatchNorm2d in kinds else "none"


# ---- weights ----


def weights_row(name: str, weights: WeightsEnum) -> dict[str, Any]:
    metrics = weights.meta["_metrics"]["COCO-val2017"]
    return {
        "name": weights.name,
        "url": weights.url,
        "box_ap": metrics["box_map"],
        "mask_ap": metrics.get("mask_map"),
        "norm_eps": norm_eps(name, weights),
    }


def norm_eps(name: str, weights: WeightsEnum) -> float | None:
    """Return the `eps` that the weights need in the backbone's batch norms; None if it is set."""
    usual = epsilons(build(name))
    needed = {eps for _, eps in epsilons(build_trained(name, weights=weights)[0]) - usual}
    if len(needed) > 1:
        raise ValueError(f"{name}: several values of eps: {needed}")
    return needed.pop() if needed else None


def epsilons(network: nn.Module) -> set[tuple[str, float]]:
    kinds = (_BatchNorm, ops.FrozenBatchNorm2d)
    return {(path, m.eps) for path, m in network.named_modules() if isinstance(m, kinds)}


def backbone_weights_of(name: str) -> tuple[str, list[str]]:
    """Return the class of the backbone's weights, and their names, the default first."""
    builder = models.get_model_builder(name)
    parameter = inspect.signature(builder).parameters["weights_backbone"]
    enum = typing.get_args(parameter.annotation)[0]
    default = parameter.default or next(iter(enum))
    usable = [weights for weights in enum if pixels(weights) == pixels(default)]
    usable.sort(key=lambda weights: weights is not default)
    return enum.__name__, [weights.name for weights in usable]


def pixels(weights: WeightsEnum) -> tuple[list[float], list[float]]:
    """Return how the detector normalises pixels for the weights, which is one way for all."""
    preset = weights.transforms()
    return preset.mean, preset.std


def backbone_names(name: str, weights: str) -> list[tuple[str, str]]:
    """Return prefixes of names in the backbone's weights and in the detector, longest first."""
    network, loaded = build_trained(name, weights_backbone=weights)
    prefixes: dict[str, str] = {}
    for key, tensor in network.state_dict(keep_vars=True).items():
        if id(tensor) in loaded:
            old, new = loaded[id(tensor)].split("."), key.split(".")
            while old and new and old[-1] == new[-1]:
                old.pop()
                new.pop()
            prefixes["".join(f"{part}." for part in old)] = "".join(f"{part}." for part in new)
    return sorted(prefixes.items(), key=lambda pair: -len(pair[0]))


def backbone_fits(name: str, weights: str) -> bool:
    """Return whether the model has the same backbone if it is built without weights."""
    shapes = {key: tensor.shape for key, tensor in build(name).state_dict().items()}
    network = trained_backbone(name, weights)
    return all(tensor.shape == shapes.get(key) for key, tensor in network.state_dict().items())


# ---- arguments ----


# What the language has keys for, or the generated code says itself.
OWN = {"num_classes", "min_size", "max_size"}


def options_of(network: nn.Module) -> dict[str, str]:
    """Return the arguments of a detector that are numbers, and whether they are whole."""
    kinds: dict[str, str] = {}
    for cls in reversed(type(network).__mro__):
        for parameter in inspect.signature(cls.__init__).parameters.values():
            kind = type(parameter.default)
            if kind in (int, float) and parameter.name not in OWN:
                kinds[parameter.name] = kind.__name__
    return dict(sorted(kinds.items()))


# ---- trials, with numbers ----


def trial(name: str) -> nn.Module:
    """Build a model for small images, with random weights, on the CPU."""
    fixed = build(name).transform.fixed_size  # type: ignore[union-attr]
    sizes = {} if fixed else {"min_size": 256, "max_size": 256}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build(name, device="cpu", num_classes=3, **sizes)
    for module in network.modules():
        if isinstance(module, RegionProposalNetwork):  # fewer boxes take less time
            module._post_nms_top_n = {"training": 50, "testing": 50}
    return network


def draws(network: nn.Module) -> bool:
    """Return whether the losses depend on random numbers."""
    image = torch.linspace(0, 1, 3 * 128 * 128).reshape(3, 128, 128)
    boxes = torch.tensor([[30.0, 20.0, 90.0, 80.0]])
    masks = torch.zeros(1, 128, 128, dtype=torch.uint8)
    masks[:, 20:80, 30:90] = 1
    target = {"boxes": boxes, "labels": torch.tensor([1]), "masks": masks}
    losses = []
    for seed in range(2):
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(seed)
            losses.append(network([image, image], [target, target]))
    return any(not torch.equal(losses[0][key], losses[1][key]) for key in losses[0])


def background(network: nn.Module) -> bool:
    """Return whether class 0 is the background, and so never found."""
    heads: Any = getattr(network, "roi_heads", network)
    heads.score_thresh = -1.0  # so that whatever could be found is found
    heads.detections_per_img = heads.topk_candidates = 10**6
    with torch.no_grad():
        (found,) = network.eval()([torch.ones(3, 128, 128)])
    return int(found["labels"].min()) > 0


# ---- all of them ----


def rows(families: Mapping[str, Family]) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Return rows and trees by name."""
    found = {name: row(name, family, families[family]) for name, family in names(families).items()}
    return found, {name: probe.tree(name, build(name)) for name in found}
