"""smoke_test.py, which tells its owner after an edit whether everything still runs."""

from pathlib import Path

import pytest
from clips import make_folders
from projects import SPEC, compile_spec
from test_video_data import MOTIONS, SMALL, TSN, video_project

from specc.source.diagnostics import SpecError

pytestmark = pytest.mark.slow
# What makes it run everywhere, torchcodec without FFmpeg included, and in a minute or two.
OTHERWISE = {
    "kinetics_swin3d": ["data.clips.frames=8"],
    "ucf101_mvit": ["model.name=r3d_18", "model.freeze=1", "data.decoder=pyav"],
}
SPECS = sorted((Path(__file__).parent.parent / "specs").glob("*.toml"))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.stem)
def test_generated_project_passes(spec: Path, here: Path) -> None:
    """On images of 64 pixels, which are quicker."""
    data = Path("specs/data")
    data.parent.mkdir()
    data.symlink_to(spec.parent / "data")
    try:
        project = compile_spec(spec, "data.image_size=64", *OTHERWISE.get(spec.stem, []))
    except SpecError:  # its transforms say another
        project = compile_spec(spec)
        if "cifar" in spec.stem:
            project.edit("data.py", "224", "64")
    assert "everything runs" in project.run("smoke_test.py")


def test_images_that_are_no_squares_pass(here: Path) -> None:
    options = ["data.image_size=[48, 32]", "data.fit=letterbox", "data.augment=flip"]
    project = compile_spec(SPEC, "model.num_classes=4", *options, "export.format=onnx")
    assert "everything runs" in project.run("smoke_test.py")


def test_arrays_that_are_no_squares_pass(here: Path) -> None:
    options = ["data.image_size=[48, 32]", "data.fit=stretch", "data.augment=flip"]
    options += ["data.channels=5"]
    options += [f"data.mean={[0.5] * 5}", f"data.std={[0.5] * 5}"]
    project = compile_spec(SPEC, "model.num_classes=4", *options)
    assert "everything runs" in project.run("smoke_test.py")


def test_videos_that_are_no_squares_pass(here: Path) -> None:
    make_folders("videos", MOTIONS, **SMALL)
    options = ["data.image_size=[40, 32]", "evaluate.test={ clips = 2, crops = 5 }"]
    project = video_project(TSN, "videofolder", *options)
    assert "everything runs" in project.run("smoke_test.py")


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        ("model.py", "return model", "return model.double()", "RuntimeError"),
        ("train.py", 'state["best"]', 'state["bets"]', "KeyError: 'bets'"),
        ("train.py", "BATCH_SIZE, SEED", "BATCH_SIZE // 4 * 3, SEED", "among 2 processes"),
        ("predict.py", "drawn.append(sample)", "drawn.append(path)", "AttributeError"),
        ("model.py", "return model", "model.fc2 = model.fc; return model", "fc2.weight"),
    ],
    ids=["model", "resume", "two processes", "predict", "loading"],
)
def test_bad_edit_is_found(file: str, old: str, new: str, complaint: str, here: Path) -> None:
    weights = "default" if complaint == "fc2.weight" else "none"
    project = compile_spec(SPEC, "model.num_classes=4", f"model.weights={weights}")
    project.edit(file, old, new)
    printed = project.fail("smoke_test.py")
    assert complaint in printed
    assert "everything runs" not in printed
