"""Annotations of every format are read as they are meant, and what is wrong in them is named."""

import importlib.util
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from specc import render
from specc.source import read as source
from specc.source.diagnostics import SpecError
from specc.source.problems import Problems
from specc.tasks.detection.formats.plan import AnnotationsPlan, plan_annotations
from specc.tasks.detection.language import Detection
from tests import garments
from tests.garments import CITYSCAPES, CLASSES, Picture, compose

COCO = {
    "format": "coco",
    "train": {"images": "d/train", "json": "d/annotations/instances_train.json"},
    "val": {"images": "d/val", "json": "d/annotations/instances_val.json"},
}
MASKS, BOXES = "instance-segmentation", "detection"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def pictures() -> dict[str, list[Picture]]:
    return {"train": compose(6, 0), "val": compose(4, 1, "val")}


def plan(data: dict[str, Any], task: str = MASKS, background: bool = True) -> AnnotationsPlan:
    """The plan of a spec that has no problem."""
    tree = {"task": task, "model": {"name": "?"}, "data": data, "train": {"batch_size": 1}}
    Path("spec.toml").touch()
    problems = Problems(source.read(Path("spec.toml")))
    planned = plan_annotations(
        Detection.model_validate(tree), background=background, problems=problems
    )
    if problems:
        raise problems.error()
    return planned


def problems_of(data: dict[str, Any], task: str = MASKS) -> list[str]:
    """What is said of a spec, each with its key."""
    with pytest.raises(SpecError) as error:
        plan(data, task)
    return [f"{it.key}: {it.message}" for it in error.value.diagnostics]


def notes_of(data: dict[str, Any], task: str = MASKS) -> list[str]:
    """What is noted of a spec that has no problem, each with its key."""
    tree = {"task": task, "model": {"name": "?"}, "data": data, "train": {"batch_size": 1}}
    Path("spec.toml").touch()
    spec = source.read(Path("spec.toml"))
    plan_annotations(Detection.model_validate(tree), background=True, problems=Problems(spec))
    return [f"{it.key}: {it.message}" for it in spec.notes]


DATA = SimpleNamespace(bands=False)  # what else annotations.py depends on


def module(planned: AnnotationsPlan) -> ModuleType:
    """The annotations.py of a plan, imported."""
    text = render._render("detection/annotations.py", {"annotations": planned, "data": DATA})
    Path("annotations.py").write_text(text)
    spec = importlib.util.spec_from_file_location("annotations", "annotations.py")
    assert spec and spec.loader
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def read(
    data: dict[str, Any], task: str = MASKS, background: bool = True
) -> tuple[Any, list, list]:
    """The module of a spec, and the records of training and validation that it reads."""
    made = module(plan(data, task, background))
    return (made, *made.read_datasets(Path(made.DATA_DIR)))


def check(
    made: Any,
    records: Sequence[Any],
    truth: Sequence[Picture],
    masks: bool = True,
    name: Callable[[str], str] = str,
) -> None:
    """Compare records with pictures: same objects, in any order."""
    assert len(records) == len(truth)
    for record, picture in zip(records, truth, strict=True):
        assert record.file.is_file()
        assert (record.height, record.width) == picture.image.shape[:2]
        assert record.boxes.dtype == torch.float32 and record.boxes.shape == (len(picture.boxes), 4)
        assert record.labels.dtype == torch.int64 and record.crowd.dtype == torch.bool
        order = sorted(range(len(picture.boxes)), key=lambda it: picture.boxes[it].tolist())
        found = sorted(range(len(record.boxes)), key=lambda it: record.boxes[it].tolist())
        np.testing.assert_allclose(record.boxes[found], picture.boxes[order], atol=1e-3)
        labels = [made.CLASSES[record.labels[it]] for it in found]
        assert labels == [name(picture.labels[it]) for it in order]
        assert record.crowd[found].tolist() == picture.crowd[order].tolist()
        if masks:
            read = made.read_masks(record)
            assert read.dtype == torch.uint8
            assert torch.equal(read[found], torch.from_numpy(picture.masks[order].astype(np.uint8)))


def kept(truth: Sequence[Picture]) -> list[Picture]:
    """The pictures that have an object to train on."""
    return [picture for picture in truth if not picture.crowd.all()]


def without_crowds(truth: Sequence[Picture]) -> list[Picture]:
    return [
        Picture(
            it.image,
            it.boxes[~it.crowd],
            [name for name, crowd in zip(it.labels, it.crowd, strict=True) if not crowd],
            it.masks[~it.crowd],
            it.crowd[~it.crowd],
        )
        for it in truth
    ]


def rewrite(change: Callable[[dict[str, Any]], None], part: str = "train") -> None:
    """Change a COCO file."""
    path = Path(f"d/annotations/instances_{part}.json")
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


# ---- every format, as it is ----


@pytest.mark.parametrize("task", [MASKS, BOXES])
@pytest.mark.parametrize("background", [True, False])
def test_coco(pictures: dict[str, list[Picture]], task: str, background: bool) -> None:
    garments.write_coco("d", pictures["train"], pictures["val"])
    made, train, val = read(COCO, task, background)
    by_id = [name for _, name in sorted(zip(garments.COCO_IDS, CLASSES, strict=False))]
    assert made.CLASSES == ["__background__"] * background + by_id
    assert len(made.CLASSES) == made.NUM_CLASSES
    assert made.DATA_DIR == "d"
    check(made, train, kept(pictures["train"]), task == MASKS)
    check(made, val, pictures["val"], task == MASKS)


@pytest.mark.parametrize("task", [MASKS, BOXES])
def test_voc(pictures: dict[str, list[Picture]], task: str) -> None:
    garments.write_voc("d", pictures["train"], pictures["val"])
    made, train, val = read({"format": "voc", "root": "d"}, task)
    assert made.CLASSES == ["__background__", *sorted(CLASSES)]
    listed = {
        part: [it for index, it in enumerate(all_) if task == BOXES or index % 4 != 3]
        for part, all_ in pictures.items()
    }
    check(made, train, kept(listed["train"]), task == MASKS)
    check(made, val, listed["val"], task == MASKS)


def test_voc_in_several_folders(pictures: dict[str, list[Picture]]) -> None:
    garments.write_voc("d/VOC2007", pictures["train"], pictures["val"])
    garments.write_voc("d/VOC2012", pictures["val"], pictures["train"])
    lists = ["VOC2007/train", "VOC2012/train"]
    data = {"format": "voc", "root": "d", "train": lists, "val": "VOC2012/val"}
    made, train, val = read({**data, "keep_empty": True}, BOXES)
    check(made, train, [*pictures["train"], *pictures["val"]], masks=False)
    check(made, val, pictures["train"], masks=False)


@pytest.mark.parametrize("task", [MASKS, BOXES])
def test_cityscapes(pictures: dict[str, list[Picture]], task: str) -> None:
    garments.write_cityscapes("d", pictures["train"], pictures["val"])
    made, train, val = read({"format": "cityscapes", "root": "d"}, task)
    names = ["person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle"]
    assert made.CLASSES == ["__background__", *names]
    check(made, train, kept(pictures["train"]), task == MASKS, CITYSCAPES.__getitem__)
    check(made, val, pictures["val"], task == MASKS, CITYSCAPES.__getitem__)


def test_cityscapes_converted_to_json(pictures: dict[str, list[Picture]]) -> None:
    garments.write_cityscapes("d", pictures["train"], pictures["val"])
    garments.write_cityscapes_json("d", pictures["train"], pictures["val"])
    places = {
        part: {
            "images": f"d/leftImg8bit/{part}",
            "json": f"d/annotations/instancesonly_filtered_gtFine_{part}.json",
        }
        for part in pictures
    }
    made, train, val = read({"format": "coco", **places})
    check(made, train, kept(pictures["train"]), name=CITYSCAPES.__getitem__)
    check(made, val, pictures["val"], name=CITYSCAPES.__getitem__)


