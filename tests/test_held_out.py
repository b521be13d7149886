"""A test at the end, and machines that have no training data."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from clips import make_folders
from commands import specc
from garments import compose, write_coco
from projects import CLASSES, SPEC, Project, compile_spec, make_images
from scenes import QUICK, detector
from test_video_data import MOTIONS, SMALL, TSN, video_project

GARMENTS = {"images": "data/test", "json": "data/annotations/instances_test.json"}


Make = Callable[[], tuple[Project, list[str], list[str], str]]


def toml(table: dict[str, str]) -> str:
    return "{ " + ", ".join(f'{key} = "{value}"' for key, value in table.items()) + " }"


def write_checkpoint(project: Project, classes: list[str]) -> None:
    torch.manual_seed(0)
    state = project.module("model").build_model().state_dict()
    torch.save({"model": state, "classes": classes}, "best.pt")


# ---- data with three splits; what to move for none to train on, and none to validate on ----


def images() -> tuple[Project, list[str], list[str], str]:
    make_images()
    make_images("more", val=3)
    os.rename("more/val", "images/test")
    project = compile_spec(SPEC, "data.test='test'")
    return project, ["images/train"], ["images/val"], "images/test/ash/0.png"


def labels() -> tuple[Project, list[str], list[str], str]:
    """Several labels an image, which the files of the training samples alone name."""
    make_images()
    make_images("more", val=3)
    os.rename("more/val", "images/test")
    for split, folder in (("train", "train"), ("val", "val"), ("test", "test")):
        files = sorted(Path("images", folder).rglob("*.png"))
        rows = [f'{it.relative_to("images")},"{it.parent.name},elm"' for it in files]
        Path(f"images/{split}.csv").write_text("\n".join(["image,label", *rows]))
    tables = {
        part: toml({"root": "images", "csv": f"images/{part}.csv"})
        for part in ("train", "val", "test")
    }
    head, _, tail = SPEC.partition('format = "imagefolder"\nroot = "images"')
    keys = "\n".join(f"{part} = {table}" for part, table in tables.items())
    project = compile_spec(f'{head}format = "csv"\nmulti_label = true\n{keys}{tail}')
    train = ["images/train", "images/train.csv"]
    return project, train, ["images/val", "images/val.csv"], "images/test/ash/0.png"


def boxes(name: str = QUICK) -> tuple[Project, list[str], list[str], str]:
    write_coco("more", compose(1, 1), compose(4, 1, "val"))
    write_coco("data", compose(9, 0), compose(3, 0, "val"))
    os.rename("more/val", "data/test")
    os.rename("more/annotations/instances_val.json", GARMENTS["json"])
    project = detector(name, f"data.test={toml(GARMENTS)}")
    train = ["data/train", "data/annotations/instances_train.json"]
    val = ["data/val", "data/annotations/instances_val.json"]
    picture = next(Path("data/test").iterdir())
    return project, train, val, str(picture)


def masks() -> tuple[Project, list[str], list[str], str]:
    return boxes("maskrcnn_resnet50_fpn")


def videos() -> tuple[Project, list[str], list[str], str]:
    make_folders("more", MOTIONS, **SMALL)
    make_folders("videos", MOTIONS, **SMALL)
    os.rename("more/train", "videos/test")
    project = video_project(TSN, "videofolder", "data.test='test'")
    picture = next(Path("videos/test").rglob("*.mp4"))
    return project, ["videos/train"], ["videos/val"], str(picture)


def said(printed: str) -> str:
    """What stays of it on a terminal, but for the progress."""
    return "\n".join(it for it in printed.splitlines() if not it.startswith("evaluate: "))


@pytest.mark.parametrize(
    "make, counts",
    [
        (images, "3 3 3 3"),
        (boxes, None),
        pytest.param(labels, None, marks=pytest.mark.slow),
        pytest.param(masks, None, marks=pytest.mark.slow),
        pytest.param(videos, "2 2 2 2", marks=pytest.mark.slow),
    ],
)
def test_a_machine_without_the_training_data(here: Path, make: Make, counts: str | None) -> None:
    """Numbers stay the same when all that they are not of is gone, and so do predictions."""
    project, train, val, sample = make()
    found = "annotations" if make in (boxes, masks) else "data"
    own = getattr(project.module(found), "CLASSES", None)
    write_checkpoint(project, own or list(MOTIONS if make is videos else CLASSES))
    evaluate = ["evaluate.py", "--checkpoint", "best.pt"]
    validated = said(project.run(*evaluate))
    tested = said(project.run(*evaluate, "--split", "test"))
    assert tested != validated
    if counts:  # in the last column but one, samples of each class
        lines = tested.partition(" class\n")[2].splitlines()[:-1]
        assert " ".join(line.split()[-2] for line in lines) == counts
    picture = f"sample{Path(sample).suffix}"
    shutil.copy(sample, picture)
    predict = ["predict.py", picture, "--checkpoint", "best.pt"]
    predicted = said(project.run(*predict))

    for path in train:
        remove(path)
    assert said(project.run(*evaluate)) == validated
    for path in val:
        remove(path)
    assert said(project.run(*evaluate, "--split", "test")) == tested
    assert Path("confusion_matrix.png" if counts else "average_precision.png").exists()
    assert Path("test_confusion_matrix.png" if counts else "test_average_precision.png").exists()
    for folder in ("images", "data", "videos"):
        remove(folder)
    assert said(project.run(*predict)) == predicted


def remove(path: str) -> None:
    shutil.rmtree(path) if Path(path).is_dir() else Path(path).unlink(missing_ok=True)


@pytest.mark.slow
@pytest.mark.parametrize("make", [images, boxes])
def test_export_without_any_data(here: Path, make: Make) -> None:
    project, _, _, sample = make()
    found = "annotations" if make is boxes else "data"
    own = getattr(project.module(found), "CLASSES", None)
    write_checkpoint(project, own or list(CLASSES))
    shutil.copy(sample, "sample.png")
    for folder in ("images", "data"):
        remove(folder)
    if make is images:
        assert "agrees with the model" in project.run("export.py", "--checkpoint", "best.pt")
        return
    project.edit("export.py", "if total == 0", "if total < 0")  # untrained, it may find nothing
    refused = project.fail("export.py", "--checkpoint", "best.pt")
    assert "no validation images" in refused and "--image" in refused
    said = project.run("export.py", "--checkpoint", "best.pt", "--image", "sample.png")
    assert "objects as the model does" in said


@pytest.mark.parametrize("format", ["list", "openmmlab"])
def test_classes_of_a_checkpoint_are_compared_without_training_data(
    here: Path, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels are names in one, and numbers of the names in the file in the other."""
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 0)
    make_images()
    names = list(CLASSES)
    files = {part: sorted(Path("images", part).rglob("*.png")) for part in ("train", "val")}
    for part, paths in files.items():
        if format == "list":
            lines = [f"{it.relative_to('images')} {it.parent.name}\n" for it in paths]
            Path(f"images/{part}.list").write_text("".join(lines))
            continue
        rows = [
            {"img_path": str(it.relative_to("images")), "gt_label": names.index(it.parent.name)}
            for it in paths
        ]
        content = {"metainfo": {"classes": names}, "data_list": rows}
        Path(f"images/{part}.json").write_text(json.dumps(content))
    key = "json" if format == "openmmlab" else "list"
    places = [
        f"{part} = {toml({'root': 'images', key: f'images/{part}.{key}'})}\n" for part in files
    ]
    head, _, tail = SPEC.partition('format = "imagefolder"\nroot = "images"')
    project = compile_spec(f'{head}format = "{format}"\n{"".join(places)}{tail}')
    remove("images/train")
    remove(f"images/train.{key}")
    data = project.module("data")
    samples = data.build_eval_set(Path("images"), names)
    # By hand: two of each class, in the order of their names.
    assert [names[label] for label in samples.labels] == sorted(names * 2)
    others = ["ash", "birch", "cedar", "fir"]
    with pytest.raises(ValueError, match="elm"):
        data.build_eval_set(Path("images"), others)
    if format == "openmmlab":  # the numbers of which would be others
        with pytest.raises(ValueError, match="the same in another order"):
            data.build_eval_set(Path("images"), names[::-1])


def test_what_a_test_shares_with_training_is_said(here: Path) -> None:
    """Two copies of an image to train on, under its name and another, one of another split's."""
    make_images()
    make_images("more", train=3, val=3)  # other noise
    os.rename("more/val", "images/test")
    shutil.copy("images/train/ash/0.png", "images/test/ash/0.png")
    shutil.copy("images/train/ash/0.png", "images/test/elm/9.png")
    shutil.copy("images/val/elm/1.png", "images/test/elm/1.png")
    Path("spec.toml").write_text(SPEC.replace("[schedule]", 'test = "test"\n[schedule]'))
    printed = specc("check", "spec.toml").stdout
    assert "16 images to train on, 8 to validate on, 13 to test on" in printed
    folder = "images/test"
    trained = f"{folder}/ash/0.png, {folder}/elm/9.png"
    assert f"data.test: 2 of 13 images are trained on as well: {trained}\n" in printed
    assert f"data.test: 1 of 13 images are validated on as well: {folder}/elm/1.png\n" in printed
