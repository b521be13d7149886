"""The README's stories: edits are made, commands run, and they print what stands there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = Path("out/mine")
NUMBER = r"\d+\.\d{4}"  # of what is learned, which differs from machine to machine

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("git"), reason="git is not installed"),
]


def blocks() -> list[tuple[str, str]]:
    """The code of the README's stories, and what language it is in."""
    text = (ROOT / "README.md").read_text()
    story = text[text.index("## Your edits live on") : text.index("## Commands")]
    return re.findall(r"^```(\w+)\n(.*?)^```$", story, re.MULTILINE | re.DOTALL)


def run(command: str) -> str:
    environment = dict(os.environ)
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    )
    return done.stdout.decode()


def test_the_stories_are_true(here: Path) -> None:
    Path("specs").symlink_to(ROOT / "specs")
    commands = 0
    for language, code in blocks():
        if language == "diff":
            subprocess.run(["git", "apply", "-"], cwd=PROJECT, input=code, text=True, check=True)
            continue
        for part in re.split(r"^\$ ", code, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            printed = run(command)
            assert re.sub(NUMBER, "N", printed) == re.sub(NUMBER, "N", output), command
            commands += 1
    assert commands >= 7


def test_specc_diff_prints_the_four_edits(here: Path) -> None:
    Path("specs").symlink_to(ROOT / "specs")
    run(f"specc build specs/quickstart.toml -o {PROJECT}")
    patches = [code for language, code in blocks() if language == "diff"]
    for patch in patches:
        subprocess.run(["git", "apply", "-"], cwd=PROJECT, input=patch, text=True, check=True)
    assert run(f"specc diff {PROJECT}") == "".join(sorted(patches))
