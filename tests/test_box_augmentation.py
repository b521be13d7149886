"""What training does to images is done to their boxes and masks as well."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from projects import Project, differing
from scenes import QUICK, detector, make_scenes
from torch import Tensor
from torchvision.ops import masks_to_boxes

pytestmark = pytest.mark.slow

MASK = "maskrcnn_resnet50_fpn"
Sample = tuple[Tensor, dict[str, Tensor], int]


@pytest.fixture
def scenes(here: Path) -> None:
    make_scenes(train=12)


def train_set(project: Project) -> Any:
    return project.module("data").build_datasets(Path("data"))[0]


def samples(dataset: Any, seeds: int = 6) -> Iterator[tuple[Sample, Any]]:
    """Each image with some seeds, and its record."""
    for index in range(len(dataset)):
        for seed in range(seeds):
            yield dataset[index, seed], dataset.records[index]


def extents(masks: Tensor) -> Tensor:
    """The boxes around masks, to behind their last pixels."""
    boxes = masks_to_boxes(masks)
    boxes[:, 2:] += 1
    return boxes


PRESETS = {
    "flip": ["data.augment=flip"],
    "resized": ["data.resize={ short = [64, 100], long = 128 }"],
    "photometric": ["data.photometric_distort=true"],
    "large-scale-jitter": ["data.augment=large-scale-jitter"],
    "ssd": ["data.augment=ssd"],
    "ssdlite": ["data.augment=ssdlite"],
    "listed": ['data.train_transforms=[{ name = "RandomZoomOut", p = 1.0, fill = [1, 2, 3] }]'],
}
CROPS = {"large-scale-jitter", "ssd", "ssdlite"}


@pytest.mark.parametrize("preset", PRESETS)
def test_boxes_and_masks_go_with_the_image(preset: str, scenes: None) -> None:
    project = detector(MASK, *PRESETS[preset])
    if preset == "large-scale-jitter":
        project.edit("data.py", "(1024, 1024)", "(200, 240)")
    dataset = train_set(project)
    whole, sizes = 0, set()
    for (image, target, _), record in samples(dataset):
        assert image.dtype == torch.uint8 and image.shape[0] == 3
        height, width = image.shape[1:]
        sizes.add((height, width))
        boxes, masks = target["boxes"], target["masks"]
        assert len(boxes) == len(masks) == len(target["labels"]) <= int((~record.crowd).sum())
        assert set(target["labels"].tolist()) <= set(record.labels.tolist())
        assert masks.shape[1:] == (height, width) and masks.unique().tolist() in ([0, 1], [1], [])
        assert (boxes[:, 2:] > boxes[:, :2]).all() and (boxes >= 0).all()
        assert (boxes[:, 2:] <= torch.tensor([width, height])).all()
        seen = masks.bool().any(2).any(1)
        assert preset in CROPS or seen.all()
        apart = (extents(masks[seen]) - boxes[seen]) * torch.tensor([1, 1, -1, -1])
        assert (apart >= -2).all()  # no mask leaves its box
        if preset not in CROPS:
            assert (apart <= 2).all()
            assert len(boxes) == int((~record.crowd).sum())
        whole += int((apart <= 2).all(1).sum())
    assert whole > 40  # what lies inside a crop is as it was
    if preset == "large-scale-jitter":
        assert sizes == {(200, 240)}
    if preset == "resized":
        assert len({min(size) for size in sizes}) > 5
        assert all(min(size) <= 100 and max(size) <= 128 for size in sizes)


def test_the_pixels_of_an_object_go_with_it(scenes: None) -> None:
    """Mirrored, its masks and its pixels stay together, and half of the images are."""
    dataset = train_set(detector(MASK, "data.augment=flip"))
    mirrored = 0
    for (image, target, index), _ in samples(dataset):
        original, objects = dataset.read(index)
        flipped = not torch.equal(image, original)
        mirrored += flipped
        before, masks = torch.as_tensor(original), torch.as_tensor(objects["masks"])
        for mask, now in zip(masks.bool(), target["masks"].bool(), strict=True):
            pixels = image.flip(2)[:, now.flip(1)] if flipped else image[:, now]
            assert torch.equal(pixels, before[:, mask])
    assert 0.3 < mirrored / (6 * len(dataset)) < 0.7


def test_ssd_s_preset_zooms_crops_and_distorts(scenes: None) -> None:
    dataset = train_set(detector("ssd300_vgg16"))
    zoomed = cropped = distorted = 0
    for (image, _, index), record in samples(dataset):
        size = tuple(image.shape[1:])
        zoomed += size > (record.height, record.width)
        cropped += size < (record.height, record.width)
        original = dataset.read(index)[0]
        if size == original.shape[1:]:
            distorted += not (torch.equal(image, original) or torch.equal(image.flip(2), original))
    assert zoomed > 5 and cropped > 5 and distorted > 5
    padding = torch.tensor([123, 117, 104], dtype=torch.uint8)[:, None, None]
    assert any(
        (image == padding).all(0).float().mean() > 0.3 for (image, _, _), _ in samples(dataset)
    )


def test_a_crop_may_leave_no_object(scenes: None) -> None:
    crop = "data.train_transforms=[{ name = 'RandomCrop', size = 8 }]"
    dataset = train_set(detector(QUICK, crop))
    empty = [target for (_, target, _), _ in samples(dataset) if not len(target["boxes"])]
    assert empty and all(target["boxes"].shape == (0, 4) for target in empty)


# ---- copy-paste ----


def block(height: int, width: int, *boxes: tuple[int, int, int, int]) -> dict[str, Tensor]:
    """Objects that fill boxes; their labels count from 1."""
    masks = torch.zeros(len(boxes), height, width, dtype=torch.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
        mask[y1:y2, x1:x2] = 1
    labels = torch.arange(1, len(boxes) + 1)
    return {"boxes": torch.tensor(boxes).float(), "labels": labels, "masks": masks}


@pytest.mark.parametrize("size", [(40, 60), (30, 80), (50, 50)])
def test_what_is_pasted_covers_what_was_there(size: tuple[int, int], scenes: None) -> None:
    module = detector(MASK, "data.copy_paste=0.5").module("copy_paste")
    module.PASTED = 1.0
    image = torch.full((3, 40, 60), 10, dtype=torch.uint8)
    target = block(40, 60, (0, 0, 20, 20), (10, 10, 20, 30), (40, 0, 60, 30))
    other = torch.full((3, *size), 200, dtype=torch.uint8)
    pasted = block(*size, (12, 8, 30, 28), (45, 25, 50, 30))
    pasted["labels"] += 3
    before = image.clone()
    result, found = module.paste(image, target, other, pasted)
    assert torch.equal(image, before) and result.shape == image.shape

    height, width = 40, 60
    inside = pasted["masks"][:, :height, :width]
    over = torch.zeros(2, height, width, dtype=torch.bool)
    over[:, : inside.shape[1], : inside.shape[2]] = inside.bool()
    assert torch.equal(result == 200, over.any(0).expand(3, -1, -1))
    # Of the second object, 10 x 20 pixels, two columns and two rows are left: 20 + 16 of 200.
    assert found["labels"].tolist() == [1, 2, 3, 4, 5]
    masks = torch.cat([target["masks"] * ~over.any(0), over])
    assert torch.equal(found["masks"], masks) and found["masks"].dtype == torch.uint8
    assert torch.equal(found["boxes"], extents(masks))
    assert found["boxes"][1].tolist() == [10, 10, 20, 30]


def test_what_is_hidden_or_outside_is_no_object(scenes: None) -> None:
    module = detector(MASK, "data.copy_paste=0.5").module("copy_paste")
    module.PASTED = 1.0
    image = torch.zeros(3, 40, 60, dtype=torch.uint8)
    target = block(40, 60, (0, 0, 10, 10))
    other = torch.ones(3, 100, 100, dtype=torch.uint8)
    pasted = block(100, 100, (0, 0, 10, 9), (70, 70, 90, 90))
    pasted["labels"] += 1
    _, found = module.paste(image, target, other, pasted)
    assert found["labels"].tolist() == [2]  # of the first a tenth is left
    pasted["masks"][0, 8] = 0
    _, found = module.paste(image, target, other, pasted)
    assert found["labels"].tolist() == [1, 2]


def test_objects_of_another_image_are_pasted_and_by_the_seed_alone(scenes: None) -> None:
    transforms = "data.augment=none"
    dataset = train_set(detector(MASK, "data.copy_paste=0.5", transforms))
    plain = train_set(detector(MASK, transforms, folder="plain"))
    originals = [plain[index, 0] for index in range(len(plain))]
    sources, pasted = set(), 0
    for (image, target, index), _ in samples(dataset, seeds=8):
        old_image, old_target, _ = originals[index]
        new = (image != old_image).any(0)
        if not new.any():
            assert differing(dict(target), dict(old_target)) == []
            continue
        pasted += 1
        fits = [
            number
            for number, (other, _, _) in enumerate(originals)
            if all(new.nonzero().max(0).values < torch.tensor(other.shape[1:]))
            and torch.equal(image[:, new], pad(other, new.shape)[:, new])
        ]
        (source,) = fits
        sources.add((index, source))
        objects = originals[source][1]["masks"]
        shown = torch.stack([pad(mask[None], new.shape)[0] for mask in objects]).any(0)
        assert not (new & ~shown).any()
        assert torch.equal(target["boxes"], extents(target["masks"]))
    assert 0.2 < pasted / (8 * len(dataset)) < 0.7
    assert len(sources) > 10
    for index in (0, 3):
        first, again = dataset[index, 11], (torch.manual_seed(5), dataset[index, 11])[1]
        assert differing(first, again) == []


def pad(image: Tensor, size: tuple[int, ...]) -> Tensor:
    """An image in the upper left corner of one of another size."""
    result = torch.zeros(len(image), *size, dtype=image.dtype)
    height, width = min(size[0], image.shape[1]), min(size[1], image.shape[2])
    result[:, :height, :width] = image[:, :height, :width]
    return result
