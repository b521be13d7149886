"""COCO's numbers, against pycocotools' on the same objects; and what people get to see of them.

The evaluation under test is the generated one, of what a detector finds that detectors.py makes.
"""

import contextlib
import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from detectors import CLASSES, SIZE, SPEC, encode, make_project, make_up, to_dataset, write, xywh
from PIL import Image
from projects import Project, compile_spec
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torch import Tensor, nn
from torchvision.models.detection.transform import GeneralizedRCNNTransform

NUMBERS = ["AP", "AP50", "AP75", "APs", "APm", "APl"]
NUMBERS += ["AR1", "AR10", "AR100", "ARs", "ARm", "ARl"]

# Metrics, by class and results of every process, as bits.
MEASURE = """
from pathlib import Path

import torch

import checkpoint, distributed
from data import build_datasets, build_eval_loader
from evaluate import build_truth, check_monitor, evaluate, load_model

device = distributed.init()
_, val_set = build_datasets(Path("."))
truth = build_truth(val_set) if torch.distributed.get_rank() == 0 else None
loader = build_eval_loader(val_set)
assert loader.batch_size is None  # one by one: there is no batch for a metric to depend on
model = load_model(Path("best.pt"), device)
torch.manual_seed(7)
for time in ("first", "again"):
    found = evaluate(model, loader, truth, device)
rank, processes = torch.distributed.get_rank(), torch.distributed.get_world_size()
modes = {name: module.training for name, module in model.named_modules()}
refused = []
for name in found.metrics if truth else ():
    try:
        check_monitor(truth, name)
    except SystemExit:
        refused.append(name)
values = [found.metrics, found.by_class, found.results, torch.rand(()), modes, refused]
torch.save(values, f"measured{rank}of{processes}.pt")
"""


def measuring(*, masks: bool, loss: bool = True, most: int = 100) -> Project:
    """One with a script that keeps all that evaluation tells, and without bars."""
    project = make_project(masks=masks, loss=loss, most=most)
    (project.folder / "measure.py").write_text(MEASURE)
    project.edit("evaluate.py", "disable=not is_main", "disable=True")
    return project


def pycocotools(
    truth: list[dict[str, Tensor]], detections: list[dict[str, Tensor]], kind: str
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """What the original tools say of boxes or masks."""

    dataset, results = to_dataset(truth), []
    for image, found in enumerate(detections):
        for index, box in enumerate(found["boxes"]):
            entry = {"image_id": image, "category_id": found["labels"][index].item()}
            entry["score"] = found["scores"][index].item()
            if kind == "box":
                entry["bbox"] = xywh(box)
            else:
                entry["segmentation"] = encode(found["masks"][index, 0] > 0.5)
            results.append(entry)
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = dataset
        coco.createIndex()
        evaluator = COCOeval(coco, coco.loadRes(results), {"box": "bbox", "mask": "segm"}[kind])
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    stats = zip(NUMBERS, evaluator.stats.tolist(), strict=True)
    precision = evaluator.eval["precision"][:, :, :, 0, 2]
    return (
        {f"{kind}_{name}": math.nan if value == -1 else value for name, value in stats},
        {
            f"{kind}_AP": [p.mean() if p.max() >= 0 else math.nan for p in precision.T],
            f"{kind}_AP50": [p.mean() if p.max() >= 0 else math.nan for p in precision[0].T],
        },
    )


@pytest.mark.parametrize("masks", [False, True], ids=["boxes", "masks"])
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))]
)
def test_the_numbers_are_those_of_pycocotools(here: Path, masks: bool, seed: int) -> None:
    truth, detections = make_up(seed)
    write(truth, detections, masks)
    printed = measuring(masks=masks).run("measure.py")
    assert printed == "", "the tools talk"
    metrics, by_class, results, *_, refused = torch.load("measured0of1.pt")
    assert len(results) == sum(len(found["scores"]) for found in detections)
    expected, expected_by_class = pycocotools(truth, detections, "box")
    if masks:
        more, more_by_class = pycocotools(truth, detections, "mask")
        expected, expected_by_class = expected | more, expected_by_class | more_by_class
        assert expected["mask_APs"] != expected["box_APs"]
    assert {*metrics} == {*expected, "loss"}
    assert refused == [name for name, value in expected.items() if math.isnan(value)]
    assert metrics == pytest.approx(expected | {"loss": metrics["loss"]}, abs=1e-12)
    assert all(0 < value < 1 for value in expected.values()), "a test of nothing"
    assert by_class.keys() == expected_by_class.keys()
    for name, values in by_class.items():
        assert values == pytest.approx(expected_by_class[name], abs=1e-12, nan_ok=True)
        assert [math.isnan(value) for value in values] == [False, False, True, False]


