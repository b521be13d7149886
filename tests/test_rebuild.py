"""A real project, edited by hand and built again, from the command line."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import black
import pytest
from commands import specc
from projects import SPEC as TRAINED
from projects import compile_spec, make_images

from specc.build import load
from specc.render import render

ROOT = Path(__file__).parent.parent
SPEC = str(ROOT / "specs/cifar10_resnet50.toml")
needs_git = pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")


def build(*changes: str, code: int = 0, options: tuple[str, ...] = ()) -> str:
    """What `specc build` says, of a spec with changes."""
    overrides = [word for change in changes for word in ("--set", change)]
    done = specc("build", SPEC, "-o", "out", *overrides, *options)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def fresh(*changes: str) -> dict[str, str]:
    return render(load(Path(SPEC), changes))


def edit(file: str, old: str, new: str) -> None:
    path = Path("out", file)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))


@pytest.fixture
def out(here: Path) -> Path:
    build()
    return here / "out"


LOSS = "            loss = F.cross_entropy(logits, targets)\n"
MINE = "            loss = F.cross_entropy(logits, targets, label_smoothing=0.1)  # mine\n"
LR_EMA = ("optim.lr=0.3", "train.ema=0.99")


def test_an_edit_stands_and_a_spec_change_arrives(out: Path) -> None:
    edit("train.py", LOSS, MINE)
    said = build(*LR_EMA)
    assert "merged with your edits: train.py\n" in said
    wanted = fresh(*LR_EMA)
    assert (out / "train.py").read_text() == wanted["train.py"].replace(LOSS, MINE)
    others = {file: (out / file).read_text() for file in wanted if file != "train.py"}
    assert others == {file: text for file, text in wanted.items() if file != "train.py"}
    # And back.
    build()
    assert (out / "train.py").read_text() == fresh()["train.py"].replace(LOSS, MINE)


def test_a_reformatted_project_is_merged_and_keeps_its_layout(out: Path) -> None:
    mode = black.Mode(line_length=110, magic_trailing_comma=False)
    for file in out.glob("*.py"):
        file.write_text(black.format_str(file.read_text(), mode=mode))
    build(*LR_EMA)
    for file, text in fresh(*LR_EMA).items():
        if file.endswith(".py"):
            now = (out / file).read_text()
            assert black.format_str(now, mode=mode) == black.format_str(text, mode=mode)
    before = (out / "model.py").read_text()  # which these keys do not change
    assert before == black.format_str(fresh()["model.py"], mode=mode)


def test_windows_line_endings_stay(out: Path) -> None:
    file = out / "train.py"
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n").removesuffix(b"\r\n"))
    build(*LR_EMA)
    wanted = fresh(*LR_EMA)["train.py"].encode().replace(b"\n", b"\r\n").removesuffix(b"\r\n")
    assert file.read_bytes() == wanted


def test_a_conflict_is_named_and_has_to_be_resolved(out: Path) -> None:
    edit("train.py", "LR = 0.01", "LR = 0.5")
    said = build("optim.lr=0.3", code=1)
    line = 1 + (out / "train.py").read_text().splitlines().index("<<<<<<< yours")
    assert (
        f"CONFLICTS, where your edits and the spec change the same lines: train.py:{line}." in said
    )
    assert f"still there: train.py:{line}." in build("optim.lr=0.3", code=1)
    done = specc("run", SPEC, "-o", "out", "--set", "optim.lr=0.3")
    assert done.returncode == 1 and "train.py" in done.stderr  # and nothing is trained
    edit("train.py", "<<<<<<< yours\nLR = 0.5\n=======\nLR = 0.3\n>>>>>>> generated", "LR = 0.4")
    assert "edited by you, left as they are: train.py" in build("optim.lr=0.3")


def test_a_dry_run_says_what_a_build_does(out: Path) -> None:
    edit("train.py", LOSS, MINE)
    (out / "export.py").unlink()
    dry = build(*LR_EMA, options=("--dry-run",))
    assert (out / "train.py").read_text() == fresh()["train.py"].replace(LOSS, MINE)
    said = build(*LR_EMA)
    same = dry.replace("files to be written", "files written")
    assert same == f"{said}nothing is written, as this is a dry run\n"


def test_a_renamed_file_goes_on_under_its_name(out: Path) -> None:
    (out / "evaluate.py").rename(out / "metrics.py")
    said = build("evaluate.metrics=['f1']")
    assert "renamed by you: evaluate.py is metrics.py" in said
    assert not (out / "evaluate.py").exists()
    assert (out / "metrics.py").read_text() == fresh("evaluate.metrics=['f1']")["evaluate.py"]


def test_edits_of_a_file_that_comes_and_goes_are_kept(out: Path) -> None:
    build("optim.head_lr=0.1")
    (out / "optimizer.py").write_text(f"{(out / 'optimizer.py').read_text()}\n\nMINE = 1\n")
    assert "kept as you edited them: optimizer.py" in build()
    build("optim.head_lr=0.2")
    assert (out / "optimizer.py").read_text().endswith("\n\nMINE = 1\n")


def test_an_import_that_an_edit_needs_is_missed_aloud(out: Path) -> None:
    note = "def note(path: str) -> SummaryWriter:\n    return SummaryWriter(path)\n\n\n"
    edit("train.py", "def main", f"{note}def main")
    said = build("log.tensorboard=false", code=1)
    assert "BROKEN, with your edits: train.py:" in said
    assert "the generated code no longer has SummaryWriter" in said


# ---- specc diff ----


def test_there_is_no_difference_at_first(out: Path) -> None:
    done = specc("diff", "out", "--exit-code")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_git
def test_edits_are_a_patch_that_git_can_apply_and_take_back(out: Path) -> None:
    edit("train.py", LOSS, MINE)
    (out / "export.py").unlink()
    (out / "evaluate.py").rename(out / "my metrics.py")
    (out / "README.md").write_text((out / "README.md").read_text().removesuffix("\n"))
    done = specc("diff", "out", "--exit-code")
    assert done.returncode == 1
    assert "\x1b" not in done.stdout
    for arguments, folder in ([], "fresh"), (["-R"], "out"):
        Path(folder).mkdir(exist_ok=True)
        if folder == "fresh":
            for file, text in fresh().items():
                Path(folder, file).write_text(text)
        command = ["git", "apply", *arguments, "-"]
        subprocess.run(command, cwd=folder, input=done.stdout, text=True, check=True)
    assert specc("diff", "out").stdout == ""
    assert Path("fresh/train.py").read_text() == fresh()["train.py"].replace(LOSS, MINE)
    assert not Path("fresh/export.py").exists() and Path("fresh/my metrics.py").exists()


@needs_git
def test_what_a_build_would_change_is_told_with_the_keys_and_comes_true(out: Path) -> None:
    edit("train.py", LOSS, MINE)
    changes = ["--set", "optim.lr=0.3", "--set", "train.workers=3", "--set", "optim.head_lr=1"]
    done = specc("diff", "out", SPEC, *changes)
    assert done.returncode == 0, done.stderr
    reasons = [line for line in done.stdout.splitlines() if line.startswith("#")]
    assert "# optimizer.py: optim.lr = 0.3, which was 0.01" in reasons
    assert any(it.startswith("# data.py: train.workers = 3") for it in reasons)
    assert not any(it.startswith("# data.py: optim.lr") for it in reasons)
    assert "# train.py: optim.head_lr = 1, which was not written" in reasons
    shutil.copytree("out", "copy")
    subprocess.run(["git", "apply", "-"], cwd="copy", input=done.stdout, text=True, check=True)
    assert specc("build", SPEC, "-o", "out", *changes).returncode == 0
    for file in Path("out").glob("*"):
        if file.is_file():
            assert file.read_bytes() == Path("copy", file.name).read_bytes()
    assert specc("diff", "out", SPEC, *changes, "--exit-code").returncode == 0


def test_a_folder_without_a_project_is_said(here: Path) -> None:
    done = specc("diff", ".")
    assert done.returncode == 1
    assert done.stderr == ".: no project that specc built, as it has no .specc/lock.json\n"


def test_on_a_terminal_it_is_coloured(out: Path) -> None:
    pty = pytest.importorskip("pty")
    edit("train.py", LOSS, MINE)
    output = bytearray()

    def read(file: int) -> bytes:
        output.extend(data := os.read(file, 65536))
        return data

    command = Path(sys.executable).with_name("specc")
    try:
        pty.spawn([str(command), "diff", "out"], read)
    except OSError as error:  # where there are no terminals
        pytest.skip(str(error))
    assert b"\x1b[32m+" in output and b"\x1b[31m-" in output


# ---- a merged project runs ----


@pytest.mark.slow
def test_a_project_that_was_edited_and_rebuilt_trains(here: Path) -> None:
    make_images()
    project = compile_spec(TRAINED, folder="out")
    edit("train.py", "loss = F.cross_entropy(logits, targets)", "loss = custom(logits, targets)")
    edit(
        "train.py",
        "def main",
        "def custom(logits: Tensor, targets: Tensor) -> Tensor:\n"
        "    return F.multi_margin_loss(logits, targets)\n\n\ndef main",
    )
    compile_spec(TRAINED, "optim.lr=0.001", "train.ema=0.9", "schedule.epochs=1", folder="out")
    text = (project.folder / "train.py").read_text()
    assert "custom(logits, targets)" in text and "EMA" in text and "LR = 0.001" in text
    assert "best top1" in project.run("train.py")
