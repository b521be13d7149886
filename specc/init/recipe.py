"""Which model and how to train it, by the task and how much data there are."""

from typing import Any

from specc.init.found import Found

STEPS = 6_000  # that a fine-tuning takes, about
EPOCHS = range(8, 61)
IMBALANCE = 10  # of the largest class to the smallest, from which on they are balanced

Sections = dict[str, dict[str, Any]]


def recipe(found: Found, model: str | None, epochs: int | None) -> tuple[str, Sections]:
    """Return the reason, in a line, and the sections of the spec beside `[data]`.

    Few samples of a class train a new head on frozen features, more of them the whole of a
    convolutional network, and many a larger one with AdamW: the ways of torchvision's
    transfer-learning tutorial, and of its and timm's recipes for fine-tuning.
    """
    each = found.train / max(1, len(found.counts))
    why, sections = _by_amount(found, each)
    if model:
        sections["model"] = {"name": model}
        why = "with the model that was asked for"
    batch = sections["train"]["batch_size"]
    while batch > 2 and batch * 4 > found.train:
        batch //= 2
    sections["train"]["batch_size"] = batch
    wanted = round(STEPS * batch / max(1, found.train))
    sections["schedule"] = {
        "epochs": epochs or min(max(wanted, EPOCHS[0]), EPOCHS[-1]),
        "warmup": {"epochs": 1},
    }
    return why, sections


def _by_amount(found: Found, each: float) -> tuple[str, Sections]:
    match found.task:
        case "detection":
            return "a Faster R-CNN that knows COCO's objects", {
                "model": {"name": "fasterrcnn_resnet50_fpn_v2"},
                "optim": {"lr": 0.005, "weight_decay": 5e-4},
                "train": {"batch_size": 4},
            }
        case "instance-segmentation":
            return "a Mask R-CNN that knows COCO's objects", {
                "model": {"name": "maskrcnn_resnet50_fpn_v2"},
                "optim": {"lr": 0.005, "weight_decay": 5e-4},
                "train": {"batch_size": 4},
            }
        case "video-classification" if each < 100:
            return "few videos a class: frames alone, by a TSN", {
                "model": {"name": "tsn", "backbone": "resnet50"},
                "optim": {"lr": 0.005, "clip_norm": 40},
                "train": {"batch_size": 16},
            }
        case "video-classification":
            return "an R(2+1)D that knows Kinetics' actions", {
                "model": {"name": "r2plus1d_18"},
                "optim": {"lr": 0.005, "head_lr": 0.02},
                "train": {"batch_size": 16},
            }
    if each < 50:
        return "few images a class: only a new head is trained", {
            "model": {"name": "resnet50", "freeze": "backbone"},
            "optim": {"name": "adamw", "lr": 1e-3},
            "train": {"batch_size": 32},
        }
    if each < 1000:
        return "some hundred images a class: all of a ResNet-50, its head faster", {
            "model": {"name": "resnet50"},
            "optim": {"lr": 0.005, "head_lr": 0.05},
            "train": {"batch_size": 64},
        }
    return "many images a class: all of a ConvNeXt", {
        "model": {"name": "convnext_tiny"},
        "optim": {
            "name": "adamw",
            "no_decay": ["norm", "bias"],
            "lr": 2e-4,
            "weight_decay": 0.05,
        },
        "train": {"batch_size": 64, "ema": 0.999},
    }


def imbalance(found: Found) -> float:
    """Return how many times as many samples the largest class has as the smallest."""
    counts = [count for count in found.counts.values() if count]
    return max(counts) / min(counts) if counts else 1.0
