"""predict.py: what people ask about images, and what they get to see."""

import csv
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from projects import CLASSES, SPEC, Project, compile_spec, load, make_images

from specc import build
from specc.render import render


@pytest.fixture
def project(here: Path) -> Project:
    """One whose model was not trained."""
    make_images()
    project = compile_spec(SPEC)
    write_checkpoint(project)
    return project


def write_checkpoint(project: Project, classes: tuple[str, ...] = CLASSES) -> None:
    torch.manual_seed(0)
    model = project.module("model").build_model()
    torch.nn.init.normal_(model.fc.weight)
    (project.folder / "runs").mkdir(exist_ok=True)
    state = {"model": model.state_dict(), "classes": list(classes)}
    torch.save(state, project.folder / "runs/best.pt")


def logits(project: Project, path: Path | str) -> torch.Tensor:
    """What the model says about a single image."""
    model, data = project.module("model").build_model(), project.module("data")
    model.load_state_dict(load("project/runs/best.pt")["model"])
    image = data.normalize(data.eval_transform(data.read_image(path)))
    with torch.inference_mode():
        return model.eval()(image[None])[0]


def table(path: Path | str) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def paths(printed: str) -> list[str]:
    return [line.split("   ")[0].rstrip() for line in printed.splitlines()]


def test_a_table_a_csv_file_and_a_picture(project: Project) -> None:
    images = [f"images/val/{name}/0.png" for name in reversed(CLASSES)]
    options = ["--csv", "answers.csv", "--draw", "drawn.png"]
    printed = project.run("predict.py", *images, *options)
    assert paths(printed) == images
    for line, row, path in zip(printed.splitlines(), table("answers.csv"), images, strict=True):
        chances, labels = logits(project, path).softmax(0).sort(descending=True)
        assert row["path"] == path
        for k in (1, 2, 3):
            name = CLASSES[labels[k - 1]]
            assert row[f"class_{k}"] == name
            assert float(row[f"probability_{k}"]) == pytest.approx(chances[k - 1].item(), abs=1e-5)
            assert f"   {name:5} {chances[k - 1]:6.1%}" in line
        assert "class_4" not in row
    assert len({len(line) for line in printed.splitlines()}) == 1, "columns are not aligned"
    with Image.open("drawn.png") as drawn:
        assert drawn.size[0] > 600


def test_files_folders_and_globs_each_image_once(project: Project) -> None:
    everything = sorted(map(str, Path("images/val").rglob("*.png")))
    Path("images/val/notes.txt").write_text("no image")
    Path("images/val/elm/deep/er").mkdir(parents=True)
    Path("images/val/elm/0.png").rename("images/val/elm/deep/er/0.PNG")
    everything[-2:] = ["images/val/elm/1.png", "images/val/elm/deep/er/0.PNG"]
    assert paths(project.run("predict.py", "images/val")) == everything
    assert paths(project.run("predict.py", "images/val/")) == everything
    assert paths(project.run("predict.py", "images/val/**")) == everything
    some = paths(project.run("predict.py", "images/val/*/1.png", "images/val/ash", everything[0]))
    assert some == [f"images/val/{name}/1.png" for name in CLASSES] + ["images/val/ash/0.png"]


def test_a_name_with_wildcards_is_a_file_first(project: Project) -> None:
    os.rename("images/val/ash/0.png", "images/[1]*.png")
    os.rename("images/val/ash/1.png", "images/1.png")
    os.rename("images/val/elm/0.png", "images/upload")  # and one without a suffix is tried
    assert paths(project.run("predict.py", "images/[1]*.png")) == ["images/[1]*.png"]
    assert paths(project.run("predict.py", "images/[1].png")) == ["images/1.png"]
    assert paths(project.run("predict.py", "images/upload")) == ["images/upload"]


@pytest.mark.parametrize("asked", ["images/*.jpg", "missing.png", "empty", "no\x1b[2Jthing"])
def test_no_image_is_an_error(project: Project, asked: str) -> None:
    Path("empty").mkdir()
    printed = project.fail("predict.py", "images/val", asked)
    visible = asked.replace("\x1b", r"\x1b")
    assert printed == f"{visible}: no image here\n"


@pytest.mark.parametrize("workers", [0, 2])
def test_what_cannot_be_read_is_named_and_the_rest_is_answered(here: Path, workers: int) -> None:
    make_images()
    project = compile_spec(SPEC, f"train.workers={workers}", "evaluate.batch_size=3")
    write_checkpoint(project)
    bad = ["images/val/ash/1.png", "images/val/birch/0.png", "images/val/birch/1.png"]
    for path, content in zip(bad, [b"", b"text", Path(bad[2]).read_bytes()[:90]], strict=True):
        Path(path).write_bytes(content)
    good = sorted({*map(str, Path("images/val").rglob("*.png"))} - {*bad})
    printed = project.fail("predict.py", "images/val", "--csv", "a.csv", "--draw", "a.png")
    lines = printed.splitlines()
    begin = lines.index("3 of 8 files were not read:")  # in a pipe, before what is buffered
    errors = lines[begin : begin + 4]
    for line, path in zip(errors[1:], bad, strict=True):
        assert line.startswith(f"{path}: not a readable image")
    answers = "\n".join(line for line in lines if line not in errors)
    assert paths(answers) == good == [row["path"] for row in table("a.csv")]
    for row in table("a.csv"):
        assert CLASSES[logits(project, row["path"]).argmax()] == row["class_1"]
    assert Path("a.png").stat().st_size > 1000


