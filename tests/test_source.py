"""What a spec's files say, and where: `specc.source`."""

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specc.source.diagnostics import Place, SpecError, visible
from specc.source.keys import Key, dotted
from specc.source.read import Source, read

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a file below the current directory, and give its path from there."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, content: str | bytes) -> Path:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def places(source: Source) -> dict[str, str]:
    """Every place as `line:column`, by dotted key."""
    return {dotted(key): f"{place.line}:{place.column}" for key, place in source.places.items()}


def problems(path: Path, *overrides: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        read(path, overrides)
    return [str(diagnostic) for diagnostic in caught.value.diagnostics]


# What is read


def test_values_are_those_of_tomllib(write: Write) -> None:
    text = 'lr = 1e-4\nwhen = 2024-02-29\n[model]\nname = "resnet50"\nfreeze = [1, 2]\n'
    source = read(write("spec.toml", text))
    assert source.tree == {
        "lr": 1e-4,
        "when": date(2024, 2, 29),
        "model": {"name": "resnet50", "freeze": [1, 2]},
    }
    assert source.path == Path("spec.toml")


def test_values_are_those_of_json(write: Write) -> None:
    text = '{"model": {"name": "resnet50", "freeze": [1, 2.5, true, null]}}'
    assert read(write("spec.json", text)).tree == json.loads(text)


@pytest.mark.parametrize("name", ["spec.toml", "spec.json"])
def test_byte_order_mark_is_no_part_of_the_text(write: Write, name: str) -> None:
    text = "a = 1" if name.endswith("toml") else '{"a": 1}'
    source = read(write(name, b"\xef\xbb\xbf" + text.encode()))
    assert source.tree == {"a": 1}
    assert source.place(("a",)) == Place(name, 1, text.index("a") + name.count("toml"))


def test_an_empty_toml_file_is_an_empty_spec(write: Write) -> None:
    source = read(write("spec.toml", ""))
    assert (source.tree, source.places) == ({}, {})


# Where it stands, in TOML


def test_places_of_keys_and_tables(write: Write) -> None:
    text = """\
task = "classification"

[ model ]  # a table
  name = "resnet50"
[data]
"""
    assert places(read(write("spec.toml", text))) == {
        "task": "1:1",
        "model": "3:3",
        "model.name": "4:3",
        "data": "5:2",
    }


def test_a_dotted_key_has_one_place_with_its_parents_and_the_first_counts(
    write: Write,
) -> None:
    text = """\
optim.lr = 1
optim . sgd."weight decay" = 2
[data.train.loader]
workers.max = 3
[data]
root = "."
"""
    assert places(read(write("spec.toml", text))) == {
        "optim": "1:1",
        "optim.lr": "1:1",
        "optim.sgd": "2:1",
        'optim.sgd."weight decay"': "2:1",
        "data": "3:2",
        "data.train": "3:2",
        "data.train.loader": "3:2",
        "data.train.loader.workers": "4:1",
        "data.train.loader.workers.max": "4:1",
        "data.root": "6:1",
    }


def test_places_in_inline_tables_and_arrays(write: Write) -> None:
    text = """\
train = [
  { name = "Crop", size = [32, 32] },  # a comment, [ and {
  # { name = "Flip" },
  "Flip", [[1], {}],
]
eval = {}
"""
    assert places(read(write("spec.toml", text))) == {
        "train": "1:1",
        "train[0]": "2:3",
        "train[0].name": "2:5",
        "train[0].size": "2:20",
        "train[0].size[0]": "2:28",
        "train[0].size[1]": "2:32",
        "train[1]": "4:3",
        "train[2]": "4:11",
        "train[2][0]": "4:12",
        "train[2][0][0]": "4:13",
        "train[2][1]": "4:17",
        "eval": "6:1",
    }


def test_places_in_arrays_of_tables(write: Write) -> None:
    text = """\
[[optim.groups]]
lr = 1
[[optim.groups.parts]]
[[ optim.groups.parts ]]
[[optim.groups]]
[optim.groups.decay]
norm = 2
[[optim.groups.parts]]
match = "x"
"""
    assert places(read(write("spec.toml", text))) == {
        "optim": "1:3",
        "optim.groups": "1:3",
        "optim.groups[0]": "1:3",
        "optim.groups[0].lr": "2:1",
        "optim.groups[0].parts": "3:3",
        "optim.groups[0].parts[0]": "3:3",
        "optim.groups[0].parts[1]": "4:4",
        "optim.groups[1]": "5:3",
        "optim.groups[1].decay": "6:2",
        "optim.groups[1].decay.norm": "7:1",
        "optim.groups[1].parts": "8:3",
        "optim.groups[1].parts[0]": "8:3",
        "optim.groups[1].parts[0].match": "9:1",
    }


def test_quoted_keys_mean_what_they_say(write: Write) -> None:
    text = r"""
"a.b" = 1
'"' = 2
"\u00e9\t" = 3
"" = 4
1.2 = 5
["x]".y]
"""
    source = read(write("spec.toml", text))
    assert source.tree == tomllib.loads(text)
    assert {key: place.line for key, place in source.places.items()} == {
        ("a.b",): 2,
        ('"',): 3,
        ("é\t",): 4,
        ("",): 5,
        ("1",): 6,
        ("1", "2"): 6,
        ("x]",): 7,
        ("x]", "y"): 7,
    }


def test_columns_are_counted_in_characters(write: Write) -> None:
    text = 'a = { "é😀" = "größe", b = ["日本", 1] }\n'
    assert places(read(write("spec.toml", text))) == {
        "a": "1:1",
        'a."é😀"': "1:7",
        "a.b": "1:23",
        "a.b[0]": "1:28",
        "a.b[1]": "1:34",
    }


def test_multi_line_strings_and_windows_line_ends(write: Write) -> None:
    text = "a = \"\"\"\nb = 1\n[c]\"\"\"\nd = '''\ne'''\nf = 1\n".replace("\n", "\r\n")
    assert places(read(write("spec.toml", text))) == {
        "a": "1:1",
        "d": "4:1",
        "f": "6:1",
    }


# Where it stands, in JSON


def test_places_in_json(write: Write) -> None:
    text = """\
{ "größe": 1, "model": {"na\\u006de": "é", "x": [1e+5, {"y": null}, []]},
  "a+b": -1.5E+3 }
"""
    source = read(write("spec.json", text))
    assert source.tree == json.loads(text)
    assert places(source) == {
        '"größe"': "1:3",
        "model": "1:15",
        "model.name": "1:25",
        "model.x": "1:43",
        "model.x[0]": "1:49",
        "model.x[1]": "1:55",
        "model.x[1].y": "1:56",
        "model.x[2]": "1:68",
        '"a+b"': "2:3",
    }


def test_toml_that_its_grammar_does_not_know_yet_has_no_places(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "x = 1\na = {\n  b = 1,\n}"  # valid from TOML 1.1 on
    monkeypatch.setattr(tomllib, "loads", lambda text: {"x": 1, "a": {"b": 1}})
    source = read(write("spec.toml", text))
    assert source.tree == {"x": 1, "a": {"b": 1}}
    assert source.place(("a", "b")) == Place("spec.toml", 1, 1)


# Asking for a place


def test_a_key_that_nobody_wrote_has_the_place_of_what_it_belongs_in(
    write: Write,
) -> None:
    source = read(write("spec.toml", "[data]\ntrain = [{ size = 3 }]\n"))
    assert source.place(("data", "train", 0, "size")) == Place("spec.toml", 2, 12)
    assert source.place(("data", "train", 0, "padding")) == Place("spec.toml", 2, 10)
    assert source.place(("data", "train", 7, "size")) == Place("spec.toml", 2, 1)
    assert source.place(("data", "root")) == Place("spec.toml", 1, 2)
    assert source.place(("model", "name")) == Place("spec.toml", 1, 1)
    assert source.place(()) == Place("spec.toml", 1, 1)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (("data", "train_transforms", 0, "size"), "data.train_transforms[0].size"),
        (("x", 0, 1), "x[0][1]"),
        (("a b", "c.d", "-e_9"), '"a b"."c.d".-e_9'),
        (("",), '""'),
        (("é", 'say "hi"\n'), '"é"."say \\"hi\\"\\n"'),
        (("\x7f",), '"\\u007f"'),
        ((), ""),
    ],
)
def test_dotted(key: Key, text: str) -> None:
    assert dotted(key) == text


