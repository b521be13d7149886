"""The videos move as they say, no single frame tells how, and each format has what it says."""

import csv
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import PictureType
from PIL import Image
from skimage.filters import gaussian

from tests import clips
from tests.clips import MOTIONS, OPPOSITES, Array, Video

FOUR = ("down", "left", "right", "up")
SMALL = {"train": 2, "val": 1, "count": (6, 10), "size": (32, 48)}


def test_frames() -> None:
    for motion in MOTIONS:
        video = clips.frames(motion, 3)
        assert (video.dtype, video.shape) == (np.uint8, (24, 64, 80, 3))
        assert (video == clips.frames(motion, 3)).all()
        steps = [distance(video[0], image) for image in video[:4]]
        assert steps == sorted(steps) and 1 < steps[1] < distance(video[0], video[-1])
        for other in clips.frames(motion, 9), clips.frames(motion, 3, split="val"):
            assert distance(video, other) > 10
    assert clips.frames("up", 0, 1, (32, 20)).shape == (1, 32, 20, 3)


def test_a_larger_video_is_the_same_in_more_pixels() -> None:
    for seed in range(6):
        large = clips.frames("grow", seed, 5, (120, 160)).reshape(5, 60, 2, 80, 2, 3).mean((2, 4))
        small = clips.frames("grow", seed, 5, (60, 80))
        others = [np.roll(small, shift, axis) for shift in (-1, 1) for axis in (1, 2)]
        assert distance(small, large) < 0.7 * min(distance(other, large) for other in others)


def test_validation_sees_what_is_right_of_what_training_sees() -> None:
    for index in range(len(clips._photos())):
        train, val = (clips._photo(index, split, 64)[0].numpy() for split in ("train", "val"))
        height = min(train.shape[1], val.shape[1])
        edges = train[:, :height, -1], val[:, :height, 0]
        inside = train[:, :height, -1], train[:, :height, -20]
        assert distance(*edges) < distance(*inside)  # the one half begins where the other ends


@pytest.mark.parametrize("motion", MOTIONS)
def test_a_video_reversed_is_of_the_opposite_motion(motion: str) -> None:
    for seed in range(6):
        video, opposite = clips.frames(motion, seed), clips.frames(OPPOSITES[motion], seed)
        assert distance(video[::-1], opposite) < 0.1
        # Every frame but the one halfway of an odd number is elsewhere in the opposite.
        assert distance(video, opposite) > 2


def test_halfway_all_videos_of_a_seed_are_the_same() -> None:
    for seed in range(6):
        middles = {motion: clips.frames(motion, seed, count=9)[4] for motion in MOTIONS}
        for motion, image in middles.items():
            same = "grow" if motion in ("grow", "shrink") else "left"
            assert (image == middles[same]).all()


@pytest.mark.parametrize("motion", MOTIONS)
def test_motion(motion: str) -> None:
    """The shifts, turns and growths are as large as `frames` says, and nothing else happens."""
    names = ("right", "down", "turn-left", "grow")
    axis = names.index(motion if motion in names else OPPOSITES[motion])
    paces = []
    for seed in range(6):
        video = clips.frames(motion, seed, count=40)
        flows = sum(flow(*pair) for pair in zip(video, video[1:], strict=False))
        flows /= [64, 64, np.pi / 2, np.log(2)]  # of what the best pace does
        paces.append(flows[axis] if motion in names else -flows[axis])
        assert np.abs(np.delete(flows, axis)).max() < 0.05
    assert 0.6 <= min(paces) < 0.8 < max(paces) <= 1.08


def flow(one: Array, two: Array) -> Array:
    """How a picture moves right and down, in pixels, turns left and grows: by least squares.

    The brightness changes by the gradient times the motion, if that is small.
    """
    one, two = (gaussian(image.mean(2), 2) for image in (one, two))
    down, right = np.gradient((one + two) / 2)
    y, x = np.indices(one.shape) - np.reshape(one.shape, (2, 1, 1)) / 2 + 0.5
    parts = np.array([right, down, y * right - x * down, x * right + y * down])
    inside = np.s_[..., 4:-4, 4:-4]
    return np.linalg.lstsq(parts[inside].reshape(4, -1).T, (one - two)[inside].ravel())[0]


def test_single_frames_do_not_tell_the_motion() -> None:
    """Least squares on small frames is at chance, on how two frames differ well above it."""
    labels, frames, flows = {}, {}, {}
    for split, number in {"train": 90, "val": 40}.items():
        videos = [clips.frames(m, s, 9, (32, 40), split) for s in range(number) for m in MOTIONS]
        labels[split] = np.tile(np.eye(len(MOTIONS)), (number, 1))
        drawn = np.random.default_rng(number).integers(8, size=len(videos))
        pairs = [video[at : at + 2] for video, at in zip(videos, drawn, strict=True)]
        small = [one.reshape(8, 4, 10, 4, 3).mean((1, 3)) / 255 for one, _ in pairs]
        frames[split] = np.reshape(small, (len(pairs), -1))
        flows[split] = np.array([flow(*pair) for pair in pairs]) * [1, 1, 20, 20]
    assert len(labels["val"]) == 320  # by chance 40 are right, and 52 or more one time in forty
    assert 0.07 < accuracy(frames, labels) < 0.17
    assert accuracy(flows, labels) > 0.8