def test_nothing_that_can_be_read(project: Project) -> None:
    Path("broken.png").write_text("no image")
    printed = project.fail("predict.py", "broken.png", "--draw", "drawn.png")
    assert "1 of 1 files were not read:\nbroken.png: not a readable image" in printed
    assert "Traceback" not in printed and not Path("drawn.png").exists()


def test_hostile_names_stay_data(project: Project) -> None:
    classes = ('a"b', "c,d", "e\nf\r", "\x1b[31mred")
    write_checkpoint(project, classes)
    names = ["a,b.png", 'a"b.png', "a\nb.png", "\x1b[2J.png", "=1+1.png", "œ 画.png", "-x.png"]
    names += ["%s{0}.png"]
    if sys.platform == "linux":
        names.append(os.fsdecode(b"\xff.png"))
    Path("hostile").mkdir()
    for name in names:
        with open("images/val/ash/0.png", "rb") as image:
            Path("hostile", name).write_bytes(image.read())
    printed = project.run("predict.py", "hostile", "--csv", "a.csv", "--draw", "a.png")
    assert len(printed.splitlines()) == len(names)
    assert all(line.isprintable() for line in printed.splitlines())
    assert r"hostile/a\nb.png" in printed and r"hostile/\x1b[2J.png" in printed
    rows = table("a.csv")
    assert {row["path"] for row in rows} == {f"hostile/{name}" for name in names}
    assert {row[f"class_{k}"] for row in rows for k in (1, 2, 3)} <= {*classes}
    first = logits(project, "images/val/ash/0.png").argmax()
    assert {row["class_1"] for row in rows} == {classes[first]}


def test_a_picture_has_room_for_the_first_ones_only(project: Project) -> None:
    for index in range(60):
        Path(f"images/val/ash/copy{index}.png").write_bytes(
            Path("images/val/ash/0.png").read_bytes()
        )
    printed = project.run("predict.py", "images/val", "--draw", "drawn.png")
    assert len(printed.splitlines()) == 68
    with Image.open("drawn.png") as drawn:
        assert drawn.size[1] < 2000  # eight rows


def test_several_labels(project: Project) -> None:
    plan = build.load(Path("spec.toml"))
    several: Any = replace(plan, data=replace(plan.data, multi_label=True))
    (project.folder / "predict.py").write_text(render(several)["predict.py"])
    images = sorted(map(str, Path("images/val").rglob("*.png")))
    printed = project.run("predict.py", "images/val", "--csv", "a.csv", "--draw", "a.png")
    counts = set()
    for line, row, path in zip(printed.splitlines(), table("a.csv"), images, strict=True):
        chances = dict(zip(CLASSES, logits(project, path).sigmoid().tolist(), strict=True))
        assert row.pop("path") == path
        assert {name: float(p) for name, p in row.items()} == pytest.approx(chances, abs=1e-5)
        named = {name: f"{p:.1%}" for name, p in chances.items() if p > 0.5}
        said = line.split()[1:]
        assert dict(zip(said[::2], said[1::2], strict=True)) == named
        counts.add(len(named))
    assert counts - {0}


def test_no_label_at_all(project: Project) -> None:
    plan = build.load(Path("spec.toml"))
    several: Any = replace(plan, data=replace(plan.data, multi_label=True))
    (project.folder / "predict.py").write_text(render(several)["predict.py"])
    project.edit("predict.py", "THRESHOLD = 0.5", "THRESHOLD = 1.0")
    image = "images/val/ash/0.png"
    assert project.run("predict.py", image) == f"{image}   nothing above 100%\n"
    project.run("predict.py", image, "--draw", "drawn.png")


def test_a_photo_for_a_model_of_square_pictures(here: Path) -> None:
    """CIFAR's images need no crop, and other ones may be of any shape."""
    spec = SPEC.replace('"imagefolder"', '"cifar10"').replace("image_size = 32\n", "")
    transforms = 'data.eval_transforms=[{ name = "Resize", size = 40 }]'
    project = compile_spec(spec, transforms)
    write_checkpoint(project, tuple(f"class {index}" for index in range(10)))
    make_images(size=(36, 48), classes=["any"])
    make_images(size=(60, 20), classes=["other"])
    assert len(project.run("predict.py", "images/val").splitlines()) == 4