# What cannot be read


def test_a_missing_file_and_what_may_be_meant(write: Write) -> None:
    write("configs/resnet50.toml", "")
    assert problems(Path("configs/resnet5.toml")) == [
        'configs/resnet5.toml  no file "configs/resnet5.toml"; ' 'did you mean "resnet50.toml"?'
    ]
    assert problems(Path("nowhere/x.toml")) == ['nowhere/x.toml  no file "nowhere/x.toml"']


def test_what_is_no_file(write: Write) -> None:
    write("specs.toml/a.toml", "")
    assert problems(Path("specs.toml")) == ['specs.toml  cannot read "specs.toml": is a directory']
    assert problems(Path("specs.toml/a.toml/b.toml")) == [
        'specs.toml/a.toml/b.toml  cannot read "specs.toml/a.toml/b.toml": ' "not a directory"
    ]
    [problem] = problems(Path("x" * 300 + ".toml"))
    assert problem.endswith(": file name too long")
    [problem] = problems(Path("x\0.toml"))
    assert problem.endswith(": embedded null byte")


@pytest.mark.parametrize("name", ["spec.yaml", "spec", "spec.TOML"])
def test_other_formats_are_refused(write: Write, name: str) -> None:
    assert problems(write(name, "a = 1")) == [
        f'{name}  "{name}" is not a spec: its name must end in ".toml" or ".json"'
    ]


