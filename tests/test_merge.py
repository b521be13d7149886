"""Three-way merge of generated text, an owner's edits of it, and newly generated text."""

import ast
import itertools
import shutil
import subprocess
from pathlib import Path

import black
import pytest

from specc.build import load
from specc.project.merge import conflicts, merge
from specc.render import render

ROOT = Path(__file__).parent.parent
BASE = "A = 1\nB = 2\nC = 3\n"

# What an owner made of BASE, what is generated now, and what becomes of them.
CLEAN = {
    "another line": ("A = 1\nB = 2\nC = 9\n", "A = 7\nB = 2\nC = 3\n", "A = 7\nB = 2\nC = 9\n"),
    "the next line": ("A = 9\nB = 2\nC = 3\n", "A = 1\nB = 7\nC = 3\n", "A = 9\nB = 7\nC = 3\n"),
    "the same": ("A = 9\nB = 2\nC = 3\n", "A = 9\nB = 7\nC = 3\n", "A = 9\nB = 7\nC = 3\n"),
    "before a change": (
        "A = 1\nX = 0\nB = 2\nC = 3\n",
        "A = 1\nB = 7\nC = 3\n",
        "A = 1\nX = 0\nB = 7\nC = 3\n",
    ),
    "change after": (
        "A = 1\nB = 9\nC = 3\n",
        "A = 1\nX = 0\nB = 2\nC = 3\n",
        "A = 1\nX = 0\nB = 9\nC = 3\n",
    ),
    "deleted by both": ("A = 1\nC = 3\n", "C = 3\n", "C = 3\n"),
    "deleted beside": ("B = 2\nC = 3\n", "A = 1\nB = 7\nC = 3\n", "B = 7\nC = 3\n"),
    "imports": (
        "import x\nA = 1\nB = 2\nC = 3\n",
        "import y\nA = 1\nB = 2\nC = 3\n",
        "import x\nimport y\nA = 1\nB = 2\nC = 3\n",
    ),
    "the same import": (
        "import x\nA = 1\nB = 2\nC = 3\n",
        "import x\nimport y\nA = 1\nB = 2\nC = 3\n",
        "import x\nimport y\nA = 1\nB = 2\nC = 3\n",
    ),
}


@pytest.mark.parametrize("case", CLEAN)
@pytest.mark.parametrize("python", [True, False], ids=["python", "text"])
def test_changes_that_do_not_collide_are_both_made(case: str, python: bool) -> None:
    yours, new, merged = CLEAN[case]
    assert merge(BASE, yours, new, python=python) == merged


def test_of_colliding_changes_both_versions_stand_and_no_more() -> None:
    yours, new = "A = 9\nB = 8\nC = 3\n", "A = 7\nB = 2\nC = 3\nD = 4\n"
    text = merge(BASE, yours, new, python=True)
    assert text == (
        "<<<<<<< yours\nA = 9\n=======\nA = 7\n>>>>>>> generated\nB = 8\nC = 3\nD = 4\n"
    )
    assert conflicts(text) == [1]


@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
def test_git_sees_the_same_conflict(tmp_path: Path) -> None:
    yours, new = "A = 9\nB = 2\nC = 3\n", "A = 7\nB = 2\nC = 3\n"
    for name, text in [("yours", yours), ("base", BASE), ("generated", new)]:
        (tmp_path / name).write_text(text)
    command = ["git", "merge-file", "-p", "yours", "base", "generated"]
    printed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert merge(BASE, yours, new, python=True) == printed.stdout


def test_two_insertions_in_one_place_collide() -> None:
    text = merge(BASE, "A = 1\nX = 0\nB = 2\nC = 3\n", "A = 1\nY = 0\nB = 2\nC = 3\n", python=True)
    assert text == (
        "A = 1\n<<<<<<< yours\nX = 0\n=======\nY = 0\n>>>>>>> generated\nB = 2\nC = 3\n"
    )


