"""Specs in older versions of the language: `version`, and `specc migrate`."""

import codecs
import json
from pathlib import Path

import pytest
from commands import specc
from hypothesis import given
from hypothesis import strategies as st

from specc import build
from specc.project.state import read_state
from specc.render import render
from specc.source.diagnostics import SpecError
from specc.source.keys import quoted
from specc.source.migrate import migrate_file
from specc.source.read import read
from specc.source.versions import NEWEST, RENAMES

OLD = """\
#:schema schema.json
# A comment that stays.
version = 1  # of the language
task = "classification"

[model]
name = "resnet18"
  norm_eval   =   true   # few images
num_classes = 4

[data]
format = "imagefolder"
root = "images"
"""
NEW = OLD.replace("version = 1 ", "version = 2 ").replace(
    "norm_eval   =   true", 'batch_norm   =   "eval"'
)


def files(path: Path) -> dict[str, str]:
    return dict(render(build.load(path)))


def test_an_older_spec_builds_what_it_did_with_a_note(here: Path) -> None:
    Path("old.toml").write_text(OLD)
    Path("new.toml").write_text(NEW)
    done = specc("build", "old.toml", "-o", "old")
    note = 'old.toml:8:3  model.norm_eval: of version 1; write batch_norm = "eval"\n'
    assert (done.returncode, done.stderr) == (0, note)
    assert note in specc("check", "old.toml").stdout
    done = specc("build", "new.toml", "-o", "new")
    assert (done.returncode, done.stderr) == (0, "")
    for new in Path("new").glob("*.py"):
        assert Path("old", new.name).read_text() == new.read_text()
    assert "fix_batch_norms" in Path("new/model.py").read_text()


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8], ids=["plain", "byte order mark"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["unix", "windows"])
def test_migrate_changes_no_other_byte(end: str, mark: bytes, here: Path) -> None:
    path = Path("spec.toml")
    path.write_bytes(mark + OLD.replace("\n", end).encode())
    path.chmod(0o640)
    done = specc("migrate", "spec.toml")
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        'spec.toml:8:3  model.norm_eval: now batch_norm = "eval"\n'
        "spec.toml:3:1  version: now version = 2\n",
        "",
    )
    assert path.read_bytes() == mark + NEW.replace("\n", end).encode()
    assert path.stat().st_mode & 0o777 == 0o640 and [*Path().iterdir()] == [path]
    assert specc("migrate", "spec.toml").stdout == "spec.toml: nothing to change\n"
    assert read(path).notes == []


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("a.toml", "model.norm_eval = true", 'model.batch_norm = "eval"'),
        ("a.toml", "'model' . \"norm_eval\" = false", "'model' . batch_norm = \"train\""),
        ("a.toml", "model = { norm_eval = true }", 'model = { batch_norm = "eval" }'),
        ("a.toml", '"ü" = 1\nmodel.norm_eval = true', '"ü" = 1\nmodel.batch_norm = "eval"'),
        ("a.json", '{"model" : {"norm_eval":false }}', '{"model" : {"batch_norm":"train" }}'),
        (
            "a.json",
            '{"version": 1, "x": 1e+5, "model": {"norm\\u005feval": true}}',
            '{"version": 2, "x": 1e+5, "model": {"batch_norm": "eval"}}',
        ),
    ],
)
def test_migrate_knows_all_ways_to_write_a_key(name: str, old: str, new: str, here: Path) -> None:
    Path(name).write_text(old)
    assert specc("migrate", name).returncode == 0
    assert Path(name).read_text() == new