def test_text_in_another_encoding(write: Write) -> None:
    path = write(
        "spec.toml",
        'a = 1\nb = "日',
    )
    path.write_bytes(path.read_bytes() + b'\xe9"\n')
    assert problems(path) == ["spec.toml:2:7  not UTF-8 text (byte 0xe9)"]
    assert problems(write("bom.json", b"\xff\xfe{\0}\0")) == [
        "bom.json:1:1  not UTF-8 text (byte 0xff)"
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a = 1\nb = é", "2:5  {}invalid value; a string needs quotes"),
        ("'é' = 1 2", "1:9  {}expected newline or end of document after a statement"),
        ("a = 1\nlr = 2\nlr = 3\n", "3:7  {}this key already has a value"),
        ("a = [\n  1,\n\n", "2:5  {}invalid value; a string needs quotes"),
        ("a.b = [1\n", "1:9  {}unclosed array"),
        ("[a.b]\n['a'.\"b\"]", "2:9  {}cannot declare a.b twice"),
        ('["é f"]\n["é f"]', '2:7  {}cannot declare "é f" twice'),
        ("a = {}\n[a.b]", "2:5  {}cannot declare a.b twice"),
        ('a = {"(\'b" = 1, "(\'b" = 2}', '1:26  {}duplicate inline table key "(\'b"'),
        ("a = 1\r\nb = ", "2:4  {}invalid value; a string needs quotes"),
        ("= 1", "1:1  {}invalid statement"),
        ("a = " + "1" * 5000, "1:1  {}exceeds the limit (4300 digits)"),
    ],
)
def test_syntax_errors_in_toml(write: Write, text: str, problem: str) -> None:
    [found] = problems(write("spec.toml", text))
    assert found.startswith("spec.toml:" + problem.format("not valid TOML: "))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"a": 1,\n "é": é}', "2:7  {}expecting value"),
        ('{"a": "\t"}', "1:8  {}invalid control character here"),
        ('{"a', "1:2  {}unterminated string starting here"),
        ('{"a": 1} {', "1:10  {}extra data"),
        ("", "1:1  {}expecting value"),
        ('{"é": [NaN]}', "1:8  {}NaN is not allowed"),
        ('{"NaN": "\\"NaN", "x": -Infinity}', "1:23  {}-Infinity is not allowed"),
        ('{"\\ud83d\\ude00": "\\ud83d"}', "1:18  {}half a \\u surrogate pair"),
        ('{"a": ' + "1" * 5000 + "}", "1:1  {}exceeds the limit (4300 digits)"),
        ("[{}]", "1:1  must be an object, {{ ... }}, at the top"),
        ("3", "1:1  must be an object, {{ ... }}, at the top"),
    ],
)
def test_what_is_no_json(write: Write, text: str, problem: str) -> None:
    [found] = problems(write("spec.json", text))
    assert found.startswith("spec.json:" + problem.format("not valid JSON: "))