def test_within_a_statement_lines_are_merged() -> None:
    base = "f(\n    1,\n    2,\n    3,\n)\n"
    yours = "f(\n    1,\n    2,\n    3,\n    4,\n)\n"
    new = "f(\n    0,\n    2,\n    3,\n)\n"
    assert merge(base, yours, new, python=True) == "f(\n    0,\n    2,\n    3,\n    4,\n)\n"


def test_names_that_both_import_from_a_module_come_together() -> None:
    base = "from a import (\n    B,\n    C,\n)\nX = 1\n"
    yours = "from a import B, C, K\nX = 1\n"
    assert merge(base, yours, "from a import C, F as G\nX = 1\n", python=True) == (
        "from a import C, F as G, K\nX = 1\n"
    )
    long = [f"name_{number}" for number in range(9)]
    new = f"from a import B, C, {', '.join(long)}\nX = 1\n"
    names = "".join(f"    {name},\n" for name in ["B", "C", "K", *long])
    assert merge(base, yours, new, python=True) == f"from a import (\n{names})\nX = 1\n"
    gone = merge(base, yours, "X = 1\n", python=True)
    assert len(conflicts(gone)) == 1


def test_a_file_that_is_no_python_is_merged_by_lines() -> None:
    yours = "A = (1\nB = 2\nC = 3\n"
    assert merge(BASE, yours, "A = 1\nB = 2\nC = 4\n", python=True) == "A = (1\nB = 2\nC = 4\n"


@pytest.mark.parametrize("change", ["crlf", "no end", "mark", "all"])
def test_what_an_editor_changed_about_lines_stays(change: str) -> None:
    def edited(text: str) -> str:
        if change in ("no end", "all"):
            text = text.removesuffix("\n")
        if change in ("crlf", "all"):
            text = text.replace("\n", "\r\n")
        return f"\ufeff{text}" if change in ("mark", "all") else text

    new = "A = 7\nB = 2\nC = 3\nD = 4\n"
    assert merge(BASE, edited(BASE), new, python=True) == edited(new)
    yours = BASE.replace("B = 2", "B = 9")
    assert merge(BASE, edited(yours), new, python=True) == edited(new.replace("B = 2", "B = 9"))


def test_an_empty_file_and_form_feeds() -> None:
    assert merge(BASE, BASE, "", python=True) == ""
    assert merge("", "A = 1\n", "", python=True) == "A = 1\n"
    base = 'A = "\x0c\u2028"\nB = 1\n'
    assert merge(base, base + "C = 1\n", base.replace("1", "2"), python=True) == (
        'A = "\x0c\u2028"\nB = 2\nC = 1\n'
    )


# ---- layout ----

SPECS = {
    "cifar10_resnet50": ["train.ema=0.99", "optim.lr=0.3", "data.cutmix=1.0"],
    "cityscapes_maskrcnn": [
        "data.photometric_distort=true",
        "train.amp=bf16",
        "schedule.epochs=9",
    ],
    "ucf101_tsn": ["data.clips.segments=8", "train.max_batch_per_gpu=8", "data.random_erasing=0.2"],
}


def black_at(width: int, *, commas: bool = True) -> black.Mode:
    return black.Mode(line_length=width, magic_trailing_comma=commas)


