"""The tasks: a row for each, and a folder with what there is to know of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from specc.language.spec import Spec
from specc.source.problems import Problems
from specc.tasks.classification.language import Classification
from specc.tasks.classification.plan import plan_classification
from specc.tasks.common.plan import Plan
from specc.tasks.detection.language import Detection
from specc.tasks.detection.plan import plan_detection
from specc.tasks.video.language import VideoClassification
from specc.tasks.video.plan import plan_video


@dataclass(frozen=True)
class Task:
    """A kind of model, with its language and its planner."""

    name: str  # in a spec
    language: type[Spec]
    plan: Callable[[str, Any, Problems], Plan]  # from a project's name and a spec of the language


TASKS = {
    task.name: task
    for task in (
        Task("classification", Classification, plan_classification),
        Task("detection", Detection, plan_detection),
        Task("instance-segmentation", Detection, plan_detection),
        Task("video-classification", VideoClassification, plan_video),
    )
}
LANGUAGES = {name: task.language for name, task in TASKS.items()}
