#% if annotations.test
"""Evaluate a checkpoint: `python evaluate.py`, or with `--split test` at the end."""
#% else
"""Evaluate a checkpoint on the validation images: `python evaluate.py`."""
#% endif

import argparse
import json
import signal
import sys
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from math import isnan, nan
from operator import itemgetter
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
import torch.distributed as dist
from faster_coco_eval import COCO, COCOeval_faster
from faster_coco_eval.core import mask as rle
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision.ops import box_convert
from tqdm import tqdm

import checkpoint
import distributed
from annotations import CLASSES, DATA_DIR, data_folder, encode_shapes, read_masks
from data import (
    Samples,
    build_datasets,
    build_eval_loader,
    build_eval_set,
    outline,
    shrink,
    to_floats,
)
from model import build_model

CHECKPOINT = Path(__file__).parent / "runs/best.pt"
#% if evaluate.background
CATEGORIES = [{"id": k, "name": name} for k, name in enumerate(CLASSES)][1:]
#% else
CATEGORIES = [{"id": k, "name": name} for k, name in enumerate(CLASSES)]
#% endif
# COCO's average precision and recall: means over IoUs from 0.5 to 0.95, or at one; s, m
# and l are of objects below 32 x 32 pixels, below 96 x 96, and above. AR1 is of the
# best object found in an image, AR10 of the best ten, all else of MAX_DETECTIONS.
MAX_DETECTIONS = {{ evaluate.max_detections }}
NUMBERS = ("AP", "AP50", "AP75", "APs", "APm", "APl")
NUMBERS += ("AR1", "AR10", f"AR{MAX_DETECTIONS}", "ARs", "ARm", "ARl")
DRAWN_SCORE = 0.5  # detections with a lower score are not drawn


#% if annotations.difficult
class Evaluator(COCOeval_faster):
    """COCO's evaluator, with VOC's difficult objects, neither a hit nor a miss.

    A detection matches one by the same IoU as any object, a crowd of COCO's by lying
    inside.
    """

    def computeIoU(self, imgId: int, catId: int) -> Any:
        """Compute IoUs [detections, objects], the detections in the order of scores."""
        objects = self.gt_dataset.get_instances([imgId], [catId], True)[0][0]
        detected = self.dt_dataset.get_instances([imgId], [catId], True)[0][0]
        if not objects or not detected:
            return []
        detected = sorted(detected, key=lambda item: -item["score"])[: self.params.maxDets[-1]]
        #% if evaluate.masks
        shape = {"bbox": "bbox", "segm": "rle"}[self.params.iouType]
        #% else
        shape = "bbox"
        #% endif
        shapes = [[item[shape] for item in items] for items in (detected, objects)]
        return rle.iou(*shapes, [0] * len(objects))


#% endif
@dataclass
class Evaluation:
    """The results of `evaluate`; AP and AR are NaN where there is no object."""

    #% if evaluate.loss
    metrics: dict[str, float]  # of all classes together, as "box_AP"; and "loss"
    #% else
    metrics: dict[str, float]  # of all classes together, as "box_AP"
    #% endif
    by_class: dict[str, list[float]]  # AP and AP50 of each of CATEGORIES
    results: list[dict[str, Any]]  # all detections; [] but in the main process


def build_truth(dataset: Samples, monitor: str = "loss") -> COCO:
    """Collect the objects in the images of `dataset`; an image's id is its index + 1.

    Raises:
        ValueError: if there is none.
        SystemExit: if none counts for the metric `monitor`.
    """
    images, objects = [], []
    for image_id, record in enumerate(dataset.records, start=1):
        size = {"height": record.height, "width": record.width}
        images.append({"id": image_id, "file_name": str(record.file), **size})
        target = {"boxes": record.boxes, "labels": record.labels}
        others = {"iscrowd": record.crowd.int()}
        #% if annotations.areas
        others["area"] = record.areas
        #% endif
        #% if annotations.polygons
        objects += to_coco(image_id, target, encode_shapes(record), **others)
        #% elif evaluate.masks
        objects += to_coco(image_id, target, encode(read_masks(record)), **others)
        #% else
        objects += to_coco(image_id, target, **others)
        #% endif
    if all(item["iscrowd"] for item in objects):
        raise ValueError("the images to evaluate on have no objects to be found")
    truth = COCO(to_dataset(images, objects))
    check_monitor(truth, monitor)
    return truth


