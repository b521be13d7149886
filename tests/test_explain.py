"""Which keys shape a line, and which lines a key shapes: what `specc explain` says is so."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from test_language import ALONE, LANGUAGES, known

from specc import build
from specc.explain.alternatives import Option
from specc.explain.pages import Page, hunks, origins
from specc.explain.search import Search, Trial, explain
from specc.language.section import Section
from specc.project.state import SUFFIX
from specc.render import draft, render
from specc.source.diagnostics import SpecError, UserError
from specc.source.keys import dotted
from specc.source.read import Source, read
from specc.tasks.classifier import folders

ROOT = Path(__file__).parent.parent
CIFAR = Path("specs/cifar10_resnet50.toml")
STREETS = Path("specs/cityscapes_maskrcnn.toml")
TSN = Path("specs/ucf101_tsn.toml")
QUICKSTART = Path("specs/quickstart.toml")
SPECS = sorted(it.relative_to(ROOT) for it in (ROOT / "specs").glob("*.toml"))


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def line_of(spec: Path, file: str, start: str) -> int:
    """The number of the one line in the gallery's project that begins so."""
    text = Path("generated", spec.stem, file).read_text().splitlines()
    [number] = [i for i, line in enumerate(text, 1) if line.strip().startswith(start)]
    return number


def shapes(search: Search, option: Option) -> bool:
    own = {path: draft(search.plan, path) for path in search.plan.files}
    return any(
        {path: draft(trial.plan, path) for path in trial.plan.files} != own
        for trial in search.trials(option)
        if isinstance(trial, Trial)
    )


# ---- from a line to keys ----


@pytest.mark.parametrize(
    "spec, file, start, key, tried",
    [
        (CIFAR, "train.py", "LR = ", "optim.lr = 0.01", "LR = 0.02"),
        (CIFAR, "train.py", "MILESTONES = ", "schedule.milestones = [15]", "MILESTONES = (30,)"),
        (CIFAR, "data.py", "v2.RandomCrop(", "data.train_transforms[0].padding = 4", "padding=8"),
        (STREETS, "data.py", "REPEAT = ", "data.repeat = 8", "REPEAT = 16"),
        (TSN, "data.py", "FRAME_NAME = ", 'data.frame_name = "img_{:05}.jpg"', "other-img"),
        (QUICKSTART, "train.py", "LOG_EVERY = ", "train.log_every = 5", "LOG_EVERY = 10"),
    ],
    ids=str,
)
def test_the_key_of_a_line(spec: Path, file: str, start: str, key: str, tried: str) -> None:
    number = line_of(spec, file, start)
    title, line, empty, *answer = explain(spec, f"{file}:{number}").splitlines()
    assert (title, line.strip()[: len(start)], empty) == (f"{file}:{number}", start, "")
    [index] = [i for i, it in enumerate(answer) if it.startswith(f"{key}  (specs/")]
    assert tried in "\n".join(answer[index + 1 : index + 4])


def test_the_place_where_a_key_was_written() -> None:
    number = line_of(CIFAR, "data.py", "MEAN = ")
    answer = explain(CIFAR, f"data.py:{number}").splitlines()
    assert "data.mean = [0.4914, 0.4822, 0.4465]  (specs/base/cifar10.toml:5:1)" in answer
    assert answer.index("data.mean = [0.4914, 0.4822, 0.4465]  (specs/base/cifar10.toml:5:1)") == 3

    answer = explain(CIFAR, f"data.py:{number}", ["data.mean=[0.5,0.5,0.5]"]).splitlines()
    assert answer[3].endswith("(--set data.mean=[0.5,0.5,0.5])")


def test_a_key_that_is_not_written() -> None:
    number = line_of(CIFAR, "train.py", "SEED = ")
    answer = explain(CIFAR, f"train.py:{number}")
    assert "train.seed  (not written; by default 0)\n    1: then it is\n        SEED = 1" in answer


def test_a_key_that_adds_lines() -> None:
    number = line_of(CIFAR, "train.py", "loss.backward()")
    answer = explain(CIFAR, f"train.py:{number}")
    assert "optim.clip_norm  (not written)\n    0.5: then lines come after it\n" in answer
    assert "clip_grad_norm_" in answer


