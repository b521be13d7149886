"""`specc init`: what lies in a folder is found and told, and the spec that is written builds."""

import re
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from clips import make_folders, make_kinetics, make_list, make_rawframes, make_ucf101
from commands import specc
from garments import compose, write_coco, write_voc, write_yolo
from projects import make_images

from specc.build import load
from specc.plan.plan import Plan

SMALL = {"count": 8, "size": (32, 32)}
MOTIONS = ("left", "right")


def init(*arguments: str, code: int = 0) -> str:
    done = specc("init", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def written(path: str = "spec.toml") -> tuple[dict[str, object], Plan]:
    """The spec, and the plan that it makes."""
    return tomllib.loads(Path(path).read_text()), load(Path(path))


def listed_images() -> None:
    make_images("data")
    for part in ("train", "val"):
        rows = [f"{file.relative_to('data')} {file.parent.name}" for file in
                sorted(Path("data", part).rglob("*.png"))]  # fmt: skip
        Path("data", f"{part}.txt").write_text("\n".join(rows))


def table_of_images(delimiter: str = ",") -> None:
    listed_images()
    for part in ("train", "val"):
        text = Path("data", f"{part}.txt").read_text()
        Path("data", f"{part}.txt").unlink()
        rows = [delimiter.join(line.split()) for line in text.splitlines()]
        Path("data", f"{part}.csv").write_text(
            "\n".join([delimiter.join(["file", "label"]), *rows])
        )


def flat_images() -> None:
    make_images("all")
    shutil.move("all/train", "data")


def frames_in_reels() -> None:
    make_rawframes("data", MOTIONS, "frame{:03}.png", 0, offsets=True, train=6, val=2, **SMALL)


IMAGES, VIDEOS = "classification", "video-classification"
# What is there, the task that is found, and the line that says what.
DATA: dict[str, tuple[Callable[[], object], str, str]] = {
    "folders": (
        lambda: make_images("data"),
        IMAGES,
        "imagefolder: 16 images to train on, 8 to validate on, 4 classes",
    ),
    "flat folders": (
        flat_images,
        IMAGES,
        "imagefolder: 16 images to train on, none to validate on, 4 classes",
    ),
    "list": (
        listed_images,
        IMAGES,
        "list: 16 images to train on, 8 to validate on, 4 classes",
    ),
    "csv": (
        table_of_images,
        IMAGES,
        "csv: 16 images to train on, 8 to validate on, 4 classes",
    ),
    "csv of semicolons": (
        lambda: table_of_images(";"),
        IMAGES,
        "csv: 16 images to train on, 8 to validate on, 4 classes",
    ),
    "coco": (
        lambda: write_coco("data", compose(9, 0), compose(3, 0, "val")),
        "instance-segmentation",
        "coco: 9 images to train on, 3 to validate on, 4 classes",
    ),
    "voc": (
        lambda: write_voc("data", compose(9, 0), compose(3, 0, "val")),
        "detection",
        "voc: 9 images to train on, 3 to validate on, 4 classes",
    ),
    "yolo": (
        lambda: write_yolo("data", compose(9, 0), compose(3, 0, "val")),
        "detection",
        "yolo: 9 images to train on, 3 to validate on, 4 classes",
    ),
    "video folders": (
        lambda: make_folders("data", MOTIONS, train=6, val=2, **SMALL),
        VIDEOS,
        "videofolder: 12 videos to train on, 4 to validate on, 2 classes",
    ),
    "video list": (
        lambda: make_list("data", MOTIONS, train=6, val=2, **SMALL),
        VIDEOS,
        "videos: 12 videos to train on, 4 to validate on, 2 classes",
    ),
    "frames": (
        lambda: make_rawframes("data", MOTIONS, train=6, val=2, **SMALL),
        VIDEOS,
        "rawframes: 12 videos to train on, 4 to validate on, 2 classes",
    ),
    "frames with offsets": (
        frames_in_reels,
        VIDEOS,
        "rawframes: 12 videos to train on, 4 to validate on, 2 classes",
    ),
    "kinetics": (
        lambda: make_kinetics("data", train=6, val=2, **SMALL),
        VIDEOS,
        "kinetics: 24 videos to train on, 8 to validate on, 4 classes",
    ),
    "ucf101": (
        lambda: make_ucf101("data", train=6, val=2, **SMALL),
        VIDEOS,
        "ucf101: 24 videos to train on, 8 to validate on, 4 classes",
    ),
}


@pytest.mark.parametrize("case", DATA)
def test_data_are_found_and_their_spec_builds(here: Path, case: str) -> None:
    make, task, found = DATA[case]
    make()
    said = init("data", "-o", "spec.toml")
    assert said.splitlines()[0] == found
    spec, plan = written()
    assert spec["task"] == task
    assert spec["data"]["format"] == found.partition(":")[0]
    assert plan.train.epochs >= 8
    if case == "flat folders":
        assert spec["data"]["val_fraction"] == 0.2


def test_parts_may_have_the_same_names(here: Path) -> None:
    make_rawframes("data", MOTIONS, train=6, val=2, **SMALL)
    init("data", "-o", "frames.toml")
    data = written("frames.toml")[0]["data"]
    assert data["train"]["root"] == "data/rawframes_train"
    assert data["val"]["root"] == "data/rawframes_val"

    make_images("images")
    for part in ("train", "val"):
        files = sorted(Path("images", part).rglob("*.png"))
        rows = [f"{file.relative_to(Path('images', part))},{file.parent.name}" for file in files]
        Path(f"images/{part}.csv").write_text("\n".join(["file,label", *rows]))
    init("images", "-o", "table.toml")
    data = written("table.toml")[0]["data"]
    assert data["train"]["root"] == "images/train"
    assert data["val"]["root"] == "images/val"

    write_coco("coco", compose(9, 0), compose(3, 0, "val"))
    init("coco", "-o", "spec.toml")
    data = written()[0]["data"]
    assert data["train"]["images"] == "coco/train"
    assert data["val"]["images"] == "coco/val"
    assert "val_fraction" not in data
    for part in ("train", "val"):  # as Roboflow has it
        json = Path(f"coco/annotations/instances_{part}.json")
        json.rename(f"coco/{part}/_annotations.coco.json")
    Path("coco/annotations").rmdir()
    shutil.copytree("coco/train", "one/val")
    init("one", "-o", "one.toml")  # what there is is trained on, and not validated on as well
    data = written("one.toml")[0]["data"]
    assert data["train"]["json"] == "one/val/_annotations.coco.json"
    assert data["val_fraction"] == 0.2
    Path("coco/val").rename("coco/valid")
    init("coco", "-o", "coco.toml")
    data = written("coco.toml")[0]["data"]
    assert data["train"] == {"images": "coco/train", "json": "coco/train/_annotations.coco.json"}
    assert data["val"] == {"images": "coco/valid", "json": "coco/valid/_annotations.coco.json"}


def test_what_is_found_is_told(here: Path) -> None:
    make_images("my data", ("ash", 'b"ir\\ch'), train=3, val=2)
    make_images("my data", ("ωραίο",), train=60, val=2, size=(80, 120))
    Path("my data/train/ash/broken.png").write_bytes(b"no image")
    said = init("my data")
    assert said.splitlines()[0] == (
        "imagefolder: 67 images to train on, 6 to validate on, 3 classes"
    )
    assert 'from 3 images of "b"ir\\ch" to 60 of "ωραίο"' in said
    assert "48x36 to 120x80 pixels, 120x80 in the middle" in said
    assert "cannot be read: my data/train/ash/broken.png" in said
    spec, _ = written("my data.toml")
    assert spec["data"]["balance"] is True  # as one class is 20 times another
    assert spec["model"]["freeze"] == "backbone"


def test_broken_videos_are_named(here: Path) -> None:
    make_folders(Path("data"), MOTIONS, train=2, val=1, **SMALL)
    make_folders(Path("data"), ("up",), train=2, val=1, count=24, size=(48, 64))
    whole = sorted(Path("data/train/left").iterdir())[0].read_bytes()
    Path("data/train/left/broken.mp4").write_bytes(whole[: len(whole) // 2])
    Path("data/train/up/empty.mp4").touch()
    said = init("data")
    assert "32x32 to 64x48 pixels, 32x32 in the middle" in said
    assert re.search(r"0\.\d to \d\.\d seconds, 0\.\d in the middle", said)
    assert "cannot be read: data/train/left/broken.mp4, data/train/up/empty.mp4" in said


def test_flags_say_what_else_would_be_chosen(here: Path) -> None:
    make_images("data")
    options = ["--model", "resnet18", "--epochs", "7", "--val-fraction", "0.25"]
    init("data", "-o", "spec.toml", *options)
    spec, plan = written()
    assert spec["model"] == {"name": "resnet18"}
    assert plan.train.epochs == 7
    assert spec["data"]["val_fraction"] == 0.25
    said = init("data", "--model", "resnet81", code=1)
    assert (
        said == 'no spec was written: model.name: no model "resnet81"; did you mean "resnet18"?\n'
    )
    assert not Path("data.toml").exists()


@pytest.mark.parametrize(
    "name, content",
    [
        ("data.yaml", "names: 3\ntrain: [1]"),
        ("data.yaml", "names: [a\ntrain: b"),
        ("train.json", '{"images": [{}], "annotations": {}, "categories": [1]}'),
        ("train.json", '{"images": 1'),
        ("train.csv", "image,label\n"),
        ("train.txt", "one\ntwo words\n"),
        ("train.txt", "train/ash/0.png 1 0\n"),  # two labels
    ],
)
def test_files_that_only_look_like_a_format_are_passed_over(
    here: Path, name: str, content: str
) -> None:
    make_images("data")
    Path("data", name).write_text(content)
    Path("data", "latin.csv").write_bytes(b"image,label\n\xe9.png,1\n")
    assert init("data").startswith("imagefolder: 16 images to train on")


def test_a_file_is_never_overwritten(here: Path) -> None:
    make_images("data")
    Path("data.toml").write_text("mine")
    assert init("data", code=1) == "data.toml exists; name another file with -o\n"
    assert Path("data.toml").read_text() == "mine"


def test_what_cannot_be_seen_is_asked_for(here: Path) -> None:
    Path("data").mkdir()
    assert "no data in a format that specc knows" in init("data", code=1)
    assert init("nowhere", code=1) == "nowhere: no such folder\n"
    write_coco("both", compose(9, 0), compose(3, 0, "val"))
    write_yolo("both", compose(9, 0), compose(3, 0, "val"))
    assert 'can be read as "yolo" or "coco"; say which with --format' in init("both", code=1)
    init("both", "--format", "coco", "-o", "spec.toml")
    assert written()[0]["data"]["format"] == "coco"
    assert 'not in the format "voc"; it looks like' in init("both", "--format", "voc", code=1)
