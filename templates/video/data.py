"""The videos, what the model sees of them, and the loaders.

Any number of processes and workers trains on the same batches of the same samples.
"""

import argparse
import csv
import glob
import os
import re
import signal
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from matplotlib.figure import Figure
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F
from tqdm import tqdm

import distributed
from video import is_video_file, read_video

{{ data.data_dir }}
NUM_CLASSES = {{ data.num_classes }}
#% if data.segments
SEGMENTS = {{ data.segments }}  # of a video; the model sees a frame of each
#% else
FRAMES = {{ data.frames }}  # of a clip
#% if data.fps
FPS = {{ data.fps }}  # frames of a clip in a second of the video
#% else
STRIDE = {{ data.stride }}  # from one frame of a clip to the next, in frames of the video
#% endif
#% endif
IMAGE_SIZE = {{ data.image_size }}  # pixels, height and width
MEAN = {{ data.mean }}
STD = {{ data.std }}
EVAL_BATCH_SIZE = {{ data.eval_batch_size }}  # videos, for each rank
#% if data.testing
#% if data.segments
TEST_SEGMENTS = {{ data.testing.clips }}  # of a video when the trained model is tested
#% else
TEST_CLIPS = {{ data.testing.clips }}  # of a video when the trained model is tested
#% endif
#% endif
WORKERS = {{ data.workers }}  # processes that read videos, for each rank
#% if data.multi_scale_crop
#% if data.rectangle
SCALES = (1.0, 0.875, 0.75, 0.66)  # of a crop's sides, by the largest in the frame
#% else
SCALES = (1.0, 0.875, 0.75, 0.66)  # of a crop's sides, by the short side of the frame
#% endif
#% endif
#% for setting in data.settings
{{ setting }}
#% endfor

#% if data.multi_scale_crop
def multi_scale_crop(frames: Tensor) -> Tensor:
    """Cut the same rectangle out of all frames, uint8 [..., H, W], and resize it.

    Its sides are two of SCALES that are equal or neighbours, and it lies in a corner or
    in the middle (TSN, arXiv 1608.00859).
    """
    height, width = frames.shape[-2:]
    #% if data.rectangle
    largest = min(height / IMAGE_SIZE[0], width / IMAGE_SIZE[1])
    highs = [round(largest * IMAGE_SIZE[0] * scale) for scale in SCALES]
    wides = [round(largest * IMAGE_SIZE[1] * scale) for scale in SCALES]
    shapes = [(y, x) for i, y in enumerate(highs) for x in wides[max(i - 1, 0) : i + 2]]
    #% else
    sides = [round(min(height, width) * scale) for scale in SCALES]
    shapes = [(y, x) for i, y in enumerate(sides) for x in sides[max(i - 1, 0) : i + 2]]
    #% endif
    high, wide = shapes[int(torch.randint(len(shapes), ()))]
    places = [(0, 0), (0, 2), (1, 1), (2, 0), (2, 2)]  # in halves of the room there is
    y, x = places[int(torch.randint(5, ()))]
    top, left = y * (height - high) // 2, x * (width - wide) // 2
    return F.resized_crop(frames, top, left, high, wide, [{{ data.sides }}])


#% endif
#% if data.fit.template
#% include data.fit.template


#% endif
# Transforms of uint8 frames [T, 3, H, W]; `normalize` makes them floats, on the device.
train_transform = v2.Compose(
    [
        #% for transform in data.train_transforms
        #% if transform.function is defined and transform.function == "v2.AugMix"
        v2.Lambda(tv_tensors.Video),  # or each frame would be mixed in its own way
        #% endif
        {{ transform }},
        #% endfor
    ]
)
eval_transform = v2.Compose(
    [
        #% for transform in data.eval_transforms
        {{ transform }},
        #% endfor
    ]
)
#% if data.testing and data.testing.cut
# Before several crops are cut out.
test_transform = {{ data.testing.resize }}
#% endif


def normalize(clips: Tensor) -> Tensor:
    #% if data.segments
    """Turn uint8 [..., 3, H, W] into floats of about zero mean and unit variance."""
    return F.normalize(F.to_dtype(clips, torch.float32, scale=True), MEAN, STD)
    #% else
    """Turn uint8 [B, T, 3, H, W] into floats of about zero mean and unit variance.

    They are [B, 3, T, H, W], as the model takes them.
    """
    clips = F.normalize(F.to_dtype(clips, torch.float32, scale=True), MEAN, STD)
    return clips.transpose(1, 2)
    #% endif


