"""What lists, CSV and JSON files say of images, and what is drawn from them."""

import csv
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from projects import Project, compile_spec, make_images
from torchvision.transforms import v2

from specc import build
from specc.source.diagnostics import SpecError
from specc.tasks.common.places import common

CLASSES = ("ash", "birch", "cedar", "elm")
FILES = {"list": "list", "csv": "csv", "openmmlab": "json"}
MULTI = {"0.png": [0, 2], "a b.png": [], "2.png": [1], "3.png": [0, 1, 2, 3]}


def spec(data: dict[str, Any], **model: Any) -> str:
    return json.dumps(
        {
            "task": "classification",
            "model": {"name": "resnet18", "weights": "none", **model},
            "data": {"image_size": 32, **data},
            "schedule": {"epochs": 1},
            "train": {"batch_size": 2, "workers": 0, "log_every": 1},
            "log": {"tensorboard": False},
        }
    )


def compiled(data: dict[str, Any], **model: Any) -> Project:
    Path("spec.json").write_text(spec(data, **model))
    return compile_spec(Path("spec.json"))


def problems(data: dict[str, Any], **model: Any) -> list[str]:
    Path("spec.json").write_text(spec(data, **model))
    with pytest.raises(SpecError) as error:
        build.load(Path("spec.json"))
    return [f"{it.key}: {it.message}" for it in error.value.diagnostics]


def splits(kind: str, *names: str) -> dict[str, Any]:
    suffix = {"list": "txt"}.get(FILES[kind], FILES[kind])
    return {"format": kind} | {
        name: {"root": "images", FILES[kind]: f"lists/{name}.{suffix}"} for name in names
    }


