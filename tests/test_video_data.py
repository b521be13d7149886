"""The videos as generated projects list them, and which frames of them are seen."""

import dataclasses
import random
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from clips import (
    KINETICS,
    UCF101,
    Video,
    frames,
    make_folders,
    make_kinetics,
    make_list,
    make_rawframes,
    make_ucf101,
)
from projects import Project, compile_spec
from torch import Tensor

MOTIONS = ("down", "left", "right", "up")
R3D, TSN = "r3d_18", "tsn"
SPEC = """
task = "video-classification"
[model]
{model}
weights = "none"
[data]
{data}
image_size = 32
clips = {clips}
[schedule]
epochs = 2
[train]
batch_size = 4
workers = 0
log_every = 1
[log]
tensorboard = false
"""
MODELS = {
    R3D: ('name = "r3d_18"', "{ frames = 4, stride = 2 }"),
    TSN: ('name = "tsn"\nbackbone = "resnet18"', "{ segments = 2 }"),
}
DATA = {
    "videofolder": 'root = "videos"',
    "videos": """
        train = { root = "videos", list = "videos/train.txt" }
        val = { root = "videos", list = "videos/val.txt" }
    """,
    "rawframes": """
        train = { root = "videos/rawframes_train", list = "videos/train_list.txt" }
        val = { root = "videos/rawframes_val", list = "videos/val_list.txt" }
    """,
    "kinetics": 'root = "videos"',
    "ucf101": 'root = "videos"',
}
SMALL: dict[str, Any] = {"train": 2, "val": 1, "count": (9, 13), "size": (40, 48)}


def video_project(model: str, data: str, *overrides: str, folder: str = "project") -> Project:
    """The project of one of MODELS on one of DATA, under `videos`."""
    network, clips = MODELS[model]
    text = SPEC.format(model=network, data=f'format = "{data}"\n{DATA[data]}', clips=clips)
    return compile_spec(text, *overrides, folder=folder)


