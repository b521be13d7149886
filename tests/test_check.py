"""`specc check`: what it says of a training is what the training does."""

import json
import math
import re
from collections import Counter
from pathlib import Path

import pytest
import torch
from clips import make_folders, make_rawframes
from commands import specc
from PIL import Image
from projects import SPEC, make_images
from scenes import QUICK, make_scenes
from scenes import SPEC as DETECTOR
from torchvision.models import resnet18

ROOT = Path(__file__).parent.parent


def check(*arguments: str, spec: str = "spec.toml", code: int = 0) -> str:
    """What is printed, on one screen."""
    done = specc("check", spec, *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) <= 45
    screen, _, _ = done.stdout.partition("\n\n--set")
    lines = screen.splitlines()[1:]  # the first one has the path
    assert [it for it in lines if len(it) > 100 and "spec.toml:" not in it] == []
    return done.stdout + done.stderr


@pytest.fixture
def images(here: Path) -> Path:
    """16 images of four classes, and the spec."""
    make_images()
    Path("spec.toml").write_text(SPEC)
    return here


def test_counts_of_samples_steps_and_parameters_are_those_of_the_training(images: Path) -> None:
    keys = ("model.freeze=backbone", "train.batch_size=5", "train.ema=0.999")
    said = check(*(word for key in keys for word in ("--set", key)))
    assert "data   16 images to train on, 8 to validate on\n" in said
    assert re.search(r"^ +ash +4 +2  █{30}$", said, re.MULTILINE)
    model = resnet18(num_classes=4)
    all_ = sum(it.numel() for it in model.parameters())
    assert f"model  {all_:,} parameters, 2,052 of them trained (0.0%)\n" in said
    assert "frozen: conv1, bn1, layer1, layer2, layer3, layer4\n" in said
    assert "batch  5 images\n" in said
    assert "3 steps an epoch, 6 in 2 epochs; 1 samples of an epoch left out\n" in said
    assert "random weights" in said
    assert (
        "0.999 is not reached: " in said and "which is 0.4 at the last of 6 steps" in said
    )  # 6/15


def test_groups_that_do_not_divide_are_told(here: Path) -> None:
    """No file's name has what should end the group's name; and elm is a single image."""
    make_images(train=4, val=0)
    for file in Path("images/train").glob("*/*.png"):
        file.rename(file.with_stem(f"{file.parent.name}{file.stem}"))
    for file in sorted(Path("images/train/elm").glob("*.png"))[1:]:
        file.unlink()
    Path("spec.toml").write_text(SPEC)
    keys = ["data.root=images/train", "data.val_fraction=0.25", "data.val_groups=-"]
    said = check(*(word for key in keys for word in ("--set", key)))
    assert "10 images to train on, 3 to validate on" in said
    assert "data.val_groups: each of 13 groups has one sample; is that where they stand?" in said
    assert 'all images of "elm" are of one group, and so none is validated on' in said


def test_batches_are_divided_among_gpus_and_in_parts(images: Path) -> None:
    said = check("--gpus", "2", "--set", "train.batch_size=8", "--set", "train.max_batch_per_gpu=2")
    text = "8 images, 4 on each of 2 GPUs, computed 2 at a time and accumulated in 2 parts\n"
    assert f"batch  {text}" in said
    said = check("--gpus", "3", code=1)
    assert (
        "spec.toml:14:1  train.batch_size: 4 cannot be divided among 3 GPUs; write e.g. 6" in said
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "schedule, first, last",
    [
        ('{ name = "constant", epochs = 4 }', 0.01, 0.01),
        ('{ name = "cosine", epochs = 4 }', 0.01, 0.005 * (1 + math.cos(math.pi * 15 / 16))),
        ('{ name = "step", epochs = 4, step_size = 3 }', 0.01, 0.001),
        ('{ name = "constant", epochs = 4, warmup = { steps = 4, factor = 0.1 } }', 0.001, 0.01),
    ],
)
def test_the_learning_rate_is_that_of_the_schedule(
    images: Path, schedule: str, first: float, last: float
) -> None:
    text = SPEC.replace("[schedule]\nepochs = 2\n", f"schedule = {schedule}\n")
    head, _, rest = text.partition("schedule = ")
    line, _, tail = rest.partition("\n")
    Path("spec.toml").write_text(f"schedule = {line}\n{head}{tail}")
    said = check("--set", "optim.lr=0.01")
    assert f"from {first:.3g} to {last:.3g}\n" in said
    assert "epoch 1" in said and "epoch 4" in said