def laid_out(text: str, layout: str) -> str:
    """The Python as another formatter has it."""
    match layout:
        case "short":
            return black.format_str(text, mode=black_at(60))
        case "long":
            return black.format_str(text, mode=black_at(140, commas=False))
        case "unparsed":
            return "".join(f"{ast.unparse(node)}\n" for node in ast.parse(text).body)
    config = "format.quote-style = 'single'"
    command = ["ruff", "format", "--isolated", "--line-length", "100", "--config", config, "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def meaning(text: str) -> str:
    return ast.dump(ast.parse(text))


@pytest.fixture(scope="module")
def generated() -> dict[tuple[str, str], dict[str, str]]:
    """The files of each spec, and of each with a change."""
    return {
        (name, change): render(load(ROOT / f"specs/{name}.toml", [change] if change else []))
        for name, changes in SPECS.items()
        for change in ["", *changes]
    }


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["short", "long", "single quotes"])
@pytest.mark.parametrize(
    "name, change", [(name, change) for name in SPECS for change in SPECS[name]]
)
def test_another_layout_is_no_edit(
    generated: dict[tuple[str, str], dict[str, str]], name: str, change: str, layout: str
) -> None:
    old, new = generated[name, ""], generated[name, change]
    changed = [file for file in old if file.endswith(".py") and new.get(file, "") != old[file]]
    assert changed
    for file in changed:
        if file in new:
            merged = merge(old[file], laid_out(old[file], layout), new[file], python=True)
            assert conflicts(merged) == []
            assert meaning(merged) == meaning(new[file])


@pytest.mark.parametrize("name", SPECS)
def test_spec_changes_that_come_one_by_one_or_at_once_give_the_same(
    generated: dict[tuple[str, str], dict[str, str]], name: str
) -> None:
    # With one of them as if it were an owner's edit.
    for mine, change in itertools.permutations(SPECS[name], 2):
        both = render(load(ROOT / f"specs/{name}.toml", [mine, change]))
        for file, text in generated[name, ""].items():
            yours, new = generated[name, mine].get(file), generated[name, change].get(file)
            if not file.endswith(".py") or yours is None or new is None:
                continue
            merged = merge(text, yours, new, python=True)
            if not conflicts(merged):
                assert meaning(merged) == meaning(both[file]), (mine, change, file)


LOOP = """def f():
    for epoch in epochs:
        m = evaluate()
        if is_main:
            print(m)
            log(m)
        if m > best:
            best = m
            if is_main:
                save(m)
                draw(m)
        save()
"""


def test_a_statement_stays_in_its_block_where_others_are_indented_anew() -> None:
    # The line `            if is_main:` is in both versions, but under another `if`.
    yours = LOOP.replace("best = m\n", "best = m\n            stale = 0\n")
    begin, end = LOOP.index("        m ="), LOOP.rindex("        save()")
    inside = "".join(f"    {line}" for line in LOOP[begin:end].splitlines(keepends=True))
    new = f"{LOOP[:begin]}        if epoch % 2:\n{inside}{LOOP[end:]}"
    text = merge(LOOP, yours, new, python=True)
    before, _, rest = text.partition("<<<<<<< yours\n")
    mine, _, rest = rest.partition("=======\n")
    generated, _, after = rest.partition(">>>>>>> generated\n")
    assert before + mine + after == yours and before + generated + after == new


def test_what_is_generated_below_a_conflict_cannot_undo_what_is_chosen_in_it() -> None:
    base = "pre()\nparameters = p()\noptimizer = SGD(parameters)\nschedule()\n"
    yours = "pre()\ngroups = g()\noptimizer = SGD(groups)\nschedule()\n"
    for new in (
        "pre()\nema = e()\noptimizer = build_optimizer()\nschedule()\n",
        "pre()\nparameters = q()\noptimizer = SGD(parameters)\noptimizer = wrap()\nschedule()\n",
    ):
        text = merge(base, yours, new, python=True)
        (at,) = conflicts(text)
        mine, _, generated = "".join(text.splitlines(keepends=True)[at:]).partition("=======\n")
        generated, _, after = generated.partition(">>>>>>> generated\n")
        assert "groups" in mine and after == "schedule()\n"


def test_settings_below_each_other_collide_one_by_one() -> None:
    text = merge("LR = 1\nSEED = 2\n", "LR = 3\nSEED = 4\n", "LR = 5\nSEED = 2\n", python=True)
    assert text == "<<<<<<< yours\nLR = 3\n=======\nLR = 5\n>>>>>>> generated\nSEED = 4\n"
