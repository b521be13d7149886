"""The catalog's rows of timm's classifiers, for tools/derive_catalog.py.

timm has more than a thousand of them, so nothing here is by hand: heads come from timm's own
configurations, and stages from the groups into which timm divides the layers for layer decay. A
model without such a head, or that does not train on the meta device, is left out.
"""

import importlib
import io
import math
import multiprocessing
import os
import zipfile
from collections import defaultdict
from functools import partial
from typing import Any

import timm
import torch
from timm.data import resolve_data_config
from timm.models import group_parameters
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from tools import probe

STEPS = (1, 8, 14, 16, 32, 64, 128)  # sizes of images may have to be multiples of one of these


class LeftOut(Exception):
    """Why a model is no classifier that can be fine-tuned."""


def names() -> list[str]:
    """Return the models, with their library before them."""
    return sorted(f"timm/{name}" for name in timm.list_models())


def create(name: str, **arguments: Any) -> nn.Module:
    with torch.device("meta"):
        network: nn.Module = timm.create_model(name.removeprefix("timm/"), **arguments)
    return network.train()


def row(name: str) -> tuple[dict[str, Any], str]:
    """Return the model's row in timm.json, and the tree of its modules.

    Raises:
        LeftOut: if it is none that can be fine-tuned.
    """
    bare = name.removeprefix("timm/")
    cfg = timm.get_pretrained_cfg(bare, allow_unregistered=True)
    if cfg is None or not cfg.classifier:
        raise LeftOut("no classifier")
    if cfg.input_size is None or cfg.input_size[0] != 3 or len(set(cfg.input_size[1:])) > 1:
        raise LeftOut("not for square RGB images")
    network = create(name, num_classes=1000)
    head = [cfg.classifier] if isinstance(cfg.classifier, str) else list(cfg.classifier)
    modules = dict(network.named_modules())
    if not all(isinstance(modules.get(part), nn.Linear | nn.Conv2d) for part in head):
        raise LeftOut("its head is no linear layer")
    dropout, drop_path, other = drop_arguments(name, network)
    shapes = {key: parameter.shape for key, parameter in network.named_parameters()}
    changed = {
        key.rpartition(".")[0]
        for key, parameter in other.named_parameters()
        if parameter.shape != shapes.get(key)
    }
    if changed != set(head):
        raise LeftOut("its head is not what the number of classes changes")
    stages = stages_of(network, head)
    probe.check(name, network, [*head, *(part for stage in stages for part in stage)])
    image_size = cfg.input_size[-1]
    try:
        draws = probe.draws(network, image_size, image_size)
    except Exception as error:
        raise LeftOut(f"does not train on the meta device: {error!r:.80}") from error
    with torch.no_grad():
        logits = network(torch.empty(2, 3, image_size, image_size, device="meta"))
    if not isinstance(logits, torch.Tensor) or logits.shape != (2, 1000):
        raise LeftOut("does not return logits")
    argument = "img_size" if cfg.fixed_input_size else ""
    multiple = size_multiple(name, network, image_size, argument)
    least = min_size(name, network, image_size, argument, multiple)
    sizes = [image_size + math.lcm(multiple, 32), least]
    fitting = resize(name, network, argument, sizes) if argument and multiple else ""
    rectangles = takes_rectangles(name, network, image_size, argument, multiple, fitting)
    family = timm.model_entrypoint(bare).__module__.rpartition(".")[2]
    fields = {
        "task": "classification",
        "library": "timm",
        "family": family,
        "head": head,
        "head_kind": probe.head_kind(modules[head[0]]),
        "input_convs": input_convs(name, network),
        "stages": stages,
        "weights": weights(bare),
        "weights_enum": "",
        "default": cfg.tag if timm.is_model_pretrained(bare) else None,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "image_size": image_size,
        "size_argument": argument if multiple else "",
        "size_multiple": multiple,
        "min_size": least,
        "square": not rectangles,
        "resize": fitting,
        "no_decay": probe.no_decay(network, no_weight_decay(network)),
        "draws": draws,
        "dropout": dropout,
        "drop_path": drop_path,
        "batch_norm": any(isinstance(module, _BatchNorm) for module in network.modules()),
    }
    return fields, probe.tree(name, network)


