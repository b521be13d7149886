"""Data as people have it: odd images, broken ones, hostile names; and what a run shows of them."""

import shutil
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from PIL import Image
from projects import SPEC, Project, compile_spec, load, make_images, scalars
from scenes import QUICK, detector


@pytest.fixture
def project(here: Path) -> Project:
    make_images()
    return compile_spec(SPEC, "schedule.epochs=1")


def breaks(content: bytes) -> str:
    """Put something else into a training image; its name."""
    path = Path("images/train/elm/0.png")
    path.write_bytes(content)
    return str(path)


# ---- bad data is named ----


@pytest.mark.parametrize(
    "content",
    [b"", b"no image", b"\x89PNG\r\n\x1a\n", "half"],
    ids=["empty", "text", "signature only", "truncated"],
)
def test_an_unreadable_image_is_named(project: Project, content: bytes | str) -> None:
    if isinstance(content, str):
        whole = Path("images/train/elm/0.png").read_bytes()
        content = whole[: len(whole) // 2]
    path = breaks(content)
    printed = project.fail("train.py")
    assert f"images are wrong:\n{path}: not a readable image" in printed  # before the first step


@pytest.mark.parametrize("mode", ["I", "F"])
def test_an_image_of_32_bits_is_named(here: Path, mode: str) -> None:
    """Pillow would cut it off at 255, and leave it white."""
    make_images()
    read_image = compile_spec(SPEC).module("data").read_image
    Image.new(mode, (8, 8), 40_000).save("deep.tif")
    with pytest.raises(RuntimeError, match="deep.tif: .*32 bits a channel; save it with 8 or 16"):
        read_image("deep.tif")


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "ppm", "tif", "webp", "gif"])
@pytest.mark.filterwarnings("ignore")
def test_whatever_a_decoder_raises_names_the_file(here: Path, suffix: str) -> None:
    make_images()
    read_image = compile_spec(SPEC).module("data").read_image
    path, random = Path(f"broken.{suffix}"), Random(0)
    Image.effect_noise((20, 30), 90).convert("RGB").save(path)
    whole, named = path.read_bytes(), 0
    for _ in range(300):
        content = bytearray(whole[: random.choice([random.randrange(1, len(whole)), len(whole)])])
        for place in random.choices(range(min(len(content), 60)), k=random.randrange(4)):
            content[place] = random.randrange(256)
        path.write_bytes(content)
        try:
            assert read_image(path).shape[0] == 3
        except Exception as error:
            assert isinstance(error, RuntimeError)
            assert str(error).startswith(f"{path}: not a readable image; mend or remove it")
            named += 1
    assert named > 50


