"""Evaluate a checkpoint on the validation images: `python evaluate.py`."""

import argparse
import signal
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchmetrics import MeanMetric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix
from tqdm import tqdm

import checkpoint
import distributed
from data import DATA_DIR, NUM_CLASSES, build_eval_loader, build_eval_set, normalize
from model import build_model

CHECKPOINT = Path(__file__).parent / "runs/best.pt"


@torch.inference_mode()
def evaluate(
    model: nn.Module, loader: DataLoader, device: torch.device
) -> tuple[dict[str, float], Tensor]:
    """Evaluate on this process's share of the samples, and combine with all others'.

    Returns:
        The mean cross entropy and metrics, as fractions, each sample counted once; and
        the confusion matrix, int64 [NUM_CLASSES, NUM_CLASSES], a row per true class.
    """
    loss = MeanMetric().to(device)
    # Without groups: metrics that agree on the first batch need not on all.
    metrics = MetricCollection(
        {
            "top1": MulticlassAccuracy(NUM_CLASSES, 1, "micro"),
            "top5": MulticlassAccuracy(NUM_CLASSES, 5, "micro"),
        },
        compute_groups=False,
    ).to(device)
    confusion = MulticlassConfusionMatrix(NUM_CLASSES).to(device)
    model.eval()
    progress = tqdm(loader, "evaluate", leave=False, disable=dist.get_rank() > 0)
    for inputs, labels, _ in progress:
        labels = labels.to(device, non_blocking=True)
        with torch.autocast(device.type, torch.float16):  # as in training
            logits = model(normalize(inputs.to(device, non_blocking=True)))
        logits = logits.float()
        loss.update(F.cross_entropy(logits, labels, reduction="none"))
        metrics.update(logits, labels)
        confusion.update(logits, labels)
    values = {"loss": loss.compute(), **metrics.compute()}
    return {k: v.item() for k, v in values.items()}, confusion.compute().cpu()


def draw_confusion(confusion: Tensor, classes: list[str]) -> Figure:
    """Draw a confusion matrix, int64 [C, C] with a row for each true class."""
    side = 10  # inches; too few for names and counts
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    shares = confusion / confusion.sum(1, keepdim=True).clamp(min=1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_title(
        f"{len(classes)} classes, {classes[0]} to {classes[-1]}", parse_math=False
    )
    axes.set(xlabel="predicted", ylabel="true")
    return figure


def table(confusion: Tensor, classes: list[str]) -> str:
    """Format precision, recall (accuracy), F1 and number of images of each class."""
    correct, predicted, true = confusion.diag(), confusion.sum(0), confusion.sum(1)
    columns = [correct / predicted, correct / true, 2 * correct / (predicted + true)]
    columns = [share.where(true > 0, torch.nan) for share in columns]
    lines = ["precision  recall      f1  images  class"]
    for *shares, count, name in zip(*columns, true, classes, strict=True):
        # Undefined for a class that is never predicted, or has no sample.
        precision, recall, f1 = (
            f"{share:.4f}".replace("nan", "  -") for share in shares
        )
        lines.append(f"{precision:>9}  {recall:>6}  {f1:>6}  {count:>6}  {name}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Evaluate a checkpoint.")
    parser.add_argument("--data", type=Path, default=DATA_DIR)
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    args = parser.parse_args()
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))  # Ctrl-C: no traceback

    device = distributed.init()
    state = checkpoint.load(args.checkpoint)
    dataset = build_eval_set(args.data)
    checkpoint.check_classes(args.checkpoint, state["classes"], dataset.classes)
    model = build_model().to(device)
    checkpoint.load_model(model, state["model"], args.checkpoint)
    metrics, confusion = evaluate(model, build_eval_loader(dataset), device)
    if dist.get_rank() == 0:
        for name, value in metrics.items():
            print(f"{name:8} {value:.4f}")
        print(table(confusion, state["classes"]))
        picture = args.checkpoint.with_name("confusion_matrix.png")
        draw_confusion(confusion, state["classes"]).savefig(picture)
        print(picture)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
