"""The pictures of the detection tests are what they say, and so is each format's copy of them."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from tests import garments
from tests.garments import Picture


@pytest.fixture(scope="module")
def train() -> list[Picture]:
    return garments.compose(20, seed=0)


@pytest.fixture(scope="module")
def val() -> list[Picture]:
    return garments.compose(10, seed=0, part="val")


def differ(one: Picture, other: Picture) -> bool:
    return one.image.shape != other.image.shape or bool((one.image != other.image).any())


def test_pictures(train: list[Picture], val: list[Picture]) -> None:
    again = garments.compose(20, seed=0)
    assert not any(map(differ, train, again))
    assert all(map(differ, train, garments.compose(20, seed=1)))
    assert all(map(differ, train, val))
    for part in train, val:
        assert {label for picture in part for label in picture.labels} == {*garments.CLASSES}
        assert [len(picture.labels) for picture in part].count(0) == len(part[2::8])
        assert sum(int(picture.crowd.sum()) for picture in part) == len(part[1::8])
    for picture in train:
        height, width, _ = picture.image.shape
        assert 160 <= min(height, width) and max(height, width) <= 240
        assert (picture.masks.sum(0) <= 1).all()
        for mask, (x1, y1, x2, y2) in zip(picture.masks, picture.boxes.astype(int), strict=True):
            assert mask.sum() == mask[y1:y2, x1:x2].sum() > 100
            inside = mask[y1:y2, x1:x2]
            assert inside[0].any() and inside[-1].any() and inside[:, [0, -1]].any(0).all()
    assert {p.image.shape[0] > p.image.shape[1] for p in train} == {False, True}


def test_coco(here: Path, train: list[Picture], val: list[Picture]) -> None:
    garments.write_coco("coco", train, val)
    kinds = set()
    for split, pictures in {"train": train, "val": val}.items():
        coco = COCO(f"coco/annotations/instances_{split}.json")
        for picture, image in zip(pictures, coco.loadImgs(coco.getImgIds()), strict=True):
            with Image.open(here / "coco" / split / image["file_name"]) as file:
                assert abs(np.asarray(file) - picture.image.astype(int)).mean() < 5
            annotations = coco.loadAnns(coco.getAnnIds(image["id"]))
            names = [coco.cats[annotation["category_id"]]["name"] for annotation in annotations]
            assert names == picture.labels
            for number, annotation in enumerate(annotations):
                assert annotation["iscrowd"] == picture.crowd[number]
                mask = coco.annToMask(annotation)
                assert (mask == picture.masks[number]).all() and mask.sum() == annotation["area"]
                box = coco_mask.toBbox(coco.annToRLE(annotation)).tolist()
                assert box == annotation["bbox"]
                assert box[:2] == picture.boxes[number, :2].tolist()
                form = annotation["segmentation"]
                kinds.add(len(form) > 1 if isinstance(form, list) else type(form["counts"]))
    assert kinds == {False, True, list, str}  # polygons of one part and of several, two RLE


def test_voc(here: Path, train: list[Picture], val: list[Picture]) -> None:
    garments.write_voc("voc", train, val)
    for split, pictures in {"train": train, "val": val}.items():
        names = Path(f"voc/ImageSets/Main/{split}.txt").read_text().split()
        segmented = Path(f"voc/ImageSets/Segmentation/{split}.txt").read_text().split()
        assert segmented == [name for n, name in enumerate(names) if n % 4 != 3]
        for name, picture in zip(names, pictures, strict=True):
            objects = ElementTree.parse(f"voc/Annotations/{name}.xml").getroot().findall("object")
            assert [item.findtext("name") for item in objects] == picture.labels
            assert [item.findtext("difficult") == "1" for item in objects] == [*picture.crowd]
            corners = [[float(x.text or 0) for x in item.find("bndbox") or []] for item in objects]
            boxes = np.reshape(corners, (-1, 4)) - [1, 1, 0, 0]
            assert (boxes == picture.boxes).all()
            assert numbers_of(f"voc/JPEGImages/{name}.jpg").shape == picture.image.shape
            if name in segmented:
                numbers = numbers_of(f"voc/SegmentationObject/{name}.png")
                same = [(numbers == 1 + n) == mask for n, mask in enumerate(picture.masks)]
                assert np.all(same)
                classes = numbers_of(f"voc/SegmentationClass/{name}.png")
                assert ((classes == 255) == (numbers == 255)).all()
                assert len({*np.unique(classes)} - {0, 255}) == len({*picture.labels})


def test_cityscapes(here: Path, train: list[Picture], val: list[Picture]) -> None:
    garments.write_cityscapes("cityscapes", train, val)
    garments.write_cityscapes_json("cityscapes", train, val)
    for split, pictures in {"train": train, "val": val}.items():
        coco = COCO(f"cityscapes/annotations/instancesonly_filtered_gtFine_{split}.json")
        files = sorted(Path("cityscapes/gtFine", split).glob("*/*_gtFine_instanceIds.png"))
        images = sorted(Path("cityscapes/leftImg8bit", split).glob("*/*_leftImg8bit.png"))
        for index, picture in enumerate(pictures):
            assert (numbers_of(images[index]) == picture.image).all()
            assert coco.imgs[index]["file_name"] == "/".join(images[index].parts[-2:])
            ids = numbers_of(files[index])
            assert {*np.unique(ids[~picture.masks.any(0)])} <= {garments.ROAD, garments.SKY}
            found = {}
            for annotation in coco.loadAnns(coco.getAnnIds(index)):
                mask = coco.annToMask(annotation).astype(bool)
                (instance,) = np.unique(ids[mask])
                assert annotation["category_id"] == instance // (1 if instance < 1000 else 1000)
                assert annotation["iscrowd"] == (instance < 1000)
                name = coco.cats[annotation["category_id"]]["name"]
                found[mask.tobytes()] = (name, bool(annotation["iscrowd"]), annotation["bbox"][:2])
            objects = zip(picture.labels, picture.crowd, picture.boxes, strict=True)
            truth = [(garments.CITYSCAPES[n], bool(c), b[:2].tolist()) for n, c, b in objects]
            assert found == {m.tobytes(): one for m, one in zip(picture.masks, truth, strict=True)}


def test_yolo(here: Path, train: list[Picture], val: list[Picture]) -> None:
    garments.write_yolo("boxes", train, val)
    garments.write_yolo("polygons", train, val, polygons=True)
    for split, pictures in {"train": train, "val": val}.items():
        for index, picture in enumerate(pictures):
            height, width, depth = picture.image.shape
            assert numbers_of(f"boxes/images/{split}/{index:04}.jpg").shape[:2] == (height, width)
            lines = yolo_lines(Path(f"boxes/labels/{split}/{index:04}.txt"))
            clear = np.flatnonzero(~picture.crowd)
            assert [garments.CLASSES[n] for n, _ in lines] == [picture.labels[n] for n in clear]
            for number, (_, (x, y, w, h)) in zip(clear, lines, strict=True):
                corners = [x - w / 2, y - h / 2, x + w / 2, y + h / 2] * np.array(
                    [width, height] * 2
                )
                assert np.abs(corners - picture.boxes[number]).max() < 0.001
            lines = yolo_lines(Path(f"polygons/labels/{split}/{index:04}.txt"))
            for number, (_, points) in zip(clear, lines, strict=True):
                points = (np.reshape(points, (-1, 2)) * [width, height]).ravel().tolist()
                (rle,) = coco_mask.frPyObjects([points], height, width)
                assert (coco_mask.decode(rle) == picture.masks[number]).all()
    assert not Path("boxes/labels/train/0002.txt").exists()  # that of a picture of nothing
    names = Path("boxes/data.yaml").read_text().split("names:\n")[1]
    assert names == "  0: Trouser\n  1: Bag\n  2: Ankle boot\n  3: Dress\n"


def yolo_lines(path: Path) -> list[tuple[int, list[float]]]:
    lines = path.read_text().splitlines() if path.exists() else []
    return [(int(line.split()[0]), [float(n) for n in line.split()[1:]]) for line in lines]


def test_wider_face(here: Path, train: list[Picture], val: list[Picture]) -> None:
    garments.write_wider_face("text", train, val)
    garments.write_wider_voc("voc", train, val)
    for split, pictures in {"train": train, "val": val}.items():
        path = Path(f"text/wider_face_split/wider_face_{split}_bbx_gt.txt")
        lines = iter(path.read_text().splitlines())
        names = Path(f"voc/{split}.txt").read_text().split()
        for name, picture in zip(names, pictures, strict=True):
            file, count = next(lines), int(next(lines))
            assert file.endswith(f"/{name}.jpg") and count == len(picture.boxes)
            rows = np.array([next(lines).split() for _ in range(max(count, 1))], int)[:count]
            assert (rows[:, 2:4] == picture.boxes[:, 2:] - picture.boxes[:, :2]).all()
            assert (rows[:, :2] == picture.boxes[:, :2]).all() and (
                rows[:, 7] == picture.crowd
            ).all()
            root = ElementTree.parse(f"voc/WIDER_{split}/Annotations/{name}.xml").getroot()
            corners = [[int(x.text or 0) for x in box] for box in root.iter("bndbox")]
            assert corners == picture.boxes[~picture.crowd].tolist()
            for image in f"text/WIDER_{split}/images/{file}", f"voc/WIDER_{split}/{file}":
                assert numbers_of(image).shape == picture.image.shape
            assert file.startswith(f"{root.findtext('folder')}/")
        assert next(lines, None) is None


def numbers_of(path: Path | str) -> np.ndarray:
    with Image.open(path) as file:
        return np.asarray(file)
