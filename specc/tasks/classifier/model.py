"""Which network is built, from which weights, and what of it is frozen."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from specc.catalog import models as catalog
from specc.catalog.detectors import detector
from specc.catalog.videos import VideoClassifier, video_model
from specc.language.model import Model, Network, WeightsSource
from specc.source.diagnostics import choices, nearest
from specc.source.keys import Key
from specc.source.problems import Problems
from specc.tasks.classification.channels import rebuilt, rgb_convs
from specc.tasks.classification.language import Classification
from specc.tasks.classifier.fit import Size, written_size
from specc.tasks.classifier.language import Classifier
from specc.tasks.common.code import Call, Name, python
from specc.tasks.common.foreign import Layout, check_names
from specc.tasks.common.freezing import backbone, frozen_by_epoch, inside
from specc.tasks.common.plan import ClassifierPlan, WeightsPlan
from specc.tasks.common.weights import check_name, file_weights, is_file, written

# How names begin in files of OpenMMLab's ResNets, and in torchvision's.
OPENMMLAB = {"backbone.": "", "head.fc.": "fc."}


def known_model(name: str, key: Key, task: str, problems: Problems) -> catalog.Classifier | None:
    """Return the catalog's row of the model that is asked for."""
    model = catalog.model(name)
    if model is None or model.task != task:
        names = [name for name, row in catalog.models().items() if row.task == task]
        message = f'no model "{name}"'
        if other := model or detector(name) or video_model(name):
            message = f'"{name}" is for task = "{other.task}", not for "{task}"'
        elif f"timm/{name}" in names:
            message += f'; timm has it: write "timm/{name}"'
        else:
            message += nearest(name, names) or "; `specc models` lists all"
        problems.add(key, message)
        return None
    return model


def plan_model(
    spec: Classification, model: catalog.Classifier, image_size: Size, problems: Problems
) -> ClassifierPlan:
    weights = _weights(spec.model, model, image_size, problems)
    rates = known_rates(spec.model, model, ("dropout", "drop_path"), problems)
    channels = spec.data.channels
    pretrained = weights is not None
    call = constructor(model, image_size, rates, pretrained=pretrained, channels=channels)
    drops = bool(spec.model.dropout or spec.model.drop_path)
    plan = plan_classifier(spec, model, call, weights, drops=drops, problems=problems)
    convs = rgb_convs(model, ("model", "name"), channels, problems)
    frozen = set(inside(model, [*plan.frozen, *plan.frozen_parameters]))
    if channels > 1 and pretrained and frozen.intersection(inside(model, convs)):
        message = f"{convs[0]} is frozen, with the weights of RGB spread over {channels} channels"
        problems.note(("model", "freeze"), f"{message}; leave it out if these are no colours")
    return replace(plan, rgb_convs=convs, input_conv=rebuilt(model, convs, "model"))


def plan_classifier(
    spec: Classifier,
    model: catalog.Classifier | VideoClassifier,
    constructor: Call,
    weights: WeightsPlan | None,
    *,
    drops: bool,
    problems: Problems,
) -> ClassifierPlan:
    """Decide on what is frozen, and on the new head.

    Args:
        drops: whether the spec asks for a dropout.
    """
    by_epoch = frozen_by_epoch(
        spec.model.freeze, spec.model.unfreeze, spec.schedule.epochs, model, problems
    )
    last = [name for names in by_epoch[max(by_epoch)] for name in names]
    trains_backbone = not set(inside(model, backbone(model))) <= set(inside(model, last))
    norm_eval = spec.model.batch_norm == "eval"
    trains_batch_norm = model.batch_norm and trains_backbone and not norm_eval
    if norm_eval and not model.batch_norm:
        problems.add(("model", "batch_norm"), f"{model.name} has no batch norm; leave it out")
    timm = model.library == "timm"
    return ClassifierPlan(
        constructor=constructor,
        weights=weights,
        head_layers=model.head,
        new_head=True,
        head_bias=model.head_kind != "linear-no-bias",
        init_std=spec.model.init_std,
        freezing=by_epoch,
        norm_eval=norm_eval,
        norm_frozen=False,
        norm_eps=None,
        trains_batch_norm=trains_batch_norm,
        sync_batch_norm=spec.train.sync_bn and trains_batch_norm,
        # timm's batch norms contain the activation; PyTorch's function would lose it.
        convert_sync_batchnorm=Name(
            "convert_sync_batchnorm" if timm else "nn.SyncBatchNorm.convert_sync_batchnorm"
        ),
        draws=model.draws or drops,
    )


