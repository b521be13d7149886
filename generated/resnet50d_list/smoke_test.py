"""A minute's check after a hand edit, on made-up images: `python smoke_test.py`.

Trains in one process, resumes in two, evaluates, predicts and exports: on
the CPU, from random weights, and in a temporary folder.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import timm
import torch
from torchvision.datasets import FakeData

import data
import evaluate
import export
import model
import predict
import train
from data import IMAGE_SIZE


def build_datasets(root: Path) -> tuple[data.Samples, data.Samples]:
    """List the eight images of noise in `root`, for training and for validation."""
    files = [root / f"{index}.png" for index in range(8)]
    classes = [f"class {number}" for number in range(data.NUM_CLASSES)]
    labels = [index % data.NUM_CLASSES for index in range(8)]
    return (
        data.Samples(files, labels, classes, data.train_transform),
        data.Samples(files, labels, classes, data.eval_transform),
    )


def call(script: Callable[[], None], *args: str) -> None:
    print(f"== {script.__module__} {' '.join(args)}", flush=True)
    sys.argv = [script.__module__, *args]
    train.EPOCHS = 2 if "--resume" in args else 1
    script()


def main() -> None:
    train.build_datasets = build_datasets
    data.WORKERS = 0
    train.BATCH_SIZE, train.LOG_EVERY = 4, 1
    # Load random weights in place of the pretrained ones, a head included.
    model.read_pretrained = lambda *_: timm.create_model(
        "resnet50d", num_classes=1000
    ).state_dict()
    evaluate.build_eval_set = lambda root, *_: build_datasets(root)[1]
    if "RANK" in os.environ:  # one of the two processes that are started below
        return call(train.main, *sys.argv[1:])

    os.environ.update(CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS="1")
    torch.set_num_threads(1)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    torchrun += ["--nproc-per-node=2", __file__]
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/0.png"
        noise = FakeData(8, (3, IMAGE_SIZE, IMAGE_SIZE))
        for index in range(8):
            noise[index][0].save(f"{folder}/{index}.png")
        options = ["--output", f"{folder}/run", "--data", folder]
        call(train.main, *options)
        subprocess.run([*torchrun, *options, "--resume"], check=True)
        best = f"{folder}/run/best.pt"
        call(evaluate.main, "--data", folder, "--checkpoint", best)
        answers = ["--csv", f"{folder}/answers.csv", "--draw", f"{folder}/drawn.png"]
        call(predict.main, file, "--checkpoint", best, *answers)
        call(export.main, "--checkpoint", best)
    print("everything runs")


if __name__ == "__main__":
    main()
