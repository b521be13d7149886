"""The catalog's rows of torchvision's video classifiers, for tools/derive_catalog.py.

By hand are only the tables of families.toml below "videos".
"""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision import models
from torchvision.models import WeightsEnum

from tools import probe
from tools.families import Family, families_of, stages_of


def names(families: Mapping[str, Family]) -> dict[str, str]:
    """Return the builders of some families, with the names of these."""
    return families_of(models.list_models(module=models.video), families)


def build(name: str, **arguments: Any) -> nn.Module:
    """Return the model in training mode, on the meta device."""
    with torch.device("meta"):
        network: nn.Module = models.get_model(name, **arguments)
    return network.train()


def row(name: str, family: str, table: Family) -> dict[str, Any]:
    """Return the model's row in videos.json."""
    network = build(name)
    head, stages = table["head"], stages_of(table, network)
    probe.check(name, network, [*head, *(part for stage in stages for part in stage)])
    enum = models.get_model_weights(name)
    default = weights_row(enum.DEFAULT)
    size, frames = default["crop_size"], default["frames"]
    # MViT takes as many patches as it has positions. What is rounded to so many, as 221 pixels or
    # 15 frames are, counts as refused.
    any_size = probe.trains(network, frames, size + 1, size + 1)
    any_frames = probe.trains(network, frames + 1, size, size)
    return {
        "task": "video-classification",
        "library": "torchvision",
        "family": family,
        "head": head,
        "head_kind": probe.head_kind(network.get_submodule(head[0])),
        "stages": stages,
        "weights": [weights_row(weights) for weights in enum],
        "weights_enum": enum.__name__,
        "default": enum.DEFAULT.name,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "image_size": size,
        "size_multiple": 1 if any_size else 0,
        "min_size": min_size(network, frames, size) if any_size else size,
        "frames": frames,
        "any_frames": any_frames,
        "min_frames": min_frames(network, frames, size) if any_frames else frames,
        "no_decay": probe.no_decay(network, table.get("no_decay", [])),
        "draws": probe.draws(network, frames, size, size),
        "dropout": probe.rate_argument(network, partial(build, name), "dropout"),
        "drop_path": probe.rate_argument(network, partial(build, name), "stochastic_depth_prob"),
        "batch_norm": any(isinstance(module, _BatchNorm) for module in network.modules()),
    }


def min_size(network: nn.Module, frames: int, size: int) -> int:
    """Return the smallest square frames that the model trains on; it does on those of `size`."""
    return probe.least(lambda side: probe.trains(network, frames, side, side), size)


def min_frames(network: nn.Module, frames: int, size: int) -> int:
    """Return the fewest frames that the model trains on; it does on `frames`."""
    return probe.least(lambda count: probe.trains(network, count, size, size), frames)


def weights_row(weights: WeightsEnum) -> dict[str, Any]:
    accuracy = weights.meta["_metrics"]["Kinetics-400"]
    preset = weights.transforms()
    height, width = preset.crop_size
    if height != width:
        raise ValueError(f"{weights}: clips are not square")
    # That is said in words only: "... with parameters `frame_rate=15`, ..."
    tested = dict(re.findall(r"`(\w+)=([\d.]+)`", weights.meta["_docs"]))
    return {
        "name": weights.name,
        "url": weights.url,
        "acc1": accuracy["acc@1"],
        "acc5": accuracy["acc@5"],
        "crop_size": height,
        "resize_size": preset.resize_size,
        "interpolation": preset.interpolation.value,
        "mean": preset.mean,
        "std": preset.std,
        "frames": int(tested["clip_len"]),
        "frame_rate": float(tested["frame_rate"]),
        "clips": int(tested["clips_per_video"]),
    }


# ---- all of them ----


def rows(families: Mapping[str, Family]) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Return rows and trees by name."""
    found = {name: row(name, family, families[family]) for name, family in names(families).items()}
    return found, {name: probe.tree(name, build(name)) for name in found}
