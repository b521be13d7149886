"""Which network is built, from which weights, and what of it is frozen."""

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import PurePath
from typing import Any

from specc.catalog import models as catalog
from specc.diagnostics import choices, nearest, show
from specc.plan.code import Call, Name, python
from specc.plan.plan import ModelPlan, WeightsPlan
from specc.problems import Problems
from specc.source import Key
from specc.spec.classification import Classification
from specc.spec.model import Freeze, Model, WeightsSource

PICKLED = {".pth", ".pt", ".bin", ".ckpt", ".tar"}
# How names begin in files of OpenMMLab's ResNets, and in torchvision's.
OPENMMLAB = {"backbone.": "", "head.fc.": "fc."}


def known_model(name: str, key: Key, task: str, problems: Problems) -> catalog.Model | None:
    """The catalog's row of the model that is asked for."""
    model = catalog.model(name)
    if model is None or model.task != task:
        names = [name for name, row in catalog.models().items() if row.task == task]
        if f"timm/{name}" in names:
            hint = f'; timm has it: write "timm/{name}"'
        else:
            hint = nearest(name, names) or "; `specc models` lists all"
        problems.add(key, f'no model "{name}"{hint}')
        return None
    return model


def plan_model(
    spec: Classification, model: catalog.Model, image_size: int, problems: Problems
) -> ModelPlan:
    weights = _weights(spec.model, model, image_size, problems)
    by_epoch = _frozen_by_epoch(spec, model, problems)
    modules, parameters = by_epoch[0]
    last = [name for names in by_epoch[max(by_epoch)] for name in names]
    trains_backbone = not set(_inside(model, _backbone(model))) <= set(_inside(model, last))
    trains_batch_norm = model.batch_norm and trains_backbone and not spec.model.norm_eval
    if spec.model.norm_eval and not model.batch_norm:
        problems.add(("model", "norm_eval"), f"{model.name} has no batch norm; leave it out")
    timm = model.library == "timm"
    return ModelPlan(
        constructor=_constructor(spec.model, model, weights, image_size, problems),
        weights=weights,
        heads=tuple(Name("model." + re.sub(r"\.(\d+)", r"[\1]", head)) for head in model.head),
        head_prefixes=tuple(f"{head}." for head in model.head),
        head_bias=model.head_kind != "linear-no-bias",
        init_std=spec.model.init_std,
        frozen=modules,
        frozen_parameters=parameters,
        frozen_by_epoch={epoch: (*names, *others) for epoch, (names, others) in by_epoch.items()},
        unfreezes=len(by_epoch) > 1,
        freezes_parameters=any(others for _, others in by_epoch.values()),
        norm_eval=spec.model.norm_eval,
        trains_batch_norm=trains_batch_norm,
        sync_batch_norm=spec.train.sync_bn and trains_batch_norm,
        # timm's batch norms contain the activation; PyTorch's function would lose it.
        convert_sync_batchnorm=Name(
            "convert_sync_batchnorm" if timm else "nn.SyncBatchNorm.convert_sync_batchnorm"
        ),
        dropout=bool(model.draws or spec.model.dropout or spec.model.drop_path),
    )


def preprocessing(spec: Model, model: catalog.Model) -> catalog.Weights | None:
    """The weights whose preparation of images is followed: the ones named, or the default."""
    rows = {weights.name: weights for weights in model.weights}
    default = rows.get(model.default or "")
    if isinstance(spec.weights, str) and spec.weights in ("default", *rows):
        return rows.get(spec.weights, default)
    if model.size_argument and default and default.crop_size != model.image_size:
        # Of other weights nobody knows that they are for images larger than usual.
        return next((it for it in model.weights if it.crop_size == model.image_size), default)
    return default


