"""Projects of detectors on a few garments, small enough to train in seconds."""

import re

import torch
from garments import compose, write_coco
from projects import Project, compile_spec
from torch import Tensor, nn

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


# The last layers of detectors: the first part of two-stage ones, what follows, and its masks.
LAST = (
    r"rpn\.head\.(cls_logits|bbox_pred)$|^head\.\w+_head\.(cls_logits|bbox_reg|module_list\.\d(\.1)?)$",
    r"box_predictor\.(cls_score|bbox_pred)$",
    r"mask_fcn_logits$",
)


@torch.no_grad()
def teach(model: nn.Module, pictures: list[Tensor], nothing: Tensor, classes: int) -> None:
    """Make a random detector find some objects in pictures, and none in `nothing`.

    Norms are those of the pictures, and the last layers are scaled, so that scores are from 0 to 1
    and boxes differ from anchors and proposals by a part of their sides, as those of trained ones.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
    norms = [it for it in model.eval().modules() if isinstance(it, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # the mean of what it sees
        norm.reset_running_stats()
        norm.train()
    model(pictures)
    model.eval()
    for pattern in LAST:
        layers = {
            name: module
            for name, module in model.named_modules()
            if re.search(pattern, name) and isinstance(module, nn.Conv2d | nn.Linear)
        }
        for module in layers.values():
            nn.init.zeros_(module.bias)
        empty, found = outputs(model, layers, [nothing]), outputs(model, layers, pictures)
        for name, module in layers.items():
            shape = -1, *[1] * (module.weight.ndim - 1)
            if re.search("bbox|regression|mask", name):
                module.weight *= (3 if "mask" in name else 0.3) / found[name].std()
                continue
            # -9 of what is nothing, or of half of the pictures; 7 of the highest.
            low = found[name].median(0).values
            if len(empty[name]):
                low = empty[name].amax(0)
            scale = 16 / (found[name].amax(0) - low).clamp(min=1e-9)
            module.weight *= scale.view(shape)
            module.bias -= scale * low + 9
            if re.search("cls_score|module_list", name):  # the background's is 0
                background = torch.arange(len(module.bias)) % classes == 0
                module.weight[background], module.bias[background] = 0, 0


def outputs(
    model: nn.Module, layers: dict[str, nn.Module], images: list[Tensor]
) -> dict[str, Tensor]:
    """What comes out of some layers, [N, channels] each, N being 0 if none is reached."""
    seen = {name: [torch.zeros(0, len(layer.bias))] for name, layer in layers.items()}
    hooks = []
    for name, layer in layers.items():

        def keep(module: nn.Module, inputs: object, output: Tensor, name: str = name) -> None:
            seen[name].append(output.movedim(1, -1).flatten(0, -2))

        hooks.append(layer.register_forward_hook(keep))
    for image in images:
        model([image])
    for hook in hooks:
        hook.remove()
    return {name: torch.cat(values) for name, values in seen.items()}