def datasets(project: Project) -> tuple[Any, Any]:
    train_set, val_set = project.module("data").build_datasets(Path("videos"))
    return train_set, val_set


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A group of one process."""
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 0)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 1)


# ---- the formats ----


def assert_files(samples: Any, videos: list[Video], split: str) -> None:
    """Those videos of a split, each with its label."""
    found = [
        (video.as_posix(), samples.classes[label])
        for video, label in zip(samples.videos, samples.labels, strict=True)
    ]
    assert sorted(found) == sorted(
        (f"videos/{video.path}", video.label) for video in videos if video.split == split
    )
    assert {video for video, _ in found} == {str(video) for video in samples.videos}


def assert_both(project: Project, videos: list[Video], classes: list[str]) -> None:
    for samples, split in zip(datasets(project), ("train", "val"), strict=True):
        assert samples.classes == classes
        assert_files(samples, videos, split)


def test_folders_of_classes_are_listed(here: Path) -> None:
    videos = make_folders("videos", MOTIONS, **SMALL)
    Path("videos/train/up/notes.txt").write_text("no video")
    assert_both(video_project(R3D, "videofolder"), videos, list(MOTIONS))


@pytest.mark.parametrize("names", [False, True])
def test_lists_of_files_are_read(here: Path, names: bool) -> None:
    videos = make_list("videos", MOTIONS, names=names, **SMALL)
    if not names:
        videos = [
            dataclasses.replace(video, label=str(MOTIONS.index(video.label))) for video in videos
        ]
    assert any(" " in video.path for video in videos)
    project = video_project(R3D, "videos")
    assert_both(project, videos, list(MOTIONS) if names else ["0", "1", "2", "3"])


def test_kinetics_is_read_without_the_videos_that_are_gone(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    videos = make_kinetics("videos", missing=True, **SMALL)
    assert_both(video_project(R3D, "kinetics"), videos, sorted(KINETICS))
    printed = capsys.readouterr().out
    assert "videos/annotations/train.csv: 1 of 9 videos are not there" in printed
    assert "videos/annotations/val.csv: 1 of 5 videos are not there" in printed


def test_kinetics_videos_may_lie_in_one_folder(here: Path) -> None:
    videos = make_kinetics("videos", **SMALL)
    for video in videos:
        path = Path("videos", video.path)
        path.rename(path.parent.parent / path.name)
    moved = [
        dataclasses.replace(video, path=f"{video.split}/{Path(video.path).name}")
        for video in videos
    ]
    assert_both(video_project(R3D, "kinetics"), moved, sorted(KINETICS))


def test_kinetics_without_any_video_is_an_error(here: Path) -> None:
    videos = make_kinetics("videos", **SMALL)
    project = video_project(R3D, "kinetics")
    for video in videos:
        if video.split == "val":
            Path("videos", video.path).unlink()
    message = "videos/val: has none of the 4 videos of videos/annotations/val.csv"
    with pytest.raises(ValueError, match=message):
        datasets(project)


@pytest.mark.parametrize("fold", [1, 2])
def test_ucf101_is_read_by_its_folds(here: Path, fold: int) -> None:
    videos = make_ucf101("videos", **SMALL)
    if fold == 2:  # what fold 1 trains on, fold 2 tests on
        lists = Path("videos/ucfTrainTestlist")
        for one, two in (("train", "test"), ("test", "train")):
            (lists / f"{one}list01.txt").rename(lists / f"{two}list02.txt")
        swap = {"train": "val", "val": "train"}
        videos = [dataclasses.replace(video, split=swap[video.split]) for video in videos]
    assert_both(video_project(R3D, "ucf101", f"data.fold={fold}"), videos, list(UCF101))


def test_every_fifth_video_of_a_class_can_be_kept_for_validation(here: Path) -> None:
    videos = make_folders("videos", MOTIONS, **(SMALL | {"train": 5, "val": 0}))
    project = video_project(
        R3D, "videofolder", "data.val_fraction=0.2", "data.train=train", "data.repeat=1"
    )
    train_set, val_set = datasets(project)
    assert sorted(val_set.labels) == [0, 1, 2, 3]
    assert sorted(train_set.labels) == sorted(4 * [0, 1, 2, 3])
    both = {str(video) for samples in (train_set, val_set) for video in samples.videos}
    assert both == {f"videos/{video.path}" for video in videos}


@pytest.mark.parametrize("kind", ["videofolder", "videos", "rawframes"])
def test_videos_of_a_person_are_not_divided(here: Path, kind: str) -> None:
    """Of each of four classes three persons with two videos each, as UCF101 names them."""
    lines = []
    for number, motion in enumerate(MOTIONS):
        for video in range(6):
            path = Path("videos", motion, f"v_{motion}_g{video // 2}_c{video % 2}.avi")
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind == "rawframes":
                path.mkdir()
                Path(path, "img_00001.jpg").touch()
            else:
                path.write_bytes(b"video")
            lines.append(f"{path}{' 1' if kind == 'rawframes' else ''} {number}\n")
    Path("all.txt").write_text("".join(lines))
    network, clips = MODELS[R3D]
    where = 'root = "videos"' if kind == "videofolder" else 'train = { list = "all.txt" }'
    keys = 'val_fraction = 0.3\nval_groups = "_c"'
    text = SPEC.format(model=network, data=f'format = "{kind}"\n{where}\n{keys}', clips=clips)
    project = compile_spec(text, "data.repeat=1")
    module = project.module("data")
    train, val = module.build_datasets(Path(module.DATA_DIR))
    # 1.8 videos of each class are to be validated on: one person.
    sides = [{Path(it.name(i)).stem[:-3] for i in range(len(it))} for it in (train, val)]
    assert not sides[0] & sides[1]
    assert sorted(val.labels) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert len(train) == 16


RAWFRAMES = {
    "plain": ({}, []),
    "offsets": ({"offsets": True}, ["data.with_offset=true"]),
    "other names": (
        {"template": "frame-{:d}.png", "first": 0, "offsets": True},
        ["data.with_offset=true", "data.frame_name='frame-{}.png'", "data.first_frame=0"],
    ),
    "from 7": (
        {"template": "{:06}.jpg", "first": 7},
        ["data.frame_name='{:06}.jpg'", "data.first_frame=7"],
    ),
}


def number_of(video: Video) -> int:
    return MOTIONS.index(video.motion)


@pytest.mark.parametrize("case", RAWFRAMES)
def test_frames_of_folders_are_those_of_the_videos(here: Path, case: str) -> None:
    draw, overrides = RAWFRAMES[case]
    first = draw.get("first", 1)
    videos = make_rawframes("videos", MOTIONS, **draw, **SMALL)
    project = video_project(
        TSN, "rawframes", "data.augment=center-crop", "data.flip=false", *overrides
    )
    data = project.module("data")
    for samples, split in zip(data.build_datasets(Path("videos")), ("train", "val"), strict=True):
        expected = {
            (f"videos/{video.path}", first + video.offset, video.count): video
            for video in videos
            if video.split == split
        }
        assert samples.classes == ["0", "1", "2", "3"]
        found = [(str(it.folder), it.first, it.count) for it in samples.videos]
        assert sorted(found) == sorted(expected)
        for index, key in enumerate(found):
            video = expected[key]
            assert samples.labels[index] == number_of(video)
            images = frames(video.motion, video.seed, video.count, SMALL["size"], split)
            seen = data.eval_transform(torch.from_numpy(images).permute(0, 3, 1, 2)).float()
            clip, label, _ = samples[index, 100 + index]
            assert (label, clip.shape) == (number_of(video), (2, 3, 32, 32))
            for part, frame in enumerate(clip):
                differences = (seen - frame.float()).abs().mean((1, 2, 3))
                best = int(differences.argmin())
                assert differences[best] < 6  # what JPEG does to it
                assert differences[best] < differences[: max(best, 1)].min() or best == 0
                assert part * video.count // 2 <= best <= -(-(part + 1) * video.count // 2)


# ---- which frames ----


def place_frames(here: Path) -> Callable[..., Tensor]:
    make_folders("videos", MOTIONS, train=1, val=1, count=2, size=(16, 16))
    function: Callable[..., Tensor] = video_project(TSN, "videofolder").module("data").place_frames
    return function


def test_one_frame_of_each_segment(here: Path) -> None:
    place = place_frames(here)
    torch.manual_seed(0)
    for segments in (1, 2, 3, 8, 25):
        for count in range(1, 201):
            middle = place(count, segments, random=False)
            assert middle.dtype == torch.int64
            exact = [(2 * k + 1) * count // (2 * segments) for k in range(segments)]
            assert middle.tolist() == exact
            drawn = place(count, segments, random=True).tolist()
            assert len(drawn) == segments
            for k, number in enumerate(drawn):
                assert 0 <= number < count
                assert k * count // segments <= number <= (k + 1) * count / segments


def test_every_frame_is_drawn(here: Path) -> None:
    place = place_frames(here)
    torch.manual_seed(0)
    drawn = torch.stack([place(12, 3, random=True) for _ in range(600)])
    for segment in range(3):
        counts = torch.bincount(drawn[:, segment], minlength=12)
        assert counts[4 * segment : 4 * segment + 4].sum() == 600
        assert counts[4 * segment : 4 * segment + 4].min() > 100


def place_clips(here: Path, clips: str) -> Callable[..., Tensor]:
    make_folders("videos", MOTIONS, train=1, val=1, count=2, size=(16, 16))
    project = video_project(R3D, "videofolder", f"data.clips={clips}")
    function: Callable[..., Tensor] = project.module("data").place_clips
    return function


@pytest.mark.parametrize(("length", "stride"), [(4, 1), (4, 2), (8, 3), (16, 4)])
def test_clips_lie_evenly_in_a_video(here: Path, length: int, stride: int) -> None:
    place = place_clips(here, f"{{ frames = {length}, stride = {stride} }}")
    torch.manual_seed(0)
    span = (length - 1) * stride + 1
    steps = torch.arange(length) * stride
    for clips in (1, 3, 10):
        for count in range(1, 201):
            middle = place(count, clips, random=False)
            assert middle.shape == (clips, length) and middle.dtype == torch.int64
            drawn = place(count, clips, random=True)
            for numbers in (middle, drawn):
                assert 0 <= int(numbers.min()) and int(numbers.max()) < count
                assert torch.equal(numbers, (numbers[:, :1] + steps) % count)
            if count < span:  # the clip goes round
                assert not middle[:, 0].any() and not drawn[:, 0].any()
                continue
            # As MMAction2's SampleFrames has it: int((k + 0.5) / N * (count - span + 1)).
            starts = [(2 * k + 1) * (count - span + 1) // (2 * clips) for k in range(clips)]
            assert middle[:, 0].tolist() == starts
            assert torch.equal(middle, middle[:, :1] + steps)
            for k, begin in enumerate(drawn[:, 0].tolist()):
                room = count - span + 1
                assert k * room // clips <= begin <= (k + 1) * room / clips
    begins = {int(place(span + 4, 1, random=True)[0, 0]) for _ in range(100)}
    assert begins == {0, 1, 2, 3, 4}


def variable(count: int) -> list[float]:
    """Times of a video of changing rate, as telephones write."""
    rng = random.Random(count)
    times = [0.0]
    while len(times) < count:
        times.append(times[-1] + rng.choice([1 / 60, 1 / 30, 1 / 30, 1 / 24, 0.2]))
    return times


RATES: dict[str, Callable[[int], list[float]]] = {
    "25": lambda count: [float(Fraction(n, 25)) for n in range(count)],
    "30": lambda count: [float(Fraction(n, 30)) for n in range(count)],
    "29.97": lambda count: [float(Fraction(n * 1001, 30000)) for n in range(count)],
    "variable": variable,
}


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("length", "fps"), [(4, 15), (8, 7.5), (8, 25)])
def test_clips_have_their_own_rate(here: Path, rate: str, length: int, fps: float) -> None:
    place = place_clips(here, f"{{ frames = {length}, fps = {fps} }}")
    torch.manual_seed(0)
    span = (length - 1) / fps
    for count in range(1, 201):
        times = torch.tensor(RATES[rate](count), dtype=torch.float64)
        for clips in (1, 4):
            middle = place(times, clips, random=False)
            drawn = place(times, clips, random=True)
            assert middle.shape == drawn.shape == (clips, length)
            for numbers in (middle, drawn):
                assert 0 <= int(numbers.min()) and int(numbers.max()) < count
            room = float(times[-1]) - span
            if room <= 0:  # all of the video is seen, and then it from its first frame on
                assert not middle[:, 0].any() and not drawn[:, 0].any()
                continue
            begins = [room * (k + 0.5) / clips for k in range(clips)]
            for begin, numbers in zip(begins, middle, strict=True):
                wanted = begin + torch.arange(length, dtype=torch.float64) / fps
                away = (times[None] - wanted[:, None]).abs().min(1).values
                assert (
                    (times[numbers] - wanted).abs() <= away + 2e-3 + 1e-6
                ).all()  # a millisecond
            for numbers in (middle, drawn):
                assert (numbers.diff(dim=1) >= 0).all()


def test_frames_at_half_the_rate_are_every_second_one(here: Path) -> None:
    place = place_clips(here, "{ frames = 8, fps = 15 }")
    for count in range(16, 101):
        times = torch.arange(count, dtype=torch.float64) / 30
        for kept in (times, times.round(decimals=3)):  # as in Matroska's files
            for clip in place(kept, 1, random=False):
                assert clip.diff().tolist() == 7 * [2], count


def test_a_clip_of_the_video_s_own_rate_goes_round(here: Path) -> None:
    place = place_clips(here, "{ frames = 8, fps = 25 }")
    for count in range(1, 8):
        times = torch.arange(count, dtype=torch.float64) / 25
        (clip,) = place(times, 1, random=False)
        assert clip.tolist() == [number % count for number in range(8)]


# ---- a sample ----


@pytest.mark.parametrize("model", MODELS)
def test_a_sample_follows_from_its_seed(here: Path, model: str) -> None:
    make_folders("videos", MOTIONS, **(SMALL | {"count": 30}))
    train_set, val_set = datasets(
        video_project(model, "videofolder", "data.augment=random-resized-crop")
    )
    one, label, index = train_set[3, 5]
    torch.manual_seed(99)
    assert torch.equal(one, train_set[3, 5][0])
    assert not torch.equal(one, train_set[3, 6][0])
    assert (label, index) == (train_set.labels[3], 3)
    assert one.dtype == torch.uint8
    assert one.shape == (2 if model == TSN else 4, 3, 32, 32)
    assert torch.equal(val_set[1, 0][0], val_set[1, 1][0])


AUGMENTATIONS = [
    "random-crop",
    "multi-scale-crop",
    "random-resized-crop",
    "center-crop",
    "rand-augment",
    "trivial-augment",
    "auto-augment",
    "aug-mix",
]


@pytest.mark.parametrize("augment", AUGMENTATIONS)
def test_all_frames_of_a_clip_are_augmented_alike(here: Path, augment: str) -> None:
    still = frames("left", 0, 1, SMALL["size"])
    make_rawframes("videos", MOTIONS, **SMALL)
    project = video_project(
        TSN,
        "rawframes",
        f"data.augment={augment}",
        "data.color_jitter=0.4",
        "data.random_erasing=0.5",
        "data.clips={ segments = 4 }",
    )
    data = project.module("data")
    clip = torch.from_numpy(still).permute(0, 3, 1, 2).expand(4, -1, -1, -1)
    seen = []
    for seed in range(20):
        torch.manual_seed(seed)
        sample = data.train_transform(clip)
        assert sample.shape == (4, 3, 32, 32) and sample.dtype == torch.uint8
        assert (sample == sample[:1]).all()
        seen.append(sample)
    assert any(not torch.equal(seen[0], other) for other in seen[1:])


def test_no_preset_mirrors_without_flip(here: Path) -> None:
    make_rawframes("videos", MOTIONS, **SMALL)
    options = ("data.augment=center-crop",)
    clip = torch.from_numpy(frames("left", 0, 2, SMALL["size"])).permute(0, 3, 1, 2)
    for flip, kinds in (("false", 1), ("true", 2)):
        project = video_project(TSN, "rawframes", *options, f"data.flip={flip}", folder=flip)
        transform = project.module("data").train_transform
        assert len({transform(clip).numpy().tobytes() for _ in range(30)}) == kinds


def test_multi_scale_crop(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_rawframes("videos", MOTIONS, **SMALL)
    data = video_project(TSN, "rawframes").module("data")
    found = set()

    def resized_crop(frames: Tensor, top: int, left: int, *shape: Any) -> Tensor:
        *sides, size = shape
        assert size == [32, 32]
        found.add((top, left, *sides))
        return frames[..., :32, :32]

    whole = torch.zeros(2, 3, 100, 140, dtype=torch.uint8)
    assert data.multi_scale_crop(whole).shape == (2, 3, 32, 32)
    monkeypatch.setattr(data.F, "resized_crop", resized_crop)
    torch.manual_seed(0)
    for _ in range(1000):
        data.multi_scale_crop(whole)
    sides = [round(100 * scale) for scale in data.SCALES]
    assert sides == [100, 88, 75, 66]
    shapes = {(y, x) for i, y in enumerate(sides) for j, x in enumerate(sides) if abs(i - j) < 2}
    assert {(high, wide) for *_, high, wide in found} == shapes
    for high, wide in shapes:
        down, right = 100 - high, 140 - wide
        corners = {(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)}
        assert {(t, left) for t, left, h, w in found if (h, w) == (high, wide)} == corners


# ---- lists that are wrong ----


def edit_line(path: str, number: int, change: Callable[[str], str]) -> None:
    lines = Path(path).read_text().splitlines()
    lines[number - 1] = change(lines[number - 1])
    Path(path).write_text("\n".join(lines) + "\n")


def rewrite(place: int, text: str) -> Callable[[], None]:
    """Make a word of the third line of the frames' list another."""

    def change(line: str) -> str:
        words = line.split()
        words[place] = text.format(*words)
        return " ".join(words)

    return lambda: edit_line("videos/train_list.txt", 3, change)