def check_sizes(model: catalog.Model, found: Mapping[Key, list[int]], problems: Problems) -> None:
    """Report the sizes of images that the model does not take.

    Args:
        found: height and width of the images, or one number for both, by the key that says so.
    """
    step, own = model.size_multiple, model.image_size
    first = next(iter(found.values()), [])
    for key, shape in found.items():
        if not step and set(shape) != {own}:
            problems.add(key, f"{model.name} takes images of {own} only")
        elif min(shape) < model.min_size:
            problems.add(key, f"{model.name} needs images of {model.min_size} or more")
        elif wrong := [side for side in shape if side != own and side % step]:
            below = wrong[0] - wrong[0] % step
            sizes = " or ".join(str(n) for n in (below, below + step) if n >= model.min_size)
            message = f"{model.name} takes images whose size is a multiple of {step}"
            problems.add(key, f"{message}; write {sizes}")
        elif model.size_argument and len(set(shape)) > 1:
            problems.add(key, f"must be square, as [{shape[0]}, {shape[0]}]")
        elif model.size_argument and {*shape} != {*first}:
            message = f"{model.name} takes images of one size"
            problems.add(key, f"{message}, and in training they have {first[0]}", *found)


def _constructor(
    spec: Model,
    model: catalog.Model,
    weights: WeightsPlan | None,
    image_size: int,
    problems: Problems,
) -> Call:
    rates = {}
    for name in ("dropout", "drop_path"):
        argument, rate = getattr(model, name), getattr(spec, name)
        if rate is not None and argument:
            rates[argument] = rate
        elif rate is not None:
            problems.add(("model", name), f"{model.name} has none to set; leave it out")
    return constructor(model, image_size, rates, pretrained=weights is not None)


def constructor(
    model: catalog.Model, image_size: int, rates: Mapping[str, float], *, pretrained: bool
) -> Call:
    """The call that builds the model with random weights."""
    options: dict[str, Any] = {
        **model.arguments,
        **(model.with_weights if pretrained else model.without_weights),
    }
    options |= {"num_classes": Name("NUM_CLASSES"), **_size_option(model, image_size), **rates}
    if model.library == "timm":
        return Call("timm.create_model", (model.name.removeprefix("timm/"),), options)
    return Call(f"models.{model.name}", (), options)


def _size_option(
    model: catalog.Model, image_size: int, built_for: int | None = None
) -> dict[str, Name]:
    """The argument that tells the builder of an unusual size of images."""
    if not model.size_argument or image_size == (built_for or model.image_size):
        return {}
    pair = model.size_argument == "input_size"
    return {model.size_argument: Name("(IMAGE_SIZE, IMAGE_SIZE)" if pair else "IMAGE_SIZE")}


def _weights(
    spec: Model, model: catalog.Model, image_size: int, problems: Problems
) -> WeightsPlan | None:
    """How the pretrained weights are read, or None if there are none."""
    key: Key = ("model", "weights")
    table = WeightsSource(source="?")
    source = spec.weights
    if isinstance(source, WeightsSource):
        table, source, key = source, source.source, (*key, "source")
    if "/" in source or PurePath(source).suffix in {*PICKLED, ".safetensors"}:
        return _weights_of_file(source, key, table, model, image_size, problems)
    for name in ("layout", "prefix", "rename"):
        if getattr(table, name):
            message = f"only a file has a {name}, not {show(source)}; leave it out"
            problems.add((*key[:-1], name), message, key)
    return _named_weights(source, key, model, image_size, problems)


