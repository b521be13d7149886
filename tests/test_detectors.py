"""Every detector, from the spec to predictions; test_export.py exports them.

Those that a spec of the gallery asks for go that way in test_smoke.py.
"""

import json
import tomllib
from pathlib import Path

import pytest
import torch
from PIL import Image
from projects import load
from scenes import detector, make_scenes
from torchvision.models import detection as builders
from torchvision.models import list_models

pytestmark = pytest.mark.slow

NAMES = sorted({*list_models(module=builders)} - {"keypointrcnn_resnet50_fpn"})
SPECS = (Path(__file__).parent.parent / "specs").glob("*.toml")
GALLERY = {tomllib.loads(spec.read_text()).get("model", {}).get("name") for spec in SPECS}


@pytest.mark.parametrize("name", [name for name in NAMES if name not in GALLERY])
def test_a_detector_trains_evaluates_and_predicts(name: str, here: Path) -> None:
    make_scenes(train=5)
    # Found are the best, however unlikely: two steps teach nothing.
    score = "score_thresh" if name.startswith(("ssd", "retinanet", "fcos")) else "box_score_thresh"
    least = [f"model.options.{score}=0.0"]
    overrides = ["train.batch_size=2", "schedule.epochs=1", "optim.lr=1e-4", *least]
    project = detector(name, *overrides)
    project.run("train.py", "--output", "run")
    state = load("run/last.pt")
    assert state["step"] == 2
    assert all(it.isfinite().all() for it in state["model"].values() if it.is_floating_point())
    assert state["classes"][-4:] == ["Bag", "Ankle boot", "Trouser", "Dress"]

    checkpoint = ("--checkpoint", "run/best.pt")
    printed = project.run("evaluate.py", *checkpoint)
    masks = "mask" in name
    for line in ("box ", "mask")[: 1 + masks]:
        assert any(it.startswith(line) for it in printed.splitlines()), printed

    image = next(Path("data/val").glob("*.jpg"))
    arguments = ["--threshold", "0", "--draw", "drawn", "--json", "found.json"]
    project.run("predict.py", image, *checkpoint, *arguments)
    (drawn,) = Path("drawn").iterdir()
    with Image.open(image) as original, Image.open(drawn) as picture:
        assert picture.size == original.size
        width, height = picture.size
    objects = json.loads(Path("found.json").read_text())["annotations"]
    assert objects and {it["category_id"] for it in objects} <= set(range(5))
    for it in objects:
        x, y, w, h = it["bbox"]
        assert -1e-3 <= x <= x + w <= width + 1e-3 and -1e-3 <= y <= y + h <= height + 1e-3
        assert 0 <= it["score"] <= 1 and ("segmentation" in it) == masks


@pytest.mark.parametrize("name", NAMES)
def test_images_without_objects_train_all_parameters(name: str, here: Path) -> None:
    """Or processes, whose images some have none, would not agree on what to share."""
    assert len(NAMES) == 11
    make_scenes()
    model = detector(name, "data.keep_empty=true").module("model").build_model().train()
    nothing = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    nothing["masks"] = torch.zeros(0, 96, 128, dtype=torch.uint8)
    losses = model(list(torch.rand(2, 3, 96, 128)), [nothing, nothing])
    sum(losses.values()).backward()
    assert all(loss.isfinite() for loss in losses.values())
    assert [
        key for key, it in model.named_parameters() if it.requires_grad and it.grad is None
    ] == []
