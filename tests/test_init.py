"""`specc init`: what lies in a folder is found and told, and the spec that is written builds."""

import json
import re
import shlex
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from clips import make_folders, make_kinetics, make_list, make_rawframes, make_ucf101
from commands import specc
from garments import compose, write_cityscapes, write_coco, write_voc, write_yolo
from PIL import Image
from projects import compile_spec, make_images

from specc.build import load
from specc.init.write import init as write_spec
from specc.source.diagnostics import SpecError, UserError
from specc.tasks.common.plan import ClassesPlan, Plan

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


def listed_with_tabs() -> None:
    """Paths and labels with spaces in them."""
    listed_images()
    for part in ("train", "val"):
        path = Path("data", f"{part}.txt")
        path.write_text(path.read_text().replace(" ", "\ta tall "))


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
    "list of tabs": (
        listed_with_tabs,
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


def test_the_next_command_can_be_pasted(here: Path) -> None:
    make_images("data")
    said = init("data", "-o", "it's mine.toml")
    command = said.splitlines()[-1].partition("specc check ")[2]
    assert shlex.split(command) == ["it's mine.toml"]


def test_videos_that_kinetics_lacks_are_not_counted(here: Path) -> None:
    make_kinetics("data", MOTIONS, train=2, val=1, missing=True, **SMALL)
    assert 'from 2 videos of "left" to 2 of "right"' in init("data", "-o", "spec.toml")


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


def test_editors_check_the_spec(here: Path) -> None:
    """By its first line, as taplo and its extension of VS Code read it."""
    make_images("data")
    Path("specs").mkdir()
    write_spec(Path("data"), Path("specs/mine.toml"))
    first = Path("specs/mine.toml").read_text().splitlines()[0]
    schema = json.loads(Path("specs", first.removeprefix("#:schema ")).read_text())
    spec = tomllib.loads(Path("specs/mine.toml").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(spec)
    spec["optim"]["lrr"] = 1
    assert not validator.is_valid(spec)


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


def in_folders(root: str, *folders: str, count: int = 2) -> None:
    for folder in folders:
        for number in range(count):
            file = Path(root, folder, f"{number}.png")
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (16, 16)).save(file)


@pytest.mark.parametrize(
    "train, val, test, keys",
    [
        ("train", "val", "", {}),
        ("train", "valid", "test", {"val": "valid", "test": "test"}),
        ("TRAIN", "Validation", "", {"train": "TRAIN", "val": "Validation"}),
        ("Training", "", "Testing",
         {"train": "Training", "val_fraction": 0.2, "test": "Testing"}),
        ("train", "", "test", {"train": "train", "val_fraction": 0.2, "test": "test"}),
        ("training_set/training_set", "", "test_set/test_set",
         {"train": "training_set/training_set", "val_fraction": 0.2,
          "test": "test_set/test_set"}),
        ("seg_train", "", "seg_test",
         {"train": "seg_train", "val_fraction": 0.2, "test": "seg_test"}),
        ("trainImages", "dev-images", "", {"train": "trainImages", "val": "dev-images"}),
    ],
)  # fmt: skip
def test_splits_are_no_classes(
    here: Path, train: str, val: str, test: str, keys: dict[str, object]
) -> None:
    parts = [part for part in (train, val, test) if part]
    in_folders("data", *(f"{part}/{name}" for part in parts for name in ("ash", "elm", "oak")))
    said = write_spec(Path("data"), Path("spec.toml"))
    held = "6 to validate on" if val else "none to validate on"
    held += ", 6 to test on" if test else ""
    assert f"6 images to train on, {held}, 3 classes" in said
    spec, plan = written()
    assert spec["data"] == {"format": "imagefolder", "root": "data", **keys}
    assert isinstance(plan, ClassesPlan) and plan.data.num_classes == 3
    write_spec(Path("data"), Path("share.toml"), val_fraction=0.5)
    plan = written("share.toml")[1]
    assert isinstance(plan, ClassesPlan) and plan.data.num_classes == 3


def test_a_class_may_be_called_like_a_split(here: Path) -> None:
    in_folders("vehicles", "car", "bus", "train")
    in_folders("places", "beach", "train_station")
    in_folders("flat", "train", "valid", "test")  # whatever tells the labels, it is not these
    assert "6 images to train on, none to validate on, 3 classes" in write_spec(
        Path("vehicles"), Path("vehicles.toml")
    )
    assert "2 classes" in write_spec(Path("places"), Path("places.toml"))
    with pytest.raises(UserError, match="flat: no data in a format"):
        write_spec(Path("flat"), Path("flat.toml"))


def test_splits_may_lie_in_a_folder_of_training_data(here: Path) -> None:
    in_folders("all", *(f"train_data/{part}/{it}" for part in ("train", "val") for it in "ab"))
    said = write_spec(Path("all"), Path("all.toml"))
    assert "4 images to train on, 4 to validate on, 2 classes" in said
    assert written("all.toml")[0]["data"]["root"] == "all/train_data"


def test_a_share_of_splits_is_refused(here: Path) -> None:
    """That root/train and root/val would be two classes."""
    in_folders("data", *(f"{part}/{name}" for part in ("train", "Valid") for name in "abc"))
    make_folders("clips", MOTIONS, train=1, val=1, **SMALL)
    spec = """
        task = "{}"
        model = {{ name = "{}" }}
        data = {{ format = "{}", root = "{}", {} }}
        optim = {{ lr = 0.1 }}
        schedule = {{ epochs = 1 }}
        train = {{ batch_size = 2 }}
    """
    for task, model, format, root, val in [
        (IMAGES, "resnet18", "imagefolder", "data", "Valid"),
        (VIDEOS, "r2plus1d_18", "videofolder", "clips", "val"),
    ]:
        text = spec.format(task, model, format, root, "val_fraction = 0.2")
        Path("spec.toml").write_text(text)
        with pytest.raises(SpecError) as error:
            load(Path("spec.toml"))
        (problem,) = error.value.diagnostics
        advice = f'write train = "train" and val = "{val}" instead'
        assert f'{root} has the folders "train" and "{val}", which are splits' in str(problem)
        assert advice in str(problem) and "data.val_fraction" in str(problem)
    Path("spec.toml").write_text(
        spec.format(IMAGES, "resnet18", "imagefolder", "data", "repeat = 1")
    )
    with pytest.raises(SpecError, match='there is no folder data/val .*; write val = "Valid"'):
        load(Path("spec.toml"))


def litter(data: Path) -> None:
    """What a Mac, Jupyter and others leave in folders: as many files again, and a hidden folder."""
    for folder in [path for path in data.rglob("*") if path.is_dir()]:
        for file in [path for path in folder.iterdir() if path.is_file()]:
            folder.joinpath(f"._{file.name}").write_bytes(b"Mac OS X")
            folder.joinpath(".ipynb_checkpoints").mkdir(exist_ok=True)
            shutil.copy(file, folder / ".ipynb_checkpoints")
        folder.joinpath(".DS_Store").touch()
    for part in ("train", "val"):
        if (data / part).is_dir():
            shutil.copytree(next((data / part).glob("[!.]*")), data / part / ".trash")


def move_behind_a_link(folder: Path) -> None:
    folder.rename("elsewhere")
    folder.symlink_to(Path("elsewhere").absolute(), target_is_directory=True)


HIDDEN: dict[str, tuple[Callable[[], object], str, tuple[int, int]]] = {
    "imagefolder": (lambda: make_images("data"), "train/ash", (16, 8)),
    "videofolder": (
        lambda: make_folders("data", MOTIONS, train=3, val=2, **SMALL),
        "train/left",
        (6, 4),
    ),
    "kinetics": (lambda: make_kinetics("data", train=3, val=2, **SMALL), "train", (12, 8)),
    "yolo": (
        lambda: write_yolo("data", compose(2, 0), compose(2, 0, "val")),
        "images/train",
        (2, 2),
    ),
    "cityscapes": (
        lambda: write_cityscapes("data", compose(2, 0), compose(2, 0, "val")),
        "leftImg8bit/train/aachen",
        (2, 2),
    ),
}


@pytest.mark.parametrize("case", HIDDEN)
def test_what_is_hidden_is_not_data(here: Path, case: str) -> None:
    """Nowhere: neither for init, nor a build, nor the project; symbolic links are followed."""
    make, linked, counts = HIDDEN[case]
    make()
    litter(Path("data"))
    move_behind_a_link(Path("data", linked))
    if case == "cityscapes":
        Path("spec.toml").write_text(
            'task = "detection"\nmodel = { name = "fasterrcnn_resnet50_fpn_v2" }\n'
            'data = { format = "cityscapes", root = "data" }\n'
            "optim = { lr = 0.1 }\nschedule = { epochs = 1 }\ntrain = { batch_size = 1 }\n"
        )
    else:
        said = write_spec(Path("data"), Path("spec.toml"), format=case)
        noun = "videos" if case in ("videofolder", "kinetics") else "images"
        assert f"{counts[0]} {noun} to train on, {counts[1]} to validate on" in said
    project = compile_spec(Path("spec.toml"))
    if case in ("yolo", "cityscapes"):
        found = project.module("annotations").read_datasets(Path("data"))
        files = [record.file for records in found for record in records]
    elif case == "kinetics":
        read_rows = project.module("data").read_rows
        parts = ((Path("data", it), Path(f"data/annotations/{it}.csv")) for it in ("train", "val"))
        files = [file for part in parts for _, file, _ in read_rows(*part)]
    else:
        train, val = project.module("data").build_datasets(Path("data"))
        name = "files" if case == "imagefolder" else "videos"
        files = [*getattr(train, name), *getattr(val, name)]
        assert train.classes == val.classes and not train.classes[0].startswith(".")
    assert len(files) == sum(counts)
    assert not [file for file in files if any(name.startswith(".") for name in file.parts)]


def write(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)


def in_yolo(images: str, labels: str, number: int = 1) -> None:
    """Four images of 16 pixels, with an object in the middle of each."""
    in_folders(".", images, count=4)
    for index in range(4):
        write(f"{labels}/{index}.txt", f"{number} 0.5 0.5 0.25 0.5\n")


def yolo_with_path() -> None:
    in_yolo("data/set/images/train", "data/set/labels/train")
    in_yolo("data/set/images/val", "data/set/labels/val")
    write("data/coco.yaml", "path: set\nnames: [ash, elm]\ntrain: images/train\nval: images/val")


def yolo_of_lists() -> None:
    """With a path of another machine, as most have it."""
    for part in ("train", "val"):
        in_yolo(f"data/images/{part}", f"data/labels/{part}")
        write(f"data/{part}.txt", "".join(f"./images/{part}/{it}.png\n" for it in range(4)))
    write("data/data.yaml", "path: /nowhere\nnames: [ash, elm]\ntrain: train.txt\nval: val.txt")


def yolo_from_1(file: str = "data.yaml") -> None:
    in_yolo("data/images/train", "data/labels/train", number=2)
    in_yolo("data/images/val", "data/labels/val", number=2)
    write(f"data/{file}", "names: {1: ash, 2: elm}\ntrain: images/train\nval: images/val")


def yolo_of_roboflow() -> None:
    for part in ("train", "valid", "test"):
        in_yolo(f"data/{part}/images", f"data/{part}/labels")
    write(
        "data/data.yaml",
        "train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnames: [ash, elm]",
    )


def yolo_of_label_studio() -> None:
    in_yolo("data/images", "data/labels")
    write("data/classes.txt", "ash\nelm\n")


def yolo_of_cvat() -> None:
    """Whose list names a folder that is not there."""
    in_yolo("data/obj_train_data", "data/obj_train_data")
    write("data/obj.names", "ash\nelm\n")
    write("data/train.txt", "".join(f"data/obj_train_data/{it}.png\n" for it in range(4)))


def yolo_of_several_folders() -> None:
    for part, count in (("a", 1), ("b", 3), ("val", 4)):
        in_folders(".", f"data/images/{part}", count=count)
        for index in range(count):
            write(f"data/labels/{part}/{index}.txt", "1 0.5 0.5 0.25 0.5\n")
    write("data/data.yaml", "names: [ash, elm]\ntrain: [images/a, images/b]\nval: [images/val]")


YOLO = {
    "path": yolo_with_path,
    "several folders": yolo_of_several_folders,
    "lists": yolo_of_lists,
    "names from 1": yolo_from_1,
    "names from 1 elsewhere": lambda: yolo_from_1("trees.yaml"),
    "Roboflow": yolo_of_roboflow,
    "Label Studio": yolo_of_label_studio,
    "CVAT": yolo_of_cvat,
}


@pytest.mark.parametrize("root", ["data", "images/data"])
@pytest.mark.parametrize("case", YOLO)
def test_yolo_is_read_as_others_write_it(here: Path, case: str, root: str) -> None:
    """Also in a folder that has "images" in its path."""
    YOLO[case]()
    if root != "data":
        Path("images").mkdir()
        Path("data").rename(root)
    said = write_spec(Path(root), Path("spec.toml"))
    tests = ", 4 to test on" if case == "Roboflow" else ""
    counts = re.match(
        f"yolo: 4 images to train on, (4|none) to validate on{tests}, 2 classes", said
    )
    assert counts and 'from 0 objects of "ash" to 4 of "elm"' in said
    annotations = compile_spec(Path("spec.toml")).module("annotations")
    train, val = annotations.read_datasets(Path(annotations.DATA_DIR))
    assert (len(train), len(val)) == ((4, 4) if counts[1] == "4" else (3, 1))
    if tests:
        assert len(annotations.read_test(Path(annotations.DATA_DIR), [])) == 4
        for file in Path(root, "test/labels").iterdir():
            file.unlink()
        said = write_spec(Path(root), Path("unlabelled.toml"))
        assert "4 images for a test at the end: it is not validated on" in said
        assert "test" not in tomllib.loads(Path("unlabelled.toml").read_text())["data"]
    for record in train + val:
        assert record.boxes.tolist() == [[6, 4, 10, 12]]
        assert [annotations.CLASSES[it] for it in record.labels.tolist()] == ["elm"]


def coco_file(path: str, images: list[str], categories: dict[int, str]) -> None:
    """One object of the first category in each image, which is 16 pixels wide and high."""
    content: dict[str, Any] = {"images": [], "annotations": []}
    content["categories"] = [{"id": key, "name": name} for key, name in categories.items()]
    for number, name in enumerate(images):
        content["images"].append({"id": number, "file_name": name})
        row = {"id": number, "image_id": number, "category_id": next(iter(categories))}
        content["annotations"].append(row | {"bbox": [2, 2, 9, 9]})
    write(path, json.dumps(content))


def test_numbered_files_of_coco_are_parts_of_one(here: Path) -> None:
    in_folders("data", "images", count=6)
    in_folders("data", "val", count=1)
    files = [f"{number}.png" for number in range(6)]
    coco_file("data/train_1.json", files[:2], {1: "elm", 2: "ash"})
    coco_file("data/train_2.json", files[2:5], {1: "oak", 2: "elm"})
    coco_file("data/val.json", ["0.png"], {1: "ash", 2: "elm", 3: "oak"})
    said = write_spec(Path("data"), Path("spec.toml"))
    assert said.startswith("coco: 5 images to train on, 1 to validate on, 3 classes\n")
    assert 'from 0 objects of "ash" to 3 of "oak"' in said
    annotations = compile_spec(Path("spec.toml")).module("annotations")
    assert annotations.CLASSES[-3:] == ["elm", "ash", "oak"]
    train, val = annotations.read_datasets(Path("data"))
    named = [annotations.CLASSES[label] for record in train for label in record.labels]
    assert named == ["elm"] * 2 + ["oak"] * 3 and len(val) == 1
    # Without a split's name as well; not if an image is in both, or if they are years.
    Path("data/val.json").unlink()
    for number in (1, 2):
        Path(f"data/train_{number}.json").rename(f"data/part{number}.json")
    said = write_spec(Path("data"), Path("other.toml"))
    assert said.startswith("coco: 5 images to train on, none to validate on, 3 classes\n")
    coco_file("data/train2017.json", files[:2], {1: "elm"})
    coco_file("data/train2018.json", files[2:5], {1: "elm"})
    said = write_spec(Path("data"), Path("years.toml"))
    assert "coco: 2 images to train on" in said
    belongs = "is left out, as nothing says that it belongs to data/train"
    assert f"data/train2018.json {belongs}2017.json" in said
    coco_file("data/train_1.json", files[:3], {1: "elm"})
    coco_file("data/train_2.json", files[2:5], {1: "elm"})
    for year in (2017, 2018):
        Path(f"data/train{year}.json").unlink()
    said = write_spec(Path("data"), Path("overlap.toml"))
    assert "coco: 3 images to train on" in said and f"data/train_2.json {belongs}_1.json" in said


def test_numbers_below_the_first_are_wrong(here: Path) -> None:
    yolo_from_1()
    write("data/labels/train/0.txt", "0 0.5 0.5 0.25 0.5\n")
    said = write_spec(Path("data"), Path("spec.toml"))
    assert "1 lines of labels have no class from 1 to 2" in said
    annotations = compile_spec(Path("spec.toml")).module("annotations")
    with pytest.raises(ValueError, match="0.txt:1: no class 0"):
        annotations.read_datasets(Path("data"))


def test_what_is_missing_is_said(here: Path) -> None:
    image = {"id": 1, "file_name": "export/0.png", "height": 16, "width": 16}
    coco = {"images": [image], "annotations": [], "categories": [{"id": 1, "name": "ash"}]}
    in_folders("coco", "pictures")
    write("coco/annotations/trees.json", json.dumps(coco))
    in_folders("labelme", ".")
    write("labelme/0.json", json.dumps({"version": "5.0", "shapes": [], "imagePath": "0.png"}))
    in_yolo("numbers/images", "numbers/labels")
    in_folders("yaml", "elsewhere")
    write("yaml/data.yaml", "names: [ash, elm]\ntrain: images/train")
    for folder, message in {
        "coco": r'"export/0.png" is not there, but coco/pictures/0.png is',
        "labelme": "labelme's JSON, .* python labelme2coco.py labelme OUT",
        "numbers": "nothing names the classes; add a data.yaml",
        "yaml": "yaml/data.yaml: .* no images to train on in yaml/images/train",
    }.items():
        with pytest.raises(UserError, match=message):
            write_spec(Path(folder), Path("spec.toml"))


XML = """<annotation><object><name>elm</name><bndbox>
<xmin>7</xmin><ymin>5</ymin><xmax>10</xmax><ymax>12</ymax></bndbox></object></annotation>"""


@pytest.mark.parametrize(
    "images, xml, keys, counts",
    [
        (["train", "valid", "test"], "",
         {"train": "train", "val": "valid", "test": "test"}, (4, 4)),
        (["."], "", {"train": ".", "val_fraction": 0.2}, (3, 1)),
        (["images"], "annotations",
         {"train": "images", "xml": "annotations", "val_fraction": 0.2}, (3, 1)),
    ],
)  # fmt: skip
def test_voc_is_read_without_lists(
    here: Path, images: list[str], xml: str, keys: dict[str, object], counts: tuple[int, int]
) -> None:
    """As Roboflow, labelImg and others write it: PNG or JPEG with XML of the same name."""
    in_folders("data", *images, count=4)
    for file in [*Path("data").rglob("*.png")]:
        write(f"{Path('data', xml) if xml else file.parent}/{file.stem}.xml", XML)
    said = write_spec(Path("data"), Path("spec.toml"))
    assert 'elm" to 4 of "elm"' in said
    assert written()[0]["data"] == {"format": "voc-folders", "root": "data", **keys}
    annotations = compile_spec(Path("spec.toml")).module("annotations")
    train, val = annotations.read_datasets(Path("data"))
    assert (len(train), len(val)) == counts
    for record in train + val:  # pixels 7 to 10 and 5 to 12 of those counted from 1
        assert record.boxes.tolist() == [[6, 4, 10, 12]]
        assert [annotations.CLASSES[it] for it in record.labels.tolist()] == ["elm"]
    next(Path("data", xml or images[0]).glob("*.xml")).unlink()
    Path("spec.toml").unlink()
    assert "no XML that can be read: data/" in write_spec(Path("data"), Path("spec.toml"))
    with pytest.raises(ValueError, match="No such file"):
        annotations.read_datasets(Path("data"))


def test_voc_of_png_without_some_xml(here: Path) -> None:
    in_folders("data", "JPEGImages", count=4)
    for part, names in {"train": "012", "val": "3"}.items():
        write(f"data/ImageSets/Main/{part}.txt", "\n".join(names))
    for name in "013":
        write(f"data/Annotations/{name}.xml", XML)
    said = write_spec(Path("data"), Path("spec.toml"))
    assert "voc: 3 images to train on, 1 to validate on, 1 classes" in said
    assert "no XML that can be read: data/Annotations/2.xml" in said
    assert "cannot be read" not in said  # as data/JPEGImages/0.jpg would be