#% if data.segments
def place_frames(count: int, segments: int, random: bool) -> Tensor:
    """Choose a frame of each segment of a video; return the numbers, int64 [segments].

    The segments divide the `count` frames evenly. A segment gives a random frame, or
    the one in its middle; a video with fewer frames gives some several times.
    """
    within = torch.rand(segments) if random else 0.5
    numbers = (torch.arange(segments) + within) * count / segments
    return numbers.long().clamp(max=count - 1)
#% elif data.fps
def place_clips(times: Tensor, clips: int, random: bool) -> Tensor:
    """Choose the frames of clips; return their numbers, int64 [clips, FRAMES].

    The video shows its frames at `times`, float64 [N] seconds. The time in which a clip
    can begin is divided evenly, and one begins anywhere in each part, or in its middle.
    A clip that is longer than the video goes on at the video's beginning.
    """
    within = torch.rand(clips) if random else 0.5
    room = (times[-1] - (FRAMES - 1) / FPS).clamp(min=0)
    begin = (torch.arange(clips, dtype=torch.float64) + within) / clips * room
    wanted = begin[:, None] + torch.arange(FRAMES, dtype=torch.float64) / FPS
    # Some files round to milliseconds, and that shall not decide between two frames.
    wanted = (wanted + 1e-3) % (times[-1] + 1 / FPS) - 2e-3
    return torch.bucketize(wanted, (times[1:] + times[:-1]) / 2)  # the nearest in time
#% else
def place_clips(count: int, clips: int, random: bool) -> Tensor:
    """Choose the frames of clips; return their numbers, int64 [clips, FRAMES].

    The frames of its `count` at which a clip can begin are divided evenly, and one
    begins anywhere in each part, or in its middle. A clip that is longer than the video
    goes on at the video's beginning.
    """
    within = torch.rand(clips) if random else 0.5
    room = max(count - (FRAMES - 1) * STRIDE, 1)
    begin = ((torch.arange(clips) + within) * room / clips).long().clamp(max=room - 1)
    return (begin[:, None] + torch.arange(FRAMES) * STRIDE) % count
#% endif


#% if data.rawframes
class Frames(NamedTuple):
    """A video as images, each a frame."""

    folder: Path
    first: int  # the number in the name of the first one
    count: int


def read_frames(video: Frames | Path, choose: Callable[[int], Tensor]) -> Tensor:
    """Read those frames of a video that `choose` picks by its number of frames.

    Returns: uint8 [T, 3, H, W], of images, or of a video file as predict.py is given.
    """
    if isinstance(video, Path):
        return read_video(video, lambda times: choose(len(times)))
    numbers = (video.first + choose(video.count)).tolist()
    files = [video.folder / FRAME_NAME.format(number) for number in numbers]
    return torch.stack([read_image(file) for file in files])


#% include "shared/read_image.py"


#% endif
def train_clip(video: {{ data.read_from }}) -> Tensor:
    #% if data.segments
    """Draw a frame of each segment, uint8 [SEGMENTS, 3, {{ data.sides }}]."""
    #% else
    """Draw a clip of a video, uint8 [FRAMES, 3, {{ data.sides }}]."""
    #% endif
    return train_transform({{ data.reader }}(video, {{ data.place_training }}))


def eval_clip(video: {{ data.any_video }}) -> Tensor:
    #% if data.segments
    """Take each segment's middle frame, uint8 [SEGMENTS, 3, {{ data.sides }}]."""
    #% else
    """Take the clip in a video's middle, uint8 [FRAMES, 3, {{ data.sides }}]."""
    #% endif
    return eval_transform({{ data.reader }}(video, {{ data.place_evaluation }}))


#% if data.testing
def test_views(video: {{ data.any_video }}) -> Tensor:
    #% if data.segments
    """Take the test's views, uint8 [V, TEST_SEGMENTS, 3, {{ data.sides }}].

    #% if data.testing.cut
    The views are crops of the same frames, of which there is one from each segment.
    #% else
    There is one view: the middle frames of the segments.
    #% endif
    """
    #% else
    """Take the test's views of a video, uint8 [V, FRAMES, 3, {{ data.sides }}].

    #% if data.testing.cut
    The views are the crops of clips from all over the video.
    #% else
    The views are clips from all over the video.
    #% endif
    """
    #% endif
    frames = {{ data.reader }}(video, {{ data.place_test }})
    #% if data.testing.cut
    #% if data.segments
    return torch.stack({{ data.testing.cut }})
    #% else
    crops = torch.stack({{ data.testing.cut }})
    return crops.unflatten(1, (TEST_CLIPS, FRAMES)).flatten(0, 1)
    #% endif
    #% else
    #% if data.segments
    return eval_transform(frames)[None]
    #% else
    return eval_transform(frames).unflatten(0, (TEST_CLIPS, FRAMES))
    #% endif
    #% endif