def test_keys_that_json_repeats(write: Write) -> None:
    text = '{"a": {"x": 1}, "b": [{"y": 1, "z": 2, "\\u0079": 3}],\n "a": {"x": 2}}'
    assert problems(write("spec.json", text)) == [
        "spec.json:1:40  b[0].y: is written twice, first at spec.json:1:24",
        "spec.json:2:2  a: is written twice, first at spec.json:1:2",
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("spec.json", '{"a": ' + "[" * 100_000),
        ("spec.toml", "a = " + "[" * 100_000),
    ],
)
def test_bottomless_nesting(write: Write, name: str, text: str) -> None:
    assert problems(write(name, text)) == [f"{name}  is nested too deeply"]


def test_bottomless_keys(write: Write) -> None:
    key = ".".join("a" * 1500)
    write("base.toml", f"{key}.b = 1")
    path = write("spec.toml", f'extends = "base.toml"\n{key}.c = 1')
    assert problems(path) == ["spec.toml  is nested too deeply"]


# extends


def test_own_keys_come_last_and_tables_merge(write: Write) -> None:
    write("base.toml", 'task = "a"\n[optim]\nlr = 1\nname = "sgd"\n[log]\n')
    text = 'extends = "base.toml"\n[optim]\nlr = 2\nclip = 3\n'
    source = read(write("spec.toml", text))
    assert source.tree == {
        "task": "a",
        "optim": {"lr": 2, "name": "sgd", "clip": 3},
        "log": {},
    }
    assert source.places == {
        ("task",): Place("base.toml", 1, 1),
        ("optim",): Place("spec.toml", 2, 2),
        ("optim", "lr"): Place("spec.toml", 3, 1),
        ("optim", "name"): Place("base.toml", 4, 1),
        ("optim", "clip"): Place("spec.toml", 4, 1),
        ("log",): Place("base.toml", 5, 2),
    }
    assert source.path == Path("spec.toml")


def test_of_several_bases_the_later_wins(write: Write) -> None:
    write("a.toml", "x = 1\ny = 1\nz = 1")
    write("b.toml", "\ny = 2\nz = 2")
    source = read(write("spec.toml", 'extends = ["a.toml", "b.toml"]\nz = 3'))
    assert source.tree == {"x": 1, "y": 2, "z": 3}
    assert source.place(("x",)) == Place("a.toml", 1, 1)
    assert source.place(("y",)) == Place("b.toml", 2, 1)
    assert source.place(("z",)) == Place("spec.toml", 2, 1)


def test_keys_stay_in_the_order_in_which_they_first_came(write: Write) -> None:
    write("base.toml", "b = 1\na = 1")
    path = write("spec.toml", 'extends = "base.toml"\nd = 2\na = 2\nc = 2')
    source = read(path, ["e=3", "b=3"])
    assert list(source.tree) == ["b", "a", "d", "c", "e"]
    assert list(read(path, ["e=3", "b=3"]).places.items()) == list(source.places.items())


def test_what_is_no_table_is_replaced_whole_and_its_places_forgotten(
    write: Write,
) -> None:
    base = """\
steps = [{ a = 1 }, { b = 2 }]
[weights]
source.file = "x"
[freeze]
stages = [1]
"""
    write("base.toml", base)
    text = 'extends = "base.toml"\nsteps = [{ c = 3 }]\nweights = "none"\nfreeze = {}\n'
    source = read(write("spec.toml", text))
    assert source.tree == {
        "steps": [{"c": 3}],
        "weights": "none",
        "freeze": {"stages": [1]},
    }
    assert source.places == {
        ("steps",): Place("spec.toml", 2, 1),
        ("steps", 0): Place("spec.toml", 2, 10),
        ("steps", 0, "c"): Place("spec.toml", 2, 12),
        ("weights",): Place("spec.toml", 3, 1),
        ("freeze",): Place("spec.toml", 4, 1),
        ("freeze", "stages"): Place("base.toml", 5, 1),
        ("freeze", "stages", 0): Place("base.toml", 5, 11),
    }


