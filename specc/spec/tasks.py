"""The tasks, and the language of each."""

from specc.spec.classification import Classification
from specc.spec.detection import Detection
from specc.spec.video import VideoClassification

Classifier = Classification | VideoClassification  # of images or of videos
Spec = Classifier | Detection
TASKS: dict[str, type[Spec]] = {
    "classification": Classification,
    "detection": Detection,
    "instance-segmentation": Detection,
    "video-classification": VideoClassification,
}
