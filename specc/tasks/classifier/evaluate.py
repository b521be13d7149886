"""The metrics on the validation data of a classifier of images or videos."""

from collections.abc import Iterable

from specc.source.diagnostics import choices, nearest
from specc.source.problems import Problems
from specc.tasks.classifier.language import Classifier
from specc.tasks.common.code import Call, Name
from specc.tasks.common.plan import EvaluatePlan, SamplesPlan
from specc.tasks.video.language import VideoClassification

NAMED_CLASSES = 60  # for more a picture of all classes would be metres wide
CLASSES = Name("NUM_CLASSES")


def plan_evaluate(spec: Classifier, data: SamplesPlan, problems: Problems) -> EvaluatePlan:
    metrics: dict[str, Call] = {}
    if not data.multi_label:
        for k in _topk(spec, data.num_classes, problems):
            metrics[f"top{k}"] = Call("MulticlassAccuracy", (CLASSES, k, "micro"))
    elif spec.evaluate.topk is not None:
        message = "is for images of one class; leave it out"
        problems.add(("evaluate", "topk"), message, ("data", "multi_label"))
    kind = "Multilabel" if data.multi_label else "Multiclass"
    names = {"precision": "Precision", "recall": "Recall", "f1": "F1Score"}
    names["mean_class_accuracy"] = "Accuracy"
    for name in spec.evaluate.metrics:
        options = {"average": "none"}
        metrics[name] = Call(f"{kind}{names[name]}", (CLASSES,), options)
    return EvaluatePlan(
        metrics=metrics,
        by_class=bool(spec.evaluate.metrics),
        named=data.num_classes <= NAMED_CLASSES,
        monitor=_monitor(spec, data, metrics, problems),
        views=isinstance(spec, VideoClassification) and spec.evaluate.test is not None,
    )


def _topk(spec: Classifier, classes: int, problems: Problems) -> tuple[int, ...]:
    topk = spec.evaluate.topk
    if topk is None:
        return (1, 5) if classes > 5 else (1,)
    for index, k in enumerate(topk):
        if 0 < classes <= k:
            message = f"top-{k} of {classes} classes is always 1; write less than {classes}"
            problems.add(("evaluate", "topk", index), message, ("model", "num_classes"))
    return tuple(sorted({1, *topk}))


def _monitor(
    spec: Classifier, data: SamplesPlan, metrics: Iterable[str], problems: Problems
) -> str:
    """Return the metric that says which model is best."""
    default = "mAP" if data.multi_label else "top1"
    measured = list(dict.fromkeys([default, *metrics, "loss"]))
    monitor = spec.evaluate.monitor or default
    if monitor not in measured:
        hint = nearest(monitor, measured)
        message = f'must be a measured metric, {choices(measured)}, not "{monitor}"{hint}'
        others = [("evaluate", "topk"), ("evaluate", "metrics"), ("data", "multi_label")]
        problems.add(("evaluate", "monitor"), message, *others)
    return monitor