def test_what_a_person_would_want_to_know_is_said_with_its_place(images: Path) -> None:
    make_images("images", ("oak",), train=90, val=1)
    for index in range(3):
        Path(f"images/train/ash/{index}.png").unlink()
    said = check("--set", "optim.lr=3", "--set", "optim.name=adamw")
    assert "--set optim.lr=3  optim.lr: 3 is far above what adamw is used with\n" in said
    few = 'data: fewer than 5 images to train on of "ash", "birch", "cedar", "elm"\n'
    assert f"spec.toml:6:2  {few}" in said
    assert "data: 90 images of the largest class, and 1 of the smallest" in said
    said = check("--set", "data.balance=true")
    assert "of the largest class" not in said


def test_files_of_weights_that_are_not_here_are_named_by_check_and_build(images: Path) -> None:
    absent = ("model.weights=w/student.pth", "distill.name=resnet34", "distill.weights=t.pt")
    options = [word for setting in absent for word in ("--set", setting)]
    lines = [
        f'--set {setting}  {setting.partition("=")[0]}: there is no file "{file}" here, '
        "where training would read it\n"
        for setting, file in ((absent[0], "w/student.pth"), (absent[2], "t.pt"))
    ]
    said = check(*options)
    built = specc("build", "spec.toml", "-o", "out", *options)
    assert all(line in said for line in lines) and built.returncode == 0
    assert built.stderr == "".join(lines)
    Path("w").mkdir()
    torch.save([], "w/student.pth")
    Path("t.pt").touch()
    assert specc("build", "spec.toml", "-o", "out", *options).stderr == ""


def test_odd_images_and_classes_are_told_of(images: Path) -> None:
    deep = torch.full((8, 8), 2192, dtype=torch.int32).numpy().astype("<u2")
    for file in images.glob("images/train/ash/*.png"):
        Image.fromarray(deep).save(file)
    make_images("images", ("Elm", "el m"), size=(36, 40))
    said = check("--set", "train.batch_size=2")
    assert "data: 16-bit images have values up to 2192 only, of 65535, and so are dark; " in said
    assert "; write value_range = [0, 4095]\n" in said
    alike = "are classes of their own, and differ in case or spaces only"
    assert f'data: "Elm", "el m", "elm" {alike}\n' in said
    said = check("--set", "data.value_range=[0, 4095]")
    assert "16-bit" not in said
    said = check("--set", "data.value_range=[0, 1023]")
    assert "values up to 2192, which become white; write [0, 4095]" in said

    Path("images/train/ash/2.png").write_bytes(b"no image")
    Path("images/val/elm/1.png").write_bytes(b"")
    said = check("--set", "model.name=resnet18", code=1)
    assert "not counted: 2 of 36 images are wrong:\n" in said
    assert "images/train/ash/2.png: not a readable image" in said
    assert "images/val/elm/1.png: not a readable image" in said
    assert 'data.on_bad_image = "skip" leaves these out' in said
    said = check("--set", "data.on_bad_image=skip")
    assert "data   23 images to train on, 11 to validate on\n" in said


def test_what_would_stop_a_training_at_once_is_said_with_code_1(images: Path) -> None:
    """Whatever its kind: of the system, of Python, of the project in its own words."""
    Path("images/train").rename("images/Train")
    said = check("--set", "model.num_classes=4", code=1)
    assert "data   not counted: images/train: No such file or directory\n" in said
    Path("images/Train").rename("images/train")
    files = sorted(it.relative_to("images").as_posix() for it in Path("images").rglob("*.png"))
    rows = [f"{file},{file.split('/')[1]}" for file in files]
    Path("train.csv").write_text("\n".join(["image,label", *rows]))
    Path("val.csv").write_text("\n".join(["image,label", *(f"{file}," for file in files[:2])]))
    parts = [f'{it}={{ root = "images", csv = "{it}.csv" }}' for it in ("train", "val")]
    keys = ("format=csv", *parts, "multi_label=true")
    head, _, tail = SPEC.partition('format = "imagefolder"\nroot = "images"\n')
    Path("spec.toml").write_text(head + tail)
    said = check(*(word for key in keys for word in ("--set", f"data.{key}")), code=1)
    assert "not counted: no validation image has a label, and so mAP no value\n" in said


