"""The loss of a step: its constants, and the expression that computes it."""

from dataclasses import dataclass
from typing import Any

from specc.language.train import Focal, TrainClasses
from specc.source.problems import Problems
from specc.tasks.classifier.language import Classifier
from specc.tasks.common.code import Call, Name, Setting, python

GAMMA = Focal(name="focal").gamma

LOGITS, TARGETS, WEIGHTS = Name("logits"), Name("targets"), Name("class_weights")


@dataclass(frozen=True)
class LossPlan:
    settings: tuple[Setting, ...]
    # An expression of `logits` and `targets`, as the data give or mixup and cutmix blend them.
    call: Call | Name
    weighted_mean: bool  # whether it is divided by the class weights of the whole batch
    class_weights: str  # "" | "balanced" | "listed"
    focal: bool  # whether the function focal_loss is needed


def plan_loss(spec: Classifier, *, classes: int, multi_label: bool, problems: Problems) -> LossPlan:
    train, smoothing = spec.train, spec.data.label_smoothing
    settings: list[Setting] = []
    options: dict[str, Any] = {}
    call: Call | Name
    # PyTorch's loss takes the plain mean for blended labels, which it calls probabilities.
    blended = spec.data.mixup or spec.data.cutmix
    weighted_mean = (
        isinstance(train.class_weights, list)
        and not (multi_label or blended)
        and train.loss == "cross-entropy"
    )
    if train.class_weights == "balanced" and spec.data.balance:
        message = "with data.balance rare classes count twice as much as wanted; write one of them"
        problems.note(("train", "class_weights"), message)
    if isinstance(train.class_weights, list):
        _check_class_weights(train.class_weights, classes, problems)
        settings.append(Setting("CLASS_WEIGHTS", train.class_weights))
    if smoothing:
        settings.append(Setting("LABEL_SMOOTHING", smoothing))
        options["label_smoothing"] = Name("LABEL_SMOOTHING")
    if train.loss != "cross-entropy":
        gamma = train.loss.gamma if isinstance(train.loss, Focal) else GAMMA
        settings.append(Setting("FOCAL_GAMMA", gamma))
        _check_focal(spec, multi_label, problems)
        call = _focal(train, multi_label)
    elif multi_label:
        options = {"pos_weight": WEIGHTS} if train.class_weights else {}
        call = Call("F.binary_cross_entropy_with_logits", (LOGITS, TARGETS), options)
    elif weighted_mean:
        options = {"weight": WEIGHTS, "reduction": "sum"} | options
        losses = Call("F.cross_entropy", (LOGITS, TARGETS), options)
        call = Name(f"{python(losses)} / share_weight")
    elif train.class_weights:
        # The plain mean: balanced weights are of mean 1 over the samples already.
        options = {"weight": WEIGHTS, "reduction": "none"} | options
        losses = Call("F.cross_entropy", (LOGITS, TARGETS), options)
        call = Call(f"{python(losses)}.mean")
    else:
        call = Call("F.cross_entropy", (LOGITS, TARGETS), options)
    weights = "listed" if isinstance(train.class_weights, list) else train.class_weights
    return LossPlan(
        settings=tuple(settings),
        call=call,
        weighted_mean=weighted_mean,
        class_weights=weights or "",
        focal=train.loss != "cross-entropy" and not multi_label,
    )


def _focal(train: TrainClasses, multi_label: bool) -> Call:
    if multi_label:
        options = {"alpha": -1, "gamma": Name("FOCAL_GAMMA"), "reduction": "mean"}
        return Call("sigmoid_focal_loss", (LOGITS, TARGETS), options)
    weights = (WEIGHTS,) if train.class_weights else ()
    return Call("focal_loss", (LOGITS, TARGETS, *weights))


def _check_focal(spec: Classifier, multi_label: bool, problems: Problems) -> None:
    """Return the focal loss is defined for labels that are certain."""
    key = ("train", "loss")
    data = spec.data
    for name in ("mixup", "cutmix", "label_smoothing"):
        if getattr(data, name) and not multi_label:
            message = f"the focal loss takes no blended labels; leave data.{name} out"
            problems.add(key, message, ("data", name))
    if multi_label and spec.train.class_weights:
        message = "the focal loss of several labels takes no weights; leave it out"
        problems.add(("train", "class_weights"), message, key)


def _check_class_weights(weights: list[float], classes: int, problems: Problems) -> None:
    key = ("train", "class_weights")
    if classes and len(weights) != classes:
        message = f"must be {classes} numbers, one for each class, not {len(weights)}"
        problems.add(key, message, ("model", "num_classes"))
    elif not any(weights):
        problems.add(key, "are all 0, which makes the loss 0; write some above 0")
