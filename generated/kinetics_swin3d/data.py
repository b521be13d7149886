"""The videos, what the model sees of them, and the loaders.

Any number of processes and workers trains on the same batches of the same samples.
"""

import argparse
import csv
import glob
import os
import re
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from matplotlib.figure import Figure
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F
from tqdm import tqdm

import distributed
from video import is_video_file, read_video

DATA_DIR = "data/kinetics600"
NUM_CLASSES = 600
FRAMES = 32  # of a clip
FPS = 15  # frames of a clip in a second of the video
IMAGE_SIZE = 224  # pixels, height and width
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
EVAL_BATCH_SIZE = 8  # videos, for each rank
TEST_CLIPS = 4  # of a video when the trained model is tested
WORKERS = 8  # processes that read videos, for each rank

# Transforms of uint8 frames [T, 3, H, W]; `normalize` makes them floats, on the device.
train_transform = v2.Compose(
    [
        v2.RandomResizedCrop(size=IMAGE_SIZE),
        v2.RandomHorizontalFlip(),
        v2.RandAugment(interpolation=v2.InterpolationMode.BILINEAR),
        v2.RandomErasing(p=0.25, value=[124, 116, 104]),
    ]
)
eval_transform = v2.Compose(
    [
        v2.Resize(size=round(IMAGE_SIZE * 256 / 224), antialias=False),
        v2.CenterCrop(size=IMAGE_SIZE),
    ]
)
# Before several crops are cut out.
test_transform = v2.Resize(size=round(IMAGE_SIZE * 256 / 224), antialias=False)


def normalize(clips: Tensor) -> Tensor:
    """Turn uint8 [B, T, 3, H, W] into floats of about zero mean and unit variance.

    They are [B, 3, T, H, W], as the model takes them.
    """
    clips = F.normalize(F.to_dtype(clips, torch.float32, scale=True), MEAN, STD)
    return clips.transpose(1, 2)


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


def train_clip(video: Path) -> Tensor:
    """Draw a clip of a video, uint8 [FRAMES, 3, IMAGE_SIZE, IMAGE_SIZE]."""
    return train_transform(
        read_video(video, lambda times: place_clips(times, 1, random=True)[0])
    )


def eval_clip(video: Path) -> Tensor:
    """Take the clip in a video's middle, uint8 [FRAMES, 3, IMAGE_SIZE, IMAGE_SIZE]."""
    return eval_transform(
        read_video(video, lambda times: place_clips(times, 1, random=False)[0])
    )


def test_views(video: Path) -> Tensor:
    """Take the test's views of a video, uint8 [V, FRAMES, 3, IMAGE_SIZE, IMAGE_SIZE].

    The views are the crops of clips from all over the video.
    """
    frames = read_video(
        video, lambda times: place_clips(times, TEST_CLIPS, random=False).flatten()
    )
    crops = torch.stack(three_crops(test_transform(frames)))
    return crops.unflatten(1, (TEST_CLIPS, FRAMES)).flatten(0, 1)


def three_crops(frames: Tensor) -> list[Tensor]:
    """Crop both ends and the middle of frames [T, 3, H, W], along the longer side."""
    down, right = frames.shape[-2] - IMAGE_SIZE, frames.shape[-1] - IMAGE_SIZE
    middle = down // 2, right // 2
    ends = [(0, middle[1]), (down, middle[1])]
    if right > down:
        ends = [(middle[0], 0), (middle[0], right)]
    return [
        F.crop(frames, *corner, IMAGE_SIZE, IMAGE_SIZE)
        for corner in (ends[0], middle, ends[1])
    ]


@dataclass
class Samples(Dataset[tuple[Tensor, int, int]]):
    """Clips of videos, uint8 [T, 3, H, W], with their labels and indices.

    A sample is asked for as (index, seed), and what makes it draws from `seed`: it is
    the same whichever process and worker reads it.
    """

    videos: Sequence[Path]
    labels: list[int]
    classes: list[str]
    transform: Callable[[Path], Tensor]  # makes a clip of a video

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, int, int]:
        index, seed = key
        torch.manual_seed(seed)
        return self.transform(self.videos[index]), self.labels[index], index

    def name(self, index: int) -> str:
        """Return a sample's name for error messages."""
        return str(self.videos[index])


