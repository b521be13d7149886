"""Small real videos, of which the motion is the class, in the formats of the world.

A window moves, turns or zooms over a photograph, whose mirror images go on beyond its edges without
end. Where the window is halfway, its angle and its pace come from the seed alone, every place and
every angle as likely as every other, so that a frame drawn from all frames of a class looks like
one of any other class: what a model of single frames can learn is nothing. Reversed, a video is
that of the opposite motion; mirrored, one of left and right is of the other. Training sees the
left halves of the photographs, one after the other, and validation the right halves.

The writers make datasets as they are found. Video number i of one class and number i of another are
alike in all but the motion; each has `train` and `val` videos of a class, with a `count` of frames
drawn from a range, and the writers return what they wrote, mixed as to classes.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from string import ascii_letters, digits
from typing import Any, TypedDict, Unpack

import av
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage import data
from torch.nn.functional import grid_sample

Array = NDArray[Any]
Classes = Sequence[str] | Mapping[str, str]  # names of motions, or names of any kind to motions
Fps = int | float | Fraction

# How what one sees moves to the right and down, turns to the left, and grows.
_DIRECTIONS = {
    "down": (0, 1, 0, 0),
    "grow": (0, 0, 0, 1),
    "left": (-1, 0, 0, 0),
    "right": (1, 0, 0, 0),
    "shrink": (0, 0, 0, -1),
    "turn-left": (0, 0, 1, 0),
    "turn-right": (0, 0, -1, 0),
    "up": (0, -1, 0, 0),
}
MOTIONS = tuple(_DIRECTIONS)
OPPOSITES = {
    **{"left": "right", "up": "down", "grow": "shrink", "turn-left": "turn-right"},
    **{"right": "left", "down": "up", "shrink": "grow", "turn-right": "turn-left"},
}
SHIFT, TURN, GROWTH = 1.0, np.pi / 2, 1.0  # of a whole video at the best pace, 1; see `frames`
SLOWEST = 0.6
VIEW = 1.5  # the short side of half a photograph, in those of the largest window

CODECS: dict[str, dict[str, Any]] = {
    # With B-frames and several key frames. The macroblock tree's vector code is not the same in
    # each call: half of the processes that wrote a video twice wrote two files.
    "libx264": {"preset": "veryfast", "crf": 18, "g": 12, "x264-params": "mbtree=0"},
    "mpeg4": {"qmin": 2, "qmax": 4},
}
KINETICS = {
    **{"dancing macarena": "left", "making tea": "right"},
    **{"massaging person's head": "up", "petting animal (not cat)": "down"},
}
UCF101 = {
    **{"ApplyEyeMakeup": "left", "BabyCrawling": "right"},
    **{"HandstandPushups": "up", "YoYo": "down"},
}


@dataclass(frozen=True)
class Video:
    """A video of a dataset; `frames(motion, seed, count, size, split)` are its frames."""

    split: str
    path: str  # of the file, or of the folder of images, below the root
    label: str
    motion: str
    count: int
    seed: int
    offset: int = 0  # how many images of other videos come before, in the same folder


class Draw(TypedDict, total=False):
    """What every writer may be told about the videos."""

    train: int  # videos of each class
    val: int
    count: int | tuple[int, int]  # frames of a video: all have as many, or from least to most
    size: tuple[int, int]  # height and width, even numbers
    seed: int


def frames(
    motion: str,
    seed: int,
    count: int = 24,
    size: tuple[int, int] = (64, 80),
    split: str = "train",
) -> Array:
    """A video as uint8 [count, H, W, 3].

    From its first frame to its last, what one sees moves by 0.6 to 1 of the short side of a frame,
    or turns by 54 to 90 degrees, or becomes 1.5 to 2 times as large or as small.
    """
    right, down, left, growing = _DIRECTIONS[motion]
    rng = np.random.default_rng([seed, split == "val"])
    photo = _photo(seed % len(_photos()), split, min(size))
    height, width = photo.shape[2:]
    center = rng.uniform(0, 2, 2) * [width, height]  # of the photograph and its mirror images
    angle = rng.uniform(0, 2 * np.pi)
    pace, zoom, part = rng.uniform([SLOWEST, 0.5, -0.5], [1, 1, 0.5])
    steps = (np.arange(count) - (count - 1) / 2) / max(count - 1, 1)  # -0.5 to 0.5
    # Where the picture does not grow, it is as large as in some frame of a video where it does.
    zooms = 2 ** (zoom + GROWTH * pace * (growing * steps if growing else np.full(count, part)))
    angles = angle + TURN * pace * left * steps
    cos, sin = np.cos(angles), np.sin(angles)
    turns = np.array([[cos, -sin], [sin, cos]]).transpose(2, 0, 1) / zooms[:, None, None]
    y, x = np.indices(size) + 0.5
    window = np.stack([x - size[1] / 2, y - size[0] / 2], axis=-1)
    shifts = np.outer(SHIFT * pace * min(size) * steps, [right, down])[:, None, None]
    points = center + (window - shifts) @ turns.transpose(0, 2, 1)[:, None]
    grid = torch.from_numpy(points * 2 / [width, height] - 1).float()
    images = grid_sample(
        photo.expand(count, -1, -1, -1), grid, padding_mode="reflection", align_corners=False
    )
    return images.permute(0, 2, 3, 1).round().byte().numpy()


@cache
def _photos() -> list[Array]:
    """Photographs of the package itself, with few plain parts, where no motion could be seen."""
    motorcycle, _, _ = data.stereo_motorcycle()
    cells, stars = data.immunohistochemistry(), data.hubble_deep_field()
    return [data.astronaut(), data.chelsea(), data.coffee(), cells, motorcycle, stars]


@cache
def _photo(index: int, split: str, side: int) -> torch.Tensor:
    """A split's half of a photograph, as float32 [1, 3, h, w], for frames of a short side."""
    pixels = _photos()[index]
    half = pixels.shape[1] // 2
    image = Image.fromarray(pixels[:, half:] if split == "val" else pixels[:, :half])
    scale = VIEW * side / min(image.size)
    size = [round(scale * length) for length in image.size]
    pixels = np.array(image.resize(size, Image.Resampling.LANCZOS), np.float32)
    return torch.from_numpy(pixels).permute(2, 0, 1)[None]


