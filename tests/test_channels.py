"""Images of one channel, or of more than three: read, prepared, learned from, and answered."""

import inspect
from pathlib import Path

import numpy
import pytest
import timm
import torch
from PIL import Image
from projects import SPEC, compile_spec, make_weights
from timm.models import adapt_input_conv
from torchvision import models
from torchvision.transforms import v2

from specc import build
from specc.catalog import transforms
from specc.tasks.classification.channels import OF_COLOURS
from tools import derive_catalog

FIVE = ["data.channels=5", "data.mean=[0.1,0.2,0.3,0.4,0.5]", "data.std=[0.5,0.4,0.3,0.2,0.1]"]
CHANNELS = {1: ["data.channels=1"], 5: FIVE}


def make_arrays(root: str = "images", channels: int = 5, count: int = 4) -> None:
    """Write arrays of 8 and of 16 bits in a folder for each class, one of which is bright."""
    random = numpy.random.default_rng(0)
    for part in ("train", "val"):
        for label, name in enumerate(("ash", "birch", "cedar", "elm")):
            folder = Path(root, part, name)
            folder.mkdir(parents=True)
            for index in range(count):
                values = random.integers(0, 60 * (label + 1), (40, 48, channels), numpy.uint8)
                deep = values.astype(numpy.uint16) * 256 if index % 2 else values
                numpy.save(folder / f"{index}.npy", deep)


# ---- reading ----


def test_files_are_read_with_the_channels_that_they_have(here: Path) -> None:
    """Or else they are named, by their headers before training and when they are read."""
    values = numpy.arange(2 * 3 * 5, dtype=numpy.uint8).reshape(2, 3, 5)
    deep = numpy.array([[[0, 255, 256, 4096, 65535]]], numpy.uint16)
    numpy.save("a.npy", values)
    numpy.save("deep.npy", deep)
    numpy.save("float.npy", values.astype(numpy.float32))
    numpy.save("flat.npy", values[:, :, 0])
    numpy.save("four.npy", values[:, :, :4])
    image = Image.fromarray(values[:, :, :4], "RGBA")
    image.save("rgba.png")
    image.convert("RGB").save("rgb.png")
    Image.fromarray(values[:, :, :4], "CMYK").save("cmyk.tif")

    data = compile_spec(SPEC, "model.num_classes=4", *FIVE).module("data")
    read = data.read_image("a.npy")
    assert (read.dtype, read.shape) == (torch.uint8, (5, 2, 3))
    assert torch.equal(read, torch.arange(30).reshape(2, 3, 5).permute(2, 0, 1))
    assert data.read_image("deep.npy")[:, 0, 0].tolist() == [0, 0, 1, 16, 255]
    # White and black, by hand: (1 - 0.1) / 0.5, (1 - 0.2) / 0.4 and so on; -0.1 / 0.5 and so on.
    pixels = data.normalize(torch.tensor([255, 0], dtype=torch.uint8).expand(5, 1, 2))[:, 0]
    torch.testing.assert_close(pixels[:, 0], torch.tensor([1.8, 2.0, 0.7 / 0.3, 3.0, 5.0]))
    torch.testing.assert_close(pixels[:, 1], torch.tensor([-0.2, -0.5, -1.0, -2.0, -5.0]))
    assert [data.read_header(name) for name in ("a.npy", "deep.npy")] == [(2, 3), (1, 1)]
    assert [
        data.read_header(name) for name in ("float.npy", "flat.npy", "four.npy", "rgba.png")
    ] == [
        "float.npy: float32; save it as uint8 or uint16",
        "flat.npy: (2, 3), not [H, W, 5]",
        "four.npy: (2, 3, 4), not [H, W, 5]",
        "rgba.png: 4 channels (RGBA), not 5",
    ]
    for name in ("float.npy", "flat.npy", "four.npy", "rgba.png"):
        with pytest.raises(RuntimeError, match=f"{name}: not a readable image"):
            data.read_image(name)

    several = ["data.channels=4", f"data.mean={[0.5] * 4}", f"data.std={[0.5] * 4}"]
    several += ["data.value_range=[0, 4095]"]
    data = compile_spec(SPEC, "model.num_classes=4", *several).module("data")
    expected = torch.from_numpy(values[:, :, :4]).permute(2, 0, 1)
    for name in ("four.npy", "rgba.png", "cmyk.tif"):
        assert data.read_header(name) == (2, 3) and torch.equal(
            data.read_image(name), expected
        ), name
    assert data.read_header("rgb.png") == "rgb.png: 3 channels (RGB), not 4"
    numpy.save("deep.npy", deep[:, :, 1:])
    # 4096 values become 256, 16 to each: 255, 256 and 4096 are in the steps 15, 16 and 255.
    assert data.read_image("deep.npy")[:, 0, 0].tolist() == [15, 16, 255, 255]


