"""Trained models as files that need no code of the project."""

import json
import re
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy
import onnx as onnx_model
import onnxruntime
import pytest
import torch
from projects import CLASSES, SPEC, Project, compile_spec, load, make_images
from scenes import QUICK, detector, make_scenes, teach
from torch import Tensor
from torchvision.io import write_png
from torchvision.models import detection as builders
from torchvision.models import list_models
from torchvision.ops import box_iou

from specc import build
from specc.render import render


def compiled(*overrides: str) -> Project:
    make_images()
    return compile_spec(SPEC, "schedule.epochs=1", *overrides)


def random_checkpoint(project: Project) -> None:
    """A checkpoint of a model that was not trained, but tells one image from another."""
    torch.manual_seed(0)
    data, model = project.module("data"), project.module("model").build_model()
    images = data.normalize(noise(16, data.IMAGE_SIZE))
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
                torch.nn.init.kaiming_normal_(module.weight)
            elif isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None  # the mean of what it sees
        if any(isinstance(module, torch.nn.BatchNorm2d) for module in model.modules()):
            model.train()(images)
        head, bias = list(model.parameters())[-2:]
        logits = model.eval()(images)
        head /= logits.std(0).clamp(min=1e-3).view(-1, *[1] * (head.ndim - 1))
        bias -= model(images).mean(0)
    (project.folder / "runs").mkdir()
    state = {"model": model.state_dict(), "classes": list(CLASSES)}
    torch.save(state, project.folder / "runs/best.pt")


def expected(project: Project, images: Tensor) -> Tensor:
    model = project.module("model").build_model()
    model.load_state_dict(load(project.folder / "runs/best.pt")["model"])
    with torch.inference_mode():
        return model.eval()(project.module("data").normalize(images)).softmax(1)


def noise(batch: int, size: int) -> Tensor:
    """Images of different brightness."""
    levels = [30 + 83 * index % 200 for index in range(batch)]
    images = [torch.randint(level, (3, size, size), dtype=torch.uint8) for level in levels]
    return torch.stack(images)


def onnx(path: Path | str) -> tuple[Any, dict[str, str]]:
    """What an ONNX file computes, and what is written in it; the file alone is needed."""
    session = onnxruntime.InferenceSession(Path(path).read_bytes())
    (name,) = [it.name for it in session.get_inputs()]

    def run(images: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {name: images.numpy()})[0])

    return run, session.get_modelmeta().custom_metadata_map


def torch_export(path: Path | str) -> tuple[Any, dict[str, str]]:
    files = {"classes.json": ""}
    program = torch.export.load(path, extra_files=files).module()
    return program, {"classes": files["classes.json"]}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "size", "format"),
    [
        ("resnet18", 32, "torch"),
        ("resnet18", 32, "onnx"),
        ("mobilenet_v3_small", 32, "onnx"),
        ("squeezenet1_1", 32, "onnx"),
        ("swin_t", 32, "torch"),
        ("swin_t", 32, "onnx"),
        ("vit_b_16", 224, "onnx"),
        ("timm/tf_efficientnet_lite0", 32, "onnx"),
    ],
)
def test_the_file_agrees_with_the_model_at_any_batch_size(
    model: str, size: int, format: str, here: Path
) -> None:
    project = compiled(
        f'model.name="{model}"', f"data.image_size={size}", f'export.format="{format}"'
    )
    random_checkpoint(project)
    printed = project.run("export.py")
    file = project.folder / "runs" / {"torch": "model.pt2", "onnx": "model.onnx"}[format]
    assert f"{file}: agrees with the model within " in printed
    exported, written = {"torch": torch_export, "onnx": onnx}[format](file)
    assert json.loads(written["classes"]) == list(CLASSES)
    for batch in (1, 5):
        images = noise(batch, size)
        probabilities = expected(project, images)
        assert torch.allclose(exported(images), probabilities, atol=2e-4)
    assert probabilities.std(0).max() > 0.05, "every image is the same to this model"
    assert torch.allclose(probabilities.sum(1), torch.ones(5))


@pytest.mark.parametrize("format", ["torch", "onnx"])
def test_another_size_of_images(format: str, here: Path) -> None:
    project = compiled(f'export.format="{format}"')
    random_checkpoint(project)
    project.run("export.py", "--image-size", 64, "--output", "large.pt2")
    exported, _ = {"torch": torch_export, "onnx": onnx}[format]("large.pt2")
    images = noise(2, 64)
    assert torch.allclose(exported(images), expected(project, images), atol=2e-4)
    with pytest.raises(Exception, match="64"):  # each runtime in its own words
        exported(noise(2, 32))