def check_monitor(truth: COCO, monitor: str) -> None:
    """Stop if no object counts for a metric, such as box_APl where none is large."""
    if monitor == "loss":
        return
    #% if evaluate.masks
    kind = monitor.partition("_")[0]
    metrics, _ = measure(truth, [], kind, {"box": "bbox", "mask": "segm"}[kind])
    #% else
    metrics, _ = measure(truth, [])
    #% endif
    if isnan(metrics[monitor]):
        raise SystemExit(f"no validation object counts for MONITOR = {monitor!r}; name another")


def evaluate(
    model: nn.Module, loader: DataLoader, truth: COCO | None, device: torch.device
) -> Evaluation:
    """Evaluate on this process's share of the images, and combine with all others'.

    The answer is the same in each process, and on any number of them. The truth is
    given to the main process, and to no other.
    """
    is_main = dist.get_rank() == 0
    share = []
    model.eval()
    progress = tqdm(loader, "evaluate", leave=False, disable=not is_main)
    #% if evaluate.loss
    for image, target, index in progress:
        (image,) = to_floats([image], device)
        objects = detect(model, image)
        #% if evaluate.masks
        masks = encode(objects["masks"])
        results = to_coco(index + 1, objects, masks, score=objects["scores"])
        #% else
        results = to_coco(index + 1, objects, score=objects["scores"])
        #% endif
        target = {name: values.to(device) for name, values in target.items()}
        #% if evaluate.two_stage
        share.append((index, results, compute_loss(model, image, target, index)))
        #% else
        share.append((index, results, compute_loss(model, image, target)))
        #% endif
    #% else
    for image, _, index in progress:
        objects = detect(model, *to_floats([image], device))
        #% if evaluate.masks
        masks = encode(objects["masks"])
        share.append((index, to_coco(index + 1, objects, masks, score=objects["scores"])))
        #% else
        share.append((index, to_coco(index + 1, objects, score=objects["scores"])))
        #% endif
    #% endif

    shares: list[list] = [[] for _ in range(dist.get_world_size())]
    dist.gather_object(share, shares if is_main else None)
    images = sorted(chain(*shares), key=itemgetter(0))
    results = [item for image in images for item in image[1]]
    answer: list[Any] = [None, None]
    if truth is not None:
        #% if evaluate.masks
        metrics, by_class = measure(truth, results, "box", "bbox")
        mask_metrics, mask_by_class = measure(truth, results, "mask", "segm")
        metrics |= mask_metrics
        by_class |= mask_by_class
        #% else
        metrics, by_class = measure(truth, results)
        #% endif
        #% if evaluate.loss
        metrics["loss"] = fmean(loss for _, _, loss in images)
        #% endif
        answer = [metrics, by_class]
    dist.broadcast_object_list(answer)
    return Evaluation(*answer, results)


@torch.no_grad()
def detect(model: nn.Module, image: Tensor) -> dict[str, Tensor]:
    """Detect objects in an image, float [3, H, W] from 0 to 1; `model` is in eval mode.

    #% if evaluate.masks
    Returns, on the CPU:
        "boxes", float [N, 4] in pixels; "labels", int64 [N]; "scores", float [N];
        "masks", bool [N, H, W].
    #% else
    Returns, on the CPU:
        "boxes", float [N, 4] in pixels; "labels", int64 [N]; "scores", float [N].
    #% endif
    """
    (objects,) = model([image])
    #% if evaluate.masks
    objects["masks"] = objects["masks"][:, 0] > 0.5
    #% endif
    return {name: values.cpu() for name, values in objects.items()}


#% if evaluate.loss
#% if evaluate.two_stage
@torch.no_grad()
def compute_loss(
    model: nn.Module, image: Tensor, target: dict[str, Tensor], seed: int
) -> float:
    """Return the sum of the losses on an image of `model`, which is in eval mode."""
    parts = [model, model.rpn, model.roi_heads]
    for part in parts:  # to get losses; batch norms, e.g., stay in eval mode
        part.training = True
    cuda = [image.device] if image.is_cuda else []
    with torch.random.fork_rng(cuda):  # keep training's random numbers
        torch.manual_seed(seed)  # for the choice of boxes that the losses are computed on
        losses = model([image], [target])
    for part in parts:
        part.training = False
    return sum(losses.values()).item()


