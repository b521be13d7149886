"""The models as lines of text, for people who look for one."""

from collections.abc import Sequence

from specc.catalog.detectors import Detector, detectors
from specc.catalog.models import Classifier, Model, models
from specc.catalog.videos import VideoClassifier, video_models


def table(
    text: str = "",
    task: str | None = None,
    max_params: float | None = None,
    min_acc1: float | None = None,
) -> str:
    """Models with their parameters, what the best of their weights reach, and the names of all.

    Without `text` timm's are only counted.

    Args:
        text: a part of the name of the model or of weights, in upper or lower case.
        task: what the model is for.
        max_params: in millions.
        min_acc1: published for some weights of it, on ImageNet-1K, per cent; timm publishes none,
            and models for other tasks have none.
    """

    def wanted(row: Model) -> bool:
        names = [row.name, *(f"{row.name}.{weights.name}".lower() for weights in row.weights)]
        return (
            any(text.lower() in name for name in names)
            and task in (None, row.task)
            and (max_params is None or row.parameters <= max_params * 1e6)
        )

    classifiers = [
        row
        for row in filter(wanted, models().values())
        if min_acc1 is None or any((it.acc1 or 0) >= min_acc1 for it in row.weights)
    ]
    shown = [row for row in classifiers if text or row.library == "torchvision"]
    tables = []
    if classifiers:
        lines = _classifiers(shown)
        if hidden := len(classifiers) - len(shown):
            hint = "`specc models TEXT` finds those with TEXT in the name"
            lines.append(f"and {hidden} of timm: {hint}")
        tables.append("\n".join(lines))
    if min_acc1 is None:
        if objects := list(filter(wanted, detectors().values())):
            tables.append("\n".join(_detectors(objects)))
        clips = list(filter(wanted, video_models().values()))
        lines = _videos(clips) if clips else []
        if text.lower() in "tsn" and task in (None, "video-classification"):
            lines.append("tsn takes any image classifier as `backbone`")
        if lines:
            tables.append("\n".join(lines))
    return "\n\n".join(tables) or "no such model"


def _classifiers(rows: Sequence[Classifier]) -> list[str]:
    width = _width(rows)
    lines = [f"{'model':{width}} {'params':>8} {'pixels':>6} {'acc@1':>6}  weights"]
    for row in rows:
        accuracy = _figure([weights.acc1 for weights in row.weights])
        line = f"{row.name:{width}} {_size(row)} {row.image_size:>6} {accuracy:>6}  {_names(row)}"
        lines.append(line.rstrip())
    return lines


def _detectors(rows: Sequence[Detector]) -> list[str]:
    width = _width(rows)
    head = f"{'model':{width}} {'params':>8} {'pixels':>9} {'box AP':>6} {'mask AP':>7}  weights"
    lines = [head]
    for row in rows:
        pixels = row.fixed_size or f"{row.min_size}-{row.max_size}"
        boxes = _figure([weights.box_ap for weights in row.weights])
        masks = _figure([weights.mask_ap for weights in row.weights])
        figures = f"{_size(row)} {pixels:>9} {boxes:>6} {masks:>7}"
        lines.append(f"{row.name:{width}} {figures}  {_names(row)}")
    return lines


def _videos(rows: Sequence[VideoClassifier]) -> list[str]:
    width = _width(rows)
    lines = [f"{'model':{width}} {'params':>8} {'frames x pixels':>15} {'acc@1':>6}  weights"]
    for row in rows:
        clip = f"{row.frames}x{row.image_size}"
        accuracy = _figure([weights.acc1 for weights in row.weights])
        lines.append(f"{row.name:{width}} {_size(row)} {clip:>15} {accuracy:>6}  {_names(row)}")
    return lines


def _width(rows: Sequence[Model]) -> int:
    return max((len(row.name) for row in rows), default=0) + 1


def _size(row: Model) -> str:
    return f"{f'{row.parameters / 1e6:.1f}M':>8}"


def _figure(values: Sequence[float | None]) -> str:
    best = max((value or 0 for value in values), default=0)
    return f"{best:.1f}" if best else ""


def _names(row: Model) -> str:
    return ", ".join(weights.name for weights in row.weights)