@pytest.mark.parametrize("masks", [True, False])
@pytest.mark.parametrize("polygons", [True, False])
def test_yolo(pictures: dict[str, list[Picture]], masks: bool, polygons: bool) -> None:
    if masks and not polygons:
        return
    garments.write_yolo("d", pictures["train"], pictures["val"], polygons=polygons)
    made, train, val = read({"format": "yolo", "root": "d"}, MASKS if masks else BOXES)
    assert made.CLASSES == ["__background__", *CLASSES]
    check(made, train, kept(without_crowds(pictures["train"])), masks)
    check(made, val, without_crowds(pictures["val"]), masks)


def test_wider_face(pictures: dict[str, list[Picture]]) -> None:
    garments.write_wider_face("d", pictures["train"], pictures["val"])
    made, train, val = read({"format": "wider-face", "root": "d"}, BOXES, background=False)
    assert made.CLASSES == ["face"]
    check(made, train, kept(pictures["train"]), False, lambda _: "face")
    check(made, val, pictures["val"], False, lambda _: "face")


def test_wider_face_as_voc(pictures: dict[str, list[Picture]]) -> None:
    garments.write_wider_voc("d", pictures["train"], pictures["val"])
    made, train, val = read({"format": "wider-face", "root": "d", "annotations": "voc"}, BOXES)
    check(made, train, kept(without_crowds(pictures["train"])), False, lambda _: "face")
    check(made, val, without_crowds(pictures["val"]), False, lambda _: "face")


# ---- keys ----


def test_classes_by_name_in_the_order_asked_for(pictures: dict[str, list[Picture]]) -> None:
    garments.write_coco("d", pictures["train"], pictures["val"])
    garments.write_voc("v", pictures["train"], pictures["val"])
    garments.write_yolo("y", pictures["train"], pictures["val"])
    wanted = ["Dress", "Bag"]

    def chosen(truth: Sequence[Picture]) -> list[Picture]:
        indices = [[i for i, it in enumerate(p.labels) if it in wanted] for p in truth]
        return [
            Picture(p.image, p.boxes[i], [p.labels[it] for it in i], p.masks[i], p.crowd[i])
            for p, i in zip(truth, indices, strict=True)
        ]

    Path("names.txt").write_text("Dress\nBag\n")
    for classes in (["Dress ", " Bag"], "names.txt"):
        made, train, val = read({**COCO, "classes": classes})
        assert made.CLASSES == ["__background__", *wanted]
        check(made, train, kept(chosen(pictures["train"])))
        check(made, val, chosen(pictures["val"]))
    for data in ({"format": "voc", "root": "v"}, {"format": "yolo", "root": "y"}):
        made, train, val = read({**data, "classes": wanted}, BOXES, background=False)
        truth = without_crowds(pictures["val"]) if data["root"] == "y" else pictures["val"]
        assert made.CLASSES == wanted
        check(made, val, chosen(truth), masks=False)
    garments.write_cityscapes("c", pictures["train"], pictures["val"])
    cityscapes = {"format": "cityscapes", "root": "c", "classes": ["bus", "trailer", "car"]}
    made, train, val = read(cityscapes)
    assert made.CLASSES == ["__background__", "bus", "trailer", "car"]
    check(made, val, chosen(pictures["val"]), name=CITYSCAPES.__getitem__)


def test_empty_images_and_small_objects(pictures: dict[str, list[Picture]]) -> None:
    garments.write_coco("d", pictures["train"], pictures["val"])
    made, train, _ = read({**COCO, "keep_empty": True})
    check(made, train, pictures["train"])
    _, train, val = read({**COCO, "min_size": 60})
    for record in [*train, *val]:
        sides = (record.boxes[:, 2:] - record.boxes[:, :2]).amin(1)
        assert record.crowd[sides < 60].all()
    assert all(not record.crowd.all() for record in train)
    assert len(train) < len(kept(pictures["train"]))


def test_a_share_of_the_images_is_validated_on(pictures: dict[str, list[Picture]]) -> None:
    garments.write_coco("d", pictures["train"], pictures["val"])
    data = {"format": "coco", "train": COCO["train"], "val_fraction": 0.3, "keep_empty": True}
    made, train, val = read(data)
    assert made.DATA_DIR == "d"
    assert (len(train), len(val)) == (4, 2)
    assert {it.file for it in train} | {it.file for it in val} == set(Path("d/train").iterdir())
    assert [it.file for it in made.read_datasets(Path("d"))[1]] == [it.file for it in val]


def test_images_of_a_group_are_not_divided(here: Path) -> None:
    """Five videos with four frames each, of which two show no person."""
    frames = [
        (f"{street}_{n}", street != "s4")
        for street in ("s0", "s1", "s2", "s3", "s4")
        for n in range(4)
    ]
    for part in ("images", "labels"):
        Path("d", part, "train").mkdir(parents=True)
    for name, person in frames:
        Image.new("RGB", (8, 8)).save(f"d/images/train/{name}.png")
        Path(f"d/labels/train/{name}.txt").write_text("0 0.5 0.5 0.5 0.5\n" if person else "")
    data = {"format": "yolo", "root": "d", "classes": ["person"], "keep_empty": True}
    _, train, val = read(data | {"val_fraction": 0.5, "val_groups": "_"}, BOXES)
    sides = [Counter(it.file.stem.split("_")[0] for it in side) for side in (train, val)]
    assert not sides[0].keys() & sides[1].keys()
    # Half of the frames with persons are two videos; the one video without stays in training.
    assert set(sides[1].values()) == {4} and len(sides[1]) == 2
    assert sides[0]["s4"] == 4


def test_yolo_lists(pictures: dict[str, list[Picture]]) -> None:
    garments.write_yolo("d", pictures["train"], pictures["val"])
    Path("d/train.txt").write_text("./images/train/0003.jpg\nimages/val/0000.jpg\n")
    data = {"format": "yolo", "root": "d", "train": "train.txt", "keep_empty": True}
    made, train, val = read(data, BOXES)
    train_truth = [pictures["train"][3], pictures["val"][0]]
    check(made, train, without_crowds(train_truth), masks=False)
    check(made, val, without_crowds(pictures["val"]), masks=False)


def write_small_coco(
    name: str, categories: dict[int, str], objects: Sequence[tuple[int, int, int]]
) -> dict[str, str]:
    """Write images `1.jpg` and `2.jpg` in a folder, and their file; its keys in a spec.

    Args:
        objects: number of the image, number of the category, and a box's left side.
    """
    Path(name).mkdir()
    for number in (1, 2):
        Image.new("RGB", (40, 30)).save(f"{name}/{number}.jpg")
    content = {
        "images": [{"id": number, "file_name": f"{number}.jpg"} for number in (1, 2)],
        "categories": [{"id": key, "name": it} for key, it in categories.items()],
        "annotations": [
            {"id": key, "image_id": image, "category_id": category, "bbox": [x, 5, 10, 10]}
            for key, (image, category, x) in enumerate(objects)
        ],
    }
    Path(f"{name}.json").write_text(json.dumps(content))
    return {"images": name, "json": f"{name}.json"}


