"""Write the data in specc/catalog/ from the installed torchvision and timm.

    python -m tools.derive_catalog            # write
    python -m tools.derive_catalog --check    # exit 1, and name what differs

By hand is only what families.toml has. No weights are downloaded: the
models are built and run on the meta device, where tensors have shapes and no numbers.
"""

import argparse
import inspect
import json
import math
import numbers
import re
import sys
import tomllib
import types
import typing
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import timm
import torch
import torchvision
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision import models
from torchvision.models.regnet import BlockParams
from torchvision.transforms import v2

from tools import derive_detectors, derive_timm, derive_videos, probe
from tools.families import Family, families_of, stages_of

CATALOG = Path(__file__).resolve().parent.parent / "specc" / "catalog"
FAMILIES = tomllib.loads((CATALOG / "families.toml").read_text(encoding="utf-8"))
DETECTORS = FAMILIES.pop("detectors")
VIDEOS = FAMILIES.pop("videos")

# The transforms of v2 that a spec cannot list: they take ...
NOT_LISTED = {
    *("Compose", "RandomApply", "RandomChoice", "RandomOrder"),  # transforms,
    *("Lambda", "LinearTransformation"),  # functions, tensors,
    *("CutMix", "MixUp"),  # batches,
    *("ClampBoundingBoxes", "ConvertBoundingBoxFormat", "RandomIoUCrop"),  # boxes,
    *("SanitizeBoundingBoxes", "SetClampingMode"),
    *("ClampKeyPoints", "SanitizeKeyPoints"),  # points,
    "UniformTemporalSubsample",  # or clips; they give
    *("FiveCrop", "TenCrop"),  # several images; they are deprecated,
    *("ConvertImageDtype", "ToTensor"),
    *("Normalize", "PILToTensor", "ToDtype"),  # or the generated code's own business;
    *("ToImage", "ToPILImage", "ToPureTensor"),
    "Transform",  # or the base class of all.
}

# Arguments that torchvision annotates with less than its code takes.
WIDER: dict[tuple[str, str], Any] = {
    ("RandomErasing", "value"): float | typing.Literal["random"] | Sequence[float],
}

# To try the transforms out: values of the required arguments.
EXAMPLES: dict[str, Any] = {
    "bits": 4,
    "degrees": 30,
    "kernel_size": 3,
    "max_size": 40,
    "min_size": 20,
    "padding": 2,
    "quality": [50, 90],
    "sharpness_factor": 2.0,
    "size": 24,
    "target_size": [24, 24],
    "threshold": 100.0,
}


# ---- models ----


def model_names() -> list[str]:
    return sorted(models.list_models(module=models))


def build(name: str, **arguments: Any) -> nn.Module:
    """Return the model in training mode, on the meta device."""
    params = BlockParams.from_init_params

    def on_cpu(**kwargs: Any) -> BlockParams:  # RegNet computes its widths in tensors
        with torch.device("cpu"):
            return params(**kwargs)

    family = FAMILIES[family_of(name)]
    own = family.get("arguments", {}) | family.get("with_weights", {})
    with (
        mock.patch.object(BlockParams, "from_init_params", on_cpu),
        torch.device("meta"),
    ):
        network: nn.Module = models.get_model(name, **own | arguments)
    return network.train()


def model_row(name: str, network: nn.Module) -> dict[str, Any]:
    """Return the model's row in models.json."""
    family: Family = FAMILIES[family_of(name)]
    head, stages = family["head"], stages_of(family, network)
    probe.check(name, network, [*head, *(part for stage in stages for part in stage)])
    weights, default, image_size = weights_of(name)
    argument = family.get("size", "")
    multiple = size_multiple(name, image_size) if argument else 1
    return {
        "task": "classification",
        "library": "torchvision",
        "family": family_of(name),
        "head": head,
        "head_kind": probe.head_kind(network.get_submodule(head[0])),
        "input_convs": probe.input_convs(network),
        "stages": stages,
        "weights": weights,
        "weights_enum": models.get_model_weights(name).__name__,
        "default": default,
        "repair": family.get("repair", ""),
        "arguments": family.get("arguments", {}),
        "with_weights": family.get("with_weights", {}),
        "without_weights": family.get("without_weights", {}),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "image_size": image_size,
        "size_argument": argument,
        "size_multiple": multiple,
        "min_size": multiple if argument else min_size(network, image_size),
        "square": not takes_rectangles(name, network, image_size, multiple),
        "no_decay": probe.no_decay(network, family.get("no_decay", [])),
        "draws": probe.draws(network, image_size, image_size),
        "dropout": probe.rate_argument(network, partial(build, name), "dropout", "drop_rate"),
        "drop_path": probe.rate_argument(network, partial(build, name), "stochastic_depth_prob"),
        "batch_norm": any(isinstance(module, _BatchNorm) for module in network.modules()),
    }


