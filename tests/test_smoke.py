"""smoke_test.py, which tells its owner after an edit whether everything still runs."""

import shutil
from pathlib import Path

import pytest
from projects import SPEC, Project, compile_spec

pytestmark = pytest.mark.slow
GENERATED = Path(__file__).parent.parent / "generated"


def golden(name: str, here: Path) -> Project:
    """A copy of a generated project, of smaller images that are quicker."""
    shutil.copytree(GENERATED / name, "project")
    project = Project(here / "project", here)
    if name != "quickstart":
        project.edit("data.py", "224", "64")
    return project


@pytest.mark.parametrize("name", sorted(path.name for path in GENERATED.iterdir()))
def test_generated_project_passes(name: str, here: Path) -> None:
    assert "everything runs" in golden(name, here).run("smoke_test.py")


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        ("model.py", "return model", "return model.double()", "RuntimeError"),
        ("train.py", 'state["best"]', 'state["bets"]', "KeyError: 'bets'"),
        ("train.py", "BATCH_SIZE, SEED", "BATCH_SIZE // 4 * 3, SEED", "among 2 processes"),
        ("predict.py", "drawn.append(image)", "drawn.append(path)", "AttributeError"),
    ],
    ids=["model", "resume", "two processes", "predict"],
)
def test_bad_edit_is_found(file: str, old: str, new: str, complaint: str, here: Path) -> None:
    project = compile_spec(SPEC, "model.num_classes=4")
    project.edit(file, old, new)
    printed = project.fail("smoke_test.py")
    assert complaint in printed
    assert "everything runs" not in printed