def test_several_files_of_coco_have_their_own_ids() -> None:
    # The same ids stand for other images and categories: by hand cat, dog, bird in this order.
    one = write_small_coco("one", {1: "cat", 2: "dog"}, [(1, 1, 0), (2, 2, 1), (2, 1, 2)])
    two = write_small_coco("two", {1: "dog", 2: "bird", 3: "cat"}, [(1, 1, 3), (1, 2, 4)])
    three = write_small_coco("three", {0: "bird", 1: "dog", 2: "cat"}, [(2, 1, 5)])
    data = {"format": "coco", "train": [one, two], "val": three, "keep_empty": True}
    made, train, val = read(data, BOXES)
    assert made.CLASSES == ["__background__", "cat", "dog", "bird"]
    left_sides = [
        [(int(box[0]), made.CLASSES[label]) for box, label in zip(it.boxes, it.labels, strict=True)]
        for it in (*train, *val)
    ]
    assert left_sides == [
        [(0, "cat")],
        [(1, "dog"), (2, "cat")],
        [(3, "dog"), (4, "bird")],
        [],
        [],
        [(5, "dog")],
    ]
    files = [str(it.file) for it in (*train, *val)]
    assert files == [f"{it}/{n}.jpg" for it in ("one", "two", "three") for n in (1, 2)]
    # One in a list is as one by itself.
    assert plan({**data, "train": [three]}, BOXES) == plan({**data, "train": three}, BOXES)
    # Classes of the user's own may be in one of the files only, but are in one of them.
    made, train, _ = read({**data, "classes": ["bird", "dog"]}, BOXES)
    assert [made.CLASSES[label] for it in train for label in it.labels] == ["dog", "dog", "bird"]
    assert problems_of({**data, "classes": ["bird", "cow"]}, BOXES)[0].startswith(
        'data.classes: data.train has no class "cow"; there are cat, dog, bird'
    )
    Path("two.json").write_text(Path("two.json").read_text().replace("bird", "fish"))
    with pytest.raises(ValueError, match="no category of the files has the name \\['bird'\\]"):
        made.read_datasets(Path(made.DATA_DIR))
    assert plan({**data, "val": [three, two]}, BOXES).classes[1:] == ("cat", "dog", "fish")
    assert problems_of(data, BOXES)[0] == (
        'data.classes: three.json has no class "fish"; there are bird, dog, cat'
    )


def test_several_folders(pictures: dict[str, list[Picture]]) -> None:
    garments.write_yolo("d", pictures["train"], pictures["val"])
    Path("d/list.txt").write_text("images/val/0001.jpg\n./images/train/0003.jpg\n")
    data = {"format": "yolo", "root": "d", "train": ["images/train", "list.txt"]}
    both = [*pictures["train"], pictures["val"][1], pictures["train"][3]]
    made, train, val = read(data, BOXES)
    check(made, train, kept(without_crowds(both)), masks=False)
    check(made, val, without_crowds(pictures["val"]), masks=False)
    assert notes_of(data, BOXES) == [
        "data.train: 1 image is there several times, e.g. d/images/train/0003.jpg in images/train "
        "and list.txt"
    ]
    garments.write_cityscapes("c", pictures["train"], pictures["val"])
    made, train, _ = read({"format": "cityscapes", "root": "c", "train": ["val", "train"]})
    check(made, train, kept([*pictures["val"], *pictures["train"]]), name=CITYSCAPES.__getitem__)
    garments.write_wider_face("w", pictures["train"], pictures["val"])
    data = {"format": "wider-face", "root": "w", "val": ["val", "train"]}
    assert len(read(data, BOXES)[2]) == len(pictures["val"]) + len(pictures["train"])


def test_images_are_as_large_as_they_are_seen(pictures: dict[str, list[Picture]]) -> None:
    garments.write_yolo("d", pictures["train"], pictures["val"])
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.new("RGB", (30, 20)).save("d/images/val/0009.jpg", exif=exif)
    Image.new("RGB", (30, 20)).save("d/images/val/0010.png")
    _, _, val = read({"format": "yolo", "root": "d"}, BOXES)
    assert [(it.height, it.width) for it in val[-2:]] == [(30, 20), (20, 30)]


