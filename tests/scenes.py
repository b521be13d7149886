"""Projects of detectors on a few garments, small enough to train in seconds."""

from garments import compose, write_coco
from projects import Project, compile_spec

# Two-stage, with little to do: a step of four images takes half a second.
QUICK = "fasterrcnn_mobilenet_v3_large_320_fpn"
FEW_BOXES = {
    "box_batch_size_per_image": 16,
    "rpn_post_nms_top_n_train": 100,
    "rpn_post_nms_top_n_test": 50,
    "box_detections_per_img": 20,
}

SPEC = """
task = "{task}"
[model]
name = "{name}"
weights = "none"
[data]
format = "coco"
train = {{ images = "data/train", json = "data/annotations/instances_train.json" }}
val = {{ images = "data/val", json = "data/annotations/instances_val.json" }}
[optim]
lr = 0.002
[schedule]
epochs = 2
[train]
batch_size = 4
workers = 0
log_every = 1
[log]
tensorboard = false
"""


def make_scenes(train: int = 9, val: int = 3) -> None:
    """Pictures in `data`; one of every eight has no object, and so does not train."""
    write_coco("data", compose(train, 0), compose(val, 0, "val"))


def detector(name: str, *overrides: str, folder: str = "project") -> Project:
    """A project of a detector from nothing, in images of about 96 x 128 pixels."""
    task = "instance-segmentation" if "mask" in name else "detection"
    size = ["data.resize={ short = 96, long = 128 }"]
    if name.startswith("ssd"):  # which has a size of its own
        size = []
    few = [f"model.options.{key}={value}" for key, value in FEW_BOXES.items()]
    if "rcnn" not in name:
        few = []
    spec = SPEC.format(task=task, name=name)
    return compile_spec(spec, *size, *few, *overrides, folder=folder)