def family_of(name: str) -> str:
    return families_of([name], FAMILIES)[name]


def min_size(network: nn.Module, size: int) -> int:
    """Return the smallest square image that the model trains on; it does on one of `size`."""
    return probe.least(lambda side: probe.trains(network, side, side), size)


def size_multiple(name: str, size: int) -> int:
    """Return the divisor of sizes of a model that is built for one."""
    argument = FAMILIES[family_of(name)]["size"]
    for step in (step for step in range(2, size + 1) if size % step == 0):
        larger = size + step
        try:
            value = larger if argument == "image_size" else (larger, larger)
            probe.train_step(build(name, **{argument: value}), larger, larger)
        except (RuntimeError, AssertionError, ValueError):
            continue
        return step
    raise ValueError(f"{name} takes no other size than {size}")


def takes_rectangles(name: str, network: nn.Module, size: int, multiple: int) -> bool:
    """Return whether it trains on images that are taller or wider."""
    longer = size + math.lcm(multiple, 32)
    argument = FAMILIES[family_of(name)].get("size", "")
    try:
        for sides in ((size, longer), (longer, size)):
            other = build(name, **{argument: sides}) if argument else network
            probe.train_step(other, *sides)
    except (RuntimeError, AssertionError, TypeError, ValueError):
        return False
    return True


def weights_of(name: str) -> tuple[list[dict[str, Any]], str, int]:
    """Return the weights, which are default, and the image size of the bare model."""
    enum = models.get_model_weights(name)
    rows = []
    for weights in enum:
        accuracy = weights.meta["_metrics"]["ImageNet-1K"]
        if math.isnan(accuracy["acc@1"]):
            continue  # VGG-16's for SSD: the classifier's numbers are NaN as well
        preset = weights.transforms()
        (crop_size,), (resize_size,) = preset.crop_size, preset.resize_size
        rows.append(
            {
                "name": weights.name,
                "url": weights.url,
                "acc1": accuracy["acc@1"],
                "acc5": accuracy["acc@5"],
                "crop_size": crop_size,
                "resize_size": resize_size,
                "interpolation": preset.interpolation.value,
                "mean": preset.mean,
                "std": preset.std,
            }
        )
    # Some weights were tuned at more pixels than the model is made for.
    return rows, enum.DEFAULT.name, min(row["crop_size"] for row in rows)


# ---- transforms ----


def transform_names() -> list[str]:
    classes = inspect.getmembers(v2, inspect.isclass)
    public = {name for name, value in classes if issubclass(value, v2.Transform)}
    return sorted(public - NOT_LISTED)


def transform_row(name: str) -> dict[str, Any]:
    """Return the transform's row in transforms.json."""
    signature = inspect.signature(getattr(v2, name), eval_str=True)
    parameters = [parameter_row(name, p) for p in signature.parameters.values()]
    return {"parameters": parameters, "random": is_random(name)}


def parameter_row(transform: str, parameter: inspect.Parameter) -> dict[str, Any]:
    annotation = WIDER.get((transform, parameter.name), parameter.annotation)
    if annotation is parameter.empty:
        annotation = type(parameter.default)
    union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    kinds: list[str] = []
    choices: list[str] = []
    options = list(typing.get_args(annotation) if union else [annotation])
    if v2.InterpolationMode in options:  # str and int are but other names of the modes
        options = [v2.InterpolationMode]
    for option in options:
        kind = typing.get_origin(option) or option
        if kind in (int, float, bool, str):
            kinds.append(kind.__name__)
        elif kind is numbers.Number:
            kinds += ["int", "float"]
        elif kind is typing.Literal:
            kinds.append("str")
            choices += typing.get_args(option)
        elif kind is v2.InterpolationMode:
            kinds.append("interpolation")
            choices += [mode.value for mode in kind if interpolates(transform, mode)]
        elif kind is v2.AutoAugmentPolicy:
            kinds.append("policy")
            choices += [policy.value for policy in kind]
        elif issubclass(kind, Sequence):
            kinds.append("list")
        elif kind not in (types.NoneType, dict):  # a dict: by type, but all are images
            raise TypeError(f"{transform}: {parameter}")
    row = {
        "name": parameter.name,
        "required": parameter.default is parameter.empty,
        "kinds": list(dict.fromkeys(kinds)),
    }
    return row | ({"choices": choices} if choices else {})