def test_a_model_of_one_size_has_no_other(here: Path) -> None:
    project = compiled('model.name="vit_b_16"', "data.image_size=224")
    assert "--image-size" in project.fail("export.py", "--image-size", 32)


def test_class_names_are_data(here: Path) -> None:
    names = ["a, b", 'say "hi"', "new\nline", "\x1b[31mred"]
    project = compiled('export.format="onnx"')
    random_checkpoint(project)
    state = load(project.folder / "runs/best.pt")
    torch.save(state | {"classes": names}, project.folder / "runs/best.pt")
    project.run("export.py", "--output", "model.onnx")
    assert json.loads(onnx("model.onnx")[1]["classes"]) == names


@pytest.mark.parametrize("format", ["torch", "onnx"])
def test_a_file_that_disagrees_is_an_error(format: str, here: Path) -> None:
    project = compiled(f'export.format="{format}"')
    random_checkpoint(project)
    # The first call is the export's, the last the model's own.
    project.edit(
        "export.py", "expected = classifier(inputs)", "expected = classifier(inputs) + 1e-2"
    )
    assert "Tensor-likes are not close" in project.fail("export.py")


DETECTORS = sorted({*list_models(module=builders)} - {"keypointrcnn_resnet50_fpn", QUICK})
# Of the made weights; with 0 this one's boxes overlap so nearly alike that rounding decides which
# of them suppresses the other: 24 of 31 agree then.
SEEDS = {"maskrcnn_resnet50_fpn": 2}


