"""The tasks, and the language of each."""

from specc.tasks.classification.language import Classification
from specc.tasks.detection.language import Detection
from specc.tasks.video.language import VideoClassification

Classifier = Classification | VideoClassification  # of images or of videos
Spec = Classifier | Detection
TASKS: dict[str, type[Spec]] = {
    "classification": Classification,
    "detection": Detection,
    "instance-segmentation": Detection,
    "video-classification": VideoClassification,
}
