"""Detectors train: as a loop written by hand does it, however they are stopped and shared out."""

import itertools
import json
import math
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from garments import compose, write_voc
from PIL import Image
from projects import compile_spec, differing, largest_difference, load, make_weights, scalars
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from scenes import QUICK, detector, make_scenes
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import MobileNet_V3_Large_Weights, WeightsEnum, mobilenet_v3_large
from torchvision.models import detection as builders
from torchvision.ops.misc import FrozenBatchNorm2d
from torchvision.transforms.v2.functional import pil_to_tensor, to_dtype

# What a download of a backbone leaves in torch.hub's cache.
CACHED = Path("hub/checkpoints", Path(MobileNet_V3_Large_Weights.IMAGENET1K_V1.url).name)
EPOCHS, BATCH, STEPS = 3, 4, 2  # of 8 images with objects


# ---- a loop written by hand ----


def read_by_hand() -> list[tuple[Tensor, dict[str, Tensor]]]:
    """The images with objects that are no crowd, and these."""
    coco = COCO("data/annotations/instances_train.json")
    labels = {number: label for label, number in enumerate(sorted(coco.cats), start=1)}
    scenes = []
    for image_id, row in coco.imgs.items():
        objects = coco.loadAnns(coco.getAnnIds(image_id, iscrowd=False))
        boxes = torch.tensor([it["bbox"] for it in objects]).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        target = {
            "boxes": boxes,
            "labels": torch.tensor([labels[it["category_id"]] for it in objects]),
        }
        if objects:
            image = pil_to_tensor(Image.open(Path("data/train", row["file_name"])))
            scenes.append((image, target))
    return scenes


def batches_by_hand(seed: int) -> Iterator[tuple[list[Tensor], list[dict[str, Tensor]]]]:
    """Images from 0 to 1 and their targets, mirrored half of the times."""
    scenes = read_by_hand()
    assert len(scenes) == BATCH * STEPS
    for epoch in range(EPOCHS):
        generator = torch.Generator().manual_seed(seed + epoch)
        order = torch.randperm(len(scenes), generator=generator)
        seeds = torch.randint(2**31, (len(scenes),), generator=generator)
        for batch in order.split(BATCH):
            images, targets = [], []
            for index in batch.tolist():
                image, target = scenes[index]
                torch.manual_seed(seeds[index].item())
                if torch.rand(1) < 0.5:
                    x1, y1, x2, y2 = target["boxes"].unbind(1)
                    width = image.shape[2]
                    boxes = torch.stack([width - x2, y1, width - x1, y2], 1)
                    image, target = image.flip(2), {**target, "boxes": boxes}
                images.append(to_dtype(image, scale=True))
                targets.append(target)
            yield images, targets


def train_by_hand(model: nn.Module, seed: int, clip_norm: float) -> list[dict[str, float]]:
    """The losses of each step: SGD with a warmup of 4 steps, the rate a tenth after 2 epochs."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(parameters, 0.01, momentum=0.9, weight_decay=1e-3)
    found = []
    for step, (images, targets) in enumerate(batches_by_hand(seed)):
        warmup = 0.1 + 0.9 * min(step, 4) / 4
        optimizer.param_groups[0]["lr"] = 0.01 * warmup * (0.1 if step >= 2 * STEPS else 1)
        torch.manual_seed(seed + step)
        losses = model(images, targets)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        nn.utils.clip_grad_norm_(parameters, clip_norm)
        optimizer.step()
        found.append({name: loss.item() for name, loss in losses.items()})
    return found


def batch_norm(self: FrozenBatchNorm2d, image: Tensor) -> Tensor:
    """What torchvision's fixed norm computes, rounded as the usual one rounds."""
    mean, var = self.running_mean, self.running_var
    return F.batch_norm(image, mean, var, self.weight, self.bias, training=False, eps=self.eps)