#% if data.testing.three
def three_crops(frames: Tensor) -> list[Tensor]:
    #% if data.rectangle
    """Crop both ends and the middle of frames [T, 3, H, W], where there is room."""
    high, wide = IMAGE_SIZE
    down, right = frames.shape[-2] - high, frames.shape[-1] - wide
    #% else
    """Crop both ends and the middle of frames [T, 3, H, W], along the longer side."""
    down, right = frames.shape[-2] - IMAGE_SIZE, frames.shape[-1] - IMAGE_SIZE
    #% endif
    middle = down // 2, right // 2
    ends = [(0, middle[1]), (down, middle[1])]
    if right > down:
        ends = [(middle[0], 0), (middle[0], right)]
    return [F.crop(frames, *corner, {{ data.sides }}) for corner in (ends[0], middle, ends[1])]


#% endif
#% endif
@dataclass
class Samples(Dataset[tuple[Tensor, int, int]]):
    """Clips of videos, uint8 [T, 3, H, W], with their labels and indices.

    A sample is asked for as (index, seed), and what makes it draws from `seed`: it is
    the same whichever process and worker reads it.
    """

    videos: Sequence[{{ data.read_from }}]
    labels: list[int]
    classes: list[str]
    transform: {{ data.transform }}  # makes a clip of a video

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, int, int]:
        index, seed = key
        torch.manual_seed(seed)
        return self.transform(self.videos[index]), self.labels[index], index

    def name(self, index: int) -> str:
        """Return a sample's name for error messages."""
        #% if data.rawframes
        return str(self.videos[index].folder)
        #% else
        return str(self.videos[index])
        #% endif
    #% if data.val_fraction

    def part(self, indices: list[int], transform: {{ data.transform }}) -> "Samples":
        """Return some of the samples, with another transform."""
        return replace(
            self,
            videos=[self.videos[index] for index in indices],
            labels=[self.labels[index] for index in indices],
            transform=transform,
        )
    #% endif


#% if data.val_fraction
#% include "classification/split.py"


#% endif
#% include "shared/data_folder.py"


#% include data.source_template


#% include "shared/batches.py"


def build_loaders(
    train_set: Samples, batches: Batches, val_set: Samples
) -> tuple[DataLoader, DataLoader]:
    """Build the loaders of this process's training and validation batches.

    A batch is (clips, labels, indices): uint8 [B, T, 3, H, W], int64 [B], int64 [B].
    """
    return build_loader(train_set, batch_sampler=batches), build_eval_loader(val_set)


#% if data.testing
def build_eval_loader(dataset: Samples, batch_size: int = EVAL_BATCH_SIZE) -> DataLoader:
    """Build a loader of this process's share of `dataset`; no two shares overlap."""
    share = range(dist.get_rank(), len(dataset), dist.get_world_size())
    keys = [(index, 0) for index in share]
    return build_loader(dataset, sampler=keys, batch_size=batch_size)
#% else
def build_eval_loader(dataset: Samples) -> DataLoader:
    """Build a loader of this process's share of `dataset`; no two shares overlap."""
    share = range(dist.get_rank(), len(dataset), dist.get_world_size())
    keys = [(index, 0) for index in share]
    return build_loader(dataset, sampler=keys, batch_size=EVAL_BATCH_SIZE)
#% endif


#% include "shared/loader.py"


def draw(clips: list[Tensor], titles: list[str], columns: int = 8) -> Figure:
    """Draw a row of frames from all over each clip, uint8 [T, 3, H, W]."""
    columns = min(columns, len(clips[0]))
    figure = Figure(figsize=(1.6 * columns, 1.8 * len(clips)), layout="constrained")
    grid = figure.subplots(len(clips), columns, squeeze=False)
    for row, clip, title in zip(grid, clips, titles, strict=True):
        shown = torch.linspace(0, len(clip) - 1, columns).long()
        for axes, frame in zip(row, clip[shown], strict=True):
            axes.imshow(frame.permute(1, 2, 0))
            axes.axis("off")
        row[0].set_title(title, loc="left", fontsize=8, parse_math=False)
    return figure


def draw_sheet(dataset: Samples, count: int = 8) -> Figure:
    """Draw `count` samples from all over `dataset`, as training gets them."""
    indices = torch.linspace(0, len(dataset) - 1, count).long().tolist()
    clips = [dataset[index, index][0] for index in indices]
    return draw(clips, [dataset.classes[dataset.labels[index]] for index in indices])


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw some training samples.")
    parser.add_argument("--data", type={{ data_folder }}, default=DATA_DIR)
    parser.add_argument("--output", type=Path, default="samples.png")
    args = parser.parse_args()
    distributed.init()
    train_set, _ = build_datasets(args.data)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    draw_sheet(train_set).savefig(args.output)
    print(args.output)


if __name__ == "__main__":
    main()