def count_by(change: int) -> Callable[[], None]:
    def by(line: str) -> str:
        folder, count, label = line.split()
        return f"{folder} {int(count) + change} {label}"

    return lambda: edit_line("videos/val_list.txt", 2, by)


def empty_the_fourth() -> None:
    line = Path("videos/train.txt").read_text().splitlines()[3]
    Path("videos", line.rsplit(" ", 1)[0]).write_bytes(b"")


def drop_a_frame() -> None:
    folder = Path("videos/train_list.txt").read_text().splitlines()[2].split()[0]
    Path("videos/rawframes_train", folder, "img_00004.jpg").unlink()


def empty_kinetics() -> None:
    _, row = Path("videos/annotations/train.csv").read_text().splitlines()[:2]
    name = row.split(",")[1]
    (file,) = Path("videos/train").rglob(f"{name}_*.mp4")
    file.write_bytes(b"")


def spoil_the_time(line: str) -> str:
    label, video, *rest = line.split(",")
    return ",".join([label, video, "soon", *rest[1:]])


LINE, VAL = "videos/train_list.txt:3: ", "videos/val_list.txt:2: "
BAD: dict[str, tuple[str, Callable[[], None], str]] = {
    "a frame is missing": ("rawframes", drop_a_frame, f"{LINE}no videos/rawframes_train/"),
    "too many said": ("rawframes", count_by(3), f"{VAL}no videos/rawframes_val/"),
    "too few said": ("rawframes", count_by(-2), f"{VAL}videos/rawframes_val/"),
    "no such label": ("rawframes", rewrite(2, "4"), f"{LINE}'4' is none of 4 classes"),
    "a label less than 0": ("rawframes", rewrite(2, "-1"), f"{LINE}'-1' is none of 4 classes"),
    "no folder": ("rawframes", rewrite(0, "gone"), f"{LINE}no videos/rawframes_train/gone/"),
    "no count": ("rawframes", rewrite(1, ""), f"{LINE}must be FOLDER FRAMES LABEL, not "),
    "a count of 0": ("rawframes", rewrite(1, "0"), f"{LINE}must be FOLDER FRAMES LABEL, not "),
    "a count in words": ("rawframes", rewrite(1, "x"), f"{LINE}must be FOLDER FRAMES LABEL, not "),
    "an empty file": ("videos", empty_the_fourth, "videos/train.txt:4: no video videos/videos/"),
    "no such file": (
        "videos",
        lambda: edit_line("videos/val.txt", 2, lambda line: f"x{line}"),
        "videos/val.txt:2: no video videos/xvideos/",
    ),
    "no label": (
        "videos",
        lambda: edit_line("videos/train.txt", 2, lambda line: "clip.mp4"),
        "videos/train.txt:2: must be a path, ' ' and a label, not 'clip.mp4",
    ),
    "a label out of range": (
        "videos",
        lambda: edit_line("videos/val.txt", 1, lambda line: line[:-1] + "7"),
        "videos/val.txt:1: '7' is none of 4 classes",
    ),
    "no time of Kinetics": (
        "kinetics",
        lambda: edit_line("videos/annotations/val.csv", 2, lambda line: line.split(",")[0]),
        "videos/annotations/val.csv:2: must have ['label', 'youtube_id', 'time_start', ",
    ),
    "a time in words": (
        "kinetics",
        lambda: edit_line("videos/annotations/train.csv", 3, spoil_the_time),
        "videos/annotations/train.csv:3: must have ['label', 'youtube_id', 'time_start', ",
    ),
    "an empty file of Kinetics": (
        "kinetics",
        empty_kinetics,
        "videos/annotations/train.csv:2: no video videos/train/",
    ),
    "no class": (
        "ucf101",
        lambda: edit_line("videos/ucfTrainTestlist/trainlist01.txt", 2, lambda line: "v.avi 1"),
        "videos/ucfTrainTestlist/trainlist01.txt:2: must be CLASS/VIDEO, not 'v.avi'",
    ),
    "a class without a name": (
        "ucf101",
        lambda: edit_line("videos/ucfTrainTestlist/classInd.txt", 2, lambda line: "2"),
        "videos/ucfTrainTestlist/classInd.txt:2: must be 2 and a class, not '2'",
    ),
    "an unknown class": (
        "ucf101",
        lambda: edit_line(
            "videos/ucfTrainTestlist/testlist01.txt", 1, lambda line: line.replace("/", "s/", 1)
        ),
        "videos/ucfTrainTestlist/testlist01.txt:1: ",
    ),
}
MAKE: dict[str, Callable[..., list[Video]]] = {
    "rawframes": lambda: make_rawframes("videos", MOTIONS, **SMALL),
    "videos": lambda: make_list("videos", MOTIONS, **SMALL),
    "kinetics": lambda: make_kinetics("videos", **SMALL),
    "ucf101": lambda: make_ucf101("videos", **SMALL),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_with_a_list_is_said_before_training(here: Path, case: str) -> None:
    data, spoil, message = BAD[case]
    MAKE[data]()
    project = video_project(R3D, data)
    spoil()
    printed = project.fail("train.py", "--output", "run")
    assert message in printed
    assert "epoch 1/2" not in printed
    assert not Path("run").exists()


# ---- what a video is tested by ----


def views(
    here: Path, model: str, test: str, size: tuple[int, int] = (40, 56)
) -> tuple[Project, Any]:
    """The project, and a video."""
    make_rawframes("videos", MOTIONS, **(SMALL | {"size": size}))
    project = video_project(model, "rawframes", f"evaluate.test={test}")
    _, val_set = datasets(project)
    return project, val_set.videos[0]


@pytest.mark.parametrize("crops", [1, 3, 5, 10])
@pytest.mark.parametrize("model", MODELS)
def test_views_of_a_video(here: Path, model: str, crops: int) -> None:
    project, video = views(here, model, f"{{ clips = 3, crops = {crops} }}")
    data = project.module("data")
    found = data.test_views(video)
    shape = (crops, 3) if model == TSN else (3 * crops, 4)
    assert found.shape == (*shape, 3, 32, 32) and found.dtype == torch.uint8
    assert torch.equal(found, data.test_views(video))
    if crops == 10:
        crops_of = found.unflatten(0, (10, -1))
        for mirrored, place in zip(range(5, 9), (1, 0, 3, 2), strict=True):  # of the corners
            assert torch.equal(crops_of[mirrored], crops_of[place].flip(-1))


@pytest.mark.parametrize("size", [(40, 56), (56, 40)])
@pytest.mark.parametrize("model", MODELS)
def test_three_crops_are_the_ends_and_the_middle(
    here: Path, model: str, size: tuple[int, int]
) -> None:
    project, video = views(here, model, "{ clips = 2, crops = 3 }", size)
    data = project.module("data")
    seen: list[Tensor] = []
    transform = data.test_transform
    data.test_transform = lambda clip: seen.append(transform(clip)) or seen[-1]
    found = data.test_views(video)
    (whole,) = seen
    if whole.shape[-2] > whole.shape[-1]:
        whole, found = whole.transpose(-1, -2), found.transpose(-1, -2)
    top, right = (whole.shape[-2] - 32) // 2, whole.shape[-1] - 32
    assert right > 0
    if model == R3D:
        found = found.unflatten(0, (3, 2)).flatten(1, 2)
    for crop, left in zip(found, (0, right // 2, right), strict=True):
        assert torch.equal(crop, whole[..., top : top + 32, left : left + 32])


def test_one_crop_is_what_validation_sees(here: Path) -> None:
    project, video = views(here, R3D, "{ clips = 1 }")
    data = project.module("data")
    assert torch.equal(data.test_views(video)[0], data.eval_clip(video))


def test_scores_of_a_tsn_are_those_of_the_mean_features(here: Path) -> None:
    project, video = views(here, TSN, "{ clips = 4, average = 'scores' }")
    torch.manual_seed(0)
    module, data = project.module("model"), project.module("data")
    model = module.build_model().eval()
    clip = data.test_views(video)
    with torch.inference_mode():
        found = module.score(model, clip[None])
        mean = model.backbone(data.normalize(clip[0])).mean(0)
        torch.testing.assert_close(found[0], model.fc(mean))


@pytest.mark.parametrize("average", ["probabilities", "scores"])
@pytest.mark.parametrize("model", MODELS)
def test_views_are_averaged(here: Path, model: str, average: str) -> None:
    project, video = views(here, model, f"{{ clips = 2, crops = 3, average = '{average}' }}")
    torch.manual_seed(0)
    module, data = project.module("model"), project.module("data")
    network = module.build_model().eval()
    torch.nn.init.normal_(network.fc.weight)  # one class is likelier than another
    clips = torch.stack([data.test_views(video), data.test_views(video).flip(0)])
    clips[1] //= 2
    with torch.inference_mode():
        found = module.score(network, clips)
        single = [network(data.normalize(views)) for views in clips]
        one_view = module.score(network, clips[:, 0])  # as validation asks for it
        logits = network(data.normalize(clips[:, 0]))
    assert found.shape == (2, 4)
    torch.testing.assert_close(one_view.softmax(1), logits.softmax(1), rtol=1e-4, atol=1e-5)
    if average == "scores":
        expected = torch.stack([it.mean(0) for it in single])
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    else:
        expected = torch.stack([it.softmax(1).mean(0).log() for it in single])
        rest = found - expected
        torch.testing.assert_close(rest, rest[:, :1].expand(-1, 4), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(found.softmax(1), expected.exp(), rtol=1e-4, atol=1e-5)