def test_pictures_are_as_large_in_all_classes() -> None:
    """A zoomed picture is less sharp, which must not tell who zooms."""
    sharpness = []
    for motion in MOTIONS:
        videos = [clips.frames(motion, seed, 9, (32, 40)) for seed in range(60)]
        contrasts = np.abs(np.diff(np.mean(videos, axis=-1))).mean((1, 2, 3))
        sharpness.append(np.log(contrasts).mean())
    assert max(sharpness) - min(sharpness) < 0.05


def accuracy(inputs: dict[str, Array], labels: dict[str, Array]) -> float:
    """Of least squares with a constant and a little weight decay, on validation."""
    train, val = (np.pad(inputs[s], [(0, 0), (0, 1)], constant_values=1) for s in ("train", "val"))
    decay = 0.1 * np.eye(train.shape[1])
    weights = np.linalg.solve(train.T @ train + decay, train.T @ labels["train"])
    return float(((val @ weights).argmax(1) == labels["val"].argmax(1)).mean())


@pytest.mark.parametrize(
    ("name", "codec", "options", "kinds"),
    [
        ("a.mp4", "libx264", {}, {"I", "P", "B"}),
        ("a.mp4", "libx264", {"bf": 0, "g": 250, "crf": 10}, {"I", "P"}),
        ("a.mkv", "libx264", {"g": 1}, {"I"}),
        ("a.avi", "mpeg4", {}, {"I", "P"}),
    ],
)
def test_write_video(
    here: Path, name: str, codec: str, options: dict[str, int], kinds: set[str]
) -> None:
    video = clips.frames("turn-left", 2, 30, (48, 64))
    clips.write_video(f"deep/{name}", video, fps=30000 / 1001, codec=codec, **options)
    with av.open(f"deep/{name}") as file:
        stream = file.streams.video[0]
        assert stream.codec_context.name == {"libx264": "h264"}.get(codec, codec)
        assert float(stream.average_rate) == pytest.approx(30000 / 1001, rel=0.002)
        found = [*file.decode(stream)]
    assert {PictureType(frame.pict_type).name for frame in found} == kinds
    keys = [index for index, frame in enumerate(found) if frame.key_frame]
    assert keys == {1: [*range(30)], 250: [0]}.get(options.get("g", 12), [0, 12, 24])
    images = np.array([frame.to_ndarray(format="rgb24") for frame in found])
    assert images.shape == video.shape and distance(images, video) < 8


def test_folders(here: Path) -> None:
    videos = clips.make_folders("data", **SMALL)
    assert len(videos) == 8 * 3 and {video.label for video in videos} == {*MOTIONS}
    check("data", videos, {f"data/{video.path}" for video in videos})
    assert videos[0].path == "train/down/clip_000.mp4"
    assert {video.path.split("/")[0] for video in videos} == {"train", "val"}
    assert all(video.path.split("/")[1] == video.label == video.motion for video in videos)
    # The number of frames does not tell the class, and varies.
    alike = {(video.split, video.seed, video.count) for video in videos}
    assert len(alike) == 3 and len({count for _, _, count in alike}) > 1
    seeds = {(split, seed) for split, seed, _ in alike}
    assert seeds == {("train", 0), ("train", 1), ("val", 0)}
    again = clips.make_folders("again", **SMALL)
    assert again == videos
    assert all(bytes_of("data", video) == bytes_of("again", video) for video in videos)
    assert clips.make_folders("other", **SMALL, seed=1)[0].seed == 1000


def test_list(here: Path) -> None:
    videos = clips.make_list("numbers", FOUR, **SMALL)
    clips.make_list("names", FOUR, names=True, prefix="", **SMALL)
    check("numbers", videos, {f"numbers/{video.path}" for video in videos})
    assert {" " in video.path for video in videos} == {False, True}
    for split in "train", "val":
        of_split = [video for video in videos if video.split == split]
        lines = Path(f"numbers/{split}.txt").read_text().splitlines()
        assert lines == [f"{video.path} {FOUR.index(video.label)}" for video in of_split]
        lines = Path(f"names/{split}.txt").read_text().splitlines()
        assert lines == [f"{Path(video.path).name} {video.label}" for video in of_split]