@pytest.mark.parametrize("shape", [[2, 2], [2, 3], [17, 3]])
def test_keypoints_of_yolo_are_no_polygons(
    pictures: dict[str, list[Picture]], shape: list[int]
) -> None:
    garments.write_yolo("d", pictures["train"], pictures["val"])
    with open("d/data.yaml", "a") as file:
        file.write(f"kpt_shape: {shape}\n")
    for labels in Path("d/labels").rglob("*.txt"):
        numbers = " 0.9" * (shape[0] * shape[1])
        labels.write_text("".join(f"{it}{numbers}\n" for it in labels.read_text().splitlines()))
    data = {"format": "yolo", "root": "d"}
    made, train, val = read(data, BOXES)
    check(made, train, kept(without_crowds(pictures["train"])), masks=False)
    check(made, val, without_crowds(pictures["val"]), masks=False)
    assert problems_of(data) == [
        "data.format: the labels have boxes and keypoints, no outlines; " 'write task = "detection"'
    ]
    Path("d/labels/train/0000.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    (line,) = named(data, BOXES)
    assert f"a class, and x, y, width and height, and {shape[0] * shape[1]} numbers" in line


# ---- what is wrong ----


def named(data: dict[str, Any], task: str = MASKS) -> list[str]:
    """What is said of bad annotations, the advice left out."""
    made = module(plan({"classes": list(CLASSES), **data}, task))
    with pytest.raises(ValueError) as error:
        made.read_datasets(Path(made.DATA_DIR))
    first, *lines = str(error.value).splitlines()
    assert first == "annotations are wrong; mend or remove:"
    return lines


def mended(
    data: dict[str, Any], capsys: pytest.CaptureFixture[str], task: str = MASKS
) -> tuple[Any, list, list, list[str]]:
    """What `read` returns where bad annotations are put right, and what it says of them."""
    data = {"classes": list(CLASSES), **data, "on_bad_annotation": "fix", "keep_empty": True}
    found = read(data, task)
    _, count, lines = capsys.readouterr().err.partition(" wrong annotations")  # after tqdm's
    return *found, (count + lines).splitlines()


OUTSIDE = "the box from 100, 10 to 400, 30 leaves the image"
FILE = "d/annotations/instances_train.json"


def spoil(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Changes the first annotation that is no crowd, whose id becomes 7."""

    def change(coco: dict[str, Any]) -> None:
        row = next(it for it in coco["annotations"] if not it["iscrowd"])
        row["id"] = 7
        row[key] = value
        if isinstance(value, dict) and value["size"] is ...:
            image = next(it for it in coco["images"] if it["id"] == row["image_id"])
            row[key] = {**value, "size": [image["height"], image["width"]]}
        if value is ...:
            del row[key]

    return change


@pytest.mark.parametrize(
    "key, value, wanted",
    [
        ("bbox", [5, 5, 0, 10], "the box from 5, 5 to 5, 15 has no area in the image"),
        ("bbox", [900, 5, 10, 10], "has no area in the image"),
        ("bbox", [5, 5, -4, 10], "has no area in the image"),
        ("bbox", [5, 5, float("nan"), 10], "is not finite"),
        ("bbox", [5, 5, float("inf"), 10], "is not finite"),
        ("bbox", [5, 5, 9], "must have a bbox and a segmentation as COCO has them"),
        ("bbox", ["5", None, 9, 9], "must have a bbox and a segmentation as COCO has them"),
        ("segmentation", ..., "no segmentation, only a bbox"),
        ("segmentation", [], "no segmentation, only a bbox"),
        ("segmentation", [[1, 2, 3, 4, 5, 6, 7]], "a polygon is x, y, x, y, ..."),
        ("segmentation", [[1, 2, 3, 4]], "x, y, x, y, ... of three points or more"),
        ("segmentation", [[1, 2, 3, 4, 5, float("nan")]], "of three points or more"),
        ("segmentation", {"size": [3, 4], "counts": [12]}, "RLE of [3, 4] in an image of"),
        ("segmentation", {"size": ..., "counts": "00"}, "Invalid RLE mask representation"),
        ("segmentation", {"size": ..., "counts": [-1]}, "must have a bbox and a segmentation"),
        ("segmentation", "?", "must have a bbox and a segmentation as COCO has them"),
        ("area", float("nan"), "area must be a number, not nan"),
        ("area", "large", "area must be a number, not 'large'"),
        ("iscrowd", "true", "iscrowd must be 0 or 1, not 'true'"),
        ("iscrowd", [1], "iscrowd must be 0 or 1, not [1]"),
        ("image_id", 99999, "no image 99999"),
        ("category_id", 99, "no category 99"),
    ],
)
def test_a_bad_annotation_of_coco_is_named_or_left_out(
    pictures: dict[str, list[Picture]],
    capsys: pytest.CaptureFixture[str],
    key: str,
    value: Any,
    wanted: str,
) -> None:
    garments.write_coco("d", pictures["train"], pictures["val"])
    made, before, _ = read({**COCO, "keep_empty": True})
    rewrite(spoil(key, value))
    (line,) = named(COCO)
    assert line.startswith(f"{FILE}: annotation 7: ") and wanted in line
    made, train, _, said = mended(COCO, capsys)
    assert said[1:] == [line]
    counts = [sum(len(it.boxes) for it in records) for records in (before, train)]
    assert counts[1] == counts[0] - 1
    assert all(len(made.read_masks(it)) == len(it.boxes) for it in train)


def test_good_polygons_of_an_object_are_kept(
    pictures: dict[str, list[Picture]], capsys: pytest.CaptureFixture[str]
) -> None:
    garments.write_coco("d", pictures["train"], pictures["val"])
    count = sum(len(it.boxes) for it in read({**COCO, "keep_empty": True})[1])
    squares = [[10, 10, 30, 10, 30, 30, 10, 30], [40, 10, 50, 10, 50, 30, 40, 30]]
    for bad in ([1, 2, 3, 4], [1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, None], ["x"] * 6, 9):
        rewrite(spoil("segmentation", [squares[0], bad, squares[1]]))
        (line,) = named(COCO)
        fault = "1 of 3 polygons cannot be drawn; each needs three points or more"
        assert line == f"{FILE}: annotation 7: {fault}"
        made, train, _, said = mended(COCO, capsys)
        assert said[1:] == [line]
        # 20 x 20 pixels and 10 x 20, as corners of pixels count from 0.
        areas = [mask.sum().item() for record in train for mask in made.read_masks(record)]
        assert 600 in areas and len(areas) == count


def test_an_area_that_is_null_is_that_of_the_box(pictures: dict[str, list[Picture]]) -> None:
    garments.write_coco("d", pictures["train"], pictures["val"])
    rewrite(spoil("bbox", [1, 2, 7, 3]))
    rewrite(spoil("area", None))
    _, train, _ = read({**COCO, "keep_empty": True})
    rows = [row for it in train for row in zip(it.boxes.tolist(), it.areas.tolist(), strict=True)]
    assert ([1, 2, 8, 5], 21) in rows


def test_objects_without_a_box_have_that_of_their_outline(
    pictures: dict[str, list[Picture]],
) -> None:
    garments.write_coco("d", pictures["train"], pictures["val"])
    boxes = []
    for part in ("train", "val"):  # polygons of one object, RLE of another, no box of both
        for box, shape in (
            ([], [[10.5, 12, 30, 11, 20, 30.25], [5, 40, 8, 40, 8, 41]]),
            (None, {"size": ..., "counts": ...}),
        ):

            def change(coco: dict[str, Any], box: Any = box, shape: Any = shape) -> None:
                image = coco["images"][0]
                size = [image["height"], image["width"]]
                if isinstance(shape, dict):  # columns 2 and 3, down to row 6
                    rest = size[0] * size[1] - 2 * size[0] - size[0] - 7
                    shape = {"size": size, "counts": [2 * size[0], 7, size[0] - 7, 7, rest]}
                row = {"category_id": coco["categories"][0]["id"], "image_id": image["id"]}
                row |= {"id": 10_000 + len(coco["annotations"]), "segmentation": shape}
                coco["annotations"].append(row | ({} if box is None else {"bbox": box}))

            rewrite(change, part)
    for task in (BOXES, MASKS):
        made, train, val = read({**COCO, "keep_empty": True}, task)
        boxes = [records[0].boxes[-2:].tolist() for records in (train, val)]
        assert boxes == [[[5, 11, 30, 41], [2, 0, 4, 7]]] * 2
    assert made.read_masks(val[0])[-1].sum() == 14
    rewrite(lambda coco: [row.pop("segmentation") for row in coco["annotations"]])
    (message,) = problems_of(COCO)
    said = 'no object has a segmentation; write task = "detection"'
    assert message == f"data.train.json: {FILE}: {said}"


def test_boxes_that_are_corners_are_said_to_look_so(
    pictures: dict[str, list[Picture]], capsys: pytest.CaptureFixture[str]
) -> None:
    garments.write_coco("d", pictures["train"], pictures["val"])

    def change(coco: dict[str, Any]) -> None:
        for row in coco["annotations"]:
            x, y, width, height = row["bbox"]
            row["bbox"] = [x, y, x + width, y + height]

    rewrite(change)
    looks = f"{FILE}: the boxes look like [x1, y1, x2, y2]; a bbox is [x, y, width, height]"
    first, *others = named(COCO, BOXES)
    assert first == looks and any("leaves the image" in line for line in others)
    _, train, _, said = mended(COCO, capsys, BOXES)
    assert said[1] == looks
    assert not all(  # nothing is taken for what was not said
        torch.equal(record.boxes, torch.from_numpy(picture.boxes).float())
        for record, picture in zip(train, pictures["train"], strict=True)
    )
    rewrite(spoil("bbox", [20, 10, 5, 9000]))  # no corners
    assert named(COCO, BOXES)[0] != looks


def test_ids_and_crowds_that_are_text(pictures: dict[str, list[Picture]]) -> None:
    garments.write_coco("d", pictures["train"], pictures["val"])

    def crowds(coco: dict[str, Any]) -> None:
        for row in coco["annotations"]:
            row["iscrowd"] = str(row["iscrowd"])

    rewrite(crowds)
    made, train, _ = read(COCO)
    check(made, train, kept(pictures["train"]))
    hint = ", but that id as text or as a number; write all ids as numbers"
    image, category = (
        json.loads(Path(FILE).read_text())[it][0]["id"] for it in ("images", "categories")
    )
    for key, value in (("image_id", image), ("category_id", category)):
        garments.write_coco("d", pictures["train"], pictures["val"])
        rewrite(spoil(key, str(value)))
        wanted = f"{FILE}: annotation 7: no {key[:-3]} '{value}'{hint}"
        assert named(COCO) == [wanted]


def test_boxes_that_leave_the_image_are_cut(
    pictures: dict[str, list[Picture]], capsys: pytest.CaptureFixture[str]
) -> None:
    garments.write_coco("d", pictures["train"], pictures["val"])
    rewrite(spoil("bbox", [100, 10, 300, 20]))
    (line,) = named(COCO)
    assert OUTSIDE in line
    _, train, _, said = mended(COCO, capsys)
    assert said[1:] == [line]
    assert any(it.boxes[0].tolist() == [100, 10, it.width, 30] for it in train if len(it.boxes))
    rewrite(spoil("bbox", [-0.9, -1, 20, 20]))  # rounding
    _, train, _ = read(COCO)
    assert any([0, 0, *it.boxes[0, 2:]] == it.boxes[0].tolist() for it in train)


def test_ids_and_files_of_coco(
    pictures: dict[str, list[Picture]], capsys: pytest.CaptureFixture[str]
) -> None:
    garments.write_coco("d", pictures["train"], pictures["val"])

    def change(coco: dict[str, Any]) -> None:
        coco["annotations"][1]["id"] = coco["annotations"][0]["id"]
        coco["images"][0]["file_name"] = "gone.jpg"
        coco["images"].append(coco["images"][1])
        coco["images"].append({"id": 3})
        coco["images"].append({**coco["images"][1], "id": 4, "height": "?"})
        coco["annotations"].append({"image_id": 3})

    rewrite(change)
    made, train, _, said = mended(COCO, capsys)
    assert said[1:] == [
        f"{FILE}: image 146: the id is there twice",
        f"{FILE}: image 3: no file_name",
        f"{FILE}: image 4: height and width must be numbers, and file_name text",
        "d/train/gone.jpg: no such image",
        f"{FILE}: annotation 1000: the id is there twice",
        f"{FILE}: annotation number {len(sum((p.labels for p in pictures['train']), []))}: "
        "no category_id, id",
    ]
    check(made, train, pictures["train"][1:])
    assert problems_of(COCO) == [
        f"data.train.json: {FILE}: no image d/train/gone.jpg",
    ]


def test_coco_files_that_are_none(pictures: dict[str, list[Picture]]) -> None:
    garments.write_coco("d", pictures["train"], pictures["val"])
    made = module(plan(COCO))
    whole = json.loads(Path(FILE).read_text())
    rewrite(lambda coco: coco["categories"].pop())
    with pytest.raises(ValueError, match="instances_train.json: no category has the name"):
        made.read_datasets(Path("d"))
    for text in ("{", "[]", '{"categories": []}', '{"categories": [{"id": 1}]}'):
        Path(FILE).write_text(text)
        with pytest.raises(ValueError, match="instances_train.json: not JSON as COCO has it"):
            made.read_datasets(Path("d"))
        (message,) = problems_of(COCO)
        assert message.startswith(f"data.train.json: {FILE}: not JSON with categories, ")
    for spoilt in ({"images": 3}, {"annotations": [7]}, {"images": [{"id": [], "file_name": ""}]}):
        Path(FILE).write_text(json.dumps(whole | spoilt))
        with pytest.raises(ValueError, match="instances_train.json: not JSON as COCO has it"):
            made.read_datasets(Path("d"))


def test_only_the_first_bad_annotations_are_named(
    pictures: dict[str, list[Picture]], capsys: pytest.CaptureFixture[str]
) -> None:
    garments.write_coco("d", pictures["train"], pictures["val"])

    def change(coco: dict[str, Any]) -> None:
        coco["annotations"] += [{"id": number} for number in range(30)]

    rewrite(change)
    lines = named(COCO)
    assert len(lines) == 21 and lines[-1] == "and 10 more"
    *_, said = mended(COCO, capsys)
    assert len(said) == 22 and said[-1] == "and 10 more"


def test_what_is_wrong_in_voc(
    pictures: dict[str, list[Picture]], capsys: pytest.CaptureFixture[str]
) -> None:
    garments.write_voc("d", pictures["train"], pictures["val"])
    folder = Path("d/Annotations")
    Path("d/JPEGImages/2007_000000.jpg").unlink()
    (folder / "2007_000001.xml").unlink()
    (folder / "2007_000002.xml").write_text("<annotation>")
    (folder / "2007_000003.xml").write_text(
        "<annotation><object><name>Bag</name></object><object><name>Bag</name><bndbox>"
        "<xmin>9</xmin><ymin>9</ymin><xmax>5</xmax><ymax>20</ymax></bndbox></object></annotation>"
    )
    Path("d/JPEGImages/2007_000004.jpg").write_bytes(b"?")
    data = {"format": "voc", "root": "d"}
    (line,) = problems_of({**data, "classes": ["Bag"]}, BOXES)
    image = "d/JPEGImages/2007_000000.jpg"
    assert line == f"data.train: d/ImageSets/Main/train.txt: no image {image}"
    _, train, _, said = mended(data, capsys, BOXES)
    lines = said[1:]
    assert lines[:2] == [
        "d/JPEGImages/2007_000000.jpg: no such image",
        "d/JPEGImages/2007_000004.jpg: not a readable image",
    ]
    assert [line.partition(": ")[0] for line in lines[2:]] == [
        f"d/Annotations/2007_00000{number}.xml" for number in (1, 2, 3, 3)
    ]
    assert "object 1: needs a bndbox" in lines[4] and "object 2: the box from 8, 8" in lines[5]
    assert [it.file.stem for it in train] == ["2007_000003", "2007_000005"]
    Path("d/SegmentationObject/2008_000000.png").unlink()
    assert "d/SegmentationObject/2008_000000.png: no such image" in mended(data, capsys)[-1]


def test_masks_of_another_size_are_named(pictures: dict[str, list[Picture]]) -> None:
    garments.write_voc("d", pictures["train"], pictures["val"])
    Image.new("P", (9, 9)).save("d/SegmentationObject/2007_000000.png")
    assert named({"format": "voc", "root": "d"}) == [
        "d/SegmentationObject/2007_000000.png: not of the same size as "
        "d/JPEGImages/2007_000000.jpg"
    ]


def test_voc_names_that_were_not_there_when_it_was_built(
    pictures: dict[str, list[Picture]],
) -> None:
    made = module(plan({"format": "voc", "root": "d"}, BOXES))
    assert made.CLASSES[1:3] == ["aeroplane", "bicycle"] and made.NUM_CLASSES == 21
    garments.write_voc("d", pictures["train"], pictures["val"])
    with pytest.raises(ValueError, match="is none of CLASSES"):
        made.read_datasets(Path("d"))


def test_what_is_wrong_in_cityscapes(
    pictures: dict[str, list[Picture]], capsys: pytest.CaptureFixture[str]
) -> None:
    garments.write_cityscapes("d", pictures["train"], pictures["val"])
    frames = "d/leftImg8bit/train/aachen/aachen_00000{}_000019_leftImg8bit.png"
    truths = "d/gtFine/train/aachen/aachen_00000{}_000019_gtFine_instanceIds.png"
    Path(frames.format(0)).unlink()
    Path(truths.format(1)).unlink()
    Path(truths.format(2)).write_bytes(b"?")
    data = {"format": "cityscapes", "root": "d", "classes": None}
    Image.new("RGB", (9, 9)).save(frames.format(3).replace("aachen", "bochum"))
    other = truths.format(3).replace("aachen", "bochum")
    wanted = [
        f"{frames.format(0)}: no such image",
        f"{truths.format(1)}: no such file",
        f"{truths.format(2)}: not a readable PNG",
        f"{other}: not of the same size as {frames.format(3).replace('aachen', 'bochum')}",
    ]
    assert named(data) == wanted
    _, train, _, said = mended(data, capsys)
    assert said[1:] == wanted
    assert [it.file.parent.name for it in train] == ["bochum"] * 2


def write_turned(file: Path, width: int, height: int, turn: int) -> None:
    """A photo of a camera that was held upright (6), or was not (1)."""
    exif = Image.Exif()
    exif[0x0112] = turn
    Image.new("RGB", (width, height)).save(file, exif=exif)


def test_images_of_another_size_than_their_annotations_are_named_or_left_out(
    pictures: dict[str, list[Picture]], capsys: pytest.CaptureFixture[str]
) -> None:
    # Boxes of the image as it is stored are none of the image as it is seen, and none of one that
    # was made smaller; height and width in the wrong order are no harm.
    garments.write_coco("d", pictures["train"], pictures["val"])
    garments.write_voc("v", pictures["train"], pictures["val"])
    garments.write_wider_voc("w", pictures["train"], pictures["val"])
    sizes = [picture.image.shape[:2] for picture in pictures["train"]]
    (h0, w0), (h3, w3), (h4, w4) = sizes[0], sizes[3], sizes[4]
    places: list[tuple[dict[str, Any], str, str]] = [
        (COCO, "d/train/0001{:02}.jpg", f"{FILE}: image 1{{:02}}"),
        ({"format": "voc", "root": "v"}, "v/JPEGImages/2007_{:06}.jpg", "v/Annotations/2007_{:06}"),
    ]
    for (data, image, where), step in zip(places, (7, 1), strict=True):
        numbers = [39 + 7 * it for it in range(6)] if step == 7 else list(range(6))
        files = [Path(image.format(it)) for it in numbers]
        if step == 7:
            files[5] = files[5].with_suffix(".png")
        Image.new("RGB", (w0 // 2, h0 // 2)).save(files[0])
        write_turned(files[3], w3, h3, 6)
        write_turned(files[4], w4, h4, 1)
        files[1].write_bytes(files[1].read_bytes()[:-200])
        lines = named(data, BOXES)
        assert lines[0] == f"{files[1]}: not a readable image"
        assert len(lines) == 3
        for line, number, size, found in (
            (lines[1], 0, sizes[0], f"{files[0]} has {w0 // 2} x {h0 // 2}"),
            (lines[2], 3, sizes[3], f"{files[3]} has {h3} x {w3}, turned by its EXIF data"),
        ):
            assert line.startswith(where.format(numbers[number]))
            assert line.endswith(f": is for {size[1]} x {size[0]} pixels, but {found}")
        _, train, _, said = mended(data, capsys, BOXES)
        assert said[1:] == lines
        assert [it.file for it in train] == [
            files[2].with_suffix(".png") if step == 7 else files[2],
            files[4],
            files[5],
        ]


def test_sizes_that_are_no_harm(pictures: dict[str, list[Picture]]) -> None:
    garments.write_coco("d", pictures["train"], pictures["val"])
    garments.write_voc("v", pictures["train"], pictures["val"])

    def change(coco: dict[str, Any]) -> None:
        rows = coco["images"]
        rows[0] = {key: rows[0][key] for key in ("id", "file_name")}
        rows[1]["height"], rows[1]["width"] = rows[1]["width"], rows[1]["height"]
        rows[3]["height"], rows[3]["width"] = 0, None
        rows[4]["height"], rows[4]["width"] = float(rows[4]["height"]), str(rows[4]["width"])

    rewrite(change)
    made, train, _ = read(COCO, BOXES)
    check(made, train, kept(pictures["train"]), masks=False)
    for number, text in enumerate(("<size><width>0</width><height>0</height></size>", "")):
        path = Path(f"v/Annotations/2007_00000{number}.xml")
        head, _, rest = path.read_text().partition("  <size>")
        path.write_text(f"{head}{text}{rest.partition('</size>')[2]}")
    made, train, _ = read({"format": "voc", "root": "v"}, BOXES)
    check(made, train, kept(pictures["train"]), masks=False)


@pytest.mark.parametrize("encoding", ["GB2312", "GBK", "Shift_JIS", "UTF-16", "ISO-8859-1"])
def test_xml_in_the_encoding_that_it_declares(
    pictures: dict[str, list[Picture]], encoding: str
) -> None:
    garments.write_voc("d", pictures["train"], pictures["val"])
    name = "Gürtel" if encoding.startswith("ISO") else "朱鎔基" if encoding == "GB2312" else "鞄"
    for path in Path("d/Annotations").iterdir():
        text = path.read_text().replace("<name>Bag", f"<name>{name}")
        text = f'<?xml version="1.0" encoding="{encoding}"?>\n{text}'
        path.write_bytes(text.encode("GBK" if encoding == "GB2312" else encoding))
    made, train, val = read({"format": "voc", "root": "d"}, BOXES)
    assert set(made.CLASSES[1:]) == {*CLASSES, name} - {"Bag"}
    renamed = {"Bag": name}
    check(made, val, pictures["val"], False, lambda it: renamed.get(it, it))
    # What is not as declared, or in nothing that is known, is said with the file.
    path = Path("d/Annotations/2007_000000.xml")
    path.write_bytes('<?xml version="1.0" encoding="UTF-8"?><a>é</a>'.encode("latin-1"))
    Path("d/Annotations/2007_000001.xml").write_text('<?xml version="1.0" encoding="klingon"?><a/>')
    lines = named({"format": "voc", "root": "d", "classes": None}, BOXES)
    assert lines[0].startswith(f"{path}: 'utf-8' codec can't decode")
    assert lines[1] == "d/Annotations/2007_000001.xml: unknown encoding: klingon"


def test_lists_in_other_encodings_are_said_with_the_file(
    pictures: dict[str, list[Picture]],
) -> None:
    garments.write_voc("v", pictures["train"], pictures["val"])
    garments.write_yolo("y", pictures["train"], pictures["val"])
    made = module(plan({"format": "voc", "root": "v"}, BOXES))
    Path("v/ImageSets/Main/train.txt").write_text("2007_000000\n", "utf-16")
    with pytest.raises(ValueError, match="v/ImageSets/Main/train.txt: must be UTF-8"):
        made.read_datasets(Path("v"))
    (message,) = problems_of({"format": "voc", "root": "v"}, BOXES)
    assert message.startswith("data: v/ImageSets/Main/train.txt: must be UTF-8")
    Path("y/labels/train/0000.txt").write_text("0 0.5 0.5 0.1 0.1\n", "utf-16")
    (line,) = named({"format": "yolo", "root": "y"}, BOXES)
    assert line.startswith(f"{Path('y/labels/train/0000.txt').absolute()}: must be UTF-8")


def test_what_lies_beside_images_of_voc_is_none(pictures: dict[str, list[Picture]]) -> None:
    garments.write_voc("d", pictures["train"], pictures["val"])
    for file in list(Path("d/JPEGImages").iterdir()):
        file.with_suffix(".txt").write_text("labels of another tool")
        file.with_suffix(".xml").touch()
    made, train, _ = read({"format": "voc", "root": "d"}, BOXES)
    check(made, train, kept(pictures["train"]), masks=False)


def test_categories_whose_names_are_numbers(pictures: dict[str, list[Picture]]) -> None:
    garments.write_coco("d", pictures["train"], pictures["val"])
    numbers = {name: number for number, name in enumerate(CLASSES)}

    def change(coco: dict[str, Any]) -> None:
        for row in coco["categories"]:
            row["name"] = numbers[row["name"]]

    rewrite(change)
    rewrite(change, "val")
    made, _, val = read(COCO, BOXES)
    check(made, val, pictures["val"], False, lambda name: str(numbers[name]))


def test_categories_that_are_no_classes(pictures: dict[str, list[Picture]]) -> None:
    # Roboflow's category 0 is the project, which the others are said to be of; labelme's is
    # the background. Neither has objects, and both are in all files.
    garments.write_coco("d", pictures["train"], pictures["val"])
    for part in ("train", "val"):
        for number, name, above in ((0, "garment", "none"), (1, "_background_", None)):
            category = {"id": number, "name": name, "supercategory": above}
            rewrite(lambda coco, row=category: coco["categories"].insert(0, row), part)  # type: ignore[misc]
    made, train, _ = read(COCO)
    assert set(made.CLASSES) == {"__background__", *CLASSES}
    check(made, train, kept(pictures["train"]))
    garments.write_yolo("y", pictures["train"], pictures["val"])
    Path("y/data.yaml").write_text(f"names: {[*CLASSES, '_background_']}")
    made, train, _ = read({"format": "yolo", "root": "y"}, BOXES)
    assert made.CLASSES == ["__background__", *CLASSES]


def test_what_is_wrong_in_yolo(
    pictures: dict[str, list[Picture]], capsys: pytest.CaptureFixture[str]
) -> None:
    garments.write_yolo("d", pictures["train"], pictures["val"])
    lines = {
        "0 0.5 0.5 0.1": "must be a class, and x, y, width and height, or ",
        "0 0.5 0.5 0.1 0.1 0.1": "must be a class, and ",
        "one 0.5 0.5 0.1 0.1": "must be numbers, not",
        "4 0.5 0.5 0.1 0.1": "no class 4; there are 4",
        "-1 0.5 0.5 0.1 0.1": "no class -1; there are 4",
        "1.5 0.5 0.5 0.1 0.1": "no class 1.5; there are 4",
        "0 0.5 0.5 0 0.1": "has no area in the image",
        "0 nan 0.5 0.1 0.1": "is not finite",
        "0 80 60 20 30": "has no area in the image",
        "0 1.2 0.5 0.5 0.5": "leaves the image",
        "0 0.1 0.1 0.9 0.1 0.9 1.5": "leaves the image",
    }
    Path("d/labels/train/0000.txt").write_text("\n".join(lines))
    data = {"format": "yolo", "root": "d"}
    found = named(data, BOXES)
    for number, (line, wanted) in enumerate(zip(found, lines.values(), strict=True), 1):
        place, _, message = line.partition(": ")
        assert place == str(Path(f"d/labels/train/0000.txt:{number}").absolute())
        assert wanted in message
    _, train, _, said = mended(data, capsys, BOXES)
    assert said[1:] == found
    assert len(train[0].boxes) == 2
    wanted = "must be a class, and x and y of three points or more; a box is no outline"
    assert named(data)[0].endswith(wanted)
    # Boxes among polygons are boxes of detection, and left out of masks.
    garments.write_yolo("d", pictures["train"], pictures["val"], polygons=True)
    half, box = "1 0.25 0.25 0.75 0.25 0.75 0.75 0.25 0.75", "0 0.5 0.5 0.5 0.25"
    Path("d/labels/train/0000.txt").write_text(f"{half}\n{box}\n{half}\n")
    height, width = pictures["train"][0].image.shape[:2]
    wanted_boxes = torch.tensor([[0.25, 0.25, 0.75, 0.75], [0.25, 0.375, 0.75, 0.625]])
    wanted_boxes *= torch.tensor([width, height] * 2)
    _, train, _ = read(data, BOXES)
    torch.testing.assert_close(train[0].boxes, wanted_boxes[[0, 1, 0]])
    (line,) = named(data)
    assert ":2: " in line and line.endswith(wanted)
    made, train, _, said = mended(data, capsys)
    assert said[1:] == [line]
    torch.testing.assert_close(train[0].boxes, wanted_boxes[[0, 0]])
    assert len(made.read_masks(train[0])) == 2


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("0--Parade/a.jpg\nmany\n", ":2: invalid literal for int"),
        ("0--Parade/a.jpg\n", ":1: invalid literal for int"),
        ("0--Parade/a.jpg\n1\n1 2 3 4\n", ":3: must be 10 numbers, not 4"),
        ("0--Parade/a.jpg\n1\n1 2 3 x 0 0 0 0 0 0\n", ":3: could not convert"),
    ],
)
def test_lines_of_wider_face_that_are_none(
    pictures: dict[str, list[Picture]], text: str, wanted: str
) -> None:
    garments.write_wider_face("d", pictures["train"], pictures["val"])
    made = module(plan({"format": "wider-face", "root": "d"}, BOXES))
    Path("d/wider_face_split/wider_face_val_bbx_gt.txt").write_text(text)
    with pytest.raises(ValueError, match=f"wider_face_val_bbx_gt.txt{wanted}"):
        made.read_datasets(Path("d"))


def test_faces_of_no_size_do_not_stop_training(pictures: dict[str, list[Picture]]) -> None:
    garments.write_wider_face("d", pictures["train"], pictures["val"])
    path = Path("d/wider_face_split/wider_face_train_bbx_gt.txt")
    path.write_text(
        "0--Parade/0_Parade_Parade_0.jpg\n3\n5 5 0 9 0 0 0 0 0 0 \n5 6 7 8 0 0 0 0 0 0 \n"
        "150 5 99 8 0 0 0 0 0 0 \n"
    )
    data = {"format": "wider-face", "root": "d", "classes": ["face"]}
    (line,) = named(data, BOXES)
    assert line.startswith(f"{path}:5: the box from 150, 5 to 249, 13 leaves the image")
    path.write_text(path.read_text().replace("150 5 99 8", "5 5 5 5"))
    _, train, _ = read(data, BOXES)
    assert train[0].boxes.tolist() == [[5, 6, 12, 14], [5, 5, 10, 10]]


def test_nothing_to_train_on_is_said(pictures: dict[str, list[Picture]]) -> None:
    garments.write_yolo("d", pictures["train"], pictures["val"])
    made = module(plan({"format": "yolo", "root": "d"}, BOXES))
    for file in Path("d/labels/train").iterdir():
        file.unlink()
    with pytest.raises(ValueError, match="d: no image to train on has an object of CLASSES"):
        made.read_datasets(Path("d"))
    for file in Path("d/images/val").iterdir():
        file.unlink()
    with pytest.raises(ValueError, match="d/images/val: no images"):
        made.read_datasets(Path("d"))


# ---- what is said before training ----


def test_classes_are_needed_where_no_data_are() -> None:
    for data, key, file in (
        (COCO, "data.train.json", "d/annotations/instances_train.json"),
        ({"format": "yolo", "root": "d"}, "data.root", "d/data.yaml"),
    ):
        (message,) = problems_of(data)
        assert message.startswith(f"{key}: there is no file {file} here to read the classes from;")
        assert message.endswith("write data.classes")
    assert plan({**COCO, "classes": "voc"}).classes[-1] == "tvmonitor"
    assert plan({**COCO, "classes": "coco"}).num_classes == 81
    assert plan({"format": "cityscapes", "root": "d"}, background=False).num_classes == 8


@pytest.mark.parametrize(
    "classes, wanted",
    [
        (["Bag", "Trouserz"], 'has no class "Trouserz"; did you mean "Trouser"?'),
        ("cocoo", 'there is no file cocoo here; write a list of names, or "coco" or "voc"; did'),
        ("list.txt", 'list.txt: "Bag" is listed 2 times'),
        ("empty.txt", "empty.txt: there are no names"),
        (["Bag", "Bag"], '"Bag" is listed 2 times'),
        (["__background__", "Bag"], "the background must not be listed"),
        ("bad.yaml", "bad.yaml: not YAML: "),
        ("odd.yaml", "odd.yaml: must have names, as a list or of the numbers from 0 or 1 on"),
    ],
)
def test_classes_that_cannot_be(
    pictures: dict[str, list[Picture]], classes: Any, wanted: str
) -> None:
    Path("list.txt").write_text("Bag\nDress\nBag\n")
    Path("empty.txt").touch()
    Path("bad.yaml").write_text("names: [")
    Path("odd.yaml").write_text("names: {0: Bag, 2: Dress}")
    garments.write_coco("d", pictures["train"], pictures["val"])
    assert wanted in problems_of({**COCO, "classes": classes})[0]
    garments.write_yolo("y", pictures["train"], pictures["val"])
    assert wanted in problems_of({"format": "yolo", "root": "y", "classes": classes})[0]
    garments.write_voc("v", pictures["train"], pictures["val"])
    assert wanted in problems_of({"format": "voc", "root": "v", "classes": classes})[0]


def test_classes_of_data_sets_that_have_their_own() -> None:
    data = {"format": "cityscapes", "root": "d", "classes": ["car", "buss"]}
    assert problems_of(data) == [
        'data.classes: Cityscapes has no class "buss"; did you mean "bus"?'
    ]
    wider = {"format": "wider-face", "root": "d"}
    assert problems_of({**wider, "classes": ["face", "hat"]}, BOXES) == [
        "data.classes: WIDER FACE has one class, not 2"
    ]
    assert problems_of(wider) == [
        'data.format: WIDER FACE has boxes only; write task = "detection"'
    ]
    assert plan({**wider, "classes": ["head"]}, BOXES).classes == ("__background__", "head")


def test_names_of_yolo(pictures: dict[str, list[Picture]]) -> None:
    garments.write_yolo("d", pictures["train"], pictures["val"])
    data = {"format": "yolo", "root": "d"}
    Path("d/data.yaml").write_text("names: [a, b, c, 1]")
    assert plan(data).classes[1:] == ("a", "b", "c", "1")
    assert plan({**data, "classes": "d/data.yaml"}).classes[1:] == ("a", "b", "c", "1")
    Path("d/data.yaml").unlink()
    Path("d/classes.txt").write_text("a\nb\n")
    assert plan(data).classes[1:] == ("a", "b")


def test_files_too_large_to_be_read_twice(
    pictures: dict[str, list[Picture]], monkeypatch: pytest.MonkeyPatch
) -> None:
    garments.write_coco("d", pictures["train"], pictures["val"])
    small = Path("d/annotations/instances_val.json").stat().st_size
    rewrite(lambda coco: coco.update(info=" " * small))
    monkeypatch.setattr("specc.tasks.detection.formats.read.LARGE", small)
    assert set(plan(COCO).classes) == {"__background__", *CLASSES}
    monkeypatch.setattr("specc.tasks.detection.formats.read.LARGE", 10)
    assert problems_of(COCO) == [
        f"data.classes: needed, as {FILE} has over 100 MB, which are not read here"
    ]


def test_what_is_missing_beside_what_is_there(pictures: dict[str, list[Picture]]) -> None:
    garments.write_coco("d", pictures["train"], pictures["val"])
    Path("d/annotations/instances_val.json").rename("moved.json")
    Path("d/val").rename("moved")
    assert problems_of(COCO) == [
        f"data.val.{key}: there is no {path}, but there is {FILE}"
        for key, path in (("images", "d/val"), ("json", "d/annotations/instances_val.json"))
    ]
    data = {**COCO, "train": [COCO["train"], {"images": "d/train", "json": "other.json"}]}
    del data["val"]
    assert problems_of({**data, "val_fraction": 0.5}) == [
        "data.train[1].json: there is no file other.json here to read the classes from; correct "
        "the path or, if the data are elsewhere, write data.classes",
        f"data.train[1].json: there is no other.json, but there is {FILE}",
    ]
    garments.write_voc("v", pictures["train"], pictures["val"])
    Path("v/ImageSets/Segmentation/val.txt").unlink()
    (message,) = problems_of({"format": "voc", "root": "v"})
    assert message.startswith("data.val: there is no v/ImageSets/Segmentation/val.txt, but ")
    assert message.endswith("; write e.g. val_fraction = 0.2")
    garments.write_yolo("y", pictures["train"], pictures["val"])
    Path("y/labels").rename("labels")
    assert [
        it.partition(", ")[0] for it in problems_of({"format": "yolo", "root": "y"}, BOXES)
    ] == [f"data.{part}: there is no y/labels/{part}" for part in ("train", "val")]
    garments.write_cityscapes("c", pictures["train"], pictures["val"])
    (message,) = problems_of({"format": "cityscapes", "root": "c", "val": "test"})[:1]
    assert message.startswith("data.val: there is no c/leftImg8bit/test and no c/gtFine/test")
    garments.write_wider_face("w", pictures["train"], pictures["val"])
    (message,) = problems_of({"format": "wider-face", "root": "w", "annotations": "voc"}, BOXES)[:1]
    assert message == (
        "data.train: there is no w/train.txt and no w/WIDER_train/Annotations, "
        "but there is w/WIDER_train"
    )


def test_files_of_lists_that_are_missing(pictures: dict[str, list[Picture]]) -> None:
    for write, file, line in (
        (garments.write_voc, "ImageSets/Main/train.txt", "a/2007_000000"),
        (garments.write_yolo, "train.txt", "images/0000.jpg"),
        (garments.write_wider_face, "wider_face_split/wider_face_train_bbx_gt.txt", "a/b.jpg"),
        (garments.write_wider_voc, "train.txt", "a"),
    ):
        folder = write.__name__
        write(folder, pictures["train"], pictures["val"])
        path = Path(folder, file)
        path.write_text(f"{line}\n0\n" if "face_train" in file else f"{line}\n" * 2)
        data: dict[str, Any] = {"format": "voc", "root": folder, "classes": ["Bag"]}
        wanted = Path(folder, "JPEGImages", f"{line}.jpg")
        if write == garments.write_yolo:
            data |= {"format": "yolo", "train": "train.txt", "classes": None}
            wanted = Path(folder, line)
        elif folder.startswith("write_wider"):
            kind = "text" if write == garments.write_wider_face else "voc"
            data |= {"format": "wider-face", "annotations": kind, "classes": ["face"]}
            place = ("images", line) if kind == "text" else ("Annotations", f"{line}.xml")
            wanted = Path(folder, "WIDER_train", *place)
        things = "1 image is" if "face_train" in file else "2 images are"
        things = things.replace("image", "file") if wanted.suffix == ".xml" else things
        said = [f"data.train: {path}: all of its {things} missing, e.g. {wanted}"]
        assert problems_of(data, BOXES)[:1] == said
        assert problems_of({**data, "on_bad_annotation": "fix"}, BOXES)[:1] == said


def test_images_that_are_too_few(pictures: dict[str, list[Picture]]) -> None:
    garments.write_coco("d", pictures["train"], pictures["val"])
    garments.write_voc("v", pictures["train"], pictures["val"])
    garments.write_cityscapes("c", pictures["train"], pictures["val"])
    garments.write_yolo("y", pictures["train"], pictures["val"])
    garments.write_wider_face("w", pictures["train"], pictures["val"])
    garments.write_wider_voc("x", pictures["train"], pictures["val"])
    with_objects = len(kept(pictures["train"]))
    for data, images in (
        (COCO, with_objects),
        ({**COCO, "keep_empty": True}, 6),
        ({"format": "coco", "train": COCO["train"], "val_fraction": 0.5, "keep_empty": True}, 3),
        ({"format": "voc", "root": "v"}, 6),
        ({"format": "cityscapes", "root": "c"}, 6),
        ({"format": "yolo", "root": "y"}, 6),
        ({"format": "wider-face", "root": "w"}, 6),
        ({"format": "wider-face", "root": "x", "annotations": "voc"}, 6),
    ):
        assert plan(data, BOXES).images == images
        tree = {"task": BOXES, "model": {"name": "?"}, "data": data, "train": {"batch_size": 7}}
        problems = Problems(source.read(Path("spec.toml")))
        plan_annotations(Detection.model_validate(tree), background=True, problems=problems)
        (diagnostic,) = problems.error().diagnostics
        assert diagnostic.message.startswith(f"7 is more than the images of an epoch ({images}); ")


def test_where_validation_images_are_from() -> None:
    classes = {"classes": ["a"]}
    assert problems_of({**COCO, **classes, "val_fraction": 0.5}) == [
        "data.val_fraction: takes validation images from the training images; "
        "leave either it or val out"
    ]
    assert problems_of({"format": "coco", "train": COCO["train"], **classes}) == [
        "data.val: there is nothing to validate on; write val = { images = …, json = … }, or "
        "e.g. val_fraction = 0.2"
    ]


def test_strings_of_a_spec_are_data(pictures: dict[str, list[Picture]]) -> None:
    folder = """it's "quoted" {x} \\d"""
    name = """Bag"); import os  # {{ 7 * 7 }} \\"""
    classes = [name, "Dress", "Ankle boot", "Trouser"]

    def renamed(truth: Sequence[Picture]) -> list[Picture]:
        return [
            Picture(
                p.image, p.boxes, [it.replace("Bag", name) for it in p.labels], p.masks, p.crowd
            )
            for p in truth
        ]

    garments.write_coco(folder, *map(renamed, (pictures["train"], pictures["val"])), classes)
    places = {
        part: {
            "images": f"{folder}/{part}",
            "json": f"{folder}/annotations/instances_{part}.json",
        }
        for part in pictures
    }
    made, _, val = read({"format": "coco", "classes": classes, **places})
    assert made.CLASSES[1] == name
    check(made, val, renamed(pictures["val"]))
