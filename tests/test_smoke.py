"""smoke_test.py, which tells its owner after an edit whether everything still runs."""

import shutil
from pathlib import Path

import pytest
from projects import SPEC, Project, compile_spec

pytestmark = pytest.mark.slow
GENERATED = sorted((Path(__file__).parent.parent / "generated").iterdir())


@pytest.mark.parametrize("golden", GENERATED, ids=lambda path: path.name)
def test_generated_project_passes(golden: Path, here: Path) -> None:
    shutil.copytree(golden, "project")
    assert "everything runs" in Project(here / "project", here).run("smoke_test.py")


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        ("model.py", "return model", "return model.double()", "RuntimeError"),
        ("train.py", 'state["best"]', 'state["bets"]', "KeyError: 'bets'"),
        ("train.py", "BATCH_SIZE, SEED", "BATCH_SIZE // 4 * 3, SEED", "among 2 processes"),
        ("evaluate.py", 'state["classes"]', "state.classes", "AttributeError"),
        ("predict.py", "images.append(image)", "images.append(path)", "AttributeError"),
        ("export.py", ".softmax(1)", ".argmax(1)", "AssertionError"),
    ],
    ids=["model", "resume", "two processes", "evaluate", "predict", "export"],
)
def test_bad_edit_is_found(file: str, old: str, new: str, complaint: str, here: Path) -> None:
    project = compile_spec(SPEC, "model.num_classes=4")
    project.edit(file, old, new)
    printed = project.fail("smoke_test.py")
    assert complaint in printed
    assert "everything runs" not in printed