@pytest.mark.parametrize("offsets", [False, True])
@pytest.mark.parametrize(("template", "first"), [("img_{:05}.jpg", 1), ("{:06}.png", 0)])
def test_rawframes(here: Path, offsets: bool, template: str, first: int) -> None:
    classes = {"go left": "left", "go right": "right", "stay up": "up"}
    videos = clips.make_rawframes("data", classes, template, first, offsets, **SMALL)
    files = set()
    for split in "train", "val":
        of_split = [video for video in videos if video.split == split]
        lines = Path(f"data/{split}_list.txt").read_text().splitlines()
        for line, video in zip(lines, of_split, strict=True):
            folder, *numbers = line.rsplit(maxsplit=3 if offsets else 2)
            offset, total, label = ([] if offsets else [0]) + [int(number) for number in numbers]
            assert f"rawframes_{split}/{folder}" == video.path
            assert (offset, total) == (video.offset, video.count)
            assert [*classes][label] == video.label and classes[video.label] == video.motion
            names = [template.format(first + offset + number) for number in range(total)]
            paths = [Path("data", video.path, name) for name in names]
            images = np.array([np.asarray(Image.open(path)) for path in paths])
            check_images(images, video)
            assert not files & {*paths}
            files |= {*paths}
    assert {*Path("data").glob("*/**/*.*")} == files
    assert len({video.path for video in videos}) == (3 if offsets else 9)


def test_kinetics(here: Path) -> None:
    videos = clips.make_kinetics("data", missing=True, **SMALL)
    check("data", videos, {f"data/{video.path}" for video in videos})
    assert {video.path.split("/")[1] for video in videos} == {*clips.KINETICS}
    assert len({Path(video.path).name[:11] for video in videos}) == len(videos)
    for split in "train", "val":
        with Path(f"data/annotations/{split}.csv").open(newline="") as file:
            assert file.readline() == "label,youtube_id,time_start,time_end,split\n"
            gone, *rows = csv.reader(file)
        of_split = [video for video in videos if video.split == split]
        assert [path_of(row) for row in rows] == [video.path for video in of_split]
        assert len(gone[1]) == 11 and gone[0] in clips.KINETICS
        assert not Path("data", path_of(gone)).exists()
    clips.make_kinetics("whole", **SMALL)
    assert len(Path("whole/annotations/val.csv").read_text().splitlines()) == 1 + 4


def path_of(row: list[str]) -> str:
    label, youtube_id, start, end, split = row
    return f"{split}/{label}/{youtube_id}_{int(start):06}_{int(end):06}.mp4"


def test_ucf101(here: Path) -> None:
    videos = clips.make_ucf101("data", **{**SMALL, "train": 19, "val": 8})
    check("data", videos, {f"data/{video.path}" for video in videos})
    lists = {path.name: path.read_bytes() for path in Path("data/ucfTrainTestlist").iterdir()}
    assert all(text.count(b"\n") == text.count(b"\r\n") > 0 for text in lists.values())
    lines = {name: text.decode().splitlines() for name, text in lists.items()}
    classes = dict(line.split()[::-1] for line in lines.pop("classInd.txt"))
    assert classes == {name: str(number) for number, name in enumerate(clips.UCF101, start=1)}
    paths = {split: [v.path for v in videos if v.split == split] for split in ("train", "val")}
    train = [line.split() for line in lines.pop("trainlist01.txt")]
    assert sorted(f"UCF-101/{path}" for path, _ in train) == sorted(paths["train"])
    assert all(classes[path.split("/")[0]] == number for path, number in train)
    test = lines.pop("testlist01.txt")
    assert sorted(f"UCF-101/{path}" for path in test) == sorted(paths["val"]) and not lines
    assert test[0] == "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi"
    assert test[1] == "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c02.avi"
    assert "HandstandPushups/v_HandStandPushups_g07_c01.avi" in test


def check(root: str, videos: list[Video], paths: set[str]) -> None:
    """That these videos, and no others, are below a folder, and are what is said of them."""
    files = [path for path in Path(root).rglob("*") if path.suffix in (".mp4", ".avi")]
    assert {str(path) for path in files} == paths and len(videos) == len(paths)
    for video in videos:
        with av.open(str(Path(root, video.path))) as file:
            images = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
        assert len(images) == video.count and 6 <= video.count <= 10
        check_images(np.array(images), video)


def check_images(images: Array, video: Video) -> None:
    """That these are the frames of a video, as far as a codec keeps them, and of its motion."""
    seed, count, split = video.seed, video.count, video.split
    drawn, opposite = (
        clips.frames(motion, seed, count, (32, 48), split)
        for motion in (video.motion, OPPOSITES[video.motion])
    )
    assert distance(images, drawn) < min(8, distance(images, opposite))


def bytes_of(root: str, video: Video) -> bytes:
    return Path(root, video.path).read_bytes()


def distance(one: Array, two: Array) -> float:
    return float(np.abs(one.astype(float) - two).mean())
