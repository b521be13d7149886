"""What is committed because people read it follows from its sources, byte for byte."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("tool", ["golden.py", "readme.py"])
def test_is_up_to_date(tool: str) -> None:
    command = [sys.executable, f"tools/{tool}", "--check"]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_example_spec_has_a_project_and_every_project_a_spec() -> None:
    specs = {path.stem for path in (ROOT / "specs").glob("*.toml")}
    assert specs == {path.name for path in (ROOT / "generated").iterdir()}


@pytest.mark.parametrize("project", sorted((ROOT / "generated").iterdir()), ids=lambda p: p.name)
def test_a_loop_is_taken_in_at_once(project: Path) -> None:
    assert (project / "train.py").read_text().count("\n") <= 250