def _named_weights(
    source: str, key: Key, model: catalog.Model, image_size: int, problems: Problems
) -> WeightsPlan | None:
    """Weights that the library has a name for."""
    if source == "none":
        return None
    rows = {weights.name: weights for weights in model.weights}
    name = model.default if source == "default" else source
    row = rows.get(name or "")
    if row is None:
        allowed = choices(["default", "none", *rows] if rows else ["none"])
        message = f'{model.name} has no weights "{source}"; write {allowed}, or the path of a file'
        problems.add(key, message)
        return None
    if not model.size_multiple and row.crop_size != model.image_size:
        size = model.image_size
        fitting = choices(w.name for w in rows.values() if w.crop_size == size)
        message = f"{model.name} takes images of {size} only, {row.name} is for other ones"
        problems.add(key, f"{message}; write {fitting}")
    if model.library == "timm":
        bare = model.name.removeprefix("timm/")
        options: dict[str, Any] = {"pretrained": True}
        options |= _size_option(model, image_size, row.crop_size)
        create = Call("timm.create_model", (f"{bare}.{row.name}",), options)
        return WeightsPlan(state=Name(f"{python(create)}.state_dict()"))
    options = {"check_hash": True, "map_location": "cpu", "weights_only": True}
    state = Call(f"models.{model.weights_enum}.{row.name}.get_state_dict", (), options)
    resized = image_size != row.crop_size
    return WeightsPlan(state=state, steps=tuple(_repairs(model, resized=resized, versions=True)))


def _weights_of_file(
    source: str,
    key: Key,
    table: WeightsSource,
    model: catalog.Model,
    image_size: int,
    problems: Problems,
) -> WeightsPlan:
    """Weights in a file, here, in a package, or behind a URL."""
    safe = PurePath(source).suffix == ".safetensors"
    path: Name | str = source
    package = fetch = hashed = ""
    options = {} if safe else {"map_location": "cpu", "weights_only": True}
    load = "safetensors.torch.load" if safe else "torch.load"
    content = Name("content" if safe else "BytesIO(content)")
    if source.startswith("package://"):
        package, _, file = source.removeprefix("package://").partition("/")
        # The name is that of a requirement as well, and so a word in a line that pip reads.
        if not file or not re.fullmatch(r"(?ai:[a-z]([\w.]*[a-z0-9])?)", package):
            message = "must be package://PACKAGE/FILE, with the package's import name"
            problems.add(key, f"{message}, not {show(source)}")
        path = Name(f"files({python(package)}) / {python(file)}")
        fetch = "classification/weights/package.py"
    elif re.match(r"https?://", source):
        # A hash of eight digits before the suffix, as torch.hub's files have, is checked.
        digits = re.search(r"-([0-9a-f]{8,})\.\w+$", source)
        if digits and not safe:
            load, content = "torch.hub.load_state_dict_from_url", Name("WEIGHTS")
            options |= {"check_hash": True}
        elif digits:
            fetch, hashed = "classification/weights/hashed-url.py", digits[1]
        else:
            fetch = "classification/weights/url.py"
    else:
        content = Name("WEIGHTS")
        load = "safetensors.torch.load_file" if safe else load
    renamed = OPENMMLAB if table.layout == "openmmlab" else {}
    if renamed and model.family != "resnet":
        message = f"openmmlab's names are known of ResNets only, not of {model.name}; write rename"
        problems.add((*key[:-1], "layout"), message, ("model", "name"))
    renamed = renamed | table.rename
    steps = ["classification/weights/unwrap.py"]
    steps += ["classification/weights/prefix.py"] if table.prefix else []
    steps += ["classification/weights/rename.py"] if renamed else []
    if table.layout == "efficientnet-pytorch":
        steps.append("classification/layouts/efficientnet-pytorch.py")
    versions = not (safe or table.prefix or renamed)
    steps += _repairs(model, resized=image_size != model.image_size, versions=versions)
    return WeightsPlan(
        state=Call(load, (content,), options),
        path=path,
        package=package,
        fetch=fetch,
        pickled=not safe,
        hash=hashed,
        prefix=table.prefix or "",
        renamed=renamed,
        steps=tuple(steps),
    )


def _repairs(model: catalog.Model, *, resized: bool, versions: bool) -> list[str]:
    """What brings the tensors of torchvision's files into the model's form.

    Args:
        resized: whether the weights may have been trained on images of another size.
        versions: whether they come with the version of their names.
    """
    repairs = [f"classification/repairs/{model.repair}.py"] if model.repair else []
    if model.repair == "mnasnet" and versions:
        repairs = []
    if model.size_argument == "image_size" and resized:
        repairs.append("classification/repairs/vit-size.py")
    return repairs


