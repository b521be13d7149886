"""Which video classifier is built, and from which weights."""

import re
from dataclasses import replace

from specc.catalog import models as catalog
from specc.catalog.videos import VideoClassifier, VideoWeights, tsn, video_model, video_models
from specc.source.diagnostics import choices, nearest
from specc.source.problems import Problems
from specc.tasks.classifier.fit import Size
from specc.tasks.classifier.model import (
    constructor,
    known_model,
    known_rates,
    named_weights,
    plan_classifier,
    repairs,
)
from specc.tasks.common.code import Call, Name
from specc.tasks.common.foreign import Layout, check_names
from specc.tasks.common.plan import ClassifierPlan, WeightsPlan
from specc.tasks.common.weights import check_name, file_weights, is_file, written
from specc.tasks.video.language import VideoClassification
from specc.tasks.video.network import VideoModel
from specc.tasks.video.network import VideoWeights as WeightsTable
from specc.tasks.video.plans import TSNPlan

BACKBONE = "resnet50"
DROPOUT = 0.4  # of a TSN, as in MMAction2
LAYOUTS = (
    Layout("classifier", {"": "backbone."}),
    Layout("mmaction", {}, ("backbone.layer1.0.conv1.conv.", "cls_head.fc_cls.")),
)
AS_BACKBONE = "video/layouts/classifier.py"


def known_models(
    spec: VideoModel, problems: Problems
) -> tuple[VideoClassifier | None, catalog.Classifier | None]:
    """Return the catalog's row of the model that is asked for, and that of a TSN's backbone."""
    if spec.name == "tsn":
        name = spec.backbone or BACKBONE
        backbone = known_model(name, ("model", "backbone"), "classification", problems)
        if backbone and len(backbone.head) > 1:
            message = f"{name} has {len(backbone.head)} heads, but tsn replaces one only"
            problems.add(("model", "backbone"), message)
        return (tsn(backbone) if backbone else None), backbone
    if spec.backbone:
        message = f'only for name = "tsn", not for "{spec.name}"; leave it out'
        problems.add(("model", "backbone"), message, ("model", "name"))
    row = video_model(spec.name)
    if row is None:
        names = ["tsn", *video_models()]
        message = f'no video model "{spec.name}"'
        if catalog.model(spec.name):
            message = f'"{spec.name}" takes single images; write it as backbone, and name = "tsn"'
            problems.add(("model", "name"), message)
        else:
            hint = nearest(spec.name, names) or f"; there are {', '.join(names)}"
            problems.add(("model", "name"), f"{message}{hint}")
    return row, None


def preprocessing(spec: VideoModel, row: VideoClassifier) -> VideoWeights | None:
    """Return the weights whose preparation of clips is followed: the ones named, or the default."""
    rows = {weights.name: weights for weights in row.weights}
    default = rows.get(row.default or "")
    return rows.get(spec.weights, default) if isinstance(spec.weights, str) else default


def plan_video_model(
    spec: VideoClassification, row: VideoClassifier, problems: Problems
) -> ClassifierPlan:
    """Decide on a model of torchvision's."""
    weights = _weights(spec.model, row, problems)
    rates = known_rates(spec.model, row, ("dropout", "drop_path"), problems)
    call = Call(f"models.video.{row.name}", (), {"num_classes": Name("NUM_CLASSES"), **rates})
    drops = bool(spec.model.dropout or spec.model.drop_path)
    return plan_classifier(spec, row, call, weights, drops=drops, problems=problems)


def plan_tsn(
    spec: VideoClassification,
    row: VideoClassifier,
    backbone: catalog.Classifier,
    image_size: Size,
    problems: Problems,
) -> tuple[ClassifierPlan, TSNPlan]:
    """Decide on a TSN over an image classifier."""
    weights = _tsn_weights(spec.model, backbone, image_size, problems)
    rates = known_rates(spec.model, backbone, ("drop_path",), problems)
    if backbone.dropout and backbone.library == "torchvision":
        rates[backbone.dropout] = 0.0  # a TSN has its own, behind the mean over the segments
    built = constructor(backbone, image_size, rates, pretrained=weights is not None)
    options = {name: value for name, value in built.options.items() if name != "num_classes"}
    dropout = DROPOUT if spec.model.dropout is None else spec.model.dropout
    head = re.sub(r"\.(\d+)", r"[\1]", f"self.backbone.{backbone.head[0]}")
    channels = "in_channels" if backbone.head_kind == "conv" else "in_features"
    drops = bool(dropout or spec.model.drop_path)
    model = plan_classifier(spec, row, Call("TSN"), weights, drops=drops, problems=problems)
    return model, TSNPlan(
        backbone=replace(built, options=options),
        features=Name(f"{head}.{channels}"),
        cut=Name(f"{head} = nn.Identity()"),
        head_prefix=f"{backbone.head[0]}.",
        dropout=dropout,
    )


def _weights(spec: VideoModel, row: VideoClassifier, problems: Problems) -> WeightsPlan | None:
    """Plan how pretrained weights of a model of torchvision's are read; None if there are none."""
    source, key, table = written(spec.weights)
    if is_file(source):
        if isinstance(table, WeightsTable) and table.layout:
            message = f"only for tsn; map other names of {row.name}'s tensors by rename"
            problems.add((*key[:-1], "layout"), message, ("model", "name"))
        weights = file_weights(source, key, table, {}, [], problems)
        check_names(key, row.name, row.head, [], weights, problems)
        return weights
    check_name(source, key, table, problems)
    if source == "none":
        return None
    rows = {weights.name: weights for weights in row.weights}
    name = row.default if source == "default" else source
    if name not in rows:
        allowed = choices(["default", "none", *rows])
        message = f'{row.name} has no weights "{source}"; write {allowed}, or the path of a file'
        problems.add(key, message, ("model", "name"))
        return None
    options = {"check_hash": True, "map_location": "cpu", "weights_only": True}
    state = Call(f"models.video.{row.weights_enum}.{name}.get_state_dict", (), options)
    return WeightsPlan(state=state)


def _tsn_weights(
    spec: VideoModel, backbone: catalog.Classifier, image_size: Size, problems: Problems
) -> WeightsPlan | None:
    """Return how a TSN's pretrained weights are read: those of its backbone, or of all of it."""
    source, key, table = written(spec.weights)
    if not is_file(source):
        check_name(source, key, table, problems)
        weights = named_weights(source, key, backbone, image_size, problems)
        if weights is None:
            return None
        named_steps = (*weights.steps, AS_BACKBONE)
        return replace(weights, steps=named_steps, network=Name("model.backbone"))
    layout = table.layout if isinstance(table, WeightsTable) else None
    steps: list[str] = []
    if layout == "mmaction":
        steps = ["video/layouts/mmaction.py"]
    elif layout == "classifier":
        versions = not (source.endswith(".safetensors") or (table and table.rename))
        steps = repairs(backbone, resized=True, versions=versions)
        steps.append(AS_BACKBONE)
    weights = file_weights(source, key, table, {}, steps, problems)
    if not layout:
        name = f"{catalog.TSN}{backbone.name}"
        check_names(key, name, ("fc",), LAYOUTS, weights, problems)
    return replace(weights, resize=Name(backbone.resize), network=Name("model.backbone"))


def title(spec: VideoModel) -> str:
    """Return the model in words."""
    return f"tsn on {spec.backbone or BACKBONE}" if spec.name == "tsn" else spec.name
