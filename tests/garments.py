"""Pictures with objects whose boxes and masks are known to the pixel, in the formats of the world.

Garments of Fashion-MNIST lie on crops of photographs, enlarged, tinted, turned a little and partly
over each other. `compose` makes the pictures, the same for the same seed; `write_coco` and its
siblings write them as the format's own files look, with what makes reading them hard. In each part
of three or more pictures, picture 1 (and 9, 17, ...) has a crowd, a region of several garments
that are not told apart, and picture 2 (and 10, 18, ...) has no object at all.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from pycocotools import mask as coco_mask
from skimage import data, measure

Array = NDArray[Any]

GARMENTS = Path(__file__).parent.parent / "specs/data/fashion-mnist"
CLASSES = ("Trouser", "Bag", "Ankle boot", "Dress")
PERIOD, CROWDED, BARE = 8, 1, 2  # of every 8 pictures, which has a crowd and which no object
VISIBLE = 0.6  # the least part of a garment that others leave to be seen

COCO_IDS = (18, 3, 7, 90, 44)  # of the classes in order: with gaps, sorted neither by id nor name
CITYSCAPES = {"Trouser": "person", "Bag": "car", "Ankle boot": "bicycle", "Dress": "bus"}
CITYSCAPES_IDS = {
    **{"person": 24, "rider": 25, "car": 26, "truck": 27},
    **{"bus": 28, "train": 31, "motorcycle": 32, "bicycle": 33},
}
ROAD, SKY = 7, 23  # the Cityscapes labels of what is no garment: the lower and the upper half
CITIES = {"train": ("aachen", "bochum"), "val": ("frankfurt", "munster")}
EVENTS = ("0--Parade", "12--Group")


@dataclass
class Picture:
    """A picture, and the N objects in it: what lies below comes first."""

    image: Array  # uint8 [H, W, 3]
    boxes: Array  # float32 [N, 4]: x1, y1, x2, y2 in pixels, tight around the masks
    labels: list[str]
    masks: Array  # bool [N, H, W]: the pixels to be seen, no pixel in two masks
    crowd: Array  # bool [N]: several garments, not told apart


def compose(
    count: int, seed: int, part: str = "train", classes: Sequence[str] = CLASSES
) -> list[Picture]:
    """Pictures of 160 to 240 pixels a side, with 1 to 4 garments of a part ("train" or "val")."""
    return [
        _compose(np.random.default_rng([seed, part == "val", index]), index, part, classes)
        for index in range(count)
    ]


def _compose(rng: Generator, index: int, part: str, classes: Sequence[str]) -> Picture:
    height, width = rng.integers(160, 241, 2)
    photo = _photos()[rng.integers(len(_photos()))]
    top, left = (rng.integers(photo.shape[i] - side + 1) for i, side in enumerate((height, width)))
    image = photo[top : top + height, left : left + width].copy()
    count = 0 if index % PERIOD == BARE else rng.integers(1, 5)
    labels, masks, whole, crowd = [], np.zeros((0, height, width), bool), [], []
    for number in range(count):
        label = classes[rng.integers(len(classes))]
        crowded = index % PERIOD == CROWDED and number == 0
        color, shape = _group(rng, part, label) if crowded else _garment(rng, part, label)
        for _ in range(20):  # places, until one leaves enough of what lies below
            y, x = (rng.integers(image.shape[i] - shape.shape[i] + 1) for i in range(2))
            mask = np.zeros((height, width), bool)
            mask[y : y + shape.shape[0], x : x + shape.shape[1]] = shape
            below = masks & ~mask
            if all(now.sum() >= VISIBLE * was for now, was in zip(below, whole, strict=True)):
                masks = np.concatenate([below, mask[None]])
                image[mask] = color[shape]
                labels.append(label)
                whole.append(shape.sum())
                crowd.append(crowded)
                break
    boxes = np.array([_box(mask) for mask in masks], np.float32).reshape(-1, 4)
    return Picture(image, boxes, labels, masks, np.array(crowd, bool))


@cache
def _photos() -> list[Array]:
    return [data.astronaut(), data.chelsea(), data.coffee(), data.rocket()]


@cache
def _files(part: str, label: str) -> list[Path]:
    return sorted((GARMENTS / part / label).glob("*.png"))


def _garment(rng: Generator, part: str, label: str, size: int = 0) -> tuple[Array, Array]:
    """The colours (uint8 [h, w, 3]) of a garment, and which pixels are of it (bool [h, w])."""
    files = _files(part, label)
    with Image.open(files[rng.integers(len(files))]) as file:
        side = size or int(rng.integers(40, 111))
        large = file.resize((side, side), Image.Resampling.BICUBIC)
    angle = rng.uniform(-20, 20) if rng.random() < 0.5 else 0
    grey = np.asarray(large.rotate(angle, Image.Resampling.BICUBIC, expand=True))
    regions = measure.label(grey > 24, connectivity=1)
    shape = regions == 1 + np.bincount(regions.ravel())[1:].argmax()
    gaps = measure.label(np.pad(~shape, 1, constant_values=True), connectivity=2)[1:-1, 1:-1]
    shape |= (np.bincount(gaps.ravel()) < 60)[gaps]  # dark dots of a pattern are no holes
    x1, y1, x2, y2 = _box(shape)
    tint = rng.uniform(80, 255, 3)
    color = (0.3 + 0.7 * grey[y1:y2, x1:x2, None] / 255) * tint
    return color.astype(np.uint8), shape[y1:y2, x1:x2]


def _group(rng: Generator, part: str, label: str) -> tuple[Array, Array]:
    """Four small garments side by side, as `_garment` gives one."""
    color, shape = np.zeros((48, 110, 3), np.uint8), np.zeros((48, 110), bool)
    for x in range(0, 100, 25):
        one, its = _garment(rng, part, label, size=28)
        y = rng.integers(48 - its.shape[0] + 1)
        window = np.s_[y : y + its.shape[0], x : x + its.shape[1]]
        color[window][its] = one[its]
        shape[window] |= its
    x1, y1, x2, y2 = _box(shape)
    return color[y1:y2, x1:x2], shape[y1:y2, x1:x2]


def outlines(mask: Array) -> list[Array]:
    """Closed lines (float64 [points, 2]: x, y) along the edges of a mask, holes included.

    COCO's rules make exactly the mask of them.
    """
    lines = measure.find_contours(np.pad(mask, 1).astype(float), 0.5, fully_connected="low")
    return [line[:, ::-1] - 0.5 for line in lines]


def _box(mask: Array) -> tuple[int, int, int, int]:
    """The box around the pixels of a mask: x1, y1, and x2, y2 behind the last pixel."""
    x, y = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    return int(x[0]), int(y[0]), int(x[-1]) + 1, int(y[-1]) + 1


def write_coco(
    root: Path | str,
    train: Sequence[Picture],
    val: Sequence[Picture],
    classes: Sequence[str] = CLASSES,
) -> None:
    """`root/{train,val}/NNNNNN.jpg|png` and `root/annotations/instances_{train,val}.json`.

    Masks are polygons, of several parts where something lies across, or RLE, compressed or not.
    Annotations are not in the order of the images, but those of an image are in the picture's.
    """
    for split, pictures in {"train": train, "val": val}.items():
        images: list[dict[str, Any]] = []
        annotations: list[tuple[int, dict[str, Any]]] = []
        for index, picture in enumerate(pictures):
            height, width = picture.image.shape[:2]
            image_id = 139 + 7 * index
            name = f"{image_id:06}.{'png' if index % 3 == 2 else 'jpg'}"
            _save(picture.image, Path(root, split, name))
            image = {"id": image_id, "file_name": name, "height": height, "width": width}
            images.append({**image, "license": 1})
            for number, (label, mask) in enumerate(zip(picture.labels, picture.masks, strict=True)):
                crowd, category = bool(picture.crowd[number]), COCO_IDS[classes.index(label)]
                ids = {"id": 1000 + len(annotations), "image_id": image_id, "category_id": category}
                shape = _shape(mask, _segmentation(mask, crowd, len(annotations)))
                annotations.append((number, {**ids, **shape, "iscrowd": int(crowd)}))
        categories = [
            {"supercategory": "garment", "id": number, "name": name}
            for number, name in zip(COCO_IDS, classes, strict=False)
        ]
        coco = {
            "info": {"description": "Garments on photographs", "year": 2017},
            "licenses": [{"id": 1, "name": "MIT", "url": "https://opensource.org/license/mit"}],
            "images": images,
            "annotations": [one for _, one in sorted(annotations, key=lambda pair: pair[0])],
            "categories": categories,
        }
        _write(Path(root, "annotations", f"instances_{split}.json"), json.dumps(coco))


def _shape(mask: Array, segmentation: Any) -> dict[str, Any]:
    x1, y1, x2, y2 = map(float, _box(mask))
    bbox = [x1, y1, x2 - x1, y2 - y1]
    return {"bbox": bbox, "area": int(mask.sum()), "segmentation": segmentation}


def _segmentation(mask: Array, crowd: bool, number: int) -> Any:
    """A mask as COCO has it: polygons where they can be exact, else one or the other RLE."""
    holes = measure.label(np.pad(~mask, 1, constant_values=True), connectivity=2).max() > 1
    if not (crowd or holes):
        return [line[:-1].ravel().tolist() for line in outlines(mask)]
    if not crowd and number % 2:
        return _rle(mask)
    column = mask.T.ravel()
    edges = np.flatnonzero(np.diff(column, prepend=False, append=not column[-1]))
    counts = np.diff(edges, prepend=0).tolist()  # of pixels outside, inside, outside, ...
    return {"size": list(mask.shape), "counts": counts}


def write_voc(root: Path | str, train: Sequence[Picture], val: Sequence[Picture]) -> None:
    """A folder as VOCdevkit/VOC2012 is: Annotations, ImageSets, JPEGImages, Segmentation*.

    Crowds are objects marked difficult. Trousers have a part, which is no object. Every fourth
    picture, from number 3 on, has no masks and is not in `ImageSets/Segmentation`; in the others
    a border of 255 lies around what is masked.
    """
    root = Path(root)
    for split, pictures in {"train": train, "val": val}.items():
        main, segmentation = "", ""
        for index, picture in enumerate(pictures):
            name = f"{2007 + (split == 'val')}_{index:06}"
            main += f"{name}\n"
            if index % 4 != 3:
                segmentation += f"{name}\n"
                _save_segmentation(picture, root, name)
            _save(picture.image, root / "JPEGImages" / f"{name}.jpg")
            _write(root / "Annotations" / f"{name}.xml", _xml(picture, "VOC2012", name))
        _write(root / "ImageSets" / "Main" / f"{split}.txt", main)
        _write(root / "ImageSets" / "Segmentation" / f"{split}.txt", segmentation)


def _xml(picture: Picture, folder: str, name: str) -> str:
    """The text of an XML file, whose boxes are of pixels counted from 1, the last one included."""
    height, width, _ = picture.image.shape
    objects = ""
    boxes = picture.boxes.astype(int).tolist()
    for (x1, y1, x2, y2), label, crowd in zip(boxes, picture.labels, picture.crowd, strict=True):
        corner = f"<bndbox><xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin>"
        leg = f"{corner}<xmax>{x1 + 8.5}</xmax><ymax>{y2}</ymax></bndbox>"
        part = f"<part><name>leg</name>{leg}</part>" if label == "Trouser" else ""
        objects += f"""\
  <object>
    <name>{label}</name><pose>Unspecified</pose>
    <truncated>0</truncated><difficult>{int(crowd)}</difficult>
    {corner}<xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox>{part}
  </object>