def _frozen_by_epoch(
    spec: Classification, model: catalog.Model, problems: Problems
) -> dict[int, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Modules and other parameters that are frozen, by the epoch from which that is so."""
    named = _named(spec.model.freeze, ("model", "freeze"), model, problems)
    frozen = None if named is None else set(_inside(model, named))
    by_epoch = {0: _fewest(model, frozen or set())}
    for index, entry in enumerate(spec.model.unfreeze):
        key = ("model", "unfreeze", index)
        last, before = max(by_epoch), frozen
        if entry.epoch >= spec.schedule.epochs:
            message = f"must be below schedule.epochs ({spec.schedule.epochs}), not {entry.epoch}"
            problems.add((*key, "epoch"), message, ("schedule", "epochs"))
        elif entry.epoch <= last:
            message = f"must be above the one before ({last}), not {entry.epoch}"
            problems.add((*key, "epoch"), message)
        named = _named(entry.freeze, (*key, "freeze"), model, problems)
        frozen = None if named is None else set(_inside(model, named))
        if frozen is not None and before is not None and not frozen < before:
            more = [name for name in catalog.tree(model.name).parameters if name in frozen - before]
            what = f"{more[0]} was not frozen before" if more else "the same was frozen before"
            message = f"{what}; write a part of what was" if before else "nothing is frozen by then"
            problems.add((*key, "freeze"), message, ("model", "freeze"))
        by_epoch[entry.epoch] = _fewest(model, frozen or set())
    return by_epoch


def _fewest(model: catalog.Model, frozen: set[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The fewest modules that hold all these parameters, and the parameters outside of them."""
    tree = catalog.tree(model.name)
    left = set(frozen)
    modules: list[str] = []
    for module in tree.modules:
        if not left:
            break
        inside = set(_inside(model, [module]))
        if inside and inside <= left:
            modules.append(module)
            left -= inside
    return tuple(modules), tuple(name for name in tree.parameters if name in left)


def _named(freeze: Freeze, key: Key, model: catalog.Model, problems: Problems) -> list[str] | None:
    """The modules and parameters that `freeze` names; None if it names what there is not."""
    stages = model.stages
    if freeze == "none":
        return []
    if freeze == "backbone":
        return _backbone(model)
    if isinstance(freeze, int):
        if freeze >= len(stages):
            message = f"{model.name} has {len(stages) - 1} stages after its stem"
            problems.add(key, f"{message}, not {freeze}")
            return None
        return [name for stage in stages[: freeze + 1] for name in stage]
    tree = catalog.tree(model.name)
    known = [*tree.modules, *tree.parameters]
    named: list[str] = []
    wrong = False
    for index, pattern in enumerate(freeze):
        matches = [name for name in known if fnmatchcase(name, pattern)]
        if not matches:
            hint = "" if "*" in pattern else nearest(pattern, known)
            hint = hint or f"; its stages are {_show(stages)}"
            problems.add((*key, index), f"no such module in {model.name}{hint}")
        elif not (inside := set(_inside(model, matches))):
            message = f"no weights are in what {show(pattern)} matches; leave it out"
            problems.add((*key, index), message)
        elif inside & set(_inside(model, model.head)):
            message = f'the new head, {model.head[0]}, would stay random; all but it is "backbone"'
            problems.add((*key, index), message)
        else:
            named += matches
            continue
        wrong = True
    return None if wrong else named


def _backbone(model: catalog.Model) -> list[str]:
    return [name for stage in model.stages for name in stage]


def _inside(model: catalog.Model, names: Iterable[str]) -> list[str]:
    """The parameters in some modules, and those that are themselves named."""
    prefixes = tuple(f"{name}." for name in names)
    return [p for p in catalog.tree(model.name).parameters if f"{p}.".startswith(prefixes)]


def _show(stages: tuple[tuple[str, ...], ...]) -> str:
    return ", ".join("+".join(stage) for stage in stages)