@pytest.mark.slow
@pytest.mark.parametrize("masks", [False, True], ids=["boxes", "masks"])
def test_any_number_of_processes_gives_the_same_bits(here: Path, masks: bool) -> None:
    write(*make_up(5, images=7), masks)
    project = measuring(masks=masks)
    (alone,) = measured(project, 1)
    for values in measured(project, 2) + measured(project, 3):
        metrics, by_class, results, draw, modes, _ = values
        assert repr(metrics) == repr(alone[0]) and repr(by_class) == repr(alone[1])
        assert results in (alone[2], [])
        assert draw == alone[3], "what is drawn next depends on the share"
        assert not any(modes.values())


def measured(project: Project, processes: int) -> list[Any]:
    project.run("measure.py", processes=processes)
    ranks = range(processes)
    return [torch.load(f"measured{rank}of{processes}.pt") for rank in ranks]


def test_more_processes_than_images(here: Path) -> None:
    write(*make_up(5, images=3), False)
    project = measuring(masks=False)
    (alone,) = measured(project, 1)
    assert all(repr(values[0]) == repr(alone[0]) for values in measured(project, 4))


def test_the_loss_is_the_mean_over_images(here: Path) -> None:
    truth, detections = make_up(6, images=5)
    write(truth, detections, False)
    metrics = measured(measuring(masks=False), 2)[0][0]
    total = 0.0
    for index, record in enumerate(truth):
        boxes = record["boxes"][~record["crowd"]]
        torch.manual_seed(index)
        total += (torch.rand(()) + boxes.mean().nan_to_num() / (index + 3)).item()
    assert metrics["loss"] == pytest.approx(total / 5, rel=1e-6)


def test_no_loss_no_second_pass(here: Path) -> None:
    write(*make_up(6, images=5), False)
    project = measuring(masks=False, loss=False)
    project.edit("model.py", "if not self.training:", "assert not self.training\n        if True:")
    assert set(measured(project, 1)[0][0]) == {f"box_{name}" for name in NUMBERS}


@pytest.mark.parametrize("masks", [False, True], ids=["boxes", "masks"])
def test_nothing_found_and_nothing_there(here: Path, masks: bool) -> None:
    truth, detections = make_up(1, images=4)
    none = [{k: v[:0] for k, v in found.items()} for found in detections]
    write(truth, none, masks)
    project = measuring(masks=masks)
    printed = project.run("evaluate.py", "--checkpoint", "best.pt", "--json", "new/found.json")
    assert "nan" not in printed and "-1" not in printed
    metrics = measured(project, 1)[0][0]
    values = [v for k, v in metrics.items() if k != "loss" and not math.isnan(v)]
    assert values and not any(values)

    for record in truth:
        record["crowd"][:] = True
    write(truth, detections, masks)
    assert "no objects to be found" in project.fail("measure.py")


def test_other_classes_than_those_of_the_checkpoint(here: Path) -> None:
    write(*make_up(1, images=1), False)
    project = measuring(masks=False)
    project.edit("annotations.py", '"cat", "dog"', '"dog", "cat"')
    for script in ("evaluate.py", "export.py"):
        printed = project.fail(script, "--checkpoint", "best.pt")
        assert printed == "best.pt has other classes: the same in another order\n"