def test_extends_nests_relative_to_the_file_that_says_it(write: Write) -> None:
    write("base/common/seed.toml", "seed = 1")
    write("base/model.json", '{"extends": ["common/seed.toml"], "model": {"name": "x"}}')
    source = read(write("specs/spec.toml", 'extends = "../base/model.json"'))
    assert source.tree == {"seed": 1, "model": {"name": "x"}}
    assert source.place(("seed",)) == Place("base/common/seed.toml", 1, 1)
    assert source.place(("model", "name")) == Place("base/model.json", 1, 45)


def test_json_extends_toml(write: Write) -> None:
    write("base.toml", "lr = 1\nname = 'sgd'")
    source = read(write("spec.json", '{"extends": "base.toml", "lr": null}'))
    assert source.tree == {"lr": None, "name": "sgd"}
    assert source.place(("lr",)) == Place("spec.json", 1, 26)


def test_one_base_by_two_ways(write: Write) -> None:
    write("root.toml", "x = 0\ny = 0")
    write("left.toml", 'extends = "root.toml"\nx = 1')
    write("right.toml", 'extends = "./root.toml"\ny = 2')
    source = read(write("spec.toml", 'extends = ["left.toml", "right.toml"]'))
    assert source.tree == {"x": 0, "y": 2}  # right's whole wins, with what it extends
    assert source.place(("x",)) == Place("root.toml", 1, 1)


def test_files_are_named_from_here_if_they_are_below_here(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("specs/base.toml", "x = 1")
    write("specs/spec.toml", 'extends = "../specs/base.toml"\ny = 1')
    absolute = tmp_path / "specs" / "spec.toml"
    write("far.toml", f'extends = "{absolute}"')

    source = read(absolute)
    assert source.place(("y",)).file == str(absolute)  # as it was given
    assert source.place(("x",)).file == "specs/base.toml"
    assert read(Path("far.toml")).place(("y",)).file == "specs/spec.toml"

    monkeypatch.chdir(tmp_path / "specs")
    assert read(Path("../far.toml")).place(("y",)).file == "spec.toml"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    source = read(Path("../specs/spec.toml"))
    assert source.place(("x",)).file == "../specs/base.toml"


def test_a_circle_is_refused_where_it_closes(write: Write) -> None:
    write("spec.toml", 'extends = "a.toml"')
    write("a.toml", 'extends = "sub/b.toml"')
    write("sub/b.toml", '\nextends = [ "../ok.toml", "../a.toml" ]')
    write("ok.toml", "")
    assert problems(Path("spec.toml")) == [
        "sub/b.toml:2:27  extends[1]: files extend each other in a circle: "
        "a.toml -> sub/b.toml -> a.toml"
    ]


def test_a_file_that_extends_itself_by_another_name(write: Write) -> None:
    Path("link.toml").symlink_to(write("spec.toml", 'extends = "link.toml"'))
    assert problems(Path("spec.toml")) == [
        "spec.toml:1:1  extends: files extend each other in a circle: " "spec.toml -> spec.toml"
    ]


def test_a_missing_base(write: Write) -> None:
    write("base/resnet50.toml", "")
    path = write("specs/spec.toml", 'x = 1\nextends = "../base/resnet.toml"')
    assert problems(path) == [
        'specs/spec.toml:2:1  extends: no file "base/resnet.toml"; ' 'did you mean "resnet50.toml"?'
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("extends = 3", "1:1  extends"),
        ("x = 1\n[extends]\nfile = 'a.toml'", "2:2  extends"),
        ("extends = ['ok.toml', 3]", "1:23  extends[1]"),
    ],
)
def test_extends_wants_names(write: Write, text: str, place: str) -> None:
    write("ok.toml", "")
    assert problems(write("spec.toml", text)) == [
        f"spec.toml:{place}: must be the name of a file, or a list of such names"
    ]