def write_video(
    path: Path | str, images: Array, fps: Fps = 25, codec: str = "libx264", **options: Any
) -> None:
    """Write uint8 [T, H, W, 3], H and W even; options are the codec's, as `bf=0` or `g=250`."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    settings = {key: str(value) for key, value in {**CODECS.get(codec, {}), **options}.items()}
    with av.open(str(path), "w") as file:
        rate = Fraction(fps).limit_denominator(1001)
        stream = file.add_stream(codec, rate=rate, options=settings)
        stream.height, stream.width = images.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1
        for image in images:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        file.mux(stream.encode())


def _draw(
    classes: Classes,
    train: int = 4,
    val: int = 2,
    count: int | tuple[int, int] = (16, 32),
    size: tuple[int, int] = (64, 80),
    seed: int = 0,
) -> Iterator[tuple[int, Video, Array]]:
    """The numbers of videos in their classes, what is known of the videos, and their frames."""
    motions = classes if isinstance(classes, Mapping) else {name: name for name in classes}
    least, most = count if isinstance(count, tuple) else (count, count)
    for split, number in {"train": train, "val": val}.items():
        counts = np.random.default_rng([seed, split == "val"]).integers(least, most + 1, number)
        for index, length in enumerate(counts.tolist()):
            for label, motion in motions.items():
                video = Video(split, "", label, motion, length, seed=1000 * seed + index)
                yield index, video, frames(motion, video.seed, length, size, split)


def make_folders(
    root: Path | str, classes: Classes = MOTIONS, fps: Fps = 25, **draw: Unpack[Draw]
) -> list[Video]:
    """`root/{train,val}/CLASS/clip_NNN.mp4`."""
    videos = []
    for index, video, images in _draw(classes, **draw):
        path = f"{video.split}/{video.label}/clip_{index:03}.mp4"
        write_video(Path(root, path), images, fps)
        videos.append(replace(video, path=path))
    return videos


def make_list(
    root: Path | str,
    classes: Classes = MOTIONS,
    fps: Fps = 25,
    names: bool = False,
    prefix: str = "videos/",
    **draw: Unpack[Draw],
) -> list[Video]:
    """`root/videos/NAME.mp4` and `root/{train,val}.txt` with lines `videos/NAME.mp4 LABEL`.

    Every third NAME has a space. LABEL is the number of the class in `classes`, or its name.
    `prefix` is what a list says before the names.
    """
    videos, lists = [], {"train": "", "val": ""}
    for number, (_, video, images) in enumerate(_draw(classes, **draw)):
        name = f"clip{'_' if number % 3 else ' '}{number:04}.mp4"
        label = video.label if names else [*classes].index(video.label)
        lists[video.split] += f"{prefix}{name} {label}\n"
        write_video(Path(root, "videos", name), images, fps)
        videos.append(replace(video, path=f"videos/{name}"))
    for split, text in lists.items():
        Path(root, f"{split}.txt").write_text(text, encoding="utf-8")
    return videos


def make_rawframes(
    root: Path | str,
    classes: Classes = MOTIONS,
    template: str = "img_{:05}.jpg",
    first: int = 1,
    offsets: bool = False,
    **draw: Unpack[Draw],
) -> list[Video]:
    """`root/rawframes_SPLIT/CLASS/clip_NNN/img_00001.jpg` and `root/SPLIT_list.txt`, as MMAction2.

    A line is `CLASS/clip_NNN TOTAL LABEL`. With offsets, one video of each class lie one after the
    other in a folder, and a line is `reel_NNN OFFSET TOTAL LABEL`; the first image of a video is
    that of number OFFSET + `first`.
    """
    videos: list[Video] = []
    lists, ends = {"train": "", "val": ""}, dict[str, int]()
    for index, video, images in _draw(classes, **draw):
        name = f"reel_{index:03}" if offsets else f"{video.label}/clip_{index:03}"
        path = f"rawframes_{video.split}/{name}"
        offset = ends.get(path, 0)
        ends[path] = offset + len(images)
        for number, image in enumerate(images, start=first + offset):
            file = Path(root, path, template.format(number))
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(file, quality=90)
        counts = f"{offset} {len(images)}" if offsets else f"{len(images)}"
        lists[video.split] += f"{name} {counts} {[*classes].index(video.label)}\n"
        videos.append(replace(video, path=path, offset=offset))
    for split, text in lists.items():
        Path(root, f"{split}_list.txt").write_text(text, encoding="utf-8")
    return videos


def make_kinetics(
    root: Path | str,
    classes: Classes = KINETICS,
    fps: Fps = 25,
    missing: bool = False,
    **draw: Unpack[Draw],
) -> list[Video]:
    """`root/{train,val}/CLASS/YOUTUBEID_000010_000020.mp4` and `root/annotations/{train,val}.csv`.

    Some ids begin with a dash. The texts in val.csv are quoted. With `missing`, the first row of
    each file is of a video that is not there.
    """
    videos: list[Video] = []
    rows: dict[str, list[list[str | int]]] = {"train": [], "val": []}
    if missing:
        for split in rows:
            rows[split].append([[*classes][0], f"-gone-{split:_<5}", 7, 17, split])
    letters = [*ascii_letters, *digits, "-", "_"]
    for index, video, images in _draw(classes, **draw):
        number = [*classes].index(video.label)
        rng = np.random.default_rng([video.seed, video.split == "val", number])
        youtube_id = ("" if index % 2 else "-") + "".join(rng.choice(letters, 10 + index % 2))
        start = int(rng.integers(300))
        rows[video.split].append([video.label, youtube_id, start, start + 10, video.split])
        path = f"{video.split}/{video.label}/{youtube_id}_{start:06}_{start + 10:06}.mp4"
        write_video(Path(root, path), images, fps)
        videos.append(replace(video, path=path))
    for split, lines in rows.items():
        path = Path(root, "annotations", f"{split}.csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write("label,youtube_id,time_start,time_end,split\n")
            quoting = csv.QUOTE_NONNUMERIC if split == "val" else csv.QUOTE_MINIMAL
            csv.writer(file, quoting=quoting, lineterminator="\n").writerows(lines)
    return videos


def make_ucf101(
    root: Path | str, classes: Classes = UCF101, fps: Fps = 25, **draw: Unpack[Draw]
) -> list[Video]:
    r"""`root/UCF-101/CLASS/v_CLASS_g01_c01.avi`, and in `root/ucfTrainTestlist` three lists.

    classInd.txt numbers the classes from 1, trainlist01.txt has paths and these numbers, and
    testlist01.txt has paths alone. Lines end with \r\n. As there, groups 1 to 7 are the test set,
    and the files of HandstandPushups are called v_HandStandPushups_*.avi.
    """
    videos = []
    lists: dict[str, list[str]] = {"train": [], "val": []}
    for index, video, images in _draw(classes, **draw):
        take, group = divmod(index, 7 if video.split == "val" else 18)
        group += 1 if video.split == "val" else 8
        stem = video.label.replace("Handstand", "HandStand")
        name = f"{video.label}/v_{stem}_g{group:02}_c{take + 1:02}.avi"
        number = f" {1 + [*classes].index(video.label)}" if video.split == "train" else ""
        lists[video.split].append(f"{name}{number}\n")
        write_video(Path(root, "UCF-101", name), images, fps, codec="mpeg4")
        videos.append(replace(video, path=f"UCF-101/{name}"))
    texts = {
        "classInd.txt": [f"{number} {name}\n" for number, name in enumerate(classes, start=1)],
        "trainlist01.txt": sorted(lists["train"]),
        "testlist01.txt": sorted(lists["val"]),
    }
    folder = Path(root, "ucfTrainTestlist")
    folder.mkdir(parents=True, exist_ok=True)
    for file, lines in texts.items():
        (folder / file).write_text("".join(lines), encoding="utf-8", newline="\r\n")
    return videos