@pytest.mark.parametrize("processes", [1, 2])
def test_what_people_see(here: Path, processes: int) -> None:
    truth, detections = make_up(2, images=9)
    write(truth, detections, True)
    renumber(Path("truth.json"))
    project = measuring(masks=True)
    arguments = ["--checkpoint", "best.pt", "--json", "found.json"]
    printed = project.run("evaluate.py", *arguments, processes=processes)
    metrics, by_class, results, *_ = measured(project, 1)[0]
    lines = printed.splitlines()
    assert lines[0].split() == NUMBERS
    for line, kind in zip(lines[1:3], ("box", "mask"), strict=True):
        assert line.split() == [kind, *(f"{metrics[f'{kind}_{n}']:.4f}" for n in NUMBERS)]
    assert len({len(line) for line in lines[:3]}) == 1
    assert lines[3].split() == ["loss", f"{metrics['loss']:.4f}"]
    assert lines[4].split() == [*by_class, "objects", "class"]
    labels = torch.cat([record["labels"][~record["crowd"]] for record in truth])
    for index, line in enumerate(lines[5:9]):
        values = [f"{by_class[name][index]:.4f}".replace("nan", "-") for name in by_class]
        count = int((labels == index + 1).sum())
        assert line.split(maxsplit=5) == [*values, str(count), CLASSES[index + 1]]
    assert lines[9:] == ["average_precision.png", "predictions.png"]
    for name in lines[9:]:
        with Image.open(name) as picture:
            assert min(picture.size) > 200

    with contextlib.redirect_stdout(io.StringIO()):
        content = COCO("truth.json")
        found = content.loadRes("found.json")
        assert len(found.anns) == len(results) == sum(len(d["scores"]) for d in detections)
        (image,) = (item for item in content.imgs.values() if item["file_name"] == "3.png")
        items = found.loadAnns(found.getAnnIds(image["id"]))
        evaluator = COCOeval(content, found, "bbox")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    for item, mask in zip(items, detections[3]["masks"], strict=True):
        assert torch.equal(torch.from_numpy(rle.decode(item["segmentation"])) > 0, mask[0] > 0.5)
    names = {item["id"]: item["name"] for item in content.cats.values()}
    labels = detections[3]["labels"].tolist()
    assert [names[item["category_id"]] for item in items] == [CLASSES[label] for label in labels]
    assert evaluator.stats.tolist() == pytest.approx([metrics[f"box_{n}"] for n in NUMBERS])


def renumber(file: Path) -> None:
    """Give a COCO file other ids, in the same order, by which equal scores are sorted."""
    content = json.loads(file.read_text())
    for item in content["annotations"]:
        item["image_id"] = 7000 + 3 * item["image_id"]
        item["category_id"] = [0, 5, 17, 44, 90][item["category_id"]]
    for item in content["images"]:
        item["id"] = 7000 + 3 * item["id"]
    for item in content["categories"]:
        item["id"] = [0, 5, 17, 44, 90][item["id"]]
    file.write_text(json.dumps(content))