def test_all_broken_bases_are_reported_at_once(write: Write) -> None:
    write("a.toml", 'extends = "missing.json"')
    write("b.json", '{"x": 1,\n "x": é}')
    write("c.yaml", "")
    write("d.toml", b"\xff")
    bases = '["a.toml", "b.json", "c.yaml", "d.toml", "", 3, "a.toml", "e\\u0000.toml"]'
    path = write("spec.json", f'{{"extends": {bases}}}')
    assert problems(path, "=1") == [
        "--set =1  must be KEY=VALUE, e.g. optim.lr=0.1",
        'a.toml:1:1  extends: no file "missing.json"',
        "b.json:2:7  not valid JSON: expecting value",
        "d.toml:1:1  not UTF-8 text (byte 0xff)",
        'spec.json:1:34  extends[2]: "c.yaml" is not a spec: its name must end in '
        '".toml" or ".json"',
        'spec.json:1:54  extends[4]: cannot read ".": is a directory',
        "spec.json:1:58  extends[5]: " "must be the name of a file, or a list of such names",
        r'spec.json:1:71  extends[7]: cannot read "e\u0000.toml": embedded null byte',
    ]


# --set


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("optim.lr=0.1", ("optim", "lr"), 0.1),
        ("optim.lr = 1e-3 ", ("optim", "lr"), 1e-3),
        ("optim.nesterov=true", ("optim", "nesterov"), True),
        ("new.table.key=[1, 2]", ("new", "table", "key"), [1, 2]),
        ("optim={name='adam'}", ("optim",), {"name": "adam"}),
        ("model.name=resnet50", ("model", "name"), "resnet50"),
        ("model.name='a=b'", ("model", "name"), "a=b"),
        ("model.name=a=b", ("model", "name"), "a=b"),
        ("model.name=", ("model", "name"), ""),
        ("model.name=1\nx=2", ("model", "name"), "1\nx=2"),
        ('"a=b"."c d"=é', ("a=b", "c d"), "é"),
        ("date=2024-02-29", ("date",), date(2024, 2, 29)),
        ("steps.0.size=3", ("steps", 0, "size"), 3),
        ("steps.1=3", ("steps", 1), 3),
        ("tables.0=3", ("tables", "0"), 3),
    ],
)
def test_set(write: Write, override: str, key: Key, value: Any) -> None:
    text = 'steps = [{ size = 1 }, [2]]\n[optim]\nlr = 1\nname = "sgd"\n[tables]\n'
    source = read(write("spec.toml", text), [override])
    found: Any = source.tree
    for part in key:
        found = found[part]
    assert found == value
    assert type(found) is type(value)
    assert source.place(key) == Place(f"--set {override}")


def test_set_changes_nothing_else(write: Write) -> None:
    path = write("spec.toml", "steps = [{ size = 1, pad = 2 }, 5]\n[optim]\nlr = 1\n")
    overrides = ["steps.0.size=3", "optim={name='adam'}", "log.wandb.on=true"]
    source = read(path, overrides)
    assert source.tree == {
        "steps": [{"size": 3, "pad": 2}, 5],
        "optim": {"name": "adam"},  # set, not merged
        "log": {"wandb": {"on": True}},
    }
    assert source.places == {
        ("steps",): Place("spec.toml", 1, 1),
        ("steps", 0): Place("spec.toml", 1, 10),
        ("steps", 0, "size"): Place("--set steps.0.size=3"),
        ("steps", 0, "pad"): Place("spec.toml", 1, 22),
        ("steps", 1): Place("spec.toml", 1, 33),
        ("optim",): Place("--set optim={name='adam'}"),
        ("log",): Place("--set log.wandb.on=true"),
        ("log", "wandb"): Place("--set log.wandb.on=true"),
        ("log", "wandb", "on"): Place("--set log.wandb.on=true"),
    }
    assert source.place(("optim", "name")) == Place("--set optim={name='adam'}")


