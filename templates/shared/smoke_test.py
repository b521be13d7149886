"""A minute's check after a hand edit, on made-up {{ sample }}s: `python smoke_test.py`.

Trains in one process, resumes in two, evaluates, predicts and exports: on
#% if train.amp
the CPU, in full precision, from random weights, and in a temporary folder.
#% else
the CPU, from random weights, and in a temporary folder.
#% endif
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import av
import numpy
import timm
import torch
from torch import nn
from torchcodec.encoders import VideoEncoder
from torchvision import models
from torchvision.datasets import FakeData
from torchvision.io import write_png
from torchvision.transforms import v2

import data
import evaluate
import export
import model
import predict
import train
from annotations import NUM_CLASSES, Record
from data import IMAGE_SIZE
from model import TSN


#% include folder ~ "/smoke_test/datasets.py"


def call(script: Callable[[], None], *args: str) -> None:
    print(f"== {script.__module__} {' '.join(args)}", flush=True)
    sys.argv = [script.__module__, *args]
    train.EPOCHS = 2 if "--resume" in args else 1
    script()


def main() -> None:
    train.build_datasets = build_datasets
    data.WORKERS = 0
    train.BATCH_SIZE, train.LOG_EVERY = 4, 1
    #% if batches.repeat
    data.REPEAT = 1
    #% endif
    #% if train.amp
    # Half precision takes minutes on many a CPU.
    torch.autocast = partial(torch.autocast, enabled=False)
    #% endif
    #% if model.pretrained
    # Load random weights in place of the pretrained ones, a head included.
    model.read_pretrained = lambda *_: {{ model.published }}
    #% endif
    #% filter indented(4)
    #% include folder ~ "/smoke_test/setup.py"
    #% endfilter
    if "RANK" in os.environ:  # one of the two processes that are started below
        return call(train.main, *sys.argv[1:])

    os.environ.update(CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS="1")
    #% if train.wandb
    os.environ["WANDB_MODE"] = "disabled"
    #% endif
    torch.set_num_threads(1)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    torchrun += ["--nproc-per-node=2", __file__]
    with tempfile.TemporaryDirectory() as folder:
        #% if train.mlflow
        os.environ["MLFLOW_TRACKING_URI"] = f"file:{folder}/mlflow"
        os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
        #% endif
        #% filter indented(8)
        #% include folder ~ "/smoke_test/images.py"
        #% endfilter
        options = ["--output", f"{folder}/run", "--data", folder]
        call(train.main, *options)
        subprocess.run([*torchrun, *options, "--resume"], check=True)
        best = f"{folder}/run/best.pt"
        call(evaluate.main, "--data", folder, "--checkpoint", best)
        #% filter indented(8)
        #% include folder ~ "/smoke_test/answers.py"
        #% endfilter
        call(predict.main, file, "--checkpoint", best, *answers)
        call(export.main, "--checkpoint", best)
    print("everything runs")


if __name__ == "__main__":
    main()