def test_a_key_without_which_there_is_no_such_file() -> None:
    answer = explain(CIFAR, "optimizer.py:1", ["optim.layer_decay=0.5"]).splitlines()
    index = answer.index("optim.layer_decay = 0.5  (--set optim.layer_decay=0.5)")
    assert answer[index + 1] == "    left out: then there is no optimizer.py"


def test_a_line_that_nothing_shapes() -> None:
    number = line_of(CIFAR, "checkpoint.py", "import os")
    assert "No key that was tried shapes this." in explain(CIFAR, f"checkpoint.py:{number}")


def test_a_key_that_cannot_be_varied_is_named() -> None:
    *_, last = explain(CIFAR, "launch.sh:1").split("\n\n")
    assert last.startswith("Not tried, as no other value of them builds here: task, model.dropout")


def test_what_is_skipped_for_speed_would_change_nothing() -> None:
    """Lines that a key changes are never taken for lines that it cannot change."""
    search, checked = Search(read(TSN)), 0
    for option in search.options:
        trials = [it for it in search.trials(option) if isinstance(it, Trial)]
        for trial in trials[:1]:
            for page in map(search.page, ("evaluate.py", "model.py", "launch.sh")):
                text = draft(trial.plan, page.path)
                marks = {mark for hunk in page.hunks(text) for mark in hunk.marks}
                for line, _ in marks:
                    rough = page.rough_hunks(text)
                    assert page.may_change(rough, line, line), (dotted(option.key), line)
                checked += len(marks)
    assert checked > 30


# ---- from a key to lines ----


def test_the_lines_of_a_key() -> None:
    number = line_of(CIFAR, "train.py", "LR = ")
    told = "optim.lr = 0.01  (specs/cifar10_resnet50.toml:11:1)"
    assert explain(CIFAR, "optim.lr") == f"{told}\n    train.py:{number}\n        LR = 0.01"


@pytest.mark.parametrize(
    "spec, key, value",
    [
        (CIFAR, "train.batch_size", 64),
        (CIFAR, "data.train_transforms[0].size", 64),
        (STREETS, "data.resize.long", 1024),
        (TSN, "data.clips.segments", 6),
        (QUICKSTART, "optim.lr", 0.006),
    ],
)
def test_what_a_change_of_the_key_changes_is_told(spec: Path, key: str, value: Any) -> None:
    own = render(build.load(spec))
    setting = f"{key.replace('[', '.').replace(']', '')}={value}"
    other = render(build.load(spec, [setting]))
    changed = {
        (path, line)
        for path in own
        for hunk in hunks(own[path].splitlines(), other[path].splitlines())
        for line, _ in hunk.marks
    }
    answer = explain(spec, key).splitlines()
    assert changed
    for path, line in changed:
        ranges = [it.split()[0].partition(":")[2] for it in answer if it.startswith(f"    {path}:")]
        ends = [(int(a), int(b or a)) for a, _, b in (it.partition("-") for it in ranges)]
        assert any(first <= line <= last for first, last in ends), (path, line)


def test_a_table_is_all_its_keys() -> None:
    answer = explain(TSN, "data.clips").splitlines()
    keys = [it.split()[0] for it in answer if not it.startswith(" ")]
    assert keys == [f"data.clips.{it}" for it in ("segments", "frames", "stride", "fps")]


def test_a_key_that_makes_a_file() -> None:
    answer = explain(CIFAR, "optim.layer_decay").splitlines()
    assert "    there is optimizer.py as well if 0.5" in answer


def test_a_key_of_a_table_that_is_not_there() -> None:
    answer = explain(QUICKSTART, "schedule.warmup.steps")
    assert answer.startswith("schedule.warmup.steps  (not written)\n    train.py:")


def test_a_key_that_has_no_other_value() -> None:
    answer = explain(CIFAR, "model.dropout").splitlines()
    assert answer == [
        "model.dropout  (not written)",
        "    not tried, as no other value of it builds here "
        "(model.dropout: resnet50 has no dropout to set; leave it out)",
    ]


# ---- alternatives ----