def is_random(name: str) -> bool:
    before = torch.get_rng_state()
    apply(name)
    return not torch.equal(before, torch.get_rng_state())


def interpolates(name: str, mode: v2.InterpolationMode) -> bool:
    try:
        # Often, as some draw what they do. Without antialiasing, to leave out Lanczos:
        # only newer versions have it, and only with antialiasing on the CPU.
        apply(name, times=50, interpolation=mode, antialias=False)
    except (ValueError, NotImplementedError):
        return False
    return True


def apply(name: str, times: int = 1, **arguments: Any) -> None:
    """Call the transform on a tensor, with those of the arguments that it takes."""
    parameters = inspect.signature(getattr(v2, name)).parameters.values()
    values = {p.name: EXAMPLES[p.name] for p in parameters if p.default is p.empty}
    values |= {p.name: arguments[p.name] for p in parameters if p.name in arguments}
    transform = getattr(v2, name)(**values)
    image = torch.zeros(3, 32, 32, dtype=torch.uint8)
    for _ in range(times):
        transform(image)


# ---- files ----


def versions() -> dict[str, str]:
    return {lib.__name__: lib.__version__.split("+")[0] for lib in (timm, torchvision)}


def layout(value: Any) -> str:
    """Format JSON with the innermost lists and objects on one line each."""
    innermost = re.compile(r"[\[{][^\[\]{}]*[\]}]")
    text = json.dumps(value, indent=2)
    return innermost.sub(lambda m: json.dumps(json.loads(m[0])), text) + "\n"


def derive() -> Iterator[tuple[Path, bytes]]:
    """Yield each file of the catalog, with its content."""
    torch.manual_seed(0)
    rows = {}
    for name in model_names():
        network = build(name)
        rows[name] = model_row(name, network)
        file = CATALOG / "modules" / f"{name.replace('/', '__')}.txt"
        yield file, probe.tree(name, network).encode()
    transforms = {name: transform_row(name) for name in transform_names()}
    yield CATALOG / "models.json", layout(rows).encode()
    found, trees = derive_detectors.rows(DETECTORS)
    yield CATALOG / "detectors.json", layout(found).encode()
    for name, tree in trees.items():
        yield CATALOG / "modules" / f"{name}.txt", tree.encode()
    found, trees = derive_videos.rows(VIDEOS)
    yield CATALOG / "videos.json", layout(found).encode()
    for name, tree in trees.items():
        yield CATALOG / "modules" / f"{name}.txt", tree.encode()
    found, trees, left_out = derive_timm.rows()
    yield CATALOG / "timm.json", layout(found).encode()
    yield CATALOG / "timm.zip", derive_timm.archive(found, trees)
    reasons = Counter(left_out.values())
    for reason, count in reasons.most_common():
        print(f"timm: {count} models left out: {reason}", file=sys.stderr)
    yield CATALOG / "transforms.json", layout(transforms).encode()
    yield CATALOG / "versions.json", layout(versions()).encode()


def differences(file: Path, content: bytes) -> Iterator[str]:
    """Yield the rows or members in which the file is not `content`, or the whole file."""
    old = file.read_bytes() if file.exists() else b""
    if file.suffix in (".json", ".zip") and old:
        # The same text is not packed into the same bytes everywhere.
        parts = json.loads if file.suffix == ".json" else derive_timm.members
        was, now = parts(old), parts(content)
        changed = [key for key in was | now if was.get(key) != now.get(key)]
        yield from (f"{file.name}: {key}" for key in changed)
    elif old != content:
        yield f"{file.parent.name}/{file.name}"


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    only_check = parser.parse_args().check
    files = dict(derive())
    gone = sorted(set(CATALOG.glob("modules/*.txt")) - set(files))
    if only_check:
        # Other versions of the libraries with the same facts are no difference.
        del files[CATALOG / "versions.json"]
        found = [line for item in files.items() for line in differences(*item)]
        found += [f"modules/{file.name}" for file in gone]
        for line in found:
            print(line)
        return 1 if found else 0
    (CATALOG / "modules").mkdir(exist_ok=True)
    for file, content in files.items():
        file.write_bytes(content)
    for file in gone:
        file.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