@pytest.mark.parametrize(
    "name", [QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in DETECTORS)]
)
def test_the_file_of_a_detector_finds_what_the_model_finds(
    name: str, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In pictures with objects, and nothing in an image without."""
    make_scenes(train=5, val=3)
    module = detector(name, "train.batch_size=2").module("export")
    torch.manual_seed(SEEDS.get(name, 0))
    model = module.build_model()
    pictures = [module.read_image(path) for path in module.pick_images(Path("data"))]
    mean = (255 * torch.tensor(model.transform.image_mean)).round().byte()
    nothing = mean[:, None, None].expand(3, 90, 120).clone()
    teach(model, [it / 255 for it in pictures], nothing / 255, len(module.CLASSES))
    torch.save({"model": model.state_dict(), "classes": module.CLASSES}, "best.pt")
    assert sum(len(module.detect(model, it / 255)["scores"]) for it in pictures) > 5
    monkeypatch.setattr(sys, "argv", ["export.py", "--checkpoint", "best.pt"])
    module.main()
    alike, total = map(int, re.findall(r"finds (\d+) of (\d+) objects", capsys.readouterr().out)[0])
    assert 5 < 0.9 * total <= alike

    session = onnxruntime.InferenceSession("model.onnx")
    shapes = [it.shape for it in session.run(None, {"image": nothing.numpy()})]
    if "rcnn" in name:  # others may take what rounding leaves for an object
        assert len(module.detect(model, nothing / 255)["scores"]) == 0
        assert shapes == [(0, 4), (0,), (0,), (0, 90, 120)][: len(shapes)]

    if name != QUICK:  # the rest is the same for all
        return
    module.export = lambda model: onnx_model.load("model.onnx")  # which takes no time
    write_png(nothing, "nothing.png")
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--image", "nothing.png"])
    with pytest.raises(SystemExit, match="not checked: the model finds nothing"):
        module.main()
    monkeypatch.setattr(sys, "argv", sys.argv[:3])
    detect = module.detect
    for key, gap in {"boxes": 1.5, "scores": 0.02, "labels": 1}.items():
        monkeypatch.setattr(module, "detect", partial(shifted, detect, key, gap))
        with pytest.raises(SystemExit, match=r"finds only \d+ of \d+ objects"):
            module.main()


def make_blocks(train: int, val: int) -> dict[str, list[tuple[list[int], int]]]:
    """Write dark pictures of 96 x 128 pixels, with a red or blue block in one half or in both.

    Returns: for each validation picture its blocks, each a box and a class.
    """
    random = numpy.random.default_rng(0)
    drawn = {}
    Path("data/annotations").mkdir(parents=True)
    for part, count in (("train", train), ("val", val)):
        folder = Path("data", part)
        folder.mkdir()
        images, objects, drawn = [], [], {}
        for number in range(1, count + 1):
            file = f"{number}.png"
            pixels = random.integers(0, 40, (96, 128, 3), numpy.uint8)
            drawn[file] = []
            for half in range(random.integers(1, 3)):
                width, height, kind = map(int, random.integers((28, 28, 1), (44, 44, 3)))
                x, y = map(
                    int, random.integers((64 * half, 0), (64 * half + 64 - width, 96 - height))
                )
                pixels[y : y + height, x : x + width] = [(230, 60, 20), (20, 90, 230)][kind - 1]
                drawn[file].append(([x, y, x + width, y + height], kind))
                box = {"bbox": [x, y, width, height], "area": width * height, "iscrowd": 0}
                ids = {"id": len(objects) + 1, "image_id": number, "category_id": kind}
                objects.append(ids | box)
            images.append({"id": number, "file_name": file, "width": 128, "height": 96})
            write_png(torch.from_numpy(pixels).permute(2, 0, 1), str(folder / file))
        categories = [{"id": 1, "name": "red"}, {"id": 2, "name": "blue"}]
        content = {"images": images, "annotations": objects, "categories": categories}
        Path(f"data/annotations/instances_{part}.json").write_text(json.dumps(content))
    return drawn


@pytest.mark.slow
def test_the_file_of_a_trained_detector_finds_what_was_drawn(here: Path) -> None:
    """And nothing where the model finds nothing, at which exports that are traced fail."""
    drawn = make_blocks(train=32, val=6)
    overrides = ["schedule.epochs=12", "evaluate.every=12", 'optim={name="adamw",lr=1e-3}']
    project = detector(QUICK, *overrides, "data.augment=flip")
    project.run("train.py")
    project.run("export.py")
    module = project.module("export")
    model = module.build_model()
    model.load_state_dict(load(project.folder / "runs/best.pt")["model"])
    session = onnxruntime.InferenceSession(project.folder / "runs/model.onnx")
    dark = torch.randint(40, (3, 96, 128), generator=torch.Generator().manual_seed(0)).byte()
    images = {file: module.read_image(f"data/val/{file}") for file in drawn} | {"": dark}
    hit, alike = [], []
    for file, image in images.items():
        found = session.run(["boxes", "labels"], {"image": image.numpy()})
        boxes, labels = map(torch.from_numpy, found)
        own = module.detect(model.eval(), image / 255)
        # Rounding may decide about a box or two, and does so otherwise on another processor.
        assert abs(len(boxes) - len(own["boxes"])) <= 2
        for box, label in zip(own["boxes"], own["labels"], strict=True):
            near = (boxes - box).abs().amax(1) < 0.1 if len(boxes) else torch.zeros(0).bool()
            alike.append(bool((near & (labels == label)).any()))
        for box, kind in drawn.get(file, ()):
            overlaps = box_iou(boxes[labels == kind], torch.tensor([box], dtype=torch.float))
            hit.append(bool((overlaps > 0.5).any()))
    assert sum(hit) >= len(hit) / 4, "the blocks were not learned"
    assert sum(alike) >= 0.9 * len(alike)

    with torch.no_grad():  # and now it finds nothing anywhere
        model.roi_heads.box_predictor.cls_score.bias[0] += 100
    module.onnx.save(module.export(model), "none.onnx")
    session = onnxruntime.InferenceSession("none.onnx")
    shapes = [it.shape for it in session.run(None, {"image": dark.numpy()})]
    assert shapes == [(0, 4), (0,), (0,)]


def shifted(detect: Any, key: str, gap: float, *arguments: Any) -> dict[str, Tensor]:
    """What is detected, but for boxes, labels or scores that are others by `gap`."""
    found: dict[str, Tensor] = detect(*arguments)
    return found | {key: found[key] + gap}


@pytest.mark.parametrize("format", ["torch", "onnx"])
def test_a_model_of_several_labels_gives_a_probability_for_each(format: str, here: Path) -> None:
    project = compiled(f'export.format="{format}"')
    random_checkpoint(project)
    plan = build.load(Path("spec.toml"), [f'export.format="{format}"'])
    several = replace(plan, data=replace(plan.data, multi_label=True))
    (project.folder / "export.py").write_text(render(several)["export.py"])
    project.run("export.py", "--output", "model")
    exported, _ = {"torch": torch_export, "onnx": onnx}[format]("model")
    images = noise(3, 32)
    # For two classes a sigmoid of the difference is a softmax: odds tell it.
    odds = (lambda p: (p / (1 - p)).log())(exported(images))
    chances = expected(project, images).log()
    assert torch.allclose(odds.diff(), chances.diff(), atol=1e-3)