#% else
@torch.no_grad()
def compute_loss(model: nn.Module, image: Tensor, target: dict[str, Tensor]) -> float:
    """Return the sum of the losses on an image of `model`, which is in eval mode."""
    model.training = True  # to get losses; batch norms, e.g., stay in eval mode
    losses = model([image], [target])
    model.training = False
    return sum(losses.values()).item()


#% endif
#% endif
#% if evaluate.masks
def measure(
    truth: COCO, results: list[dict[str, Any]], kind: str, iou_type: str
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Compute NUMBERS, and AP and AP50 of each of CATEGORIES, of boxes or of masks."""
    # COCO's tools take the area of the box where there is one.
    unused = {"box": "segmentation", "mask": "bbox"}[kind]
    detected = [{k: v for k, v in item.items() if k != unused} for item in results]
    #% if annotations.difficult
    evaluator = Evaluator(truth, truth.loadRes(detected), iou_type)
    #% else
    evaluator = COCOeval_faster(truth, truth.loadRes(detected), iou_type)
    #% endif
    #% else
def measure(
    truth: COCO, results: list[dict[str, Any]]
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Compute NUMBERS, and AP and AP50 of each of CATEGORIES."""
    detected = [item.copy() for item in results]  # COCO's tools write to them
    #% if annotations.difficult
    evaluator = Evaluator(truth, truth.loadRes(detected), "bbox")
    #% else
    evaluator = COCOeval_faster(truth, truth.loadRes(detected), "bbox")
    #% endif
    #% endif
    evaluator.params.maxDets = [1, 10, MAX_DETECTIONS]
    evaluator.run()
    # [IoUs, recalls, classes], for objects of any size and MAX_DETECTIONS an image.
    precision = evaluator.eval["precision"][:, :, :, 0, -1]
    #% if evaluate.masks
    overall = {f"{kind}_{n}": v for n, v in zip(NUMBERS, evaluator.stats, strict=True)}
    by_class = {f"{kind}_AP": precision.mean((0, 1)), f"{kind}_AP50": precision[0].mean(0)}
    #% else
    overall = {f"box_{n}": v for n, v in zip(NUMBERS, evaluator.stats, strict=True)}
    by_class = {"box_AP": precision.mean((0, 1)), "box_AP50": precision[0].mean(0)}
    #% endif
    return (
        {name: fraction(value) for name, value in overall.items()},
        {name: list(map(fraction, values)) for name, values in by_class.items()},
    )


def fraction(value: float) -> float:
    """Replace COCO's -1, a mean over nothing, by NaN."""
    return nan if value < 0 else float(value)


#% if evaluate.masks
def encode(masks: Tensor) -> list[dict[str, Any]]:
    """Encode masks, bool or uint8 [N, H, W], as compressed RLE."""
    # The encoder goes down an image's columns, which is fast if they are contiguous.
    encoded = rle.encode(masks.transpose(1, 2).contiguous().numpy().T)
    return [mask | {"counts": mask["counts"].decode()} for mask in encoded]


#% endif
def to_coco(
    image_id: int, objects: dict[str, Tensor]
    #% if evaluate.masks
    , masks: list[dict[str, Any]]
    #% endif
    , **others: Tensor
) -> list[dict[str, Any]]:
    """Convert the objects in an image to annotations as COCO writes them.

    Args:
        objects: "boxes", float [N, 4] in pixels; "labels", int64 [N].
        #% if evaluate.masks
        masks: the objects', as compressed RLE.
        #% endif
        others: further columns, [N] each, by COCO's names for them.
    """
    boxes = box_convert(objects["boxes"], "xyxy", "xywh")
    columns = {
        "category_id": objects["labels"].tolist(),
        "bbox": boxes.tolist(),
        #% if evaluate.masks
        "area": list(map(float, rle.area(masks))),
        "segmentation": masks,
        #% else
        "area": boxes[:, 2:].prod(1).tolist(),
        #% endif
        **{name: values.tolist() for name, values in others.items()},
    }
    return [
        {"image_id": image_id, **dict(zip(columns, row, strict=True))}
        for row in zip(*columns.values(), strict=True)
    ]


def to_dataset(
    images: list[dict[str, Any]], annotations: list[dict[str, Any]]
) -> dict[str, Any]:
    """Compose the content of a JSON file of COCO."""
    # Their ids begin with 1, as 0 stands for no object in COCO's tools.
    numbered = [
        {"id": number, "iscrowd": 0, **item}
        for number, item in enumerate(annotations, start=1)
    ]
    return {"images": images, "annotations": numbered, "categories": CATEGORIES}


#% if annotations.several_val
def to_results(
    dataset: Samples, results: list[dict[str, Any]]
) -> dict[Path, list[dict[str, Any]]]:
    #% if evaluate.masks
    """Results for each JSON file, with its ids, as COCO's tools take them.

    Those of classes that the file lacks are left out. For masks leave out "bbox":
    where there is one, the tools take its area.
    """
    #% else
    """Results for each JSON file, with its ids, as COCO's tools take them.

    Those of classes that the file lacks are left out.
    """
    #% endif
    answers: dict[Path, list[dict[str, Any]]] = {it.source: [] for it in dataset.records}
    for item in results:
        record = dataset.records[item["image_id"] - 1]
        if (category_id := record.category_ids.get(item["category_id"])) is not None:
            item = item | {"image_id": record.image_id, "category_id": category_id}
            answers[record.source].append(item)
    return answers


#% elif annotations.ids
def to_results(
    dataset: Samples, results: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    #% if evaluate.masks
    """Number results as the JSON file does, as COCO's tools take them.

    For masks leave out "bbox": where there is one, the tools take its area.
    """
    #% else
    """Number results as the JSON file does, as COCO's tools take them."""
    #% endif
    answer = []
    for item in results:
        record = dataset.records[item["image_id"] - 1]
        category_id = record.category_ids[item["category_id"]]
        answer.append(item | {"image_id": record.image_id, "category_id": category_id})
    return answer


#% endif
def summary(metrics: dict[str, float]) -> str:
    """Format the metrics of all classes together."""
    lines = [" " * 4 + "".join(f"{name:>8}" for name in NUMBERS)]
    #% if evaluate.masks
    for kind in ("box", "mask"):
        cells = (f"{metrics[f'{kind}_{name}']:8.4f}" for name in NUMBERS)
        lines.append(f"{kind:4}" + "".join(cells))
    #% else
    lines.append("box " + "".join(f"{metrics[f'box_{name}']:8.4f}" for name in NUMBERS))
    #% endif
    #% if evaluate.loss
    lines.append(f"loss{metrics['loss']:8.4f}")
    #% endif
    return "\n".join(lines).replace("nan", "  -")


def table(by_class: dict[str, list[float]], truth: COCO) -> str:
    """Format AP, AP50 and number of objects of each class."""
    objects = truth.dataset["annotations"]
    counts = Counter(item["category_id"] for item in objects if not item["iscrowd"])
    lines = ["".join(f"{name:11}" for name in by_class) + "objects  class"]
    for category, *values in zip(CATEGORIES, *by_class.values(), strict=True):
        # Undefined for a class without objects.
        cells = [f"{value:<11.4f}".replace("nan", "-  ") for value in values]
        lines.append("".join(cells) + f"{counts[category['id']]:7}  {category['name']}")
    return "\n".join(lines)


def draw_precisions(by_class: dict[str, list[float]]) -> Figure:
    """Draw the average precision of each class."""
    #% if evaluate.named
    figure = Figure(figsize=(8, 2 + 0.25 * len(CATEGORIES)), layout="constrained")
    #% else
    figure = Figure(figsize=(8, 10), layout="constrained")  # too small for names
    #% endif
    axes = figure.subplots()
    rows = range(len(CATEGORIES))
    #% if evaluate.masks
    axes.barh([row - 0.2 for row in rows], by_class["box_AP"], 0.4, label="boxes")
    axes.barh([row + 0.2 for row in rows], by_class["mask_AP"], 0.4, label="masks")
    axes.legend()
    #% else
    axes.barh(rows, by_class["box_AP"])
    #% endif
    #% if evaluate.named
    axes.set_yticks(rows, [item["name"] for item in CATEGORIES], parse_math=False)
    #% endif
    axes.set(xlabel="average precision", xlim=(0, 1))
    axes.invert_yaxis()
    return figure


def draw_results(
    dataset: Samples, results: list[dict[str, Any]], count: int = 8
) -> Figure:
    """Draw images from all over `dataset`, with true and with detected objects."""
    count = min(count, len(dataset))
    figure = Figure(figsize=(12, 4.5 * count), layout="constrained")
    pairs = figure.subplots(count, 2, squeeze=False)
    indices = torch.linspace(0, len(dataset) - 1, count).int().tolist()
    for index, (left, right) in zip(indices, pairs, strict=True):
        image, target, _ = dataset[index, 0]
        left.imshow(outline(*shrink(image, target)).permute(1, 2, 0))
        left.set_title(dataset.name(index), parse_math=False)
        items = [item for item in results if item["image_id"] == index + 1]
        items = [item for item in items if item["score"] >= DRAWN_SCORE]
        boxes = torch.tensor([item["bbox"] for item in items]).reshape(-1, 4)
        labels = torch.tensor([item["category_id"] for item in items])
        objects = {"boxes": box_convert(boxes, "xywh", "xyxy"), "labels": labels}
        #% if evaluate.masks
        masks = rle.decode([item["segmentation"] for item in items])
        size = len(items), *image.shape[1:]
        objects["masks"] = torch.from_numpy(masks).movedim(-1, 0).reshape(size)
        #% endif
        texts = [f"{CLASSES[item['category_id']]} {item['score']:.0%}" for item in items]
        right.imshow(outline(*shrink(image, objects), texts).permute(1, 2, 0))
        right.set_title("detected", parse_math=False)
    for axes in figure.axes:
        axes.axis("off")
    return figure


def load_model(path: Path, device: torch.device) -> nn.Module:
    """Load the model of a checkpoint, in eval mode."""
    state = checkpoint.load(path)
    checkpoint.check_classes(path, state["classes"], CLASSES)
    model = build_model().to(device).eval()
    checkpoint.load_model(model, state["model"], path)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description="Evaluate a checkpoint.")
    parser.add_argument("--data", type={{ data_folder }}, default=DATA_DIR)
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    #% if annotations.test
    parser.add_argument("--split", choices=["val", "test"], default="val")
    #% endif
    #% if annotations.several_val
    help = "files to write the detections to, a number after each one's name"
    parser.add_argument("--json", type=Path, help=help)
    #% else
    parser.add_argument("--json", type=Path, help="file to write the detections to")
    #% endif
    args = parser.parse_args()
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))  # Ctrl-C: no traceback

    device = distributed.init()
    model = load_model(args.checkpoint, device)
    dataset = {{ annotations.held_out.evaluated }}
    truth = build_truth(dataset) if dist.get_rank() == 0 else None
    evaluation = evaluate(model, build_eval_loader(dataset), truth, device)
    if truth is not None:
        print(summary(evaluation.metrics))
        print(table(evaluation.by_class, truth))
        pictures = {
            "average_precision.png": draw_precisions(evaluation.by_class),
            "predictions.png": draw_results(dataset, evaluation.results),
        }
        for name, figure in pictures.items():
            #% if annotations.test
            name = {"val": name, "test": f"test_{name}"}[args.split]
            #% endif
            picture = args.checkpoint.with_name(name)
            figure.savefig(picture)
            print(picture)
        if args.json:
            args.json.parent.mkdir(parents=True, exist_ok=True)
            #% if annotations.several_val
            answers = to_results(dataset, evaluation.results)
            for number, (source, answer) in enumerate(answers.items(), 1):
                path = args.json.with_stem(f"{args.json.stem}_{number}")
                path.write_text(json.dumps(answer))
                print(f"{path}: of {source}")
            #% else
            #% if annotations.ids
            answer = to_results(dataset, evaluation.results)
            #% else
            answer = to_dataset(truth.dataset["images"], evaluation.results)
            #% endif
            args.json.write_text(json.dumps(answer))
            #% endif
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