def drop_arguments(name: str, network: nn.Module) -> tuple[str, str, nn.Module]:
    """Return the arguments for dropout that change the model, and one of 10 classes."""
    rates = {"drop_rate": 0.1357, "drop_path_rate": 0.2468}
    other = None
    takes: dict[str, bool] = {}
    before = probe.rates(network)
    for argument, rate in rates.items():
        try:
            other = create(name, num_classes=10, **{argument: rate})
        except (TypeError, ValueError, AssertionError):
            takes[argument] = False
        else:
            takes[argument] = probe.rates(other) != before
    other = other or create(name, num_classes=10)
    return (
        "drop_rate" if takes["drop_rate"] else "",
        "drop_path_rate" if takes["drop_path_rate"] else "",
        other,
    )


def input_convs(name: str, network: nn.Module) -> list[str]:
    """Return the convolutions that other channels change; none if they change anything else.

    timm finds the same ones where it loads its weights for another number of channels.
    """
    cfg = network.pretrained_cfg
    first = cfg["first_conv"] or []
    found = [first] if isinstance(first, str) else list(first)
    try:
        other = dict(create(name, num_classes=1000, in_chans=4).named_parameters())
    except Exception:  # whichever way it takes to say so
        return []
    changed = [
        (key, tuple(parameter.shape[:2]), tuple(other[key].shape[:2]))
        for key, parameter in network.named_parameters()
        if key not in other or parameter.shape != other[key].shape
    ]
    plain = all(two == (one[0], 4) and one[1] == 3 for _, one, two in changed)
    names = [key.removesuffix(".weight") for key, *_ in changed]
    return names if plain and sorted(names) == sorted(found) else []


def groups(network: nn.Module) -> dict[str, int]:
    """Return the number of the group that each parameter is in."""
    for coarse in (True, False):
        try:
            matcher = network.group_matcher(coarse=coarse)
        except (AttributeError, AssertionError):
            continue
        grouped: dict[str, int] = group_parameters(network, matcher, reverse=True)
        return grouped
    parts: list[str] = []  # children, and each child of a list of stages
    for name, child in network.named_children():
        several = isinstance(child, nn.Sequential | nn.ModuleList)
        parts += [f"{name}.{inner}" for inner, _ in child.named_children()] if several else [name]
    numbers = {part: number for number, part in enumerate(parts, 1)}
    return {
        key: next((n for part, n in numbers.items() if key.startswith(f"{part}.")), 0)
        for key, _ in network.named_parameters()
    }


def stages_of(network: nn.Module, head: list[str]) -> list[list[str]]:
    """Return each of timm's groups as the fewest modules and parameters that make it up."""
    learned = probe.learned(network)
    grouped = groups(network)
    group: dict[str, int] = {}  # of all that is learned and not in the head
    heads = tuple(f"{part}." for part in head)
    holders = [key for key in learned if not f"{key}.".startswith(heads)]
    for key in holders:
        if key in grouped:
            group[key] = grouped[key]
    for key in holders:  # norms: with their parameters, or with what is before them
        if key not in group:
            inside = [n for other, n in group.items() if other.startswith(f"{key}.")]
            group[key] = inside[0] if inside else max(group.values())
    return probe.stages(network, group, head)