@given(
    comment=st.text(st.characters(exclude_categories=["Cc", "Cs"])),
    text=st.text(st.characters(exclude_categories=["Cs"])),
    value=st.sampled_from(["true", "false"]),
)
def test_migrated_file_says_the_same(
    comment: str, text: str, value: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("migrate") / "spec.toml"
    content = f"version = 1\nnote = {quoted(text)} # {comment}\n[model] # {comment}\n"
    path.write_text(f"{content}norm_eval={value}#{comment}\nname = {quoted(text)}", "utf-8")
    before = read(path)
    assert before.notes
    migrate_file(path)
    after = read(path)
    assert after.notes == [] and after.tree == before.tree
    assert f"#{comment}\n" in path.read_text("utf-8")


def test_each_file_has_its_own_version(here: Path) -> None:
    Path("base.json").write_text('{"version": 1, "model": {"norm_eval": true}}')
    extending = NEW.replace("version = 2", 'extends = "base.json"\nversion = 2')
    Path("spec.toml").write_text(extending)
    source = read(Path("spec.toml"))
    assert [str(it) for it in source.notes] == [
        'base.json:1:26  model.norm_eval: of version 1; write batch_norm = "eval"'
    ]
    assert "version" not in source.tree and source.tree["model"]["batch_norm"] == "eval"
    assert str(source.place(("model", "batch_norm"))) == "spec.toml:9:3"
    specc("migrate", "base.json")
    assert read(Path("spec.toml")).notes == []


@pytest.mark.parametrize(
    ("version", "value", "further"),
    [
        ("", "true", ""),
        ("version = 1", '"yes"', ""),
        ("version = 1", "true", 'batch_norm = "eval"'),
    ],
    ids=["no version", "no value of it", "both names"],
)
def test_an_old_key_that_cannot_be_read_is_named(
    version: str, value: str, further: str, here: Path
) -> None:
    text = OLD.replace("version = 1", version).replace("true ", value)
    path = Path("spec.toml")
    path.write_text(text.replace("num_classes", f"{further}\nnum_classes"))
    with pytest.raises(SpecError) as caught:
        build.load(path)
    assert [str(it) for it in caught.value.diagnostics] == [
        "spec.toml:8:3  model.norm_eval: was renamed to batch_norm in version 2 of the language: "
        '"eval" for true, "train" for false; `specc migrate` rewrites a spec'
    ]


@pytest.mark.parametrize("version", ["0", "3", "true", '"1"', "1.0", "[1]"])
@pytest.mark.parametrize("command", [("build", "spec.toml", "-o", "out"), ("migrate", "spec.toml")])
def test_versions_that_do_not_exist_are_refused(
    command: tuple[str, ...], version: str, here: Path
) -> None:
    text = OLD.replace("version = 1", f"version = {version}")
    Path("spec.toml").write_text(text)
    done = specc(*command)
    expected = f"spec.toml:3:1  version: must be a number from 1 to {NEWEST}, not {version}"
    assert done.returncode == 2 and done.stderr.startswith(expected)
    assert ("newer specc" in done.stderr) == (version == "3")
    assert Path("spec.toml").read_text() == text and not Path("out").exists()


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.toml", "version = ", "a.toml:1:10  not valid TOML: invalid value"),
        ("a.json", "[" * 9999 + "]" * 9999, "a.json  is nested too deeply"),
        ("b.toml", "x = " + "[" * 9999 + "]" * 9999, "b.toml  is nested too deeply"),
        ("a.txt", "", '"a.txt" is not a spec'),
        ("a.toml/b.toml", None, 'no file "a.toml/b.toml"'),
    ],
)
def test_what_is_no_spec_is_not_migrated(
    name: str, text: str | None, expected: str, here: Path
) -> None:
    if text is not None:
        Path(name).write_text(text)
    done = specc("migrate", name)
    assert done.returncode == 2 and expected in done.stderr
    assert text is None or Path(name).read_text() == text


def test_version_is_said_in_a_file_only(here: Path) -> None:
    Path("spec.toml").write_text(NEW)
    done = specc("build", "spec.toml", "-o", "out", "--set", "version=1")
    assert done.returncode == 2 and "version can be written in a file only" in done.stderr


def test_what_a_project_remembers_is_brought_up_to_date(here: Path) -> None:
    Path("spec.toml").write_text(NEW)
    specc("build", "spec.toml", "-o", "out")
    lock = Path("out/.specc/lock.json")
    kept = json.loads(lock.read_text())
    assert kept.pop("language") == NEWEST
    del kept["spec"]["model"]["batch_norm"]
    kept["spec"]["model"]["norm_eval"] = True
    lock.write_text(json.dumps(kept))
    assert read_state(Path("out")).spec == read(Path("spec.toml")).tree
    assert specc("diff", "out", "spec.toml", "--exit-code").returncode == 0


def test_no_rename_is_of_a_version_that_does_not_exist() -> None:
    assert {rename.version for rename in RENAMES} == set(range(2, NEWEST + 1))
