"""Which network is built, from which weights, and what of it is frozen."""

import re
from collections.abc import Iterable
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import PurePath

from specc.catalog import models as catalog
from specc.diagnostics import choices, nearest, show
from specc.plan.code import Call, Name, python
from specc.plan.plan import ModelPlan, WeightsPlan
from specc.problems import Problems
from specc.source import Key
from specc.spec.classification import Classification
from specc.spec.model import Model, WeightsSource


def known_model(spec: Model, task: str, problems: Problems) -> catalog.Model | None:
    """The catalog's row of the model that is asked for."""
    model = catalog.model(spec.name)
    if model is None or model.task != task:
        names = [name for name, row in catalog.models().items() if row.task == task]
        hint = nearest(spec.name, names) or "; `specc models` lists all"
        problems.add(("model", "name"), f'no model "{spec.name}"{hint}')
        return None
    if len(model.head) > 1:
        message = f"{model.name} has side classifiers, not supported yet; name another model"
        problems.add(("model", "name"), message)
    return model


def plan_model(spec: Classification, model: catalog.Model, problems: Problems) -> ModelPlan:
    modules, parameters = _frozen(spec.model, model, problems)
    constructor = Call(f"models.{model.name}", (), {"num_classes": Name("NUM_CLASSES")})
    if model.library == "timm":
        name = model.name.removeprefix("timm/")
        constructor = replace(constructor, function="timm.create_model", arguments=(name,))
    backbone = _inside(model, _backbone(model))
    backbone_frozen = set(backbone) <= set(_inside(model, [*modules, *parameters]))
    trains_batch_norm = model.batch_norm and not backbone_frozen
    return ModelPlan(
        constructor=constructor,
        weights=_weights(spec.model, model, problems),
        head=Name("model." + re.sub(r"\.(\d+)", r"[\1]", model.head[0])),
        head_prefix=f"{model.head[0]}.",
        head_bias=model.head_kind != "linear-no-bias",
        init_std=spec.model.init_std,
        frozen=modules,
        frozen_parameters=parameters,
        trains_batch_norm=trains_batch_norm,
        sync_batch_norm=spec.train.sync_bn and trains_batch_norm,
        dropout=model.dropout,
    )


def preprocessing(spec: Model, model: catalog.Model) -> catalog.Weights | None:
    """The weights whose preparation of images is followed: the ones named, or the default."""
    rows = {weights.name: weights for weights in model.weights}
    named = rows.get(spec.weights) if isinstance(spec.weights, str) else None
    return named or rows.get(model.default or "")


def _weights(spec: Model, model: catalog.Model, problems: Problems) -> WeightsPlan | None:
    """Where the pretrained weights are read from, or None if there are none."""
    key: Key = ("model", "weights")
    source, layout = spec.weights, ""
    if isinstance(source, WeightsSource):
        layout = source.layout or ""
        source, key = source.source, (*key, "source")
    if source.startswith("package://"):
        package, _, file = source.removeprefix("package://").partition("/")
        # The name is that of a requirement as well, and so a word in a line that pip reads.
        if not file or not re.fullmatch(r"(?ai:[a-z]([\w.]*[a-z0-9])?)", package):
            message = "must be package://PACKAGE/FILE, with the package's import name"
            problems.add(key, f"{message}, not {show(source)}")
        path = Name(f"files({python(package)}) / {python(file)}")
        return WeightsPlan("package", path=path, package=package, layout=layout)
    if re.match(r"https?://", source):
        # A hash of eight digits before the suffix, as torch.hub's files have, is checked.
        hashed = re.search(r"-[0-9a-f]{8,}\.\w+$", source) is not None
        return WeightsPlan("url", path=source, check_hash=hashed, layout=layout)
    if PurePath(source).suffix == ".safetensors":
        problems.add(key, "safetensors files are not supported yet; name one that torch.save wrote")
        return None
    if "/" in source or PurePath(source).suffix in {".pth", ".pt", ".bin"}:
        return WeightsPlan("file", path=source, layout=layout)

    if layout:
        message = f"only a file has a layout, not {show(source)}; leave it out"
        problems.add((*key[:-1], "layout"), message, key)
    if source == "none":
        return None
    names = [weights.name for weights in model.weights]
    name = model.default if source == "default" else source
    if model.library == "timm":
        message = 'timm\'s own weights are not supported yet; write "none", a file or a package'
        problems.add(key, message)
    elif name not in names:
        allowed = choices(["default", "none", *names])
        message = f'{model.name} has no weights "{source}"; write {allowed}, or the path of a file'
        problems.add(key, message)
    elif model.fixed_size and model.weights[names.index(name)].crop_size != model.image_size:
        size = model.image_size
        fitting = choices(w.name for w in model.weights if w.crop_size == size)
        message = f"{model.name} takes images of {size} only, {name} is for larger ones"
        problems.add(key, f"{message}; write {fitting}")
    return WeightsPlan("torchvision", name=Name(f"models.{model.weights_enum}.{name}"))


def _frozen(
    spec: Model, model: catalog.Model, problems: Problems
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The fewest modules that hold all that is frozen, and the parameters outside of them."""
    tree = catalog.tree(model.name)
    frozen = set(_inside(model, _named(spec, model, problems)))
    modules: list[str] = []
    for module in tree.modules:
        inside = set(_inside(model, [module]))
        if inside and inside <= frozen:
            modules.append(module)
            frozen -= inside
    return tuple(modules), tuple(name for name in tree.parameters if name in frozen)


def _named(spec: Model, model: catalog.Model, problems: Problems) -> list[str]:
    """The modules and parameters that `freeze` names."""
    stages = model.stages
    if spec.freeze == "none":
        return []
    if spec.freeze == "backbone":
        return _backbone(model)
    if isinstance(spec.freeze, int):
        if spec.freeze >= len(stages):
            message = f"{model.name} has {len(stages) - 1} stages after its stem"
            problems.add(("model", "freeze"), f"{message}, not {spec.freeze}")
        return [name for stage in stages[: spec.freeze + 1] for name in stage]
    tree = catalog.tree(model.name)
    known = [*tree.modules, *tree.parameters]
    named = []
    for index, pattern in enumerate(spec.freeze):
        matches = [name for name in known if fnmatchcase(name, pattern)]
        if not matches:
            hint = "" if "*" in pattern else nearest(pattern, known)
            hint = hint or f"; its stages are {_show(stages)}"
            problems.add(("model", "freeze", index), f"no such module in {model.name}{hint}")
        elif not (inside := set(_inside(model, matches))):
            message = f"no weights are in what {show(pattern)} matches; leave it out"
            problems.add(("model", "freeze", index), message)
        elif inside & set(_inside(model, model.head)):
            message = f'the new head, {model.head[0]}, would stay random; all but it is "backbone"'
            problems.add(("model", "freeze", index), message)
        named += matches
    return named


def _backbone(model: catalog.Model) -> list[str]:
    return [name for stage in model.stages for name in stage]


def _inside(model: catalog.Model, names: Iterable[str]) -> list[str]:
    """The parameters in some modules, and those that are themselves named."""
    prefixes = tuple(f"{name}." for name in names)
    return [p for p in catalog.tree(model.name).parameters if f"{p}.".startswith(prefixes)]


def _show(stages: tuple[tuple[str, ...], ...]) -> str:
    return ", ".join("+".join(stage) for stage in stages)
