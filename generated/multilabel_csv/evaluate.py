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
from torchmetrics import MeanMetric
from torchmetrics.classification import MultilabelAveragePrecision, MultilabelStatScores
from tqdm import tqdm

import checkpoint
import distributed
from data import (
    DATA_DIR,
    NUM_CLASSES,
    build_eval_loader,
    build_eval_set,
    data_folder,
    normalize,
)
from model import build_model

CHECKPOINT = Path(__file__).parent / "runs/best.pt"


@torch.inference_mode()
def evaluate(
    model: nn.Module, loader: DataLoader, device: torch.device
) -> tuple[dict[str, float], Tensor]:
    """Evaluate on this process's share of the samples, and combine with all others'.

    Returns:
        The mean binary cross entropy, the mean average precision and other metrics, as
        fractions, each sample counted once, means over the classes that an image has;
        and the average precision of each class, float [NUM_CLASSES], NaN for others.
    """
    loss = MeanMetric().to(device)
    average_precision = MultilabelAveragePrecision(NUM_CLASSES, average="none").to(
        device
    )
    counts = MultilabelStatScores(NUM_CLASSES, average="none").to(device)
    model.eval()
    progress = tqdm(loader, "evaluate", leave=False, disable=dist.get_rank() > 0)
    for images, labels, _ in progress:
        labels = labels.to(device, non_blocking=True)
        with torch.autocast(device.type, torch.bfloat16):  # as in training
            logits = model(normalize(images.to(device, non_blocking=True)))
        logits = logits.float()
        losses = F.binary_cross_entropy_with_logits(logits, labels, reduction="none")
        loss.update(losses.mean(1))
        # The metrics apply a sigmoid only to batches with a logit outside [0, 1].
        probabilities, labels = logits.sigmoid(), labels.int()
        average_precision.update(probabilities, labels)
        counts.update(probabilities, labels)
    present = counts.compute()[:, -1] > 0  # the last column counts the positives
    precisions = average_precision.compute().where(present, torch.nan)
    values = {"loss": loss.compute(), "mAP": precisions.nanmean()}
    return {k: v.item() for k, v in values.items()}, precisions.cpu()


def draw_precisions(precisions: Tensor, classes: list[str]) -> Figure:
    """Draw the average precision of each class, float [C]."""
    figure = Figure(figsize=(8, 2 + 0.25 * len(classes)), layout="constrained")
    axes = figure.subplots()
    axes.barh(range(len(classes)), precisions.nan_to_num())
    axes.set_yticks(range(len(classes)), classes, parse_math=False)
    axes.set(xlabel="average precision", xlim=(0, 1))
    axes.invert_yaxis()
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description="Evaluate a checkpoint.")
    parser.add_argument("--data", type=data_folder, default=DATA_DIR)
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    args = parser.parse_args()
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))  # Ctrl-C: no traceback

    device = distributed.init()
    state = checkpoint.load(args.checkpoint)
    dataset = build_eval_set(args.data, state["classes"])
    checkpoint.check_classes(args.checkpoint, state["classes"], dataset.classes)
    model = build_model().to(device)
    checkpoint.load_model(model, state["model"], args.checkpoint)
    metrics, precisions = evaluate(model, build_eval_loader(dataset), device)
    if dist.get_rank() == 0:
        for name, value in metrics.items():
            print(f"{name:8} {value:.4f}")
        print("average precision")
        for name, value in zip(state["classes"], precisions.tolist(), strict=True):
            shown = f"{value:.4f}".replace("nan", "-")  # of a class that no image has
            print(f"{shown:>17}  {name}")
        picture = args.checkpoint.with_name("average_precision.png")
        draw_precisions(precisions, state["classes"]).savefig(picture)
        print(picture)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
