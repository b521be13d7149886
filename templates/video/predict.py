"""Name the class of videos: `python predict.py clip.mp4 folder 'more/*.avi'`."""

import argparse
import csv
import glob
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

import checkpoint
from data import build_loader, draw, eval_clip, normalize, test_views
from model import build_model, score
from video import is_video_file

CHECKPOINT = Path(__file__).parent / "runs/best.pt"
TOPK = {{ predicted }}  # classes to name for a video
DRAWN = 16  # videos on a picture, the first ones


@dataclass
class Files(Dataset[tuple[Tensor, str]]):
    #% if data.testing
    """Views of videos, uint8 [V, T, 3, H, W], with error messages.

    The message is "" if the video was read; an unreadable video has no view.
    """
    #% else
    """Clips of videos, uint8 [T, 3, H, W], with error messages.

    The message is "" if the video was read; an unreadable one has no frames.
    """
    #% endif

    paths: list[str]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, str]:
        try:
            #% if data.testing
            return test_views(Path(self.paths[index])), ""
            #% else
            return eval_clip(Path(self.paths[index])), ""
            #% endif
        except RuntimeError as error:
            return torch.empty(0), str(error)


#% include "shared/find.py"


@torch.inference_mode()
def predict(
    model: nn.Module, files: list[str], device: torch.device
) -> Iterator[tuple[Tensor, str, Tensor]]:
    """Yield for each file a clip, its error, and probabilities [NUM_CLASSES]."""
    for clip, error in build_loader(Files(files), batch_size=None):
        if error:
            yield clip, error, clip
            continue
        #% if data.testing
        logits = score(model, clip[None].to(device, non_blocking=True))
        yield clip[0], error, logits[0].softmax(0).cpu()
        #% else
        logits = model(normalize(clip[None].to(device, non_blocking=True)))
        yield clip, error, logits[0].softmax(0).cpu()
        #% endif


#% include "classification/answers.py"


if __name__ == "__main__":
    main()
