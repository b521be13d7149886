"""predict.py of a detector: what people ask about images, and what they get to see."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from detectors import CLASSES, SIZE, make_project, make_up, write
from PIL import Image
from projects import Project
from pycocotools import mask as rle

pytestmark = pytest.mark.slow

CHECKPOINT = ["--checkpoint", "best.pt"]


@pytest.fixture
def project(here: Path) -> Project:
    """One that finds objects with masks in seven images."""
    write(*make_up(4, images=7), True)
    return make_project(masks=True)


def lines(printed: str) -> dict[str, str]:
    """What is said of each image."""
    pairs = (line.split("   ", 1) for line in printed.splitlines() if "   " in line)
    return {path.rstrip(): said.strip() for path, said in pairs}


def found(path: str = "found.json") -> dict[str, list[dict[str, Any]]]:
    """The objects in a JSON file by the name of the image."""
    content = json.loads(Path(path).read_text())
    names = {image["id"]: image["file_name"] for image in content["images"]}
    objects: dict[str, list[dict[str, Any]]] = {name: [] for name in names.values()}
    for annotation in content["annotations"]:
        objects[names[annotation["image_id"]]].append(annotation)
    return objects


@pytest.mark.parametrize("masks", [False, True], ids=["boxes", "masks"])
@pytest.mark.parametrize("threshold", [None, 0.8])
def test_objects_are_told_written_and_drawn(
    here: Path, masks: bool, threshold: float | None
) -> None:
    truth, detections = make_up(4, images=7)
    write(truth, detections, masks)
    project = make_project(masks=masks)
    arguments: list[object] = ["images", "--json", "found.json", *CHECKPOINT]
    arguments += [] if threshold is None else ["--threshold", threshold]
    said = lines(project.run("predict.py", *arguments))
    files = [f"images/{index}.png" for index in range(7)]
    objects = found()
    assert [*said] == files == [*objects]
    for file, stored in zip(files, detections, strict=True):
        kept = stored["scores"] >= (threshold or 0.5)
        labels = stored["labels"][kept].tolist()
        counts = {CLASSES[label]: labels.count(label) for label in labels}
        told = [part.split(" ") for part in said[file].split(", ")]
        assert counts == ({name: int(n) for n, name in told} if labels else {})
        assert labels or said[file] == "nothing"
        boxes = [item["bbox"] for item in objects[file]]
        x1, y1, x2, y2 = stored["boxes"][kept].T
        expected = torch.stack([x1, y1, x2 - x1, y2 - y1], 1)
        assert torch.equal(torch.tensor(boxes).reshape(-1, 4), expected)
        assert [item["category_id"] for item in objects[file]] == labels
        scores = torch.tensor([item["score"] for item in objects[file]])
        assert torch.equal(scores, stored["scores"][kept])
        shapes = (stored["masks"][kept][:, 0] > 0.5).numpy()
        for item, box, shape in zip(objects[file], boxes, shapes, strict=True):
            assert item["iscrowd"] == 0
            if masks:
                assert (rle.decode(item["segmentation"]) == shape).all()
                assert item["area"] == shape.sum()
            else:
                assert item["area"] == pytest.approx(box[2] * box[3])
                assert "segmentation" not in item
        with Image.open(f"project/runs/predictions/{Path(file).stem}-found.jpg") as picture:
            assert picture.size == SIZE[::-1]
            colours = len(picture.getcolors(picture.width * picture.height))
            assert colours == 1 if not labels else colours > 20
    content = json.loads(Path("found.json").read_text())
    names = [{"id": label, "name": CLASSES[label]} for label in range(1, len(CLASSES))]
    assert content["categories"] == names
    ids = [item["id"] for item in content["annotations"]]
    assert ids == list(range(1, len(ids) + 1))


def test_an_image_has_the_same_objects_alone(project: Project) -> None:
    project.run("predict.py", "images", "--json", "new/all.json", *CHECKPOINT)
    project.run("predict.py", "images/3.png", "--json", "one.json", *CHECKPOINT)

    def bare(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{k: v for k, v in item.items() if k not in ("id", "image_id")} for item in items]

    assert bare(found("one.json")["images/3.png"]) == bare(found("new/all.json")["images/3.png"])


def test_what_cannot_be_read_is_named_and_the_rest_is_done(project: Project) -> None:
    Path("images/1.png").write_bytes(b"")
    Path("images/4.png").write_text("no image")
    arguments = ["images", "--json", "found.json", "--draw", "drawn", *CHECKPOINT]
    printed = project.fail("predict.py", *arguments)
    errors = printed[printed.index("2 of 7 files were not read:") :].splitlines()
    assert errors[1].startswith("images/1.png: not a readable image")
    assert errors[2].startswith("images/4.png: not a readable image")
    assert "Traceback" not in printed
    done = [0, 2, 3, 5, 6]
    assert [*found()] == [f"images/{index}.png" for index in done]
    assert sorted(path.name for path in Path("drawn").iterdir()) == [
        f"{index}-found.jpg" for index in done
    ]


def test_no_picture_is_drawn_over_another(project: Project) -> None:
    for folder in ("a", "b"):
        Path(folder).mkdir()
        for name in ("photo.png", "photo.bmp"):
            Image.new("RGB", (30, 20), (5, 5, 5)).save(Path(folder, name))
    Image.new("RGB", (30, 20), (5, 5, 5)).save("a/photo-found.jpg")
    before = Path("a/photo-found.jpg").read_bytes()
    small = [{"boxes": torch.zeros(0, 4), "labels": torch.zeros(0).long()}] * 7
    empty = {"scores": torch.zeros(0), "masks": torch.zeros(0, 1, 20, 30)}
    torch.save([found | empty for found in small], "detections.pt")
    project.run("predict.py", "a", "b", "--draw", "a", *CHECKPOINT)
    assert Path("a/photo-found.jpg").read_bytes() == before
    assert sorted(path.name for path in Path("a").iterdir()) == [
        "photo-found-2.jpg",
        "photo-found-3.jpg",
        "photo-found-4.jpg",
        "photo-found-5.jpg",
        "photo-found-found.jpg",
        "photo-found.jpg",
        "photo.bmp",
        "photo.png",
    ]


@pytest.mark.parametrize("asked", ["missing.png", "images/*.jpg"])
def test_no_image_is_an_error(project: Project, asked: str) -> None:
    assert project.fail("predict.py", "images", asked, *CHECKPOINT) == f"{asked}: no image here\n"


def test_hostile_names_stay_data(project: Project) -> None:
    names = ["a\nb.png", "\x1b[2J.png", "œ 画.png", "-x.png", "%s{0}.png"]
    Path("hostile").mkdir()
    for name in names:
        Path("hostile", name).write_bytes(Path("images/3.png").read_bytes())
    printed = project.run("predict.py", "hostile", "--json", "found.json", *CHECKPOINT)
    assert all(line.isprintable() for line in printed.splitlines())
    assert r"hostile/a\nb.png" in printed and r"hostile/\x1b[2J.png" in printed
    assert {*found()} == {f"hostile/{name}" for name in names}
    drawn = {path.name for path in Path("project/runs/predictions").iterdir()}
    assert drawn == {f"{Path(name).stem}-found.jpg" for name in names}