@pytest.mark.parametrize("kind", ["JPEG", "progressive", "MPO", "PNG", "GIF", "WEBP"])
@pytest.mark.filterwarnings("ignore")
def test_cut_files_are_found_by_their_ends(here: Path, kind: str) -> None:
    """Those that Pillow cannot decode, and no others, whatever follows the end."""
    make_images()
    data = compile_spec(SPEC).module("data")
    picture = Image.effect_noise((60, 80), 90).convert("RGB")
    options: dict[str, Any] = {"progressive": True} if kind == "progressive" else {}
    if kind == "MPO":
        options = {"save_all": True, "append_images": [picture.rotate(180)]}
    picture.save("whole", "JPEG" if kind == "progressive" else kind, **options)
    whole = Path("whole").read_bytes()
    size, half = len(whole), len(whole) // 2
    cut = [whole[:it] for it in (half, size // 4, *range(size - 20, size), size - 100)]
    padded = [whole + bytes(4096), whole + b"SEFT", whole[:half] + bytes(half)]
    readable = set()
    for content in [whole, *cut, *padded, whole[:half] + whole[-20:]]:
        Path("file").write_bytes(content)
        try:
            data.read_image("file")
            is_readable = True
        except RuntimeError:
            is_readable = False
        seen = data.read_header("file")
        if is_readable:
            assert seen == (80, 60)
            readable.add(len(content))
        elif content[-20:] != whole[-20:]:
            assert seen == "file: not a readable image"
    assert {size, size + 4096, size + 4} <= readable


def test_an_image_that_only_a_worker_meets_is_named_too(project: Project) -> None:
    project.edit("data.py", "WORKERS = 0", "WORKERS = 2")
    Path("images/val/elm/1.png").write_bytes(b"no image")
    printed = project.fail("train.py")
    assert "images/val/elm/1.png: not a readable image" in printed


def test_all_unreadable_images_are_named_before_training(project: Project) -> None:
    """By their headers and ends; or they are left out, in training, validation and evaluation."""
    bad = ["images/train/ash/1.png", "images/train/elm/0.png", "images/val/birch/0.png"]
    bad.append("images/train/cedar/3.png")
    Path(bad[3]).write_bytes(Path(bad[3]).read_bytes()[:-1000])
    Path(bad[0]).write_bytes(b"no image")
    Path(bad[1]).unlink()
    Path(bad[1]).symlink_to("gone.png")
    Image.new("F", (8, 8)).save(bad[2], "tiff")
    printed = project.fail("train.py")
    assert "ValueError: 4 of 24 images are wrong:\n" in printed
    assert all(f"\n{path}: " in printed for path in bad)
    assert "epoch 1/1" not in printed

    project = compile_spec(SPEC, "schedule.epochs=1", "data.on_bad_image=skip")
    printed = project.run("train.py")
    assert "3 of 16 images left out:\n" in printed and "1 of 8 images left out:\n" in printed
    assert all(f"\n{path}: " in printed for path in bad)
    table = project.run("evaluate.py").split("class\n")[1].splitlines()
    assert [line.split()[3:] for line in table[:4]] == [
        ["2", "ash"],
        ["1", "birch"],
        ["2", "cedar"],
        ["2", "elm"],
    ]


def test_validation_without_a_readable_image_is_an_error(project: Project) -> None:
    """Not a loss of NaN and an accuracy of 0, by which the best model would be chosen."""
    project = compile_spec(SPEC, "data.on_bad_image=skip")
    for path in Path("images/val").rglob("*.png"):
        path.write_bytes(b"no image")
    printed = project.fail("data.py")
    assert "ValueError: no image can be read; the first of them: images/val/ash/0.png" in printed


def test_classes_that_differ_between_training_and_validation_are_named(project: Project) -> None:
    shutil.move("images/val/elm", "images/val/oak")
    assert "images/val: not in training: ['oak']" in project.fail("train.py")


def test_more_classes_than_the_model_has_are_an_error(project: Project) -> None:
    for part in ("train", "val"):
        shutil.copytree(f"images/{part}/elm", f"images/{part}/oak")
    assert "5 classes, but NUM_CLASSES is 4" in project.fail("train.py")


def test_a_loss_that_is_not_finite_names_its_samples(project: Project) -> None:
    project.edit("train.py", "LR = 0.01", "LR = 1e30")
    printed = project.fail("train.py")
    (line,) = [line for line in printed.splitlines() if "FloatingPointError: " in line]
    assert "the loss is nan on images/train/" in line
    assert line.count("images/train/") == 4  # a batch


# ---- odd images are read ----


def test_every_kind_of_image_is_read_as_upright_rgb(here: Path) -> None:
    make_images()
    data = compile_spec(SPEC).module("data")
    left_red = Image.new("RGB", (8, 4), "blue")
    left_red.paste("red", (0, 0, 4, 4))
    for name, image in {
        "rgb.png": left_red,
        "rgba.png": left_red.convert("RGBA"),
        "palette.png": left_red.convert("P", palette=Image.Palette.ADAPTIVE),
        "rgb.bmp": left_red,
        "rgb.tif": left_red,
        "rgb.webp": left_red,
    }.items():
        image.save(name, **({"lossless": True} if name.endswith("webp") else {}))
        read = data.read_image(name)
        assert (read.dtype, read.shape) == (torch.uint8, (3, 4, 8)), name
        assert read[:, 0, 0].tolist() == [255, 0, 0], name
        assert read[:, 0, 7].tolist() == [0, 0, 255], name
    for mode in ("L", "LA", "1"):
        left_red.convert("L").convert(mode).save("grey.png")
        grey = data.read_image("grey.png")
        assert (grey.dtype, grey.shape) == (torch.uint8, (3, 4, 8)), mode
        assert len({*grey[:, 0, 0].tolist()}) == 1, mode

    left_red.convert("CMYK").save("cmyk.jpg", quality=100)
    red = data.read_image("cmyk.jpg")[:, 0, 0].tolist()
    assert red[0] > 240 and max(red[1:]) < 20

    for name, kind in {"x.GIF": "GIF", "y.jfif": "JPEG", "z.avif": "AVIF"}.items():
        left_red.save(f"images/train/ash/{name}", kind)
    train, _ = data.build_datasets(Path("images"))
    names = [train.name(index) for index in range(4, 7)]
    assert [Path(name).name for name in names] == ["x.GIF", "y.jfif", "z.avif"]
    for name in names:
        assert data.read_image(name)[0, :, 0].min() > 200, name

    blue = Image.new("RGB", (8, 4), "blue")
    left_red.save("animated.gif", save_all=True, append_images=[blue, blue])
    assert data.read_image("animated.gif")[:, 0, 0].tolist() == [255, 0, 0], "the first image"

    palette = left_red.convert("P", palette=Image.Palette.ADAPTIVE)
    palette.save("transparent.png", transparency=palette.getpixel((0, 0)))
    assert data.read_image("transparent.png")[:, 0, 0].tolist() == [255, 0, 0]

    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: the camera was turned; to be shown turned by 90 degrees
    left_red.save("turned.png", exif=exif)
    turned = data.read_image("turned.png")
    assert turned.shape == (3, 8, 4)
    assert turned[:, 0, 0].tolist() == [255, 0, 0], "what was left is on top"


@pytest.mark.parametrize("name", ["deep.png", "deep.tif", "big-endian.tif"])
def test_of_16_bits_the_upper_8_are_kept(here: Path, name: str) -> None:
    make_images()
    data = compile_spec(SPEC).module("data")
    values = torch.tensor([[0, 255, 256], [40_000, 65_279, 65_535]])
    deep = Image.fromarray(values.numpy().astype(">u2" if "big" in name else "<u2"))
    deep.save(name)
    read = data.read_image(name)
    assert (read.dtype, read.shape) == (torch.uint8, (3, 2, 3))
    assert torch.equal(read, (values // 256).to(torch.uint8).expand(3, 2, 3))
    assert data.normalize(data.eval_transform(read)).shape == (3, 32, 32)


@pytest.mark.parametrize("task", ["classification", "detection"])
def test_a_range_of_values_is_spread_over_8_bits(here: Path, task: str) -> None:
    values = torch.tensor([[0, 100, 115, 116], [2192, 4179, 4195, 4196]])
    Image.fromarray(values.numpy().astype("<u2")).save("deep.png")
    setting = "data.value_range=[100, 4195]"
    if task == "detection":
        project = detector(QUICK, setting, 'data.classes=["a"]')
    else:
        project = compile_spec(SPEC, setting, "model.num_classes=4")
    read = project.module("data").read_image("deep.png")
    # 4096 values become 256, 16 of them one.
    expected = torch.tensor([[0, 0, 0, 1], [130, 254, 255, 255]], dtype=torch.uint8)
    assert torch.equal(read, expected.expand(3, 2, 4))


def test_files_that_are_no_images_are_left_out(here: Path) -> None:
    make_images()
    for name in ("notes.txt", "Thumbs.db", "a.png.part"):
        Path("images/train/elm", name).write_text("")
    train, _ = compile_spec(SPEC).module("data").build_datasets(Path("images"))
    assert len(train) == 16
    assert train.name(15) == "images/train/elm/3.png"


# ---- hostile names stay names ----


def test_names_of_folders_and_classes_are_data(here: Path) -> None:
    root = 'im ages\' "$(touch broken)" `touch broken`; {{ x }}'
    classes = ["$(touch broken)", "'; touch broken; '", "été 画像", 'a"b\\c', r"$\frac{$", "%s {0}"]
    make_images(root, classes)
    Path("spec.json").write_text("{}")
    spec = SPEC.replace('root = "images"', f"root = '''{root}'''")
    project = compile_spec(spec, "schedule.epochs=1")
    project.run("train.py")
    assert load("project/runs/best.pt")["classes"] == sorted(classes)
    project.run("data.py", "--output", "sheet.png")
    image = next(Path(root, "val", classes[2]).iterdir())
    assert project.run("predict.py", image).startswith(f"{image} ")
    assert "top1" in project.run("evaluate.py")
    assert not list(here.rglob("broken"))


# ---- what people look at ----


def test_a_run_leaves_pictures_curves_and_checkpoints(here: Path) -> None:
    make_images()
    project = compile_spec(SPEC, "log.tensorboard=true")
    project.run("train.py")
    runs = project.folder / "runs"
    assert {"last.pt", "best.pt", "samples.png", "confusion_matrix.png"} <= {
        file.name for file in runs.iterdir()
    }
    for picture in ("samples.png", "confusion_matrix.png"):
        with Image.open(runs / picture) as image:
            assert min(image.size) > 200
            assert len(image.convert("RGB").getcolors(1 << 24)) > 3
    curves = scalars(runs)
    assert [step for step, _ in curves["train/loss"]] == list(range(1, 9))
    assert [step for step, _ in curves["train/lr"]] == list(range(1, 9))
    assert [step for step, _ in curves["val/top1"]] == [4, 8]
    assert [step for step, _ in curves["val/loss"]] == [4, 8]
    assert curves["train/lr"][-1][1] == pytest.approx(0, abs=1e-6)


def test_a_confusion_matrix_of_many_classes_stays_a_picture(here: Path) -> None:
    make_images(classes=[f"class {number:03}" for number in range(100)], train=1, val=1)
    project = compile_spec(SPEC, "schedule.epochs=1", "train.batch_size=50")
    project.run("train.py")
    with Image.open(project.folder / "runs/confusion_matrix.png") as image:
        assert 500 < min(image.size) <= max(image.size) < 2000


def test_without_tensorboard_a_run_writes_no_curves(project: Project) -> None:
    project.run("train.py")
    assert not list((project.folder / "runs").glob("events*"))
    assert "tensorboard" not in (project.folder / "train.py").read_text()
    assert "tensorboard" not in (project.folder / "requirements.txt").read_text()


def test_data_draws_a_sheet(project: Project) -> None:
    project.run("data.py", "--output", "sheet.png")
    with Image.open("sheet.png") as sheet:
        assert min(sheet.size) > 200
