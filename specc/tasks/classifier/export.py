"""The plan of predictions, and of the exported file."""

from collections.abc import Iterable

from specc.catalog import models as catalog
from specc.catalog.videos import VideoClassifier
from specc.language.export import Export
from specc.tasks.classifier.fit import Size, sides
from specc.tasks.common.code import Call, Name
from specc.tasks.common.plan import ExportPlan


def plan_export(
    spec: Export,
    model: catalog.Classifier | VideoClassifier,
    size: Size,
    frames: str = "",
    depth: str = "3",
) -> ExportPlan:
    """Decide on the file; `frames` is the name of the number of those, where it takes clips.

    `depth` is an expression for the number of channels.
    """
    # A model that is told a size when it is built takes no other.
    any_size = bool(model.size_multiple) and not model.size_argument
    shape = sides(size, "args.image_size" if any_size else "IMAGE_SIZE")
    return ExportPlan(
        onnx=spec.format == "onnx",
        any_size=any_size,
        inputs="clips" if frames else "images",
        shape=Name(f"({frames + ', ' if frames else ''}{depth}, {shape})"),
    )


def resizes(eval_transforms: Iterable[Call | Name]) -> bool:
    """Return whether images of different shapes come out of some transforms in different sizes.

    They do where the data, as CIFAR's, are all of one shape and nothing has to change that.
    """
    calls = [transform for transform in eval_transforms if isinstance(transform, Call)]
    sized = [call for call in calls if "size" in call.options]
    return not sized or (sized[-1].function == "v2.Resize" and _is_one(sized[-1].options["size"]))


def _is_one(size: object) -> bool:
    """Return whether it is the length of the short side only."""
    return not isinstance(size, list | tuple) or len(size) == 1
