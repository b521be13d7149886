"""Which detector is built, from which weights, and what of it is frozen."""

from pathlib import PurePath
from typing import Any

from specc.catalog import models as catalog
from specc.catalog.detectors import Detector, detector, detectors
from specc.source.diagnostics import choices, nearest
from specc.source.problems import Problems
from specc.tasks.common.code import Call, Name
from specc.tasks.common.foreign import Layout, check_names
from specc.tasks.common.freezing import backbone, frozen_by_epoch, inside
from specc.tasks.common.plan import WeightsPlan
from specc.tasks.common.weights import check_name, file_weights, is_file, written
from specc.tasks.detection.language import Detection
from specc.tasks.detection.network import DetectorWeights
from specc.tasks.detection.plans import DetectorPlan

# How names begin in MMDetection's files of Faster and Mask R-CNN, and in torchvision's.
MMDET = {
    "backbone.": "backbone.body.",
    **{f"neck.lateral_convs.{i}.conv.": f"backbone.fpn.inner_blocks.{i}.0." for i in range(4)},
    **{f"neck.fpn_convs.{i}.conv.": f"backbone.fpn.layer_blocks.{i}.0." for i in range(4)},
    "rpn_head.rpn_conv.": "rpn.head.conv.0.0.",
    "rpn_head.rpn_cls.": "rpn.head.cls_logits.",
    "rpn_head.rpn_reg.": "rpn.head.bbox_pred.",
    "roi_head.bbox_head.shared_fcs.0.": "roi_heads.box_head.fc6.",
    "roi_head.bbox_head.shared_fcs.1.": "roi_heads.box_head.fc7.",
    "roi_head.bbox_head.fc_cls.": "roi_heads.box_predictor.cls_score.",
    "roi_head.bbox_head.fc_reg.": "roi_heads.box_predictor.bbox_pred.",
}
MMDET_MASKS = {
    **{f"roi_head.mask_head.convs.{i}.conv.": f"roi_heads.mask_head.{i}.0." for i in range(4)},
    "roi_head.mask_head.upsample.": "roi_heads.mask_predictor.conv5_mask.",
    "roi_head.mask_head.conv_logits.": "roi_heads.mask_predictor.mask_fcn_logits.",
}
# The models whose layers are the same there.
MMDET_MODELS = ("fasterrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn")
# For images from 0 to 1: Caffe subtracts a mean from bytes and divides by nothing.
CAFFE_MEAN = tuple(round(value / 255, 6) for value in (123.675, 116.28, 103.53))
CAFFE_STD = Name("(1 / 255, 1 / 255, 1 / 255)")

# Arguments of builders that have keys of their own.
ELSEWHERE = {
    "min_size": "data.resize.short",
    "max_size": "data.resize.long",
    "num_classes": "data.classes",
    "trainable_backbone_layers": "model.freeze",
}


def known_detector(spec: Detection, problems: Problems) -> Detector | None:
    """Return the catalog's row of the model that is asked for."""
    name, row = spec.model.name, detector(spec.model.name)
    if row is None or row.task != spec.task:
        names = [name for name, it in detectors().items() if it.task == spec.task]
        there = f"there are {', '.join(names)}"
        if other := row or catalog.model(name):
            message = f'"{name}" is for task = "{other.task}"; for "{spec.task}" {there}'
        else:
            message = f'no model "{name}"{nearest(name, names) or f"; {there}"}'
        problems.add(("model", "name"), message, ("task",))
        return None
    return row


def plan_detector(
    spec: Detection, row: Detector, *, resized: bool, problems: Problems
) -> DetectorPlan:
    """Decide on the model, whose training images come `resized` or are resized by it."""
    weights, backbone_weights = _weights(spec, row, problems)
    _check_options(spec, row, problems)
    table = spec.model.weights
    layout = table.layout if isinstance(table, DetectorWeights) else None
    freeze = spec.model.freeze
    if freeze is None:
        pretrained = weights or backbone_weights
        freeze = row.default_freeze if pretrained and row.default_freeze is not None else "none"
    by_epoch = frozen_by_epoch(freeze, spec.model.unfreeze, spec.schedule.epochs, row, problems)
    norm = spec.model.batch_norm or _norm(row, pretrained=bool(weights or backbone_weights))
    if spec.model.batch_norm and not row.batch_norm:
        problems.add(("model", "batch_norm"), f"{row.name} has no batch norm; leave it out")
    last = [name for names in by_epoch[max(by_epoch)] for name in names]
    trains_body = not set(inside(row, backbone(row))) <= set(inside(row, last))
    # Those of newer models have them behind the body as well.
    trains_batch_norm = (
        row.batch_norm and norm == "train" and (trains_body or row.norm == "trained")
    )
    return DetectorPlan(
        constructor=Call(
            f"models.detection.{row.name}", (), _options(spec, row, layout, resized=resized)
        ),
        weights=weights,
        backbone_weights=backbone_weights,
        head_layers=row.head,
        new_head=not (isinstance(table, DetectorWeights) and table.head),
        freezing=by_epoch,
        norm_eval=row.batch_norm and norm != "train",
        norm_frozen=norm == "frozen",
        norm_eps=_norm_eps(spec, row),
        trains_batch_norm=trains_batch_norm,
        sync_batch_norm=spec.train.sync_bn and trains_batch_norm,
        convert_sync_batchnorm=Name("nn.SyncBatchNorm.convert_sync_batchnorm"),
        draws=row.draws,
        fixed_size=row.fixed_size is not None,
        masks=spec.task == "instance-segmentation",
        mmdet=layout is not None,
        caffe=layout == "mmdet-caffe",
    )