def test_results_of_several_files_have_the_ids_of_each(here: Path) -> None:
    """Even images are in one file, odd ones in another, where the same ids mean other things."""
    truth, detections = make_up(2, images=6)
    write(truth, detections, False)
    whole = json.loads(Path("truth.json").read_text())
    one, two = {"cat": 1, "dog": 3, "no such animal": 4, "cow": 7}, {"dog": 1, "cat": 7}
    for part, ids in enumerate((one, two)):
        new = {CLASSES.index(name): key for name, key in ids.items()}
        content = {"categories": [{"id": key, "name": name} for name, key in ids.items()]}
        content["images"] = [
            {**item, "id": item["id"] // 2} for item in whole["images"] if item["id"] % 2 == part
        ]
        content["annotations"] = [
            {**item, "image_id": item["image_id"] // 2, "category_id": new[item["category_id"]]}
            for item in whole["annotations"]
            if item["image_id"] % 2 == part and item["category_id"] in new
        ]
        Path(f"{part}.json").write_text(json.dumps(content))
    table = '{{ images = "images", json = "truth.json" }}'
    both = '[{{ images = "images", json = "0.json" }}, {{ images = "images", json = "1.json" }}]'
    spec = SPEC.replace(table, both)
    assert spec.count(both) == 2
    project = make_project(masks=False, loss=False, spec=spec)
    printed = project.run("evaluate.py", "--checkpoint", "best.pt", "--json", "found.json")
    assert printed.splitlines()[-2:] == ["found_1.json: of 0.json", "found_2.json: of 1.json"]
    assert not Path("found.json").exists()
    for part, ids in enumerate((one, two)):
        with contextlib.redirect_stdout(io.StringIO()):
            content = COCO(f"{part}.json")
            found = content.loadRes(f"found_{part + 1}.json")
        names = {key: name for name, key in ids.items()}
        for image_id in content.imgs:
            own = detections[2 * image_id + part]
            expected = [
                (CLASSES[label], pytest.approx(xywh(box)))
                for label, box in zip(own["labels"], own["boxes"], strict=True)
                if CLASSES[label] in ids
            ]
            items = found.imgToAnns[image_id]
            assert [(names[item["category_id"]], item["bbox"]) for item in items] == expected
    assert all("cow" in [CLASSES[it] for it in found["labels"]] for found in detections[5:])


def test_more_than_a_hundred_objects_in_an_image(here: Path) -> None:
    """300 that are all found: the best 100 reach a recall of 1/3, 34 of COCO's 101 points."""
    corners = torch.cartesian_prod(torch.arange(20), torch.arange(15)).float() * 14
    boxes = torch.cat([corners, corners + 10], dim=1)
    labels, crowd = torch.ones(300).long(), torch.zeros(300).bool()
    masks = torch.zeros(300, *SIZE, dtype=torch.uint8)
    truth = {"boxes": boxes, "labels": labels, "crowd": crowd, "masks": masks}
    scores = torch.linspace(1, 0.5, 300)
    write([truth], [{"boxes": boxes, "labels": labels, "scores": scores}], False)
    project = measuring(masks=False, loss=False, most=300)
    metrics, by_class, *_ = measured(project, 1)[0]
    assert metrics["box_AP"] == metrics["box_AR300"] == by_class["box_AP"][0] == 1
    project.edit("evaluate.py", "MAX_DETECTIONS = 300", "MAX_DETECTIONS = 100")
    metrics, by_class, *_ = measured(project, 1)[0]
    assert metrics["box_AP"] == by_class["box_AP"][0] == pytest.approx(34 / 101)
    assert metrics["box_AR100"] == pytest.approx(1 / 3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "fasterrcnn_mobilenet_v3_large_320_fpn",
        "maskrcnn_resnet50_fpn_v2",
        "retinanet_resnet50_fpn",
        "fcos_resnet50_fpn",
        "ssdlite320_mobilenet_v3_large",
    ],
)
def test_the_loss_of_real_detectors(here: Path, name: str) -> None:
    """As in training but for batch norms and the size, drawn boxes given; all else stays."""
    truth, detections = make_up(3, images=4)
    write(truth, detections, False)
    task = "instance-segmentation" if "mask" in name else "detection"
    text = SPEC.format(task=task, model=name, loss="true", most=100)
    module = compile_spec(text, "train.batch_size=2").module("evaluate")
    torch.manual_seed(1)
    model = module.build_model().eval()
    if "ssd" not in name:
        model.transform.min_size, model.transform.max_size = (64, 96), 160
    before = {key: value.clone() for key, value in model.state_dict().items()}
    for index, record in enumerate(truth):
        image = torch.rand(3, *SIZE)
        target = {key: record[key] for key in ("boxes", "labels", "masks")}
        if len(module.CLASSES) < len(CLASSES):  # no background
            target["labels"] = target["labels"] - 1
        model.eval()
        torch.manual_seed(11)
        found = module.compute_loss(model, image, target, *([index] if "rcnn" in name else []))
        after = torch.rand(())
        assert not any(part.training for part in model.modules())

        torch.manual_seed(11)
        assert after == torch.rand(())
        model.train()
        for part in model.modules():
            if isinstance(part, nn.BatchNorm2d | GeneralizedRCNNTransform):
                part.eval()
        torch.manual_seed(index)
        losses = model([image], [target])
        assert math.isfinite(found)
        assert found == pytest.approx(sum(loss.item() for loss in losses.values()), rel=1e-5)
    now = model.state_dict()
    assert all(torch.equal(value, now[key]) for key, value in before.items())
