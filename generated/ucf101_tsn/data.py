"""The videos, what the model sees of them, and the loaders.

Any number of processes and workers trains on the same batches of the same samples.
"""

import argparse
import os
import re
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from matplotlib.figure import Figure
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F
from tqdm import tqdm

import distributed
from video import read_video

DATA_DIR = "data/ucf101"
NUM_CLASSES = 101
SEGMENTS = 3  # of a video; the model sees a frame of each
IMAGE_SIZE = 224  # pixels, height and width
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
EVAL_BATCH_SIZE = 16  # videos, for each rank
TEST_SEGMENTS = 25  # of a video when the trained model is tested
WORKERS = 4  # processes that read videos, for each rank
SCALES = (1.0, 0.875, 0.75, 0.66)  # of a crop's sides, by the short side of the frame
FRAME_NAME = "img_{:05}.jpg"
FIRST_FRAME = 1  # number of a folder's first


def multi_scale_crop(frames: Tensor) -> Tensor:
    """Cut the same rectangle out of all frames, uint8 [..., H, W], and resize it.

    Its sides are two of SCALES that are equal or neighbours, and it lies in a corner or
    in the middle (TSN, arXiv 1608.00859).
    """
    height, width = frames.shape[-2:]
    sides = [round(min(height, width) * scale) for scale in SCALES]
    shapes = [(y, x) for i, y in enumerate(sides) for x in sides[max(i - 1, 0) : i + 2]]
    high, wide = shapes[int(torch.randint(len(shapes), ()))]
    places = [(0, 0), (0, 2), (1, 1), (2, 0), (2, 2)]  # in halves of the room there is
    y, x = places[int(torch.randint(5, ()))]
    top, left = y * (height - high) // 2, x * (width - wide) // 2
    return F.resized_crop(frames, top, left, high, wide, [IMAGE_SIZE, IMAGE_SIZE])


# Transforms of uint8 frames [T, 3, H, W]; `normalize` makes them floats, on the device.
train_transform = v2.Compose(
    [
        v2.Resize(size=round(IMAGE_SIZE * 232 / 224)),
        multi_scale_crop,
        v2.RandomHorizontalFlip(),
    ]
)
eval_transform = v2.Compose(
    [
        v2.Resize(size=round(IMAGE_SIZE * 232 / 224)),
        v2.CenterCrop(size=IMAGE_SIZE),
    ]
)
# Before several crops are cut out.
test_transform = v2.Resize(size=round(IMAGE_SIZE * 232 / 224))


def normalize(clips: Tensor) -> Tensor:
    """Turn uint8 [..., 3, H, W] into floats of about zero mean and unit variance."""
    return F.normalize(F.to_dtype(clips, torch.float32, scale=True), MEAN, STD)


def place_frames(count: int, segments: int, random: bool) -> Tensor:
    """Choose a frame of each segment of a video; return the numbers, int64 [segments].

    The segments divide the `count` frames evenly. A segment gives a random frame, or
    the one in its middle; a video with fewer frames gives some several times.
    """
    within = torch.rand(segments) if random else 0.5
    numbers = (torch.arange(segments) + within) * count / segments
    return numbers.long().clamp(max=count - 1)


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


def read_image(path: str | Path) -> Tensor:
    """Read an image file as uint8 RGB [3, H, W], upright as its EXIF data says.

    Of 16 bits the upper 8 are kept, of an animation the first image; transparency is
    ignored.
    """
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file)
            if image.mode in ("I", "F"):
                raise ValueError("32 bits a channel; save it with 8 or 16")
            if image.mode.startswith("I;16"):
                deep = F.pil_to_tensor(image.convert("I"))
                return (deep >> 8).to(torch.uint8).expand(3, -1, -1)
            return F.pil_to_tensor(image.convert("RGB"))
    except Exception as error:  # each decoder has its own
        message = f"{path}: not a readable image; mend or remove it ({error})"
        raise RuntimeError(message) from error


def train_clip(video: Frames) -> Tensor:
    """Draw a frame of each segment, uint8 [SEGMENTS, 3, IMAGE_SIZE, IMAGE_SIZE]."""
    return train_transform(
        read_frames(video, lambda count: place_frames(count, SEGMENTS, random=True))
    )


def eval_clip(video: Frames | Path) -> Tensor:
    """Take each segment's middle frame, uint8 [SEGMENTS, 3, IMAGE_SIZE, IMAGE_SIZE]."""
    return eval_transform(
        read_frames(video, lambda count: place_frames(count, SEGMENTS, random=False))
    )


