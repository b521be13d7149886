"""A minute's check after a hand edit, on made-up images: `python smoke_test.py`.

Trains in one process and in two, resumes, evaluates, predicts and exports: on the CPU,
without pretrained weights, and in a temporary folder.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torchvision.datasets import FakeData
from torchvision.transforms.v2.functional import pil_to_tensor

import data
import evaluate
import export
import predict
import train


def build_datasets(root: Path) -> tuple[data.Samples, data.Samples]:
    """Eight images of noise, for training and for validation."""
    shape = (3, data.IMAGE_SIZE, data.IMAGE_SIZE)
    source = FakeData(8, shape, data.NUM_CLASSES, transform=pil_to_tensor)
    source.classes = [f"class {label}" for label in range(data.NUM_CLASSES)]
    names = [f"made-up image {index}" for index in range(8)]
    return (
        data.Samples(source, names, data.train_transform),
        data.Samples(source, names, data.eval_transform),
    )


def call(script: Callable[[], None], *args: str) -> None:
    print(f"== {script.__module__} {' '.join(args)}", flush=True)
    sys.argv = [script.__module__, *args]
    train.EPOCHS = 2 if "--resume" in args else 1
    script()


def main() -> None:
    train.build_datasets = evaluate.build_datasets = build_datasets
    data.WORKERS = 0
    train.BATCH_SIZE, train.LOG_EVERY = 4, 1
    #% if model.weights
    train.load_pretrained = lambda model: None
    #% endif
    if "RANK" in os.environ:  # this is one of the two processes that are started below
        return call(train.main, *sys.argv[1:])

    os.environ.update(CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS="1")
    torch.set_num_threads(1)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    with tempfile.TemporaryDirectory() as folder:
        for options in ([], ["--resume"]):
            call(train.main, "--output", f"{folder}/1", *options)
            command = [*torchrun, "--nproc-per-node=2", __file__]
            subprocess.run([*command, "--output", f"{folder}/2", *options], check=True)
        best, image = f"{folder}/2/best.pt", f"{folder}/image.png"
        FakeData()[0][0].save(image)
        call(evaluate.main, "--checkpoint", best)
        answers = ["--csv", f"{folder}/answers.csv", "--draw", f"{folder}/drawn.png"]
        call(predict.main, image, "--checkpoint", best, *answers)
        call(export.main, "--checkpoint", best)
    print("everything runs")


if __name__ == "__main__":
    main()