def data_folder(path: str) -> Path:
    """Return the folder that --data names, relative to where a command is started."""
    if not Path(path).is_dir():
        raise SystemExit(
            f"{path}: no such folder in {Path.cwd()}; name it by --data DIR"
        )
    return Path(path)


Row = tuple[str, Path, str]  # where it stands, a video, its label


def open_text(path: Path) -> StringIO:
    """Open a text file.

    Raises:
        ValueError: names it if it is not UTF-8.
    """
    try:
        return StringIO(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text; save it as that") from error


COLUMNS = ["label", "youtube_id", "time_start", "time_end"]


def read_rows(folder: Path, path: Path) -> list[Row]:
    """Read the rows of one of Kinetics' CSV files whose videos are in `folder`.

    Its files are called ID_FROM_TO, with six digits for each time, and lie there or in
    a folder for each class. Those that are not there are left out, and counted: many
    are gone from YouTube.

    Raises:
        ValueError: if none is there, or names the line that is not as it should be.
    """
    names = glob.glob("**", root_dir=folder, recursive=True)
    files = {Path(name).stem: folder / name for name in names if is_video_file(name)}
    rows, missing = [], 0
    with open_text(path) as file:
        for row in (reader := csv.DictReader(file)):
            place = f"{path}:{reader.line_num}"
            try:
                label, video, *times = (row[column] for column in COLUMNS)
                begin, end = (int(float(time)) for time in times)
            except (KeyError, OverflowError, TypeError, ValueError):
                raise ValueError(f"{place}: must have {COLUMNS}, not {row}") from None
            if not label.strip():
                raise ValueError(f"{place}: the label is empty; write one")
            name = f"{video}_{begin:06}_{end:06}"
            if name in files:
                rows.append((place, files[name], label.strip()))
            else:
                missing += 1
    if not rows:
        raise ValueError(f"{folder}: has none of the {missing} videos of {path}")
    if missing and dist.get_rank() == 0:
        print(f"{path}: {missing} of {missing + len(rows)} videos are not there")
    return rows


def name_classes(rows: list[Row]) -> list[str]:
    """Return the classes' names: all labels, or numbers if all labels are numbers.

    "007" is a name: numbers have no zeros in front.
    """
    names = sorted({label for _, _, label in rows})
    if all(re.fullmatch("0|-?[1-9][0-9]*", name) for name in names):
        return [str(number) for number in range(NUM_CLASSES)]
    return names


def check(rows: list[Row]) -> None:
    """Look for all files before training begins; each process takes its share.

    Raises:
        ValueError: names the lines whose files are missing or empty.
    """
    problems = []
    share = rows[dist.get_rank() :: dist.get_world_size()]
    for place, file, _ in tqdm(
        share, "check", leave=False, disable=dist.get_rank() > 0
    ):
        if not file.is_file() or not file.stat().st_size:
            problems.append(f"{place}: no video {file}, or an empty one")
    if problems:
        listed = "\n".join(problems[:10] + ["…"] * (len(problems) > 10))
        raise ValueError(f"{len(problems)} lines do not match the videos:\n{listed}")


def build_samples(
    rows: list[Row], classes: list[str], transform: Callable[[Path], Tensor]
) -> Samples:
    """Build samples, with the numbers of their classes.

    Raises:
        ValueError: names the line of a label that is no class.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    if len(classes) != NUM_CLASSES:
        raise ValueError(f"{len(classes)} classes, but NUM_CLASSES is {NUM_CLASSES}")
    for place, _, name in rows:
        if name not in numbers:
            raise ValueError(f"{place}: {name!r} is none of {NUM_CLASSES} classes")
    labels = [numbers[name] for _, _, name in rows]
    return Samples([source for _, source, _ in rows], labels, classes, transform)


def build_datasets(root: Path) -> tuple[Samples, Samples]:
    """Build the training and validation sets."""
    rows = read_rows(root / "train", root / "annotations/train.csv")
    classes = name_classes(rows)
    val_rows = read_eval_rows(root)
    check(rows + val_rows)
    return (
        build_samples(rows, classes, train_clip),
        build_samples(val_rows, classes, eval_clip),
    )


def read_eval_rows(root: Path) -> list[Row]:
    """Read the rows of the validation videos."""
    return read_rows(root / "val", root / "annotations/val.csv")


def build_eval_set(root: Path, classes: list[str]) -> Samples:
    """Read the validation videos, without a look at those to train on."""
    rows = read_eval_rows(root)
    check(rows)
    return build_samples(rows, classes, eval_clip)


class Batches(Sampler[list[tuple[int, int]]]):
    """This process's share of each batch of an epoch, as pairs of an index and a seed.

    Order and seeds follow from (seed, epoch) alone, not from the number of processes.
    The last samples of an epoch, too few for a whole batch, are left out.

    Raises:
        ValueError: if a batch cannot be divided among the processes, or the samples
            are too few for one.
    """

    def __init__(self, samples: Samples, batch_size: int, seed: int) -> None:
        self.rank, self.processes = dist.get_rank(), dist.get_world_size()
        divisor = 2 * self.processes  # `mix` blends the images of a process in pairs
        if batch_size % divisor:
            fitting = batch_size + -batch_size % divisor
            raise ValueError(
                f"a batch of {batch_size} cannot be divided among {self.processes} "
                f"processes in pairs; write a multiple of {divisor}, e.g. {fitting}"
            )
        self.samples = len(samples)
        if self.samples < batch_size:
            raise ValueError(f"{self.samples} samples make no batch of {batch_size}")
        self.batch_size, self.seed = batch_size, seed
        self.epoch = self.first = 0

    def start(self, epoch: int, first: int) -> None:
        """Make the next iteration that of `epoch`, from its batch `first` on."""
        self.epoch, self.first = epoch, first

    def __len__(self) -> int:
        return self.samples // self.batch_size

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        order = torch.randperm(self.samples, generator=generator).tolist()
        seeds = torch.randint(2**31, (self.samples,), generator=generator).tolist()
        share = self.batch_size // self.processes
        for batch in range(self.first, len(self)):
            begin = batch * self.batch_size + self.rank * share
            yield [(index, seeds[index]) for index in order[begin : begin + share]]


def build_loaders(
    train_set: Samples, batches: Batches, val_set: Samples
) -> tuple[DataLoader, DataLoader]:
    """Build the loaders of this process's training and validation batches.

    A batch is (clips, labels, indices): uint8 [B, T, 3, H, W], int64 [B], int64 [B].
    """
    return build_loader(train_set, batch_sampler=batches), build_eval_loader(val_set)


def build_eval_loader(
    dataset: Samples, batch_size: int = EVAL_BATCH_SIZE
) -> DataLoader:
    """Build a loader of this process's share of `dataset`; no two shares overlap."""
    share = range(dist.get_rank(), len(dataset), dist.get_world_size())
    keys = [(index, 0) for index in share]
    return build_loader(dataset, sampler=keys, batch_size=batch_size)


def build_loader(dataset: Dataset, **options: Any) -> DataLoader:
    return DataLoader(
        dataset,
        num_workers=WORKERS,
        worker_init_fn=leave_group,
        persistent_workers=WORKERS > 0,
        pin_memory=torch.cuda.is_available(),
        **options,
    )


def leave_group(worker: int) -> None:
    """Give the worker its own session: Ctrl-C and SIGTERM reach only the trainer."""
    if hasattr(os, "setsid"):  # Windows has none, and only Ctrl-C reaches a group
        os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the trainer sends it to workers


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
    parser.add_argument("--data", type=data_folder, default=DATA_DIR)
    parser.add_argument("--output", type=Path, default="samples.png")
    args = parser.parse_args()
    distributed.init()
    train_set, _ = build_datasets(args.data)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    draw_sheet(train_set).savefig(args.output)
    print(args.output)


if __name__ == "__main__":
    main()