def test_errors_are_those_of_a_build(images: Path) -> None:
    said = check("--set", "optim.rate=1", code=2)
    assert said.startswith("--set optim.rate=1  optim.rate: unknown key")


def test_objects_of_a_detector_are_counted(here: Path) -> None:
    make_scenes(train=9, val=3)
    Path("spec.toml").write_text(DETECTOR.format(task="detection", name=QUICK))
    said = check()
    with open("data/annotations/instances_train.json") as file:
        content = json.load(file)
    names = {row["id"]: row["name"] for row in content["categories"]}
    rows = [row for row in content["annotations"] if not row["iscrowd"]]
    counts = Counter(names[row["category_id"]] for row in rows)
    assert "classes; objects of each in training and validation:" in said
    for name, number in counts.items():
        assert re.search(rf"^ +{re.escape(name)} +{number} ", said, re.MULTILINE)
    assert "trained on and validated on" not in said and "more than once" not in said
    assert "objects in an image" not in said and "average precision counts" not in said
    # What would stop a training, and what would be left out; a class without objects.
    with open("data/annotations/instances_train.json", "w") as file:
        content["categories"].append({"id": 91, "name": " absent "})
        content["categories"].append({"id": 92, "name": "Absent"})
        row = next(it for it in content["annotations"] if not it["iscrowd"])
        content["annotations"].append({**row, "id": 7, "bbox": [5, 5, 0, 9]})
        json.dump(content, file)
    with open("data/annotations/instances_val.json") as file:
        content = json.load(file)
    with open("data/annotations/instances_val.json", "w") as file:
        content["categories"].append({"id": 91, "name": " absent "})
        content["categories"].append({"id": 92, "name": "Absent"})
        image = Path(sorted(Path("data/train").iterdir())[0])
        row = {"id": 90, "file_name": f"../train/{image.name}"}  # one that is trained on
        content["images"] += [row, {**row, "id": 91}]
        json.dump(content, file)
    wrong = "annotation 7: the box from 5, 5 to 5, 14 has no area in the image"
    done = specc("check", "spec.toml")
    assert done.returncode == 1 and wrong in done.stdout
    assert 'data.on_bad_annotation = "fix" leaves these out' in done.stdout
    said = check("--set", "data.on_bad_annotation=fix")
    assert "1 wrong annotations are left out or mended:" in said and wrong[:26] in said
    assert re.search(r"^ +Absent +0 +0 *$", said, re.MULTILINE)
    assert 'data: no objects to train on of "Absent", "absent"' in said
    assert 'data: "Absent", "absent" are classes of their own, and differ in case' in said
    file_ = f"data/train/{image.name}"
    assert f"data: 1 images to validate on are listed more than once, e.g. {file_}\n" in said
    assert f"data: 1 images are trained on and validated on, e.g. {file_}\n" in said


def test_images_with_more_objects_than_count_are_warned_of(here: Path) -> None:
    make_scenes(train=5, val=2)
    file = Path("data/annotations/instances_val.json")
    content = json.loads(file.read_text())
    first = next(it for it in content["annotations"] if not it["iscrowd"])
    more = [first | {"id": 10_000 + number} for number in range(120)]
    file.write_text(json.dumps(content | {"annotations": [*content["annotations"], *more]}))
    counts = Counter(it["image_id"] for it in content["annotations"] if not it["iscrowd"])
    most = counts[first["image_id"]] + 120
    Path("spec.toml").write_text(DETECTOR.format(task="detection", name=QUICK))
    said = check()
    assert f"evaluate.max_detections: an image to validate on has {most} objects" in said
    assert "write e.g. 200" in said
    assert "data: 120 objects have the box and the class of another one, e.g. in data/val/" in said
    assert "model.options: the model finds 100 objects in an image at most" in said
    more_found = "model.options={ box_detections_per_img = 200 }"
    said = check("--set", "evaluate.max_detections=200", "--set", more_found)
    assert "evaluate.max_detections: " not in said and "model.options: " not in said
    said = check("--set", "evaluate.max_detections=200")
    assert "write e.g. { box_detections_per_img = 200 }" in said