def recipe(seed: int, clip_norm: float) -> list[str]:
    """The same as overrides of a spec."""
    return [
        f"optim={{ lr = 0.01, momentum = 0.9, weight_decay = 1e-3, clip_norm = {clip_norm} }}",
        f'schedule={{ name = "multistep", epochs = {EPOCHS}, milestones = [2], gamma = 0.1, '
        "warmup = { steps = 4, factor = 0.1 } }",
        f"train.seed={seed}",
        "train.group_by_shape=false",
        "log.tensorboard=true",
    ]


def assert_same_losses(curves: dict[str, Any], losses: list[dict[str, float]], rel: float) -> None:
    assert len(losses) == EPOCHS * STEPS and len(losses[0]) > 1
    for name in losses[0]:
        expected = [(step, pytest.approx(it[name], rel)) for step, it in enumerate(losses, 1)]
        assert curves[f"train/{name}"] == expected, name
    sums = [pytest.approx(sum(it.values()), rel) for it in losses]
    assert [value for _, value in curves["train/loss"]] == sums


def test_a_two_stage_detector_trains_as_a_loop_written_by_hand(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a pretrained backbone, against torchvision's own way to freeze stages and norms."""
    # Before it has learnt anything, another rounding lets other proposals be the best.
    monkeypatch.setattr(FrozenBatchNorm2d, "forward", batch_norm)
    state = make_weights(mobilenet_v3_large(), CACHED)
    make_scenes()
    project = detector(QUICK, "model.weights=IMAGENET1K_V1", *recipe(seed=7, clip_norm=2.0))
    project.env["TORCH_HOME"] = str(here)
    project.run("train.py")

    torch.manual_seed(7)
    with mock.patch.object(WeightsEnum, "get_state_dict", lambda *_, **__: dict(state)):
        model, other = (
            builders.fasterrcnn_mobilenet_v3_large_320_fpn(
                weights=None,
                weights_backbone="IMAGENET1K_V1",
                num_classes=5,
                trainable_backbone_layers=3,
                min_size=96,
                max_size=128,
                box_batch_size_per_image=16,
                rpn_post_nms_top_n_train=100,
            ).train()
            for _ in range(2)
        )
    model.backbone.fpn.load_state_dict(other.backbone.fpn.state_dict())  # drawn the second time
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    losses = train_by_hand(model, seed=7, clip_norm=2.0)
    assert any(isinstance(module, FrozenBatchNorm2d) for module in model.modules())
    assert_same_losses(scalars(project.folder / "runs"), losses, rel=1e-3)
    last = load(project.folder / "runs/last.pt")["model"]
    last = {name: it for name, it in last.items() if not name.endswith("num_batches_tracked")}
    moved = largest_difference(model.state_dict(), before)
    assert largest_difference(last, model.state_dict()) < 1e-2 * moved


def test_a_one_stage_detector_trains_as_a_loop_written_by_hand(here: Path) -> None:
    make_scenes()
    name = "ssdlite320_mobilenet_v3_large"
    project = detector(name, *recipe(seed=3, clip_norm=5.0), "data.augment=flip")
    project.run("train.py")

    torch.manual_seed(3)
    model = builders.ssdlite320_mobilenet_v3_large(
        weights=None, weights_backbone=None, num_classes=5
    ).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    losses = train_by_hand(model, seed=3, clip_norm=5.0)
    assert_same_losses(scalars(project.folder / "runs"), losses, rel=1e-3)
    last = load(project.folder / "runs/last.pt")["model"]
    parameters = {name: it.detach() for name, it in model.named_parameters()}
    moved = largest_difference(parameters, {name: before[name] for name in parameters})
    found = {name: last[name] for name in parameters}
    assert largest_difference(found, parameters) < 1e-2 * moved


# ---- any number of processes and workers ----

COLLECT = """
from pathlib import Path

import torch
import torch.distributed as dist

import distributed
from annotations import DATA_DIR
from data import Batches, build_datasets, build_loaders

distributed.init()
train_set, val_set = build_datasets(Path(DATA_DIR))
batches = Batches(train_set, 4, 5)
loader, _ = build_loaders(train_set, batches, val_set)
epochs = []
for epoch in range(2):
    batches.start(epoch, 0)
    epochs.append(list(loader))
torch.save(epochs, f"{dist.get_rank()}of{dist.get_world_size()}.pt")
"""

Batch = tuple[list[Tensor], list[dict[str, Tensor]], Tensor]


def together(*parts: Batch) -> Batch:
    """A batch of the shares of some processes."""
    images, targets, indices = zip(*parts, strict=True)
    return sum(images, []), sum(targets, []), torch.cat(indices)


def test_processes_and_workers_get_the_same_samples(here: Path) -> None:
    make_scenes(train=18)
    project = detector(
        "maskrcnn_resnet50_fpn",
        "data.augment=large-scale-jitter",
        "data.photometric_distort=true",
        "data.copy_paste=0.5",
        "data.repeat=2",
    )
    project.edit("data.py", "(1024, 1024)", "(96, 128)")
    (project.folder / "collect.py").write_text(COLLECT)
    project.run("collect.py")
    whole = torch.load("0of1.pt", weights_only=False)
    project.edit("data.py", "WORKERS = 0", "WORKERS = 2")
    project.run("collect.py")
    assert differing(whole, torch.load("0of1.pt", weights_only=False)) == []
    project.run("collect.py", processes=2)
    shares = [torch.load(f"{rank}of2.pt", weights_only=False) for rank in range(2)]
    pairs = [
        [together(*pair) for pair in zip(*epochs, strict=True)]
        for epochs in zip(*shares, strict=True)
    ]
    assert differing(whole, pairs) == []
    assert differing(whole[0], whole[1]) != []


def test_a_batch_has_images_of_one_shape(here: Path) -> None:
    make_scenes(train=32)
    count = sum(not picture.crowd.all() for picture in compose(32, 0))  # with objects to train on
    project = detector(QUICK, "data.repeat=2")
    (project.folder / "collect.py").write_text(COLLECT)
    project.run("collect.py")
    for epoch in torch.load("0of1.pt", weights_only=False):
        shapes = [{image.shape[2] > image.shape[1] for image in images} for images, _, _ in epoch]
        assert shapes.count({True, False}) <= 1
        assert {True} in shapes and {False} in shapes
        assert len(epoch) == 2 * count // 4
        times = torch.cat([indices for _, _, indices in epoch]).bincount(minlength=count)
        assert len(times) == count and times.max() == 2 and times.sum() == 4 * len(epoch)


def test_two_processes_train_and_one_or_two_measure_the_same(here: Path) -> None:
    pretrained = make_weights(mobilenet_v3_large(), CACHED)
    make_scenes(val=5)
    project = detector(
        QUICK, "model.weights=IMAGENET1K_V1", "schedule.epochs=1", "evaluate.loss=true"
    )
    project.env["TORCH_HOME"] = str(here)
    project.edit("evaluate.py", "{metrics['loss']:8.4f}", "{metrics['loss']!r}")
    project.run("train.py", "--output", "run", processes=2)
    state = load("run/last.pt")["model"]
    frozen = tuple(f"backbone.body.{index}." for index in range(7))
    for name, tensor in pretrained.items():
        name = name.replace("features.", "backbone.body.")
        if name in state:
            norm = state[name].ndim < 2 and ".fc" not in name  # all norms are frozen
            assert torch.equal(state[name], tensor) == (norm or name.startswith(frozen)), name

    printed = {}
    for processes in (1, 2):
        arguments = ("--checkpoint", "run/best.pt", "--json", f"{processes}.json")
        printed[processes] = project.run("evaluate.py", *arguments, processes=processes)
    lines = [[line for line in text.splitlines() if "|" not in line] for text in printed.values()]
    assert lines[0] == lines[1] and any(line.startswith("loss") for line in lines[0])
    found = [json.loads(Path(f"{processes}.json").read_text()) for processes in (1, 2)]
    assert found[0] == found[1]
    truth = json.loads(Path("data/annotations/instances_val.json").read_text())
    assert {it["image_id"] for it in found[0]} == {it["id"] for it in truth["images"]}


def test_truth_of_polygons_is_not_drawn_and_pictures_are_drawn_small(here: Path) -> None:
    make_scenes(train=5, val=4)
    project = detector("maskrcnn_resnet50_fpn", "train.batch_size=2")
    evaluate, data = project.module("evaluate"), project.module("data")
    val_set = evaluate.build_eval_set(Path("data"))
    val_set.records = [it for it in val_set.records if not it.crowd.any()]  # which are RLE
    forbidden = mock.Mock(side_effect=AssertionError("a mask is drawn"))
    with mock.patch("faster_coco_eval.core.mask.decode", forbidden):
        truth = evaluate.build_truth(val_set)
    coco = COCO("data/annotations/instances_val.json")
    ids = {row["file_name"]: row["id"] for row in coco.imgs.values()}
    for number, record in enumerate(val_set.records, start=1):
        expected = [coco.annToMask(it) for it in coco.imgToAnns[ids[record.file.name]]]
        found = [truth.annToMask(it) for it in truth.imgToAnns[number]]
        assert [it.tolist() for it in found] == [it.tolist() for it in expected]
    assert truth.anns

    image = torch.zeros(3, 1500, 2000, dtype=torch.uint8)
    masks = torch.zeros(1, 1500, 2000, dtype=torch.uint8)
    masks[:, 500:1000, 250:1250] = 1
    boxes = torch.tensor([[250.0, 500, 1250, 1000]])
    objects = {"boxes": boxes, "masks": masks, "labels": torch.ones(1).long()}
    small, shrunk = data.shrink(image, objects)
    assert small.shape == (3, 480, 640)
    assert shrunk["boxes"].tolist() == [[80, 160, 400, 320]]
    assert shrunk["masks"][0, 160:320, 80:400].all() and shrunk["masks"].sum() == 160 * 320
    none = {name: values[:0] for name, values in objects.items()}
    assert data.outline(*data.shrink(image, none)).shape == (3, 480, 640)


def test_slivers_stop_neither_evaluation_nor_predictions(here: Path) -> None:
    """A box 1e-6 pixels high has no height in 32 bits, and 4 pixels of 3000 none at 128."""
    make_scenes(train=5, val=2)
    file = Path("data/annotations/instances_val.json")
    content = json.loads(file.read_text())
    for item in content["annotations"][::2]:
        item["bbox"][1], item["bbox"][3] = 70.1, 1e-6
    file.write_text(json.dumps(content))
    project = detector(QUICK, "evaluate.loss=true", "train.batch_size=2")
    model, classes = project.module("model").build_model(), project.module("data").CLASSES
    torch.save({"model": model.state_dict(), "classes": classes}, "best.pt")
    printed = project.run("evaluate.py", "--checkpoint", "best.pt")
    (loss,) = (line.split()[1] for line in printed.splitlines() if line.startswith("loss"))
    assert math.isfinite(float(loss))
    Image.new("RGB", (3000, 4)).save("data/val/0.png")
    printed = project.fail("predict.py", "data/val", "--checkpoint", "best.pt", "--draw", "drawn")
    assert "1 of 3 files were not read:\ndata/val/0.png: " in printed
    assert "Traceback" not in printed
    assert len(list(Path("drawn").iterdir())) == 2


# ---- what cannot be monitored ----


def test_a_metric_that_no_object_counts_for_is_refused(here: Path) -> None:
    make_scenes()
    coco = COCO("data/annotations/instances_val.json")
    assert max(it["area"] for it in coco.anns.values()) < 96**2  # COCO's large begin there
    printed = detector(QUICK, "evaluate.monitor=box_APl").fail("train.py", "--output", "run")
    assert "no validation object counts for MONITOR = 'box_APl'; name another" in printed
    assert not Path("run").exists()


# ---- stopping ----

MOVING = ("train.ema=0.9", "train.max_batch_per_gpu=3", "train.checkpoint_steps=1000")
RUNS = {QUICK: ("optim.clip_norm=1.0",), "ssdlite320_mobilenet_v3_large": MOVING}


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_a_stopped_run_continues_as_if_never_stopped(name: str, here: Path) -> None:
    make_scenes(train=18)
    project = detector(name, *RUNS[name])
    project.run("train.py", "--output", "whole")
    (process,) = project.start("train.py", "--output", "run")
    process.wait_for(lambda: "loss=" in process.printed.partition("epoch 2/2")[2])
    process.kill(signal.SIGTERM)
    assert process.join() == 1
    step = load("run/last.pt")["step"]
    assert 5 <= step < 8 and f"stopped at step {step}; --resume continues" in process.printed
    project.run("train.py", "--output", "run", "--resume")
    for file in ("last.pt", "best.pt"):
        assert differing(load(f"run/{file}"), load(f"whole/{file}")) == []
    assert load("run/last.pt")["step"] == 8

    project.edit("train.py", "LR = 0.002", "LR = 0.001")  # of which no step is left to train
    printed = project.run("train.py", "--output", "run", "--resume")
    assert "run: from step 8 on, LR: 0.002 -> 0.001\n" in printed
    project.edit("train.py", "SEED = 0", "SEED = 1")
    project.edit("train.py", "BATCH_SIZE = 4", "BATCH_SIZE = 2")
    printed = project.fail("train.py", "--output", "run", "--resume")
    assert "  SEED: 0 -> 1\n  BATCH_SIZE: 4 -> 2\n" in printed


# ---- what is frozen ----

STEM_AND_STAGE = tuple(f"backbone.body.{name}." for name in ("conv1", "bn1", "layer1"))
FROZEN: dict[str, tuple[str, ...]] = {
    "1": STEM_AND_STAGE,
    "none": (),
    "backbone": ("backbone.body.",),
    '["backbone.fpn"]': ("backbone.fpn.",),
}


def changed_by_a_step(model: nn.Module) -> set[str]:
    """What of a model's state is another after a step of training."""
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    optimizer = torch.optim.SGD([it for it in model.parameters() if it.requires_grad], lr=1.0)
    images = list(torch.rand(2, 3, 96, 128, generator=torch.Generator().manual_seed(0)))
    boxes = torch.tensor([[10.0, 10, 60, 80], [50, 20, 120, 50]])
    target = {"boxes": boxes, "labels": torch.tensor([1, 2])}
    losses = model.eval().train()(images, [target, target])
    sum(losses.values()).backward()
    optimizer.step()
    state = model.state_dict()
    return {name for name, tensor in before.items() if not torch.equal(tensor, state[name])}


@pytest.mark.parametrize(
    ("freeze", "norm"),
    [("1", "frozen"), ("1", "eval"), ("1", "train"), ("none", "eval"), ("backbone", "train")]
    + [('["backbone.fpn"]', "frozen")],
)
def test_what_is_frozen_does_not_change(freeze: str, norm: str, here: Path) -> None:
    make_scenes()
    overrides = (f"model.freeze={freeze}", f"model.batch_norm={norm}")
    model = detector("retinanet_resnet50_fpn", *overrides).module("model").build_model()
    norms = [f"{name}." for name, it in model.named_modules() if isinstance(it, nn.BatchNorm2d)]
    fixed = {"frozen": norms, "eval": [f"{name}running" for name in norms], "train": []}[norm]
    fixed += [f"{name}num_batches" for name in norms] if norm == "eval" else []
    expected = {
        name for name in model.state_dict() if not name.startswith((*FROZEN[freeze], *fixed))
    }
    assert changed_by_a_step(model) == expected


def test_frozen_layers_thaw_by_epoch_on_two_processes(here: Path) -> None:
    make_scenes()
    project = detector(
        "ssdlite320_mobilenet_v3_large",
        "model.freeze=backbone",
        'model.unfreeze=[{ epoch = 1, freeze = 1 }, { epoch = 2, freeze = "none" }]',
        "schedule.epochs=3",
        "train.checkpoint_every=1",
    )
    project.run("train.py", "--output", "run", processes=2)
    torch.manual_seed(0)
    states = [project.module("model").build_model().state_dict()]
    states += [load(f"run/epoch_{epoch:04}.pt")["model"] for epoch in (1, 2, 3)]
    changed = [
        {name for name, tensor in now.items() if not torch.equal(tensor, before[name])}
        for before, now in itertools.pairwise(states)
    ]
    body = {name for name in states[0] if name.startswith("backbone.features.")}
    low = {
        name
        for name in body
        if name.startswith(tuple(f"backbone.features.0.{i}." for i in range(4)))
    }
    assert [names & body for names in changed] == [set(), body - low, body]
    assert changed[0] & changed[1] & changed[2]  # the head


@pytest.mark.parametrize("task", ["detection", "instance-segmentation"])
def test_difficult_objects_of_voc_are_neither_hit_nor_missed(here: Path, task: str) -> None:
    # By VOCevaldet.m: what overlaps a difficult object by half or more does not count, however
    # often it is found; two wrong boxes inside it do, before the one right box: precision 1/3.
    write_voc("d", compose(4, 0), compose(4, 0, "val"))
    name = "maskrcnn_resnet50_fpn" if task != "detection" else QUICK
    project = compile_spec(
        f'task = "{task}"\nmodel = {{ name = "{name}", weights = "none" }}\n'
        'data = { format = "voc", root = "d" }\ntrain = { batch_size = 2 }\n'
    )
    evaluate = project.module("evaluate")
    masks = torch.zeros(2, 300, 300, dtype=torch.uint8)
    masks[0, :100, :100] = 1
    masks[1, 200:250, 200:250] = 1
    evaluate.read_masks = lambda record: masks
    record = SimpleNamespace(
        file="1.jpg",
        height=300,
        width=300,
        boxes=torch.tensor([[0.0, 0, 100, 100], [200, 200, 250, 250]]),
        labels=torch.tensor([1, 1]),
        crowd=torch.tensor([True, False]),
    )
    truth = evaluate.build_truth(SimpleNamespace(records=[record]))

    def measured(*boxes: list[int]) -> set[float]:
        """AP50, of boxes and masks."""
        results = []
        for number, (x, y, width, height) in enumerate(boxes):
            mask = np.zeros((300, 300), np.uint8, order="F")
            mask[y : y + height, x : x + width] = 1
            coded = coco_mask.encode(mask)
            results.append(
                {
                    "image_id": 1,
                    "category_id": 1,
                    "score": 0.9 - 0.1 * number,
                    "bbox": [x, y, width, height],
                    "area": width * height,
                    "segmentation": {**coded, "counts": coded["counts"].decode()},
                }
            )
        kinds = [("box", "bbox"), ("mask", "segm")] if task != "detection" else [()]
        found = [evaluate.measure(truth, results, *kind)[0] for kind in kinds]
        return {round(v, 9) for it in found for k, v in it.items() if k.endswith("_AP50")}

    right, inside = [200, 200, 50, 50], [[10, 10, 20, 20], [50, 50, 30, 30]]
    assert measured(*inside, right) == {round(1 / 3, 9)}
    assert measured([0, 0, 100, 90], [0, 0, 95, 100], right) == {1}
    assert measured(right, [0, 0, 100, 60]) == {1}
