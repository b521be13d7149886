"""Projects whose detector finds what a test has stored, made up from the truth.

What is found is moved, doubled, of another class, missing, or nowhere in the truth, and scores are
often equal: all that can go wrong. An image's colour says which detections are its own.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from projects import Project, compile_spec
from pycocotools import mask as rle
from torch import Tensor

CLASSES = ["__background__", "cat", "dog", "no such animal", "cow"]
SIZE = (210, 300)

SPEC = """
task = "{task}"
[model]
name = "{model}"
weights = "none"
[data]
format = "coco"
keep_empty = true
train = {{ images = "images", json = "truth.json" }}
val = {{ images = "images", json = "truth.json" }}
[train]
batch_size = 1
workers = 0
[evaluate]
loss = {loss}
max_detections = {most}
"""

MODEL = """
import torch
from torch import nn


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.rpn, self.roi_heads, self.norm = nn.Module(), nn.Module(), nn.BatchNorm2d(3)
        self.detections = torch.load("detections.pt")

    def forward(self, images, targets=None):
        index = round(images[0][0, 0, 0].item() * 255)
        self.norm(images[0][None])
        if not self.training:
            return [dict(self.detections[index])]
        assert targets[0]["boxes"].shape[1] == 4 and not self.norm.training
        return {"a": torch.rand(()), "b": targets[0]["boxes"].mean().nan_to_num() / (index + 3)}


def build_model():
    return Detector()
"""


def make_project(*, masks: bool, loss: bool = True, most: int = 100, spec: str = SPEC) -> Project:
    """One whose detector finds what `detections.pt` says in the images of `truth.json`."""
    task = "instance-segmentation" if masks else "detection"
    model = "maskrcnn_resnet50_fpn" if masks else "fasterrcnn_resnet50_fpn"
    project = compile_spec(spec.format(task=task, model=model, loss=str(loss).lower(), most=most))
    (project.folder / "model.py").write_text(MODEL)
    state = project.module("model").build_model().state_dict()
    torch.save({"model": state, "classes": CLASSES}, "best.pt")
    return project


def ellipses(boxes: Tensor, squeeze: float = 1.0) -> Tensor:
    """Masks, uint8 [N, H, W], of what fills boxes."""
    y = torch.arange(SIZE[0])[:, None] + 0.5
    x = torch.arange(SIZE[1])[None] + 0.5
    masks = torch.zeros(len(boxes), *SIZE, dtype=torch.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.tolist(), strict=True):
        across = (2 * x - x1 - x2) / (x2 - x1)
        down = (2 * y - y1 - y2) / (y2 - y1)
        mask[across**2 + down**2 <= squeeze] = 1
    return masks


def random_boxes(count: int, generator: torch.Generator) -> Tensor:
    sides = torch.rand(count, 2, generator=generator) ** 2 * 190 + 6
    centres = torch.rand(count, 2, generator=generator) * torch.tensor(SIZE[::-1])
    boxes = torch.cat([centres - sides / 2, centres + sides / 2], dim=1)
    boxes[:, 0::2].clamp_(0, SIZE[1])
    boxes[:, 1::2].clamp_(0, SIZE[0])
    return boxes.mul(8).round() / 8  # that JSON and 32 bits have exactly


def make_up(seed: int, images: int = 15) -> tuple[list[dict[str, Tensor]], list[dict[str, Tensor]]]:
    """The objects in each image, and what a detector finds."""
    generator = torch.Generator().manual_seed(seed)
    kinds = torch.tensor([1, 2, 4])
    truth, detections = [], []
    for index in range(images):
        count = [0, 1, 9, 30][index % 4]
        boxes = random_boxes(count, generator)
        labels = kinds[torch.randint(3, (count,), generator=generator)]
        crowd = torch.rand(count, generator=generator) < 0.2
        record = {"boxes": boxes, "labels": labels, "crowd": crowd, "masks": ellipses(boxes)}
        truth.append(record)

        doubled = torch.cat([boxes, boxes])
        sides = (doubled[:, 2:] - doubled[:, :2]).repeat(1, 2)
        moved = doubled + 0.12 * sides * torch.randn(2 * count, 4, generator=generator)
        others = random_boxes([0, 3, 140][index % 3], generator)
        found = torch.cat([moved, others])
        found = found[(found[:, 2:] - found[:, :2] > 2).all(1)]
        found[:, 0::2].clamp_(0, SIZE[1])
        found[:, 1::2].clamp_(0, SIZE[0])
        named = torch.cat([labels, labels, kinds[torch.randint(3, (150,), generator=generator)]])
        scores = torch.rand(len(found), generator=generator)
        scores[::3] = scores[::3].mul(10).round() / 10  # equal ones
        soft = 0.9 * ellipses(found, 0.9)[:, None].float()
        detections.append(
            {"boxes": found, "labels": named[: len(found)], "scores": scores, "masks": soft}
        )
    return truth, detections


def write(truth: list[dict[str, Tensor]], detections: list[dict[str, Tensor]], masks: bool) -> None:
    """The truth as COCO's JSON, and images whose colour is their number."""
    Path("images").mkdir(exist_ok=True)
    dataset = to_dataset(truth)
    for image in dataset["images"]:
        Image.new("RGB", SIZE[::-1], (image["id"],) * 3).save(Path("images", image["file_name"]))
    Path("truth.json").write_text(json.dumps(dataset))
    if not masks:
        detections = [{k: v for k, v in d.items() if k != "masks"} for d in detections]
    torch.save(detections, "detections.pt")


def to_dataset(truth: list[dict[str, Tensor]]) -> dict[str, Any]:
    dataset: dict[str, Any] = {"images": [], "annotations": []}
    dataset["categories"] = [{"id": k, "name": CLASSES[k]} for k in range(1, len(CLASSES))]
    for image, record in enumerate(truth):
        size = {"height": SIZE[0], "width": SIZE[1]}
        dataset["images"].append({"id": image, "file_name": f"{image}.png", **size})
        for box, label, crowd, mask in zip(*record.values(), strict=True):
            annotation = {"id": len(dataset["annotations"]) + 1, "image_id": image}
            annotation |= {"category_id": label.item(), "iscrowd": int(crowd)}
            annotation |= {"bbox": xywh(box), "segmentation": encode(mask)}
            annotation["area"] = 0.8 * float(mask.sum())  # whatever it is, it counts
            dataset["annotations"].append(annotation)
    return dataset


def encode(mask: Tensor) -> dict[str, Any]:
    encoded: dict[str, Any] = rle.encode(np.asfortranarray(mask.numpy().astype(np.uint8)))
    return encoded | {"counts": encoded["counts"].decode()}


def xywh(box: Tensor) -> list[float]:
    x1, y1, x2, y2 = box
    return [x1.item(), y1.item(), (x2 - x1).item(), (y2 - y1).item()]