def preprocessing(spec: Network, model: catalog.Classifier) -> catalog.Weights | None:
    """Return the weights whose preparation of images is followed: those named, or the default."""
    rows = {weights.name: weights for weights in model.weights}
    default = rows.get(model.default or "")
    if isinstance(spec.weights, str) and spec.weights in ("default", *rows):
        return rows.get(spec.weights, default)
    if model.size_argument and default and default.crop_size != model.image_size:
        # Other weights are not known to be for larger images than usual.
        return next((it for it in model.weights if it.crop_size == model.image_size), default)
    return default


def known_rates(
    spec: Network,
    model: catalog.Classifier | VideoClassifier,
    names: Sequence[str],
    problems: Problems,
) -> dict[str, float]:
    """Return the builder's arguments for the rates of dropout that a spec asks for."""
    rates = {}
    for name in names:
        argument, rate = getattr(model, name), getattr(spec, name)
        if rate is not None and argument:
            rates[argument] = rate
        elif rate is not None:
            problems.add(("model", name), f"{model.name} has no {name} to set; leave it out")
    return rates


def constructor(
    model: catalog.Classifier,
    image_size: Size,
    rates: Mapping[str, float],
    *,
    pretrained: bool,
    channels: int = 3,
) -> Call:
    """Return the call that builds the model with random weights."""
    options: dict[str, Any] = {
        **model.arguments,
        **(model.with_weights if pretrained else model.without_weights),
    }
    options |= {"num_classes": Name("NUM_CLASSES"), **_size_option(model, image_size), **rates}
    if model.library == "timm":
        if channels != 3:
            options["in_chans"] = 1 if channels == 1 else Name("CHANNELS")
        return Call("timm.create_model", (model.name.removeprefix("timm/"),), options)
    return Call(f"models.{model.name}", (), options)


def _weights(
    spec: Model, model: catalog.Classifier, image_size: Size, problems: Problems
) -> WeightsPlan | None:
    """Return how the pretrained weights are read, or None if there are none."""
    source, key, table = written(spec.weights)
    if not is_file(source):
        check_name(source, key, table, problems)
        return named_weights(source, key, model, image_size, problems)
    layout = table.layout if isinstance(table, WeightsSource) else None
    if layout == "openmmlab" and model.family != "resnet":
        message = f"openmmlab's names are known for ResNets, not for {model.name}; write rename"
        problems.add((*key[:-1], "layout"), message, ("model", "name"))
    steps = []
    if layout == "efficientnet-pytorch":
        steps.append("classification/layouts/efficientnet-pytorch.py")
    safe = PurePath(source).suffix == ".safetensors"
    versions = not (safe or layout == "openmmlab" or (table and (table.prefix or table.rename)))
    # A file does not say for which size of images its model was built.
    steps += repairs(model, resized=True, versions=versions)
    if model.resize == "none" and image_size != model.image_size:
        message = f"{model.name} is built for one size, and cannot load a file for another"
        problems.note(key, f"{message} than image_size = {written_size(image_size)}")
    renamed = OPENMMLAB if layout == "openmmlab" else {}
    weights = file_weights(source, key, table, renamed, steps, problems)
    if layout != "efficientnet-pytorch":
        layouts = [Layout("openmmlab", OPENMMLAB)] if model.family == "resnet" else []
        if "efficientnet" in model.name:
            layouts.append(Layout("efficientnet-pytorch", {}, ("_conv_stem.", "_blocks.0.")))
        check_names(key, model.name, model.head, layouts, weights, problems)
    return replace(weights, resize=Name(model.resize))


def named_weights(
    source: str, key: Key, model: catalog.Classifier, image_size: Size, problems: Problems
) -> WeightsPlan | None:
    """Plan weights that the library has a name for."""
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
    return WeightsPlan(state=state, steps=tuple(repairs(model, resized=resized, versions=True)))


def repairs(model: catalog.Classifier, *, resized: bool, versions: bool) -> list[str]:
    """Return the templates that bring tensors of torchvision's files into the model's form.

    Args:
        resized: whether the weights may have been trained on images of another size.
        versions: whether they come with the version of their names.
    """
    steps = [f"classification/repairs/{model.repair}.py"] if model.repair else []
    if model.repair == "mnasnet" and versions:
        steps = []
    if model.size_argument == "image_size" and resized:
        steps.append("classification/repairs/vit-size.py")
    if resized and model.resize not in ("", "none"):
        steps.append("classification/repairs/timm-size.py")
    return steps


def _size_option(
    model: catalog.Classifier, image_size: Size, built_for: int | None = None
) -> dict[str, Name]:
    """Return the argument that tells the builder of an unusual size of images."""
    if not model.size_argument or image_size == (built_for or model.image_size):
        return {}
    pair = model.size_argument == "input_size" and isinstance(image_size, int)
    return {model.size_argument: Name("(IMAGE_SIZE, IMAGE_SIZE)" if pair else "IMAGE_SIZE")}