def write(kind: str, path: str, rows: list[tuple[str, Any]], classes: Any = None) -> None:
    """Write images and labels in one of the formats."""
    Path(path).parent.mkdir(exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        if kind == "list":
            labels = [
                (name, ",".join(map(str, it)) if isinstance(it, list) else it) for name, it in rows
            ]
            file.writelines(f"{name} {label}\n" for name, label in labels)
        elif kind == "csv":
            joined = [
                (name, ",".join(map(str, it)) if isinstance(it, list) else it) for name, it in rows
            ]
            csv.writer(file).writerows([("image", "label"), *joined])
        else:
            entries = [{"img_path": name, "gt_label": label} for name, label in rows]
            metainfo = {} if classes is None else {"classes": classes}
            json.dump({"metainfo": metainfo, "data_list": entries}, file)


def tree(part: str, named: bool) -> list[tuple[str, Any]]:
    """The images of `make_images`, in an order that is not that of the classes."""
    files = sorted(Path("images", part).glob("*/*"), key=lambda file: (file.name, file.parent))
    return [
        (str(file.relative_to("images")), it if named else CLASSES.index(it))
        for file in files
        for it in [file.parent.name]
    ]


@pytest.fixture
def images(here: Path) -> Iterator[None]:
    make_images(train=4, val=2)
    for file in Path("images").glob("*/*/1.png"):
        file.rename(file.with_name("a b  c.png"))  # spaces in paths are right
    yield


def samples(part: Any) -> list[tuple[str, str]]:
    return [(part.name(index), part.classes[part.labels[index]]) for index in range(len(part))]


# ---- all formats say the same ----


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("named", [True, False])
def test_labels_are_names_or_numbers(images: None, kind: str, named: bool) -> None:
    if kind == "openmmlab" and named:
        pytest.skip("its labels are numbers always")
    data = splits(kind, "train", "val")
    for part in ("train", "val"):
        write(kind, data[part][FILES[kind]], tree(part, named), CLASSES if not named else None)
    if kind != "openmmlab" and not named:
        data |= {"classes": list(CLASSES)}
    module = compiled(data).module("data")
    assert module.NUM_CLASSES == 4
    train, val = module.build_datasets(Path(module.DATA_DIR))
    for part, got in (("train", train), ("val", val)):
        assert got.classes == list(CLASSES)
        assert samples(got) == [(f"images/{name}", it) for name, it in tree(part, True)]
        image, label, index = got[5, 7]
        assert (image.shape, image.dtype, index) == ((3, 32, 32), torch.uint8, 5)
        assert label == CLASSES.index(tree(part, True)[5][1])


@pytest.mark.parametrize("kind", FILES)
def test_numbers_without_names_are_the_names(images: None, kind: str) -> None:
    data = splits(kind, "train", "val")
    for part in ("train", "val"):
        write(kind, data[part][FILES[kind]], tree(part, False))
    module = compiled(data).module("data")
    train, _ = module.build_datasets(Path(module.DATA_DIR))
    assert train.classes == ["0", "1", "2", "3"]
    assert train.labels == [label for _, label in tree("train", False)]


@pytest.mark.parametrize("kind", ["list", "csv"])
def test_names_with_zeros_in_front_are_text(images: None, kind: str) -> None:
    data = splits(kind, "train", "val")
    rows = {part: [(n, f"{7 * i:03}") for n, i in tree(part, False)] for part in ("train", "val")}
    for part in rows:
        write(kind, data[part][FILES[kind]], rows[part])
    module = compiled(data).module("data")
    train, val = module.build_datasets(Path(module.DATA_DIR))
    assert train.classes == val.classes == ["000", "007", "014", "021"]
    assert samples(train) == [(f"images/{name}", label) for name, label in rows["train"]]

    write(kind, data["val"][FILES[kind]], [*rows["val"], ("x.png", "28")])
    message, *_ = problems(data)
    assert message.endswith('no class "28"; there are 000, 007, 014, 021')


@pytest.mark.parametrize("classes", [["3", "2", "1", "0"], "names.txt"])
def test_names_that_are_numbers_are_names(images: None, classes: Any) -> None:
    Path("names.txt").write_text("\ufeff3\n2\n1\n0\n\n", encoding="utf-8")
    data = splits("list", "train", "val") | {"classes": classes}
    for part in ("train", "val"):
        write("list", data[part]["list"], tree(part, False))
    module = compiled(data).module("data")
    train, _ = module.build_datasets(Path(module.DATA_DIR))
    assert train.classes == ["3", "2", "1", "0"]
    assert train.labels == [3 - label for _, label in tree("train", False)]


@pytest.mark.parametrize("separator", ["\t", ",", " | "])
def test_a_separator_divides_from_the_right(images: None, separator: str) -> None:
    data = splits("list", "train", "val") | {"separator": separator}
    for part in ("train", "val"):
        lines = [f"{name}{separator}{label}\n" for name, label in tree(part, True)]
        Path("lists").mkdir(exist_ok=True)
        Path(data[part]["list"]).write_text("\n".join(lines))  # with empty lines between
    module = compiled(data).module("data")
    train, _ = module.build_datasets(Path(module.DATA_DIR))
    assert samples(train) == [(f"images/{name}", label) for name, label in tree("train", True)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_columns_and_quotes(images: None, delimiter: str) -> None:
    data = splits("csv", "train", "val") | {"image_column": "file", "label_column": "what, then"}
    Path("lists").mkdir()
    for part in ("train", "val"):
        with open(data[part]["csv"], "w", encoding="utf-8-sig", newline="") as file:
            rows = [(1, f'say "{label}", please', name) for name, label in tree(part, True)]
            table = csv.writer(file, delimiter=delimiter)
            table.writerows([("id", "what, then", "file"), *rows])
    if delimiter != ",":
        message, *_ = problems(data)
        assert message.endswith(f"; write data.delimiter = {json.dumps(delimiter)}")
    module = compiled(data | {"delimiter": delimiter}).module("data")
    train, _ = module.build_datasets(Path(module.DATA_DIR))
    assert train.classes == [f'say "{name}", please' for name in CLASSES]


@pytest.mark.slow
@pytest.mark.parametrize("kind", FILES)
def test_a_project_trains_where_the_data_is_elsewhere(images: None, kind: str) -> None:
    """Built where the data is not, and run with --data."""
    data = splits(kind, "train", "val")
    data |= {part: {k: f"gone/{v}" for k, v in data[part].items()} for part in ("train", "val")}
    project = compiled(data, num_classes=4)
    for part in ("train", "val"):
        path = data[part][FILES[kind]].removeprefix("gone/")
        write(kind, path, tree(part, kind != "openmmlab"), CLASSES)
    assert project.module("data").DATA_DIR == "gone"
    project.run("train.py", "--data", ".")
    assert "top1" in project.run("evaluate.py", "--data", ".")
    (project.here / "elsewhere").mkdir()
    for folder in (project.here, project.here / "elsewhere"):
        project.here = folder
        for script in ("train.py", "evaluate.py", "data.py"):
            printed = project.fail(script)
            assert printed == f"gone: no such folder in {folder}; name it by --data DIR\n"


def test_paths_without_a_folder_in_common_stay_whole() -> None:
    assert common(["//data/a", "/data/b"]) == ""  # POSIX gives "//" a meaning of its own
    assert common(["/data/a", "/data/b"]) == "/data"
    assert common(["data/a", "/data/b"]) == ""


HOSTILE = ["a\"b'", "{{ x }} #% if", "\\", '"""; exit()', "-x œ", "x" * 300]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_string_of_the_spec_stays_a_string(here: Path, text: str) -> None:
    constants = {"list": "SEPARATOR", "csv": "IMAGE_COLUMN", "openmmlab": "DATA_DIR"}
    for kind, file in FILES.items():
        split = {"root": f"{text}/a", file: f"{text}/b"}
        data = {"format": kind, "train": split, "val": split, "classes": [text, "other"]}
        data |= {"list": {"separator": text}, "csv": {"image_column": text}}.get(kind, {})
        module = compiled(data, num_classes=2).module("data")
        assert module.DATA_DIR == getattr(module, constants[kind]) == text
        assert module.CLASSES == [text, "other"]


# ---- several labels ----


def several(kind: str) -> tuple[dict[str, Any], Any]:
    Path("images").mkdir(exist_ok=True)
    for name in MULTI:
        Image.new("RGB", (40, 40), "red").save(Path("images", name))
    data = splits(kind, "train", "val") | {"multi_label": True}
    rows = [(name, labels) for name, labels in MULTI.items() if labels or kind != "list"]
    for part in ("train", "val"):
        write(kind, data[part][FILES[kind]], rows, CLASSES)
    return data, rows


@pytest.mark.parametrize("kind", FILES)
def test_several_labels_are_zeros_and_ones(here: Path, kind: str) -> None:
    data, rows = several(kind)
    module = compiled(data | {"repeat": 2}).module("data")
    assert module.NUM_CLASSES == 4
    train, _ = module.build_datasets(Path(module.DATA_DIR))
    assert train.labels == [labels for _, labels in rows]
    for index, (_, labels) in enumerate(rows):
        _, target, _ = train[index, 0]
        assert target.dtype == torch.float32
        assert target.tolist() == [float(number in labels) for number in range(4)]
    (images, targets, _), *_ = (
        module.build_eval_loader(train)
        if module.dist.is_initialized()
        else [torch.utils.data.default_collate([train[0, 0], train[1, 0]])]
    )
    assert targets.shape == (2, 4) and images.shape == (2, 3, 32, 32)


@pytest.mark.parametrize("separator", ["\t", " ", " : "])
def test_a_line_without_labels_ends_with_the_separator(here: Path, separator: str) -> None:
    several("list")
    lines = [f"{name}{separator}{labels}" for name, labels in [("0.png", "a,b"), ("2.png", "")]]
    for part in ("train", "val"):
        Path(f"lists/{part}.txt").write_text("\n".join([*lines, " ", "3.png" + separator + "b"]))
    data = splits("list", "train", "val") | {"multi_label": True, "separator": separator}
    module = compiled(data).module("data")
    train, _ = module.build_datasets(Path(module.DATA_DIR))
    assert [str(file) for file in train.files] == [f"images/{n}.png" for n in (0, 2, 3)]
    assert (train.classes, train.labels) == (["a", "b"], [[0, 1], [], [1]])


@pytest.mark.parametrize("kind", [int, float])
def test_a_column_for_each_class(here: Path, kind: type) -> None:
    _, rows = several("csv")
    columns = ["wet", "0 or 1", "ωραίο", "d"]
    for part in ("train", "val"):
        with open(f"lists/{part}.csv", "w", encoding="utf-8", newline="") as file:
            flags = [[kind(n in labels) for n in range(4)] for _, labels in rows]
            table = [("image", *columns), *((n, *f) for (n, _), f in zip(rows, flags, strict=True))]
            csv.writer(file).writerows(table)
    data = splits("csv", "train", "val") | {"multi_label": True, "label_columns": columns}
    module = compiled(data).module("data")
    train, _ = module.build_datasets(Path(module.DATA_DIR))
    assert train.classes == columns
    assert train.labels == [labels for _, labels in rows]

    Path("lists/train.csv").write_text("image,wet,0 or 1,ωραίο,d\n0.png,1,0,2,0\n")
    with pytest.raises(ValueError, match=r"train.csv:2: "):
        module.build_datasets(Path(module.DATA_DIR))
    assert any('lists/train.csv:2: must have 0 or 1, not "2"' in it for it in problems(data))


# ---- bad lines are named, where the project is built and where it runs ----

WRONG: dict[str, tuple[str, str, str, str]] = {
    # kind, training file, what a build says, what a run says
    "no label": (
        "list",
        "a.png 0\nb.png\n",
        'train.txt:2: must be a path, " " and a label, not "b.png"',
        "train.txt:2: must be a path",
    ),
    "number too high": (
        "list",
        "a.png 0\nb.png 1\n\nc.png 4\nd.png 9\n",
        'train.txt:4: no class "4"; there are 0 to 3; 1 more of such labels',
        "train.txt:4: '4' is none of 4 classes",
    ),
    "negative": (
        "csv",
        "image,label\na.png,0\nb.png,-1\n",
        'train.csv:3: no class "-1"; there are 0 to 3',
        "'-1' is none of 4 classes",
    ),
    "empty label": (
        "csv",
        "image,label\na.png,0\nb.png, \n",
        "train.csv:3: the label is empty; write one, or remove the line",
        "train.csv:3: the label is empty",
    ),
    "short row": (
        "csv",
        "image,label\na.png,0\nb.png\n",
        "train.csv:3: not as many fields as the header has",
        "train.csv:3",
    ),
    "long row": (
        "csv",
        "image,label\na.png,0\nb.png,1,2\n",
        "train.csv:3: not as many fields as the header has",
        "train.csv:3",
    ),
    "no column": (
        "csv",
        "path,label\na.png,0\n",
        'train.csv: no column "image"; there are path, label',
        "train.csv: no column image",
    ),
    "entry": (
        "openmmlab",
        '{"data_list": [{"img_path": "a.png", "gt_label": 0}, {"img": "b.png"}]}',
        "train.json: data_list[1]: must have the text img_path, and a whole number as gt_label",
        r"train.json: data_list\[1\]: needs img_path and gt_label",
    ),
    "label of text": (
        "openmmlab",
        '{"data_list": [{"img_path": "a.png", "gt_label": "cat"}]}',
        "train.json: data_list[0]: must have the text img_path, and a whole number as gt_label",
        r"train.json: data_list\[0\]: 'cat' is none of 4 classes",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_bad_line_is_named(here: Path, case: str) -> None:
    kind, text, said, raised = WRONG[case]
    data = splits(kind, "train", "val")
    project = compiled(data, num_classes=4)
    good = [("a.png", 0), ("b.png", 1), ("c.png", 2), ("d.png", 3)]
    write(kind, data["val"][FILES[kind]], good)
    Path(data["train"][FILES[kind]]).write_text(text)
    told = problems(data, num_classes=4)
    assert any(said in it for it in told), told
    module = project.module("data")
    with pytest.raises(ValueError, match=raised):
        module.build_datasets(Path(module.DATA_DIR))


def test_what_only_validation_has_is_named(images: None) -> None:
    data = splits("list", "train", "val")
    write("list", "lists/train.txt", [it for it in tree("train", True) if it[1] != "elm"])
    write("list", "lists/val.txt", tree("val", True))
    assert problems(data) == [
        'data.val.list: lists/val.txt:4: no class "elm"; there are ash, birch, cedar; '
        "1 more of such labels"
    ]


def test_numbers_that_begin_at_1_are_told_of(images: None) -> None:
    data = splits("list", "train", "val")
    for part in ("train", "val"):
        rows = [(name, label + 1) for name, label in tree(part, False)]
        write("list", data[part]["list"], rows)
    (message,) = problems(data)
    assert message == (
        "data.train.list: no image has label 0; labels count from 0. "
        'If they count from 1, write data.classes = ["1", "2", "3", "4"]'
    )
    module = compiled(data | {"classes": ["1", "2", "3", "4"]}).module("data")
    train, _ = module.build_datasets(Path(module.DATA_DIR))
    assert (train.classes, set(train.labels)) == (["1", "2", "3", "4"], {0, 1, 2, 3})
    message, _ = problems(data, num_classes=4)
    assert 'Labels count from 0. If they count from 1, write data.classes = ["1", ' in message
    message, _ = problems(data | {"classes": list(CLASSES)})
    assert message.endswith("Labels count from 0. If they count from 1, subtract 1 from each label")
    assert compiled(data, num_classes=5).module("data").NUM_CLASSES == 5

    data = splits("openmmlab", "train", "val")
    for part in ("train", "val"):
        rows = [(name, label + 1) for name, label in tree(part, False)]
        write("openmmlab", data[part]["json"], rows)
    assert problems(data)[0].endswith(
        "labels count from 0. If they count from 1, subtract 1 from each gt_label"
    )


def test_missing_files_are_told_of(images: None) -> None:
    data = splits("list", "train", "val")
    write("list", "lists/train.txt", [*tree("train", True), ("gone.png", "elm"), ("x.png", "elm")])
    assert problems(data) == [
        "data.train.list: lists/train.txt:17: no image images/gone.png, and 1 more are missing",
        "data.val.list: there is no file lists/val.txt, but there is lists/train.txt",
    ]


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize(
    "root, change, advice",
    [
        ("images", lambda it: it.removesuffix(".png"), 'image_suffix = ".png"'),
        ("images", lambda it: it.replace("/", "\\"), "/ for each backslash in the file"),
        ("images", lambda it: f"images/{it}", 'root = "."'),
        ("images", lambda it: str(Path(f"images/{it}").resolve())[1:], 'root = "/"'),
        (".", lambda it: it, None),
        (
            "images/train",
            lambda it: f"..\\{it[:-4]}",
            '/ for each backslash in the file and image_suffix = ".png"',
        ),
    ],
    ids=["suffix", "backslash", "root", "whole", "nowhere", "both"],
)
def test_files_that_are_all_missing_are_told_of(
    images: None, kind: str, root: str, change: Any, advice: str | None
) -> None:
    """In training and in validation; with what to write where they are not far."""
    data = splits(kind, "train", "val")
    for part in ("train", "val"):
        rows = [(change(name), label) for name, label in tree(part, False)]
        write(kind, data[part][FILES[kind]], rows, CLASSES)
        data[part]["root"] = str(Path(root).resolve()) if advice == 'root = "/"' else root
    said = problems(data)
    assert [it.partition(": ")[0] for it in said] == [
        f"data.{p}.{FILES[kind]}" for p in data if p != "format"
    ]
    for message, count in zip(said, (16, 8), strict=True):
        assert f": all of its {count} images are missing, e.g. " in message
        assert message.endswith(f": write {advice}") if advice else "write" not in message
    if advice == 'image_suffix = ".png"':
        module = compiled(data | {"image_suffix": ".png"}).module("data")
        train, val = module.build_datasets(Path(module.DATA_DIR))
        assert (train[3, 0][0].shape, val[3, 0][0].shape) == ((3, 32, 32), (3, 32, 32))


def test_missing_files_of_validation_are_told_of(images: None) -> None:
    data = splits("list", "train", "val")
    write("list", "lists/train.txt", tree("train", True))
    write("list", "lists/val.txt", [*tree("val", True), ("gone.png", "elm")])
    assert problems(data) == ["data.val.list: lists/val.txt:9: no image images/gone.png"]


def test_spaces_around_labels_are_no_part_of_them(images: None) -> None:
    files = [str(file.relative_to("images")) for file in sorted(Path("images").rglob("*.png"))]
    Path("lists").mkdir()
    labels = ["cat", " cat", "cat ", "dog", '" dog "', "dog  ", "cat\t"]
    lines = [f"{name} ,{label}" for name, label in zip(files, labels, strict=False)]
    for part in ("train", "val"):
        Path(f"lists/{part}.txt").write_text("\n".join(lines).replace('"', ""))
        Path(f"lists/{part}.csv").write_text("\n".join(["image, label", *lines]))
    pairs = zip(files, ("cat, dog", "dog , cat", " dog", ""), strict=False)
    quoted = [f'{name},"{label}"' for name, label in pairs]
    Path("lists/several.csv").write_text("\n".join(["image,label", *quoted]))
    Path("names.txt").write_text("cat \n dog\n")
    given = {"classes": "names.txt"}, {"classes": ["cat ", "dog"]}, {}
    for kind, keys in [(kind, keys) for kind in ("list", "csv") for keys in given]:
        data = splits(kind, "train", "val") | ({"separator": ","} if kind == "list" else {})
        module = compiled(data | keys).module("data")
        train, _ = module.build_datasets(Path(module.DATA_DIR))
        assert (train.classes, train.labels) == (["cat", "dog"], [0, 0, 0, 1, 1, 1, 0])
        assert train[0, 0][0].shape == (3, 32, 32)
    data = splits("csv", "train", "val") | {"multi_label": True}
    for part in ("train", "val"):
        data[part]["csv"] = "lists/several.csv"
    module = compiled(data).module("data")
    train, _ = module.build_datasets(Path(module.DATA_DIR))
    assert (train.classes, train.labels) == (["cat", "dog"], [[0, 1], [0, 1], [1], []])


@pytest.mark.parametrize("kind", ["list", "csv", "classes"])
def test_text_that_is_not_utf_8_is_named(images: None, kind: str) -> None:
    """In a project that was built where the file was another one."""
    format_ = "list" if kind == "classes" else kind
    for part in ("train", "val"):
        write(format_, f"lists/{part}.{'csv' if kind == 'csv' else 'txt'}", tree(part, False))
    Path("names.txt").write_text("\n".join(CLASSES))
    named = {"classes": "names.txt"} if kind == "classes" else {}
    module = compiled(splits(format_, "train", "val") | named).module("data")
    file = {"list": "lists/val.txt", "csv": "lists/val.csv", "classes": "names.txt"}[kind]
    Path(file).write_bytes("image,label\ncafé.png caf\u00e9".encode("latin-1"))
    with pytest.raises(ValueError, match=f"^{file}: not UTF-8 text; save it as that$"):
        module.build_datasets(Path(module.DATA_DIR))


def test_classes_of_json_files_have_to_agree(images: None) -> None:
    data = splits("openmmlab", "train", "val")
    project = compiled(data, num_classes=4)
    write("openmmlab", "lists/train.json", tree("train", False), CLASSES)
    write("openmmlab", "lists/val.json", tree("val", False), CLASSES[::-1])
    said = "data.val.json: metainfo.classes must be the same for training and validation"
    assert problems(data) == [said]
    with pytest.raises(ValueError, match="different classes"):
        project.module("data").build_datasets(Path())
    # Spaces around names are no part of them, and two that are alike then are one too many.
    write("openmmlab", "lists/val.json", tree("val", False), [f" {it}" for it in CLASSES])
    write("openmmlab", "lists/train.json", tree("train", False), [f"{it}\t " for it in CLASSES])
    _, val = compiled(data).module("data").build_datasets(Path())
    assert val.classes == list(CLASSES)
    for part in ("train", "val"):
        doubled = [*CLASSES[:3], f" {CLASSES[0]}"]
        write("openmmlab", f"lists/{part}.json", tree(part, False), doubled)
    said = f'data.train.json: metainfo.classes has "{CLASSES[0]}" 2 times'
    assert problems(data) == [said]


def test_a_file_that_is_no_text_is_named(images: None) -> None:
    data = splits("list", "train", "val")
    write("list", "lists/val.txt", tree("val", True))
    Path("lists/train.txt").write_bytes(b"a.png caf\xe9\n")
    assert problems(data)[0].startswith("data.train.list: lists/train.txt: not UTF-8 text")


# ---- what is drawn ----


def folder(**data: Any) -> dict[str, Any]:
    return {"format": "imagefolder", "root": "images", **data}


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5, 0.9])
def test_a_part_of_each_class_is_validated_on(here: Path, fraction: float) -> None:
    counts = {"ash": 20, "birch": 7, "cedar": 2, "elm": 1}
    for name, count in counts.items():
        make_images("images", [name], train=count, val=0)
    os.rename("images/train", "pictures")
    data = folder(root="pictures", val_fraction=fraction)
    module = compiled(data).module("data")
    train, val = module.build_datasets(Path("pictures"))
    again, _ = module.build_datasets(Path("pictures"))
    names = [{part.name(index) for index in range(len(part))} for part in (train, val)]
    assert not names[0] & names[1]
    assert names[0] | names[1] == set(map(str, Path("pictures").glob("*/*.png")))
    assert samples(again) == samples(train)
    held = Counter(val.classes[label] for label in val.labels)
    for name, count in counts.items():
        assert held[name] == min(round(fraction * count), count - 1)
    assert (train.transform, val.transform) == (module.train_transform, module.eval_transform)

    module = compiled(data | {"val_seed": 1}).module("data")
    _, other = module.build_datasets(Path("pictures"))
    assert Counter(other.classes[label] for label in other.labels) == held
    assert {other.name(index) for index in range(len(other))} != names[1]


def test_a_part_of_each_of_several_labels_is_validated_on(here: Path) -> None:
    """Rare classes too, which a random fifth of 100 images has 0 to 4 of."""
    data, _ = several("csv")
    labels = [["ash"] * (n < 80) + ["birch"] * (n % 2) + ["elm"] * (n % 10 == 3) for n in range(98)]
    labels[5] += ["cedar"]
    write("csv", "lists/train.csv", [("0.png", it) for it in [*labels, [], []]])
    del data["val"]
    module = compiled(data | {"val_fraction": 0.2, "classes": [*CLASSES]}).module("data")
    train, val = module.build_datasets(Path("."))
    assert len(train) + len(val) == 100
    held = Counter(label for some in val.labels for label in some)
    # A fifth of 80, 49 and 10; there is one cedar, and that is trained on.
    assert held == {0: 16, 1: 10, 3: 2}
    assert Counter(label for some in train.labels for label in some)[2] == 1
    assert len(module.build_datasets(Path("."))[1]) == len(val)
    assert 16 <= len(val) <= 24


# Patients, and the images of each: 20 of ash, 10 of birch, 5 of elm, which is one patient's.
PATIENTS = {"ash": {f"p{i}": 4 for i in range(5)}, "birch": {"q0": 5, "q1": 5}, "elm": {"r": 5}}
# Half of ash are two or three patients, of which two come first; of birch it is one of two.
HALF = {"ash": 8, "birch": 5}


def files_of(part: Any) -> set[Path]:
    return {Path(part.name(index)) for index in range(len(part))}


@pytest.mark.parametrize("kind", ["imagefolder", "folder", "list", "csv", "openmmlab"])
def test_images_of_a_group_are_not_divided(here: Path, kind: str) -> None:
    rows = []  # of a file, its class and its patient
    for name, patients in PATIENTS.items():
        for patient, count in patients.items():
            file = f"images/{name}/{patient}_{{}}_0.png"
            if kind == "folder":
                file = f"images/{name}/{patient}/{{}}.png"
            rows += [(file.format(number), name, patient) for number in range(count)]
    for file, _, _ in rows:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(file)
    data = folder() if "folder" in kind else splits(kind, "train") | {"classes": [*PATIENTS]}
    data |= {"val_fraction": 0.5, "val_groups": "folder" if kind == "folder" else "_"}
    if kind == "csv":
        Path("lists").mkdir()
        lines = [f"../{file},{label}, {patient} " for file, label, patient in rows]
        Path("lists/train.csv").write_text("\n".join(["image,label,patient", *lines]))
        data |= {"val_groups": "patient"}
    elif "folder" not in kind:
        labels = [*PATIENTS]
        write(
            kind, data["train"][FILES[kind]], [(f"../{it[0]}", labels.index(it[1])) for it in rows]
        )
    patient_of = {Path(file).resolve(): patient for file, _, patient in rows}
    divisions = set()
    module = compiled(data).module("data")
    for seed in range(5):
        module.VAL_SEED = seed
        train, val = module.build_datasets(Path(module.DATA_DIR))
        sides = [{patient_of[file.resolve()] for file in files_of(it)} for it in (train, val)]
        assert not sides[0] & sides[1]
        assert len(train) + len(val) == len(rows)
        assert Counter(val.classes[label] for label in val.labels) == HALF
        assert (train.transform, val.transform) == (module.train_transform, module.eval_transform)
        again = module.build_datasets(Path(module.DATA_DIR))[1]
        assert files_of(again) == files_of(val)
        divisions.add(frozenset(sides[1]))
    assert len(divisions) > 1
    module.VAL_FRACTION = 0.01  # of ash 0.2 images, and any patient has 4
    with pytest.raises(ValueError, match="35 samples are of 8 groups, none of which"):
        module.build_datasets(Path(module.DATA_DIR))


def test_groups_of_images_with_several_labels_are_not_divided(here: Path) -> None:
    """Five patients with two images each: all are ash, and of two patients birch as well."""
    Path("lists").mkdir()
    lines = [f"{n}.png,{'ash|birch' if n < 4 else 'ash'},patient {n // 2}" for n in range(10)]
    Path("lists/train.csv").write_text("\n".join(["image,label,patient", *lines]))
    for number in range(10):
        Path("images").mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(f"images/{number}.png")
    data = splits("csv", "train") | {"multi_label": True, "label_separator": "|"}
    data |= {"classes": ["ash", "birch"], "val_fraction": 0.4, "val_groups": "patient"}
    module = compiled(data).module("data")
    for seed in range(5):
        module.VAL_SEED = seed
        train, val = module.build_datasets(Path("."))
        numbers = [int(file.stem) for file in files_of(val)]
        # Two fifths of ash are two patients; of birch 1.6 of 4 images are one patient.
        assert len(val) == 4 and len({it // 2 for it in numbers}) == 2
        assert sum(it < 4 for it in numbers) == 2
        assert len(files_of(train) | files_of(val)) == 10

    assert problems(data | {"val_groups": "person"}) == [
        'data.train.csv: lists/train.csv: no column "person"; there are image, label, patient'
    ]
    lines[3] = "3.png,ash, "
    Path("lists/train.csv").write_text("\n".join(["image,label,patient", *lines]))
    assert problems(data) == ["data.train.csv: lists/train.csv:5: patient is empty; write one"]
    with pytest.raises(ValueError, match="train.csv:5: patient is empty"):
        module.build_datasets(Path("."))


def test_a_training_folder_may_be_named(images: None) -> None:
    module = compiled(folder(train="train", val_fraction=0.5)).module("data")
    train, val = module.build_datasets(Path("images"))
    assert (len(train), len(val)) == (8, 8)


def test_validation_may_lack_classes(images: None) -> None:
    shutil.rmtree("images/val/ash")
    for file in Path("images/val/cedar").iterdir():
        file.unlink()
    module = compiled(folder()).module("data")
    train, val = module.build_datasets(Path("images"))
    assert train.classes == val.classes == list(CLASSES)
    assert [Path(val.name(index)).parent.name for index in range(4)] == ["birch"] * 2 + ["elm"] * 2
    assert val.labels == [1, 1, 3, 3]

    Path("images/val/fox").mkdir()
    (message,) = problems(folder())
    assert message == (
        'data.root: only images/val has "fox"; training needs all classes that validation has'
    )
    with pytest.raises(ValueError, match="images/val: not in training: .'fox'."):
        module.build_datasets(Path("images"))


def shares(module: Any, part: Any, processes: int, epoch: int = 0, size: int = 8) -> list[Any]:
    """The batches of each of some processes."""
    rank, world = module.dist.get_rank, module.dist.get_world_size
    found = []
    try:
        for number in range(processes):
            module.dist.get_rank = lambda number=number: number
            module.dist.get_world_size = lambda: processes
            batches = module.Batches(part, size, 0)
            batches.start(epoch, 0)
            found.append(list(batches))
    finally:
        module.dist.get_rank, module.dist.get_world_size = rank, world
    return found


class Labels(list[int]):
    """Samples of which only the labels are asked for."""

    @property
    def labels(self) -> list[int]:
        return list(self)


@pytest.mark.parametrize("data", [{"repeat": 3}, {"balance": True}, {"balance": True, "repeat": 3}])
def test_processes_share_what_is_drawn(images: None, data: dict[str, Any]) -> None:
    module = compiled(folder(**data)).module("data")
    part = Labels([0] * 20 + [1] * 3 + [3])
    (whole,) = shares(module, part, 1)
    parts = shares(module, part, 4)
    assert [sum(batch, []) for batch in zip(*parts, strict=True)] == whole
    (other,) = shares(module, part, 1, epoch=1)
    assert other != whole
    keys = sum(whole, [])
    assert len(keys) == 24 * data.get("repeat", 1)
    assert len({seed for _, seed in keys}) == len(keys), "each passes with a seed of its own"
    if "balance" in data:
        labels = Counter(part[index] for index, _ in keys)
        assert set(labels) == {0, 1, 3} and len(set(labels.values())) == 1
        assert {index for index, _ in keys} >= {20, 21, 22, 23}
    else:
        for start in range(0, 72, 24):
            assert sorted(index for index, _ in keys[start : start + 24]) == list(range(24))


def test_repeated_data_make_a_batch(images: None) -> None:
    said = r"20 is more than the images of an epoch \(16\); write 16 or less"
    data = folder()
    text = json.loads(spec(data))
    text["train"]["batch_size"] = 20
    Path("spec.json").write_text(json.dumps(text))
    with pytest.raises(SpecError, match=said):
        build.load(Path("spec.json"))
    build.load(Path("spec.json"), ["data.repeat=2"])


# ---- mixup and cutmix ----


def expected_mix(images: Any, labels: Any, seed: int, step: int, mixup: bool, cutmix: bool) -> Any:
    """By hand, image for image, in NumPy."""
    random = np.random.default_rng((seed, step))
    if mixup and (not cutmix or random.random() < 0.5):
        share, box = random.beta(0.2, 0.2), None
    else:
        side = np.sqrt(1 - random.beta(1.0, 1.0))
        height, width = images.shape[2:]
        y, x = random.integers(height), random.integers(width)
        half_y, half_x = int(side * height) // 2, int(side * width) // 2
        box = (
            slice(max(0, y - half_y), min(height, y + half_y)),
            slice(max(0, x - half_x), min(width, x + half_x)),
        )
        share = 1 - np.ones((height, width))[box].sum() / (height * width)
    mixed, targets = np.empty_like(images), np.zeros((len(images), 4))
    for index in range(len(images)):
        partner = index + 1 if index % 2 == 0 else index - 1
        if box is None:
            mixed[index] = share * images[index] + (1 - share) * images[partner]
        else:
            mixed[index] = images[index]
            mixed[index][:, box[0], box[1]] = images[partner][:, box[0], box[1]]
        targets[index, labels[index]] += share
        targets[index, labels[partner]] += 1 - share
    return mixed, targets


@pytest.mark.parametrize("keys", [{"mixup": 0.2}, {"cutmix": 1.0}, {"mixup": 0.2, "cutmix": 1.0}])
def test_mixing_is_the_formula_done_by_hand(images: None, keys: dict[str, float]) -> None:
    mix = compiled(folder(**keys)).module("mix").mix
    generator = torch.Generator().manual_seed(0)
    changed = 0
    for step in range(40):
        batch = torch.randn(6, 3, 20, 31, generator=generator)
        labels = torch.randint(4, (6,), generator=generator)
        before = batch.clone()
        mixed, targets = mix(batch, labels, 7, step)
        by_hand = expected_mix(
            batch.numpy(), labels.numpy(), 7, step, "mixup" in keys, "cutmix" in keys
        )
        np.testing.assert_allclose(mixed, by_hand[0], atol=1e-6)
        np.testing.assert_allclose(targets, by_hand[1], atol=1e-6)
        torch.testing.assert_close(targets.sum(1), torch.ones(6))
        assert torch.equal(batch, before) and mixed.dtype == torch.float32
        changed += not torch.equal(mixed, batch)
        # Two processes with a share each.
        halves = [mix(batch[:2], labels[:2], 7, step), mix(batch[2:], labels[2:], 7, step)]
        assert torch.equal(torch.cat([it for it, _ in halves]), mixed)
        assert torch.equal(torch.cat([it for _, it in halves]), targets)
    assert changed > 30


def test_mixing_labels_of_several_classes(here: Path) -> None:
    data, _ = several("csv")
    mix = compiled(data | {"mixup": 0.2}).module("mix").mix
    labels = torch.tensor([[1.0, 0, 1, 0], [0, 0, 1, 1]])
    _, targets = mix(torch.zeros(2, 3, 4, 4), labels, 0, 3)
    share = targets[0, 0].item()
    expected = [[share, 0, 1, 1 - share], [1 - share, 0, 1, share]]
    np.testing.assert_allclose(targets, expected, atol=1e-6)
    assert 0 <= share <= 1


def test_a_share_that_is_odd_names_a_size_that_is_not(images: None) -> None:
    module = compiled(folder(mixup=0.2)).module("data")
    shares(module, Labels(range(16)), 2, size=8)
    with pytest.raises(ValueError, match="6 .* among 2 processes in pairs; .* of 4, e.g. 8"):
        shares(module, Labels(range(16)), 2, size=6)
    text = json.loads(spec(folder(cutmix=1.0)))
    text["train"]["batch_size"] = 6
    text["launch"] = {"gpus": 2}
    Path("spec.json").write_text(json.dumps(text))
    with pytest.raises(
        SpecError, match="6 cannot be divided among 2 GPUs in pairs .*; write 4 or 8"
    ):
        build.load(Path("spec.json"))


# ---- presets ----

PRESETS = {
    "random-resized-crop": ["RandomResizedCrop", "RandomHorizontalFlip"],
    "flip": ["Resize", "CenterCrop", "RandomHorizontalFlip"],
    "none": ["Resize", "CenterCrop"],
    "rand-augment": ["RandomResizedCrop", "RandomHorizontalFlip", "RandAugment"],
    "trivial-augment": ["RandomResizedCrop", "RandomHorizontalFlip", "TrivialAugmentWide"],
    "auto-augment": ["RandomResizedCrop", "RandomHorizontalFlip", "AutoAugment"],
    "aug-mix": ["RandomResizedCrop", "RandomHorizontalFlip", "AugMix"],
}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_these_transforms(images: None, preset: str) -> None:
    module = compiled(folder(augment=preset)).module("data")
    assert [type(it).__name__ for it in module.train_transform.transforms] == PRESETS[preset]
    train, _ = module.build_datasets(Path("images"))
    once, again, other = train[0, 5][0], train[0, 5][0], train[0, 6][0]
    assert (once.dtype, once.shape) == (torch.uint8, (3, 32, 32))
    assert torch.equal(once, again), "what is drawn follows from the seed"
    assert torch.equal(once, other) == (preset == "none" or torch.equal(once, other))
    if preset not in ("none", "flip"):
        assert any(not torch.equal(once, train[0, seed][0]) for seed in range(6, 12))


def test_jitter_and_erasing_are_added_to_a_preset(images: None) -> None:
    mean = [0.2, 0.4, 0.6]
    data = folder(augment="none", color_jitter=0.4, random_erasing=1.0, mean=mean)
    module = compiled(data).module("data")
    *_, jitter, erasing = module.train_transform.transforms
    assert jitter.brightness == jitter.contrast == jitter.saturation == (0.6, 1.4)
    assert jitter.hue is None
    train, _ = module.build_datasets(Path("images"))
    image = train[0, 0][0]
    erased = (image == torch.tensor([51, 102, 153])[:, None, None]).all(0)
    assert erased.sum() >= 0.02 * 32 * 32
    assert module.normalize(image)[:, erased].abs().max() < 0.02


def test_whole_images_are_fitted_between_borders(images: None) -> None:
    data = folder(image_size=[224, 160], fit="letterbox", mean=[0.2, 0.4, 0.6])
    module = compiled(data).module("data")
    border = torch.tensor([51, 102, 153], dtype=torch.uint8)[:, None, None]
    # 100 x 50 becomes 224 x 112 by the height, 50 x 100 becomes 80 x 160 by the width.
    for shape, rows, columns in [
        ((100, 50), (0, 224), (24, 136)),
        ((50, 100), (72, 152), (0, 160)),
    ]:
        expected = border.repeat(1, 224, 160)
        expected[:, slice(*rows), slice(*columns)] = 200
        image = torch.full((3, *shape), 200, dtype=torch.uint8)
        assert torch.equal(module.eval_transform(image), expected)
    assert module.normalize(border).abs().max() < 0.02
    train, _ = module.build_datasets(Path("images"))
    assert train[0, 0][0].shape == (3, 224, 160)
    names = [getattr(it, "__name__", type(it).__name__) for it in train.transform.transforms]
    assert names == ["letterbox", "RandomHorizontalFlip"]


@pytest.mark.parametrize("shape", [(100, 50), (41, 100)])
def test_images_are_fitted_as_torchvision_does(images: None, shape: tuple[int, int]) -> None:
    image = torch.randint(256, (3, *shape), dtype=torch.uint8)
    square = compiled(folder(image_size=96, fit="letterbox")).module("data")
    whole = v2.Resize(None, max_size=96)(image)
    top, left = ((96 - side) // 2 for side in whole.shape[1:])
    found = square.eval_transform(image)[:, top:, left:][:, : whole.shape[1], : whole.shape[2]]
    assert torch.equal(found, whole)
    stretched = compiled(folder(image_size=[96, 64], fit="stretch")).module("data")
    assert torch.equal(stretched.eval_transform(image), v2.Resize([96, 64])(image))


def test_a_rectangle_is_cut_out_of_an_image_that_covers_it(images: None) -> None:
    module = compiled(folder(image_size=[224, 160])).module("data")
    # 256 / 224 of the least that covers: of 100 x 50 by the width, 3.2; of 50 x 100 by the height.
    for shape, resized in [((100, 50), (366, 183)), ((50, 100), (256, 512))]:
        image = torch.randint(256, (3, *shape), dtype=torch.uint8)
        expected = v2.CenterCrop((224, 160))(v2.Resize(resized)(image))
        assert torch.equal(module.eval_transform(image), expected)
    crop = module.train_transform.transforms[0]
    assert (crop.size, crop.ratio) == ((224, 160), pytest.approx((15 / 28, 20 / 21)))


def test_evaluation_keeps_the_border_that_224_has(images: None) -> None:
    resize, crop = compiled(folder(image_size=320)).module("data").eval_transform.transforms
    assert (resize.size, crop.size) == ([366], (320, 320))
