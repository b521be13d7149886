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

import torch
from torch import nn
from torchvision import models
from torchvision.io import write_png

import data
import evaluate
import export
import model
import predict
import train
from annotations import NUM_CLASSES, Record


def build_datasets(root: Path) -> tuple[data.Samples, data.Samples]:
    """List the eight images of noise in `root`, with two boxes each."""
    boxes = torch.tensor([[10.0, 10.0, 60.0, 60.0], [70.0, 20.0, 110.0, 80.0]])
    labels = torch.tensor([NUM_CLASSES - 1, NUM_CLASSES - 1])
    crowd = torch.zeros(2, dtype=torch.bool)
    records = [
        Record(root / f"{index}.png", 96, 128, boxes, labels, crowd)
        for index in range(8)
    ]
    return (
        data.Samples(records, data.train_transform),
        data.Samples(records, data.eval_transform),
    )


def build_model() -> nn.Module:
    """Build the model, for small images, to find objects untrained."""
    detector = model.build_model()
    detector.transform.min_size, detector.transform.max_size = (96,), 128
    detector.score_thresh = 0.0
    return detector


def call(script: Callable[[], None], *args: str) -> None:
    print(f"== {script.__module__} {' '.join(args)}", flush=True)
    sys.argv = [script.__module__, *args]
    train.EPOCHS = 2 if "--resume" in args else 1
    script()


def main() -> None:
    train.build_datasets = build_datasets
    data.WORKERS = 0
    train.BATCH_SIZE, train.LOG_EVERY = 4, 1
    data.REPEAT = 1
    # Load random weights in place of the pretrained ones, a head included.
    model.read_pretrained = lambda *_: models.detection.retinanet_resnet50_fpn_v2(
        weights=None, weights_backbone=None, num_classes=91, min_size=600, max_size=1000
    ).state_dict()
    for script in (train, evaluate, predict, export):
        script.build_model = build_model
    evaluate.build_eval_set = lambda root, *_: build_datasets(root)[1]
    export.build_eval_set = evaluate.build_eval_set
    export.AGREEMENT = 0.0  # untrained, chance picks among equals
    train.MONITOR = "box_AP"  # which made-up objects of any size have
    if "RANK" in os.environ:  # one of the two processes that are started below
        return call(train.main, *sys.argv[1:])

    os.environ.update(CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS="1")
    torch.set_num_threads(1)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    torchrun += ["--nproc-per-node=2", __file__]
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/0.png"
        for index in range(8):
            noise = torch.randint(256, (3, 96, 128), dtype=torch.uint8)
            write_png(noise, f"{folder}/{index}.png")
        options = ["--output", f"{folder}/run", "--data", folder]
        call(train.main, *options)
        subprocess.run([*torchrun, *options, "--resume"], check=True)
        best = f"{folder}/run/best.pt"
        call(evaluate.main, "--data", folder, "--checkpoint", best)
        answers = ["--json", f"{folder}/found.json", "--draw", f"{folder}/drawn"]
        export.DATA_DIR = Path(folder)
        call(predict.main, file, "--checkpoint", best, *answers)
        call(export.main, "--checkpoint", best)
    print("everything runs")


if __name__ == "__main__":
    main()