def _norm(row: Detector, *, pretrained: bool) -> str:
    """Return the batch norms' mode if the spec names none."""
    return "frozen" if row.norm == "frozen" and pretrained else "train"


def _norm_eps(spec: Detection, row: Detector) -> float | None:
    name = row.default if spec.model.weights == "default" else spec.model.weights
    return next((weights.norm_eps for weights in row.weights if weights.name == name), None)


def _options(
    spec: Detection, row: Detector, layout: str | None, *, resized: bool
) -> dict[str, Any]:
    """Return the builder's arguments."""
    data = spec.data
    options: dict[str, Any] = dict.fromkeys(("weights", "weights_backbone"))
    options["num_classes"] = Name("NUM_CLASSES")
    if data.resize and not row.fixed_size:
        short = data.resize.short
        options["min_size"] = max(short) if isinstance(short, list) else short
        options["max_size"] = data.resize.long
    if resized:
        options["_skip_resize"] = True  # of training images; torchvision's own recipes say so, too
    caffe = layout == "mmdet-caffe"
    if data.mean or caffe:
        options["image_mean"] = data.mean or CAFFE_MEAN
    if data.std or caffe:
        options["image_std"] = data.std or CAFFE_STD
    if layout:
        options["rpn_post_nms_top_n_train"] = 1000
    return options | spec.model.options


def _check_options(spec: Detection, row: Detector, problems: Problems) -> None:
    """Report what the builder does not take."""
    for name, value in spec.model.options.items():
        key = ("model", "options", name)
        if name in ELSEWHERE:
            problems.add(key, f"is set elsewhere; write {ELSEWHERE[name]}")
        elif name not in row.options:
            hint = nearest(name, row.options) or f"; it takes {', '.join(row.options)}"
            problems.add(key, f"{row.name} takes no {name}{hint}", ("model", "name"))
        elif row.options[name] == "int" and isinstance(value, float):
            problems.add(key, f"must be a whole number, not {value}")
        elif value < 0:
            problems.add(key, f"must be at least 0, not {value}")
        elif name.endswith(("_thresh", "_fraction")) and value > 1:
            problems.add(key, f"must be at most 1, not {value}")


def _weights(
    spec: Detection, row: Detector, problems: Problems
) -> tuple[WeightsPlan | None, Call | None]:
    """Return how pretrained weights are read, of the whole model or of its backbone."""
    source, key, table = written(spec.model.weights)
    if is_file(source):
        return _weights_of_file(spec, row, problems), None
    check_name(source, key, table, problems)
    if source == "none":
        return None, None
    rows = {weights.name: weights for weights in row.weights}
    name = row.default if source == "default" else source
    if name in rows:
        options = {"check_hash": True, "map_location": "cpu", "weights_only": True}
        enum = Name(f"models.detection.{row.weights_enum}.{name}")
        return WeightsPlan(state=Call("WEIGHTS.get_state_dict", (), options), path=enum), None
    if name in row.backbone_weights:
        if not row.backbone_fits:
            message = f"{row.name}'s backbone has fewer channels than the one of {name}"
            message += f"; write {choices([*rows, 'none'])}"
            problems.add(key, message, ("model", "name"))
        options = {"weights": None, "weights_backbone": name}
        return None, Call(f"models.detection.{row.name}", (), options)
    allowed = choices(["default", "none", *rows, *row.backbone_weights])
    message = f'{row.name} has no weights "{source}"; write {allowed}, or the path of a file'
    problems.add(key, message, ("model", "name"))
    return None, None


def _weights_of_file(spec: Detection, row: Detector, problems: Problems) -> WeightsPlan:
    source, key, table = written(spec.model.weights)
    layout = table.layout if isinstance(table, DetectorWeights) else None
    names: dict[str, str] = {}
    mmdet = MMDET | (MMDET_MASKS if spec.task == "instance-segmentation" else {})
    steps = []
    if layout:
        names = mmdet
        where = (*key[:-1], "layout")
        if row.name not in MMDET_MODELS:
            message = f"MMDetection's names are known for {' and '.join(MMDET_MODELS)}"
            problems.add(where, f"{message}, not for {row.name}", ("model", "name"))
        if layout == "mmdet" and "caffe" in PurePath(source).name:
            message = (
                'a file with "caffe" in its name takes BGR images and has its strides in other '
                'layers; write "mmdet-caffe"'
            )
            problems.add(where, message, key)
    if layout == "mmdet-caffe":
        steps.append("detection/layouts/mmdet-caffe.py")
    if layout and isinstance(table, DetectorWeights) and table.head:
        steps.append("detection/layouts/mmdet-head.py")
    weights = file_weights(source, key, table, names, steps, problems)
    caffe = "-caffe" if "caffe" in PurePath(source).name else ""
    layouts = [Layout(f"mmdet{caffe}", mmdet)] if row.name in MMDET_MODELS else []
    check_names(key, row.name, (), layouts, weights, problems)
    return weights