# What is true of all that the generic values would have to know.
UNVARIED = {
    "data=csv.label_columns",  # as many names as there are classes
    "data=emnist.val",
    "task",
    "train.loss.name",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_key_of_the_language_can_be_varied(language: type[Section]) -> None:
    changes, start = LANGUAGES[language]
    without = set()
    for key in sorted(set(known(language)) - {it for it in ALONE if it.startswith("data=ucf101")}):
        tree = json.loads(json.dumps(start | changes[key][0]))
        search = Search(Source(tree, {}, Path("spec.json")))
        name = ".".join(part.partition("=")[0] for part in key.split("."))
        paths = [(it, ".".join(p for p in it.key if isinstance(p, str))) for it in search.options]
        found = [it for it, path in paths if path == name or path.startswith(f"{name}.")]
        assert found, key
        if not any(shapes(search, it) for it in found):
            without.add(key)
    assert without == UNVARIED & set(known(language))


# Written in the gallery, and yet no other value builds by itself, or another changes nothing.
OF_NO_EFFECT: dict[str, set[str]] = {
    "chairs_resnet18": {"data.format"},  # other formats' files need val, or tell no classes
    "distill_resnet18": {"data.format"},
    "ucf101_mvit": {"data.format"},
    "gtsrb_class_weights": {"data.image_size", "data.eval_transforms[0].size"},  # both are one
    "quickstart": {"data.image_size", "data.eval_transforms[0].size"},
    "ucf101_tsn": {"model.name"},  # other models have no backbone
}


@pytest.mark.parametrize("spec", SPECS, ids=lambda it: it.stem)
def test_the_keys_of_the_gallery_shape_lines(spec: Path) -> None:
    search = Search(read(spec))
    written = [it for it in search.options if it.key in search.source.places]
    shaping = [it.key for it in written if shapes(search, it)]
    without = {
        dotted(it.key) for it in written if not any(key[: len(it.key)] == it.key for key in shaping)
    }
    assert without == OF_NO_EFFECT.get(spec.stem, set()) | {"task"}
    assert len(shaping) > 4


def test_a_table_without_the_key_that_names_it_is_a_problem() -> None:
    """Checking it once went on for ever."""
    with pytest.raises(SpecError, match="train.loss.name: missing"):
        build.load(CIFAR, ["train.loss.gamma=1.0"])


# ---- a project that was edited ----


@pytest.fixture
def project(tmp_path: Path) -> Path:
    build.build(build.load(CIFAR), tmp_path / "out")
    assert (tmp_path / "out/.specc/base" / f"train.py{SUFFIX}").exists()
    return tmp_path / "out"


def test_lines_of_an_edited_project(project: Path) -> None:
    file, number = project / "train.py", line_of(CIFAR, "train.py", "LR = ")
    text = file.read_text().splitlines()
    file.write_text("\n".join(["# My own.", "", *text]) + "\n")
    answer = explain(CIFAR, f"train.py:{number + 2}", (), project)
    title, line, _, key, *_ = answer.splitlines()
    assert (title, line.strip()) == (f"{file}:{number + 2}", "LR = 0.01")
    assert key.startswith("optim.lr = 0.01")
    assert explain(CIFAR, f"{file}:{number + 2}") == answer  # its path says which project


def test_a_line_of_the_project_that_one_is_in(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = project / "train.py"
    file.write_text("# My own.\n" + file.read_text())
    spec = CIFAR.absolute()
    monkeypatch.chdir(project)
    assert explain(spec, "train.py:1") == "train.py:1\n    # My own.  <- this line is yours"


def test_a_line_that_the_owner_wrote(project: Path) -> None:
    file = project / "train.py"
    file.write_text("# My own.\n" + file.read_text())
    answer = explain(CIFAR, "train.py:1", (), project)
    assert answer == f"{file}:1\n    # My own.  <- this line is yours"


def test_a_line_of_another_spec(project: Path) -> None:
    number = line_of(CIFAR, "train.py", "LR = ")
    answer = explain(CIFAR, f"train.py:{number}", ["optim.lr=0.5"], project)
    assert answer.endswith("LR = 0.01  <- of another spec than this one; build again")


def test_a_file_that_the_owner_wrote(project: Path) -> None:
    (project / "mine.py").write_text("x = 1\n")
    with pytest.raises(UserError, match="mine.py: this file is yours"):
        explain(CIFAR, "mine.py:1", (), project)


def test_a_folder_that_is_no_project(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no project that specc built"):
        explain(CIFAR, "train.py:1", (), tmp_path)


# ---- what cannot be explained ----


@pytest.mark.parametrize(
    "what, message",
    [
        ("tain.py:1", 'tain.py: no such file in the project; did you mean "train.py"?'),
        ("out/train.py:1", 'out/train.py: no such file in the project; did you mean "train.py"?'),
        ("nothing:1", "nothing: no such file in the project; there are README.md, "),
        ("train.py:0", "train.py:0: its lines are 1 to "),
        ("train.py:10000", "train.py:10000: its lines are 1 to "),
        ("train.py:9-7", "train.py:9-7: its lines are 1 to "),
        ("train.py:5-10000", "train.py:5-10000: its lines are 1 to "),
        ("train.py", "train.py: which line of it? Write e.g. train.py:1"),
        ("optim.learning_rate", 'optim.learning_rate: unknown key; did you mean "lr"?'),
        ("optm", 'optm: unknown key; did you mean "optim"?'),
        ("schedule.power", 'schedule.power: only for name = "poly", not for "multistep"'),
        ("data.train_transforms[7].size", 'data.train_transforms: has no element "7"'),
        ("model.weights.prefix", 'model.weights: is not a table, so it has no "prefix"'),
        ("a key", "a key: must be a key"),
        ("", "must be a key"),
    ],
)
def test_what_there_is_not(what: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        explain(CIFAR, what)
    assert message in str(error.value)


def test_an_output_goes_with_a_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="-o goes with FILE:LINE"):
        explain(CIFAR, "optim.lr", (), tmp_path)


# ---- data ----


def test_data_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[str] = []
    files = folders.visible_files
    monkeypatch.setattr(
        folders, "visible_files", lambda it, *a: listed.append(str(it)) or files(it, *a)
    )
    explain(QUICKSTART, "train.seed")
    assert listed and len(listed) == len(set(listed))


# ---- lines ----


def test_hunks_and_origins() -> None:
    old, new = ["a", "b", "c", "d"], ["a", "x", "c", "y", "d"]
    assert [(it.first, it.last, it.new, it.adds) for it in hunks(old, new)] == [
        (2, 2, ("x",), False),
        (4, 3, ("y",), True),
    ]
    assert origins(old, new) == {1: 1, 3: 3, 5: 4}


def test_a_statement_of_several_lines_is_found_in_its_draft() -> None:
    call = "f(" + ", ".join(f"argument_{i}={i}" for i in range(9)) + ")"
    page = Page("x.py", f"a = 1\n{call}\nb = 2\n")
    other = page.draft.replace("argument_8=8", "argument_8=9")
    [hunk] = page.hunks(other)
    assert page.lines[hunk.first - 1].strip() == "argument_8=8,"
    assert page.may_change(page.rough_hunks(other), hunk.first, hunk.last)
    elsewhere = page.rough_hunks(page.draft.replace("b = 2", "b = 3"))
    assert not page.may_change(elsewhere, 1, 1)


# ---- the command line ----


def specc(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("specc")), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "Traceback" not in done.stdout + done.stderr
    return done


def test_the_command_prints_the_answer() -> None:
    done = specc("explain", str(CIFAR), "optim.lr", "--set", "optim.lr=0.5")
    told, file, line = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert (told, line) == ("optim.lr = 0.5  (--set optim.lr=0.5)", "        LR = 0.5")


def test_the_command_says_what_is_wrong() -> None:
    done = specc("explain", str(CIFAR), "train.rate")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("train.rate: unknown key")
    done = specc("explain", str(CIFAR), "train.seed", "--set", "train.seed=-1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("--set train.seed=-1  train.seed: must be at least 0")


def test_the_transcript_in_the_readme_is_true() -> None:
    block = Path("README.md").read_text().split("$ specc explain ")[1].split("```")[0]
    arguments, _, expected = block.partition("\n")
    assert specc("explain", *arguments.split()).stdout.startswith(expected)