def size_multiple(name: str, network: nn.Module, size: int, argument: str) -> int:
    """Return the divisor of sizes other than the model's own; 0 if it takes no others."""
    first = getattr(network, "patch_embed", getattr(network, "stem", None))
    patch = getattr(first, "patch_size", None)
    least = 16 if argument else 1
    steps = [step for step in STEPS if step >= least and size % step == 0]
    if argument and isinstance(patch, tuple) and patch[0] > 1:  # not of a network's output
        steps = sorted({patch[0], *(step for step in steps if step % patch[0] == 0)})
    for step in steps:
        if size_works(name, network, (size // step + 1) * step, argument):
            return step
    return 0


def min_size(name: str, network: nn.Module, size: int, argument: str, multiple: int) -> int:
    """Return a size that it trains on, 32 or a little more where it can."""
    if not multiple:
        return size
    for smaller in range(-(-32 // multiple) * multiple, size, math.lcm(16, multiple)):
        if size_works(name, network, smaller, argument):
            return smaller
    return size


def size_works(name: str, network: nn.Module, size: int, argument: str) -> bool:
    try:
        other = create(name, num_classes=10, **{argument: size}) if argument else network
        probe.train_step(other, size, size)
    except Exception:  # whichever way it takes to say so
        return False
    return True


def takes_rectangles(
    name: str, network: nn.Module, size: int, argument: str, multiple: int, fitting: str
) -> bool:
    """Return whether it trains on images taller or wider, from weights for square ones.

    Args:
        fitting: what brings the tensors of those into its shapes, as `resize` returns it.
    """
    if not multiple:
        return False
    longer = size + math.lcm(multiple, 32)
    try:
        for sides in ((size, longer), (longer, size)):
            other = create(name, num_classes=1000, **{argument: sides}) if argument else network
            probe.train_step(other, *sides)
            if (
                argument
                and fitting != "none"
                and not loads(fitted(network.state_dict(), fitting, other), other)
            ):
                return False
    except Exception:  # whichever way it takes to say so
        return False
    return True


def fitted(
    state: dict[str, torch.Tensor], function: str, network: nn.Module
) -> dict[str, torch.Tensor]:
    """Fit the tensors to the network's shapes, by a function that `resize` has found."""
    if not function:
        return state
    module, _, name = function.rpartition(".")
    fit = getattr(importlib.import_module(module), name)
    tensors: dict[str, torch.Tensor] = fit(state, network)
    return tensors


def resize(name: str, network: nn.Module, argument: str, sizes: list[int]) -> str:
    """Return timm's function that fits tensors to models for other `sizes` of images.

    Returns:
        A function of timm's, by its module and name; "" if the shapes are the same; "none" if
        there is no such function.
    """
    state = network.state_dict()
    others = [create(name, num_classes=1000, **{argument: size}) for size in sizes]
    if all(map(partial(loads, state), others)):
        return ""
    own = timm.model_entrypoint(name.removeprefix("timm/")).__module__
    try:
        function = importlib.import_module(own).checkpoint_filter_fn
        fits = all(loads(function(state, other), other) for other in others)
    except Exception:  # whichever way it takes to say so
        fits = False
    return f"{own}.checkpoint_filter_fn" if fits else "none"


def loads(state: dict[str, torch.Tensor], network: nn.Module) -> bool:
    try:
        network.load_state_dict(state)
    except RuntimeError:
        return False
    return True


def no_weight_decay(network: nn.Module) -> set[str]:
    """Return the model's own list of parameters that are not decayed, whatever their shape."""
    return set(network.no_weight_decay()) if hasattr(network, "no_weight_decay") else set()


def weights(name: str) -> list[dict[str, Any]]:
    """Return the pretrained weights, by their tags."""
    rows = []
    for full_name in timm.list_pretrained(f"{name}.*"):
        cfg = timm.get_pretrained_cfg(full_name).to_dict()
        hub = f"https://huggingface.co/{cfg.get('hf_hub_id')}/resolve/main/model.safetensors"
        # The size they were trained at, where timm has a larger one for tests as well.
        preset = resolve_data_config(pretrained_cfg=cfg)
        crop_size = preset["input_size"][-1]
        interpolation = preset["interpolation"]
        rows.append(
            {
                "name": cfg["tag"],
                "url": cfg.get("url") or hub,
                "acc1": None,  # published, but not in timm's code
                "acc5": None,
                "crop_size": crop_size,
                "resize_size": math.floor(crop_size / preset["crop_pct"]),
                "interpolation": interpolation if interpolation == "bilinear" else "bicubic",
                "mean": preset["mean"],
                "std": preset["std"],
            }
        )
    return rows


# ---- all of them ----


def _attempt(name: str) -> tuple[str, dict[str, Any] | None, str]:
    torch.set_num_threads(1)
    try:
        return name, *row(name)
    except LeftOut as reason:
        return name, None, str(reason)
    except Exception as error:
        return name, None, f"{error!r:.120}"


def rows() -> tuple[dict[str, dict[str, Any]], dict[str, str], dict[str, str]]:
    """Return rows and trees by name; and why the other models are left out."""
    found: dict[str, dict[str, Any]] = {}
    trees: dict[str, str] = {}
    left_out: dict[str, str] = {}
    processes = os.cpu_count() or 1
    with multiprocessing.get_context("spawn").Pool(processes, maxtasksperchild=100) as pool:
        for name, fields, text in pool.imap(_attempt, names(), chunksize=4):
            if fields is None:
                left_out[name] = text
            else:
                found[name], trees[name] = fields, text
    return found, trees, left_out


def archive(found: dict[str, dict[str, Any]], trees: dict[str, str]) -> bytes:
    """Pack the trees, one member for each family: alike models pack well together."""
    families: dict[str, list[str]] = defaultdict(list)
    for name in sorted(trees):
        families[found[name]["family"]].append(trees[name])
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_LZMA) as file:
        for family in sorted(families):
            entry = zipfile.ZipInfo(f"{family}.txt")
            entry.compress_type, entry.create_system = zipfile.ZIP_LZMA, 3
            file.writestr(entry, "".join(families[family]))
    return content.getvalue()


def members(content: bytes) -> dict[str, str]:
    """Return the texts in an archive, by name."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return {entry.filename: file.read(entry).decode() for entry in file.infolist()}