def test_whatever_its_channels_an_image_becomes_grey(here: Path) -> None:
    """By ITU-R 601: 0.299, 0.587 and 0.114 of red, green and blue."""
    data = compile_spec(SPEC, "model.num_classes=4", "data.channels=1").module("data")
    red = Image.new("RGB", (8, 4), "red")
    for name in ("rgb.png", "rgba.png", "p.png"):
        mode = {"rgba.png": "RGBA", "p.png": "P"}.get(name, "RGB")
        red.convert(mode).save(name)
        read = data.read_image(name)
        assert (read.dtype, read.shape) == (torch.uint8, (1, 4, 8)), name
        assert read.unique().tolist() == [76], name
    Image.new("LA", (8, 4), (99, 0)).save("la.png")
    assert data.read_image("la.png").unique().tolist() == [99]
    Image.fromarray(numpy.full((4, 8), 40_000, numpy.uint16)).save("deep.png")
    read = data.read_image("deep.png")
    assert read.shape == (1, 4, 8) and read.unique().tolist() == [40_000 // 256]
    # The means of 0.485, 0.456, 0.406 and of 0.229, 0.224, 0.225.
    assert (data.MEAN, data.STD) == ((0.449,), (0.226,))


@pytest.mark.parametrize("name", transforms.transforms())
def test_transforms_of_colours_are_those_that_fail_on_other_channels(name: str) -> None:
    parameters = inspect.signature(getattr(v2, name)).parameters.values()
    needed = {p.name: derive_catalog.EXAMPLES[p.name] for p in parameters if p.default is p.empty}
    options = dict.fromkeys(("brightness", "contrast", "saturation", "hue"), 0.3)
    transform = getattr(v2, name)(**needed, **(options if name == "ColorJitter" else {}))

    def works(channels: int) -> bool:
        torch.manual_seed(0)
        image = torch.randint(256, (channels, 32, 32), dtype=torch.uint8)
        try:  # often, as some draw what they do
            return all(len(transform(image)) == channels for _ in range(40))
        except (TypeError, ValueError, RuntimeError):
            return False

    assert works(2) == (name not in OF_COLOURS)
    assert works(1) == (name != "RGB")


# ---- the model ----


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("name", ["resnet18", "timm/test_vit", "timm/test_resnet"])
def test_weights_of_rgb_become_those_of_other_channels_as_in_timm(
    here: Path, name: str, channels: int
) -> None:
    bare = name.removeprefix("timm/")
    own = models.resnet18() if bare == name else timm.create_model(bare)
    weights = make_weights(own, "a.pth")
    options = [f"model.name={name}", "data.image_size=160", *CHANNELS[channels]]
    project = compile_spec(SPEC, "model.num_classes=4", "model.weights=./a.pth", *options)
    module = project.module("model")
    model = module.build_model()
    module.load_pretrained(model)
    if bare == name:
        first = adapt_input_conv(channels, weights["conv1.weight"])
        expected = weights | {"conv1.weight": first}
    else:
        arguments = {"pretrained": True, "pretrained_cfg_overlay": {"file": "a.pth"}}
        expected = timm.create_model(bare, in_chans=channels, **arguments).state_dict()
    state = model.state_dict()
    for key, tensor in expected.items():
        assert key.startswith(("fc.", "head.")) or torch.equal(state[key], tensor), key

    # What such a model has learned is loaded as it is.
    torch.save(expected, "a.pth")
    model = module.build_model()
    module.load_pretrained(model)
    for key, tensor in model.state_dict().items():
        assert key.startswith(("fc.", "head.")) or torch.equal(state[key], tensor), key


def test_a_frozen_convolution_is_told_of(here: Path) -> None:
    """Of grey images the sum of RGB's weights is what answers to grey RGB."""
    options = ["model.num_classes=4", "model.weights=default", "model.freeze=0"]
    for channels, told in ((5, True), (1, False)):
        Path("spec.toml").write_text(SPEC)
        source = build.read(Path("spec.toml"), [*options, *CHANNELS[channels]])
        build.plan(source)
        assert any("conv1 is frozen" in str(note) for note in source.notes) == told


# ---- from end to end ----


def test_arrays_are_trained_on(here: Path) -> None:
    make_arrays()
    project = compile_spec(SPEC, "schedule.epochs=1", "data.random_erasing=0.5", *FIVE)
    assert "best top1" in project.run("train.py")
    printed = project.run("predict.py", "images/val", "--draw", "drawn.png")
    assert printed.count(".npy") == 16 and Path("drawn.png").exists()
    assert "agrees with the model" in project.run("export.py")


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ["data.channels=1", "model.weights=default", "export.format=onnx", "data.mixup=0.2"],
        [*FIVE, "model.name=timm/test_resnet", "model.weights=./a.pth", "data.image_size=64"],
    ],
    ids=["grey", "five channels"],
)
def test_projects_with_a_teacher_pass_their_smoke_test(here: Path, options: list[str]) -> None:
    teacher = 'distill={name="resnet18",weights="teacher.pt"}'
    project = compile_spec(SPEC, "model.num_classes=4", teacher, *options)
    assert "everything runs" in project.run("smoke_test.py")