def test_views(video: Frames | Path) -> Tensor:
    """Take the test's views, uint8 [V, TEST_SEGMENTS, 3, IMAGE_SIZE, IMAGE_SIZE].

    The views are crops of the same frames, of which there is one from each segment.
    """
    frames = read_frames(
        video, lambda count: place_frames(count, TEST_SEGMENTS, random=False)
    )
    return torch.stack(F.ten_crop(test_transform(frames), [IMAGE_SIZE, IMAGE_SIZE]))


@dataclass
class Samples(Dataset[tuple[Tensor, int, int]]):
    """Clips of videos, uint8 [T, 3, H, W], with their labels and indices.

    A sample is asked for as (index, seed), and what makes it draws from `seed`: it is
    the same whichever process and worker reads it.
    """

    videos: Sequence[Frames]
    labels: list[int]
    classes: list[str]
    transform: Callable[[Frames], Tensor]  # makes a clip of a video

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, int, int]:
        index, seed = key
        torch.manual_seed(seed)
        return self.transform(self.videos[index]), self.labels[index], index

    def name(self, index: int) -> str:
        """Return a sample's name for error messages."""
        return str(self.videos[index].folder)


def data_folder(path: str) -> Path:
    """Return the folder that --data names, relative to where a command is started."""
    if not Path(path).is_dir():
        raise SystemExit(
            f"{path}: no such folder in {Path.cwd()}; name it by --data DIR"
        )
    return Path(path)


Row = tuple[str, Frames, str]  # where it stands, a video, its label


def open_text(path: Path) -> StringIO:
    """Open a text file.

    Raises:
        ValueError: names it if it is not UTF-8.
    """
    try:
        return StringIO(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text; save it as that") from error


def read_rows(root: Path, path: Path) -> list[Row]:
    """Read a list file, in each line a folder in `root`, FRAMES and a label.

    Raises:
        ValueError: names the line that is not so.
    """
    rows = []
    with open_text(path) as file:
        for number, line in enumerate(file, 1):
            match line.rsplit(maxsplit=2):
                case [folder, count, label] if count.isdecimal() and int(count):
                    video = Frames(root / folder, FIRST_FRAME, int(count))
                    rows.append((f"{path}:{number}", video, label))
                case [_, *_]:
                    wanted = "FOLDER FRAMES LABEL"
                    raise ValueError(f"{path}:{number}: must be {wanted}, not {line!r}")
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
    """Look at all folders before training begins; each process takes its share.

    Raises:
        ValueError: names the lines whose frames are not as many as they say.
    """
    problems = []
    share = rows[dist.get_rank() :: dist.get_world_size()]
    for place, video, _ in tqdm(
        share, "check", leave=False, disable=dist.get_rank() > 0
    ):
        present = set(os.listdir(video.folder)) if video.folder.is_dir() else set()
        numbers = range(video.first, video.first + video.count)
        names = [FRAME_NAME.format(number) for number in numbers]
        if missing := [name for name in names if name not in present]:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            problems.append(f"{place}: no {video.folder / missing[0]}{more}")
        elif FRAME_NAME.format(numbers.stop) in present:
            problems.append(
                f"{place}: {video.folder} has more frames than {video.count}"
            )
    if problems:
        listed = "\n".join(problems[:10] + ["…"] * (len(problems) > 10))
        raise ValueError(f"{len(problems)} lines do not match the videos:\n{listed}")


def build_samples(
    rows: list[Row], classes: list[str], transform: Callable[[Frames], Tensor]
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
    rows = read_rows(root / "rawframes_train", root / "ucf101_train_list.txt")
    classes = name_classes(rows)
    val_rows = read_eval_rows(root)
    check(rows + val_rows)
    return (
        build_samples(rows, classes, train_clip),
        build_samples(val_rows, classes, eval_clip),
    )


def read_eval_rows(root: Path) -> list[Row]:
    """Read the rows of the validation videos."""
    return read_rows(root / "rawframes_val", root / "ucf101_val_list.txt")


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
        if batch_size % self.processes:
            fitting = batch_size + -batch_size % self.processes
            raise ValueError(
                f"a batch of {batch_size} cannot be divided among {self.processes} "
                f"processes; write a multiple of that, e.g. {fitting}"
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