def test_later_overrides_win_and_build_on_earlier_ones(write: Write) -> None:
    path = write("spec.toml", "")
    source = read(path, ["a.b=[1, {c=2}]", "a.b.1.c=3", "a.d=1", "a.d=2"])
    assert source.tree == {"a": {"b": [1, {"c": 3}], "d": 2}}
    assert source.place(("a", "b", 1, "c")) == Place("--set a.b.1.c=3")
    assert source.place(("a", "d")) == Place("--set a.d=2")


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("optim.lr", "must be KEY=VALUE, e.g. optim.lr=0.1"),
        ("", "must be KEY=VALUE, e.g. optim.lr=0.1"),
        ("=3", "must be KEY=VALUE, e.g. optim.lr=0.1"),
        ("a..b=3", "must be KEY=VALUE, e.g. optim.lr=0.1"),
        ("a b=3", "must be KEY=VALUE, e.g. optim.lr=0.1"),
        ("#a=3", "must be KEY=VALUE, e.g. optim.lr=0.1"),
        ("[x]\na=3", "must be KEY=VALUE, e.g. optim.lr=0.1"),
        ("extends=base.toml", "extends can be written in a file only"),
        ("extends.0=base.toml", "extends can be written in a file only"),
        *(
            (
                f"a.b={value}",
                f"a.b: begins like a TOML array, table or string, but is " f"none: {value}",
            )
            for value in ["[1, 2", "{x}", '"x', "'x'y", "[1]\ny=2"]
        ),
        (
            "steps.2.size=1",
            'steps: has no element "2"; its length is 2, counted from 0',
        ),
        ("steps.-1=1", 'steps: has no element "-1"; its length is 2, counted from 0'),
        (
            "steps.size=1",
            'steps: has no element "size"; its length is 2, counted from 0',
        ),
        (
            "steps.1.1=1",
            'steps[1]: has no element "1"; its length is 1, counted from 0',
        ),
        ("optim.lr.x=1", 'optim.lr: is not a table, so it has no "x"'),
        ("optim.lr.x.y=1", 'optim.lr: is not a table, so it has no "x"'),
    ],
)
def test_set_that_fits_nowhere(write: Write, override: str, problem: str) -> None:
    path = write("spec.toml", "steps = [{ size = 1 }, [2]]\n[optim]\nlr = 1\n")
    assert problems(path, override) == [visible(f"--set {override}  {problem}")]


def test_all_problems_of_set_are_reported_at_once(write: Write) -> None:
    path = write("spec.toml", "x = 1\ny = 1\ny = 2")
    assert problems(path, "b", "a=[", "x=2", "c.d=1", "c.d.e=2") == [
        "--set a=[  a: begins like a TOML array, table or string, but is none: [",
        "--set b  must be KEY=VALUE, e.g. optim.lr=0.1",
        '--set c.d.e=2  c.d: is not a table, so it has no "e"',
        "spec.toml:3:6  not valid TOML: this key already has a value",
    ]


# Any tree