"""
    return f"""\
<annotation>
  <folder>{folder}</folder><filename>{name}.jpg</filename>
  <source><database>Garments</database></source>
  <size><width>{width}</width><height>{height}</height><depth>3</depth></size>
{objects}</annotation>
"""


def _save_segmentation(picture: Picture, root: Path, name: str) -> None:
    objects = np.zeros(picture.image.shape[:2], np.uint8)
    for number, mask in enumerate(picture.masks, start=1):
        objects[mask] = number
    names = sorted({*CLASSES, *picture.labels})
    classes = np.array([0, *(1 + names.index(label) for label in picture.labels)])[objects]
    near = np.asarray(Image.fromarray(objects).filter(ImageFilter.MaxFilter(5)))
    palette = np.random.default_rng(0).integers(0, 256, 768).tolist()
    for folder, numbers in {"SegmentationObject": objects, "SegmentationClass": classes}.items():
        border = (near > 0) & (objects == 0)
        path = root / folder / f"{name}.png"
        _save(np.where(border, 255, numbers).astype(np.uint8), path, palette)


def write_cityscapes(root: Path | str, train: Sequence[Picture], val: Sequence[Picture]) -> None:
    """`root/leftImg8bit/SPLIT/CITY/*_leftImg8bit.png` and `root/gtFine/...instanceIds.png`.

    The pictures in order are those of the split's first city, then those of the other. Crowds are
    group regions.
    """
    for split, pictures in {"train": train, "val": val}.items():
        for index, picture in enumerate(pictures):
            frame, ids = _frame(split, index, len(pictures)), _instance_ids(picture)
            _save(picture.image, Path(root, "leftImg8bit", split, f"{frame}_leftImg8bit.png"))
            _save(ids, Path(root, "gtFine", split, f"{frame}_gtFine_instanceIds.png"))
            labels = np.where(ids < 1000, ids, ids // 1000).astype(np.uint8)
            _save(labels, Path(root, "gtFine", split, f"{frame}_gtFine_labelIds.png"))


def _frame(split: str, index: int, count: int) -> str:
    city = CITIES[split][index >= (count + 1) // 2]
    return f"{city}/{city}_{index:06}_000019"


def _instance_ids(picture: Picture) -> Array:
    """uint16 [H, W]: label * 1000 + number of an instance, the label of a group or of no object."""
    ids = np.full(picture.image.shape[:2], ROAD, np.uint16)
    ids[: len(ids) // 2] = SKY
    for number, (name, mask) in enumerate(zip(picture.labels, picture.masks, strict=True)):
        label = CITYSCAPES_IDS[CITYSCAPES[name]]
        ids[mask] = label if picture.crowd[number] else label * 1000 + number
    return ids


def write_cityscapes_json(
    root: Path | str, train: Sequence[Picture], val: Sequence[Picture]
) -> None:
    """What MMDetection's converter makes of `write_cityscapes`: `root/annotations/*.json`.

    Ids of images and annotations start at 0; the objects of an image are in order of instance ids.
    """
    for split, pictures in {"train": train, "val": val}.items():
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for index, picture in enumerate(pictures):
            frame, ids = _frame(split, index, len(pictures)), _instance_ids(picture)
            size = {"height": ids.shape[0], "width": ids.shape[1]}
            segm_file = f"{frame}_gtFine_labelIds.png"
            image = {"file_name": f"{frame}_leftImg8bit.png", **size, "segm_file": segm_file}
            images.append({**image, "id": index})
            for instance in np.unique(ids[ids >= min(CITYSCAPES_IDS.values())]).tolist():
                crowd, label = instance < 1000, instance if instance < 1000 else instance // 1000
                annotation = {"iscrowd": int(crowd), "category_id": label}
                shape = _shape(ids == instance, _rle(ids == instance))
                annotations.append(
                    {**annotation, **shape, "image_id": index, "id": len(annotations)}
                )
        categories = [{"id": number, "name": name} for name, number in CITYSCAPES_IDS.items()]
        coco = {"images": images, "categories": categories, "annotations": annotations}
        name = f"instancesonly_filtered_gtFine_{split}.json"
        _write(Path(root, "annotations", name), json.dumps(coco))


def write_yolo(
    root: Path | str,
    train: Sequence[Picture],
    val: Sequence[Picture],
    classes: Sequence[str] = CLASSES,
    polygons: bool = False,
) -> None:
    """`root/{images,labels}/{train,val}/*.jpg|txt` and `root/data.yaml`, as ultralytics has them.

    The format knows no crowds: they are left out. A picture without objects has no label file. A
    polygon joins the parts of a mask and its holes by lines that go there and back.
    """
    for split, pictures in {"train": train, "val": val}.items():
        for index, picture in enumerate(pictures):
            _save(picture.image, Path(root, "images", split, f"{index:04}.jpg"))
            height, width = picture.image.shape[:2]
            text = ""
            for number in np.flatnonzero(~picture.crowd):
                x1, y1, x2, y2 = picture.boxes[number].astype(float)
                points = np.array([[(x1 + x2) / 2, (y1 + y2) / 2], [x2 - x1, y2 - y1]])
                if polygons:
                    first, *others = outlines(picture.masks[number])
                    points = np.concatenate([first, *(p for o in others for p in (o, first[:1]))])
                numbers = " ".join(f"{n:.6f}" for n in (points / [width, height]).ravel())
                text += f"{classes.index(picture.labels[number])} {numbers}\n"
            if picture.labels:
                _write(Path(root, "labels", split, f"{index:04}.txt"), text)
    names = "".join(f"  {index}: {name}\n" for index, name in enumerate(classes))
    yaml = f"path: {Path(root).resolve()}\ntrain: images/train\nval: images/val\nnames:\n{names}"
    _write(Path(root, "data.yaml"), yaml)


def write_wider_face(root: Path | str, train: Sequence[Picture], val: Sequence[Picture]) -> None:
    """`root/WIDER_SPLIT/images/EVENT/*.jpg`, `root/wider_face_split/wider_face_SPLIT_bbx_gt.txt`.

    Every garment is a face. Crowds are marked invalid.
    """
    for split, pictures in {"train": train, "val": val}.items():
        text = ""
        for index, picture in enumerate(pictures):
            event, name = _event(index)
            _save(picture.image, Path(root, f"WIDER_{split}", "images", event, f"{name}.jpg"))
            text += f"{event}/{name}.jpg\n{len(picture.boxes)}\n"
            boxes = picture.boxes.astype(int).tolist()
            for (x1, y1, x2, y2), invalid in zip(boxes, picture.crowd, strict=True):
                text += f"{x1} {y1} {x2 - x1} {y2 - y1} 0 0 0 {int(invalid)} 0 0 \n"
            text += "" if boxes else "0 0 0 0 0 0 0 0 0 0 \n"
        _write(Path(root, "wider_face_split", f"wider_face_{split}_bbx_gt.txt"), text)


def _event(index: int) -> tuple[str, str]:
    event = EVENTS[index % len(EVENTS)]
    return event, f"{event.replace('--', '_')}_{event.split('--')[1]}_{index}"


def write_wider_voc(root: Path | str, train: Sequence[Picture], val: Sequence[Picture]) -> None:
    """WIDER FACE as MMDetection wants it: XML in `root/WIDER_SPLIT/Annotations`, `root/SPLIT.txt`.

    The XML looks like VOC's, but its converter copied x, y, x + w, y + h: pixels count from 0, and
    the last one is not included. Nothing is marked difficult there, and crowds are left out.
    """
    for split, pictures in {"train": train, "val": val}.items():
        folder = Path(root, f"WIDER_{split}")
        names = ""
        for index, picture in enumerate(pictures):
            event, name = _event(index)
            names += f"{name}\n"
            _save(picture.image, folder / event / f"{name}.jpg")
            clear = ~picture.crowd
            boxes = picture.boxes[clear] - [1, 1, 0, 0]
            faces = replace(
                picture, boxes=boxes, labels=["face"] * len(boxes), crowd=picture.crowd[clear]
            )
            _write(folder / "Annotations" / f"{name}.xml", _xml(faces, event, name))
        _write(Path(root, f"{split}.txt"), names)


def _rle(mask: Array) -> dict[str, Any]:
    rle = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    return {"size": list(mask.shape), "counts": rle["counts"].decode()}


def _save(pixels: Array, path: Path, palette: list[int] | None = None) -> None:
    file = Image.fromarray(pixels)
    if palette:
        file.putpalette(palette)
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save(path, quality=95)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