def test_videos_are_counted(here: Path) -> None:
    make_folders("videos", ("left", "right"), train=3, val=1, count=8, size=(32, 32))
    Path("spec.toml").write_text(
        'task = "video-classification"\nmodel = { name = "r3d_18", weights = "none" }\n'
        'data = { format = "videofolder", root = "videos", image_size = 32 }\n'
        "train = { batch_size = 2 }\n"
    )
    Path("videos/val/left").rename("other")
    Path("videos/val/left").symlink_to(Path("videos/train/left").absolute())
    said = check()
    assert "data   6 videos to train on, 4 to validate on\n" in said
    assert "data: 3 videos are trained on and validated on, e.g. videos/train/left/" in said
    Path("videos/train/left/clip_001.mp4").write_bytes(b"no video")
    done = specc("check", "spec.toml")
    assert done.returncode == 1
    assert "not counted: videos/train/left/clip_001.mp4: not a readable video" in done.stdout


def test_rows_that_stand_twice_are_told_of(images: Path) -> None:
    rows = [f"{label}/{number}.png,{label}" for label in ("ash", "elm") for number in range(3)]
    more = ["ash/0.png,ash", "elm/1.png,ash"]
    Path("train.csv").write_text("\n".join(["image,label", *rows, *more]))
    copy = Path("images/train/elm/copy.png")
    copy.write_bytes(Path("images/train/elm/2.png").read_bytes())
    lines = ["image,label", *rows[:2], *rows[3:5], "elm/copy.png,elm"]
    Path("val.csv").write_text("\n".join(lines))
    Path("spec.toml").write_text(
        'task = "classification"\nmodel = { name = "resnet18", weights = "none" }\n'
        'train = { batch_size = 4 }\n[data]\nformat = "csv"\nimage_size = 32\n'
        'train = { root = "images/train", csv = "train.csv" }\n'
        'val = { root = "images/train", csv = "val.csv" }\n'
    )
    said = check()
    twice = "2 images to train on are listed more than once, e.g. images/train/ash/0.png\n"
    assert f"data: {twice}" in said and "validate on are listed" not in said
    assert 'data: images/train/elm/1.png is listed with the labels "ash", "elm"\n' in said
    assert "data: 4 images are trained on and validated on, e.g. images/train/ash/0.png\n" in said
    original = "and has the contents of images/train/elm/2.png, which trains\n"
    assert f"data: {copy} is validated on, {original}" in said


def test_lines_that_are_not_as_the_videos_are_all_named(here: Path) -> None:
    make_rawframes("frames", ("left", "right"), train=3, val=1, count=8, size=(32, 32))
    for lost in ("train/left/clip_001/img_00004.jpg", "val/right/clip_000/img_00008.jpg"):
        Path(f"frames/rawframes_{lost}").unlink()
    specc("init", "frames", "-o", "spec.toml")
    assert """
data   not counted: 2 lines do not match the videos:
       frames/train_list.txt:3: no frames/rawframes_train/left/clip_001/img_00004.jpg
       frames/val_list.txt:2: no frames/rawframes_val/right/clip_000/img_00008.jpg
""" in check(code=1)


@pytest.mark.parametrize("name", ["vit_flowers102_layer_decay", "ucf101_tsn"])
def test_what_is_not_here_is_said(here: Path, name: str) -> None:
    said = check(spec=str(ROOT / f"specs/{name}.toml"))
    assert "data   not counted: " in said
    assert "(as if an epoch had 100 steps)" in said
    assert "parameters" in said and "█" in said