def trees(scalars: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    names = st.one_of(st.sampled_from(["a", "b-c", "1", "é", "d.e", '"']), st.text())

    def deeper(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        tables = st.dictionaries(names, values, max_size=4)
        return st.one_of(tables, st.lists(tables), st.lists(values, max_size=4))

    values = st.recursive(scalars, deeper, max_leaves=12)
    return st.dictionaries(names.filter(lambda name: name != "extends"), values)


SCALARS = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
)


def keys(value: Any, key: Key = ()) -> Iterator[tuple[Key, Any]]:
    """Every key and array element in a tree, as a document has them."""
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    for part, below in parts:
        yield (*key, part), below
        if isinstance(below, dict | list):
            yield from keys(below, (*key, part))


def offset(text: str, place: Place) -> int:
    lines = text.split("\n")
    assert place.column <= len(lines[place.line - 1])
    return sum(len(line) + 1 for line in lines[: place.line - 1]) + place.column - 1


@given(
    tree=trees(st.one_of(SCALARS, st.none())),
    indent=st.sampled_from([None, 2, "\t"]),
    ascii_only=st.booleans(),
)
def test_any_json(
    tmp_path_factory: pytest.TempPathFactory,
    tree: dict[str, Any],
    indent: int | str | None,
    ascii_only: bool,
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    text = json.dumps(tree, indent=indent, ensure_ascii=ascii_only)
    path.write_bytes(text.encode())
    source = read(path)
    assert source.tree == tree
    assert source.places.keys() == dict(keys(tree)).keys()
    decoder = json.JSONDecoder()
    offsets = []
    for key, value in keys(tree):
        offsets.append(offset(text, source.places[key]))
        written, end = decoder.raw_decode(text, offsets[-1])
        if isinstance(key[-1], str):
            assert (written, text[end]) == (key[-1], ":")
        else:
            assert written == value
    assert offsets == sorted(set(offsets))  # so none is that of a namesake


class TomlWriter:
    """Writes a tree in any of the ways of TOML, and notes where each key comes."""

    def __init__(self, tree: dict[str, Any], random: Random) -> None:
        self.random = random
        self.newline = random.choice(["\n", "\r\n"])
        self.text = ""
        self.offsets: dict[Key, int] = {}
        self.section((), tree)

    def maybe(self) -> bool:
        return self.random.random() < 0.5

    def space(self) -> None:
        self.text += self.random.choice(["", "", " ", "\t "])

    def end_line(self) -> None:
        self.space()
        self.text += self.random.choice(["", "# [é] = {", self.newline]) + self.newline
        self.space()

    def section(self, key: Key, table: dict[str, Any]) -> None:
        """A header, if one is needed; then pairs; then the sections below."""
        sections: dict[Key, Any] = {}
        pairs: list[tuple[Key, Any]] = []
        for name, value in table.items():
            tables = value if isinstance(value, list) else [value]
            if tables and all(isinstance(it, dict) for it in tables) and self.maybe():
                sections[*key, name] = value
            else:
                pairs += self.dotted((*key, name), value)

        in_array = key and isinstance(key[-1], int)
        if in_array or (key and (pairs or not sections or self.maybe())):
            self.text += "[[" if in_array else "["
            self.space()
            self.name((), key)
            self.space()
            self.text += "]]" if in_array else "]"
            self.end_line()
        for pair in pairs:
            self.pair(key, *pair)
            self.end_line()
        for below, value in sections.items():
            if isinstance(value, dict):
                self.section(below, value)
            else:
                for index, element in enumerate(value):
                    self.section((*below, index), element)

    def dotted(self, key: Key, value: Any) -> Iterator[tuple[Key, Any]]:
        """One pair for the whole value, or several with longer keys."""
        if isinstance(value, dict) and value and self.maybe():
            for name, below in value.items():
                yield from self.dotted((*key, name), below)
        else:
            yield key, value

    def pair(self, table: Key, key: Key, value: Any) -> None:
        self.name(table, key)
        self.space()
        self.text += "="
        self.space()
        self.value(key, value)

    def name(self, table: Key, key: Key) -> None:
        """The rest of `key` in `table`: the place of all that it goes through."""
        for length in range(len(table) + 1, len(key) + 1):
            self.offsets.setdefault(key[:length], len(self.text))
        separator = ""
        for part in key[len(table) :]:
            if isinstance(part, str):
                bare = re.fullmatch("[A-Za-z0-9_-]+", part) and self.maybe()
                self.text += separator + (part if bare else self.string(part))
                separator = self.random.choice([".", " . "])

    def string(self, text: str) -> str:
        if "'" not in text and text.isprintable() and self.maybe():
            return f"'{text}'"
        return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")

    def value(self, key: Key, value: Any) -> None:
        match value:
            case dict():
                self.text += "{"
                names = value.items()
                pairs = [it for n, below in names for it in self.dotted((*key, n), below)]
                for index, pair in enumerate(pairs):
                    self.text += "," if index else ""
                    self.space()
                    self.pair(key, *pair)
                    self.space()
                self.text += "}"
            case list():
                self.text += "["
                for index, element in enumerate(value):
                    self.end_line()
                    self.offsets[*key, index] = len(self.text)
                    self.value((*key, index), element)
                    if index < len(value) - 1 or self.maybe():
                        self.text += ","
                self.end_line()
                self.text += "]"
            case bool():
                self.text += str(value).lower()
            case str():
                self.text += self.string(value)
            case _:
                self.text += repr(value)


@given(tree=trees(SCALARS), random=st.randoms(use_true_random=False))
def test_any_toml(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[str, Any], random: Random
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    written = TomlWriter(tree, random)
    path.write_bytes(written.text.encode())
    source = read(path)
    assert source.tree == tree
    assert source.places.keys() == dict(keys(tree)).keys()
    found = {key: offset(written.text, place) for key, place in source.places.items()}
    assert found == written.offsets


@given(st.lists(st.text(), min_size=1))
def test_a_dotted_key_is_a_key_of_toml(parts: list[str]) -> None:
    tree: Any = tomllib.loads(f"{dotted(tuple(parts))} = 0")
    for part in parts:
        assert list(tree) == [part]
        tree = tree[part]
