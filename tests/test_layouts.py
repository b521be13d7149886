"""Files of weights with other names than the model's are told of at build, without torch."""

import pickle
import random
import re
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import timm
import torch
from test_detector_weights import MMDET
from torch import Tensor, nn
from torchvision import models

from specc import build
from specc.source import read as source
from specc.tasks.common.tensors import read_tensors

State = dict[str, Tensor]


def state_of(make: Callable[[], nn.Module]) -> State:
    """The names and shapes of a model's tensors, without the numbers."""
    with torch.device("meta"):
        model = make()
    return {name: torch.zeros(()).expand(it.shape) for name, it in model.state_dict().items()}


def resnet() -> State:
    return state_of(models.resnet18)


# ---- names are read without torch ----


def wrapped(state: State) -> dict[str, Any]:
    """As torchvision's and timm's own trainings save it, of a compiled model on several GPUs."""
    inner = {f"module._orig_mod.{name}": tensor for name, tensor in state.items()}
    return {"args": Namespace(lr=0.1), "model": {"other": torch.zeros(2)}, "model_ema": inner}


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors", "wrapped", "parameters"])
def test_names_and_sizes_are_those_of_torch(here: Path, kind: str) -> None:
    state = resnet()
    match kind:
        case "zip":
            torch.save(state, "a.pth")
        case "legacy":
            torch.save(state, "a.pth", _use_new_zipfile_serialization=False)
        case "safetensors":
            state = {name: it.contiguous() for name, it in state.items()}
            safetensors.torch.save_file(state, "a.safetensors", {"format": "pt"})
        case "wrapped":
            torch.save(wrapped(state), "a.pth")
        case "parameters":
            torch.save({name: nn.Parameter(it.float()) for name, it in state.items()}, "a.pth")
    (file,) = here.glob("a.*")
    assert read_tensors(str(file)) == {name: it.numel() for name, it in state.items()}


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("ran"),)


def test_odd_files_have_no_names(here: Path) -> None:
    torch.save({"a.weight": torch.zeros(2)}, "a.pth")
    whole = Path("a.pth").read_bytes()
    assert read_tensors("a.pth") == {"a.weight": 2}
    cases: dict[str, bytes] = {
        "cut": whole[:-100],
        "empty": b"",
        "text": b"<html>404</html>",
        "foreign": pickle.dumps({"model": [1, 2], "state_dict": {"a": 1}}),
        "evil": pickle.dumps({"state_dict": {"a": Evil()}}),
        "huge": b"\x80\x04\x96" + b"\xff" * 8,  # bytes of a length that nobody has
        "memo": b"\x80\x04}r\xff\xff\xff\xff.",  # which C's unpickler makes room for
    }
    for name, content in cases.items():
        for suffix in ("pth", "safetensors"):
            Path(f"{name}.{suffix}").write_bytes(content)
            assert read_tensors(f"{name}.{suffix}") == {}, name
    torch.save(nn.Linear(2, 2), "module.pth")
    Path("folder.pth").mkdir()
    for name in ("module.pth", "folder.pth", "absent.pth"):
        assert read_tensors(name) == {}
    assert not Path("ran").exists()

    torch.save({"a.weight": torch.zeros(2)}, "old.pth", _use_new_zipfile_serialization=False)
    safetensors.torch.save_file({"a.weight": torch.zeros(2)}, "a.safetensors")
    rng = random.Random(0)
    for file in ("a.pth", "old.pth", "a.safetensors"):
        content = Path(file).read_bytes()
        for _ in range(200):
            changed = bytearray(content)
            for _ in range(rng.randint(1, 4)):
                changed[rng.randrange(len(changed))] = rng.randrange(256)
            Path(f"changed{Path(file).suffix}").write_bytes(changed)
            read_tensors(f"changed{Path(file).suffix}")


def test_the_numbers_in_a_large_file_are_not_read(here: Path) -> None:
    torch.save({"a": torch.zeros(1)}, "a.pth", _use_new_zipfile_serialization=False)
    with open("a.pth", "r+b") as file:
        file.truncate(20 << 30)  # with a hole in place of 20 GB
    begin = time.perf_counter()
    assert read_tensors("a.pth") == {"a": 1}
    assert time.perf_counter() - begin < 5


# ---- what is said ----


def openmmlab(state: State) -> State:
    return {
        f"{'head' if name.startswith('fc.') else 'backbone'}.{name}": it
        for name, it in state.items()
    }


def mmaction(state: State) -> State:
    """A convolution and its norm are in a module; `cls_head.fc_cls` is the head."""
    found = {}
    for name, it in state.items():
        name = re.sub(r"\bconv(\d)\.", r"conv\1.conv.", name)
        name = re.sub(r"\bbn(\d)\.", r"conv\1.bn.", name)
        name = name.replace("downsample.0", "downsample.conv").replace(
            "downsample.1", "downsample.bn"
        )
        found[f"cls_head.fc_cls.{name[3:]}" if name.startswith("fc.") else f"backbone.{name}"] = it
    return found


def prefixed(state: State) -> State:
    return {f"encoder.q.{name}": it for name, it in state.items()}


def names(*found: str) -> Callable[[State], State]:
    return lambda _: {name: torch.zeros(1) for name in found}


HUGGING = ("vit.embeddings.cls_token", "vit.encoder.layer.0.attention.attention.query.weight")
LITE = ("_conv_stem.weight", "_bn0.weight", "_blocks.0._depthwise_conv.weight", "_fc.weight")
SPEC = """task = "{task}"
[model]
weights = {weights}
name = "{model}"
{classes}
[data]
format = "{format}"
root = "x"
"""
FORMATS = {
    "classification": "imagefolder",
    "video-classification": "videofolder",
    "detection": "voc",
}


def test_other_names_are_told_of_where_the_weights_stand(here: Path) -> None:
    def said(model: str, state: State, task: str = "classification", table: str = "") -> str:
        torch.save(state, "w.pth")
        weights = f'{{ source = "w.pth", {table} }}' if table else '"w.pth"'
        classes = "" if task == "detection" else "num_classes = 4"
        text = SPEC.format(
            task=task, weights=weights, model=model, classes=classes, format=FORMATS[task]
        )
        Path("spec.toml").write_text(text)
        read = source.read(Path("spec.toml"), ())
        build.plan(read)
        notes = [str(note) for note in read.notes]
        assert len(notes) < 2
        if not notes:
            return ""
        key = "prefix" if "begins with" in notes[0] else "source"
        column = text.splitlines()[2].index(key) + 1 if table else 1
        place = f"spec.toml:3:{column}  model.weights{f'.{key}' * bool(table)}: "
        assert notes[0].startswith(place)
        return notes[0].removeprefix(place)

    video = "video-classification"
    own = resnet()
    assert said("resnet18", own) == ""
    assert said("resnet18", wrapped(own)) == ""
    assert said("resnet18", {name: it for name, it in own.items() if "fc." not in name}) == ""
    assert said("resnet18", names("a", "b")({})) == (
        "its tensors are named as a, those of resnet18 as conv1.weight; map them by prefix or "
        "rename, or take another file"
    )
    layout = 'write { source = "w.pth", layout = '
    text = "its tensors are named as backbone.conv1.weight, those of resnet18 as conv1.weight; "
    assert said("resnet18", openmmlab(own)) == text + layout + '"openmmlab" }'
    assert said("resnet18", openmmlab(own), table='layout = "openmmlab"') == ""
    assert layout + '"classifier" }' in said("tsn", state_of(models.resnet50), video)
    assert said("tsn", state_of(models.resnet50), video, 'layout = "classifier"') == ""
    assert layout + '"mmaction" }' in said("tsn", mmaction(state_of(models.resnet50)), video)
    assert layout + '"efficientnet-pytorch" }' in said("efficientnet_b0", names(*LITE)({}))
    assert "; they look like those of transformers; " in said("vit_b_16", names(*HUGGING)({}))
    assert said("r3d_18", state_of(models.video.r3d_18), video) == ""
    prefix = said("resnet18", prefixed(own))
    assert prefix.endswith('; write { source = "w.pth", prefix = "encoder.q." }')
    assert said("resnet18", prefixed(own), table='prefix = "encoder.q."') == ""
    assert "map them by" in said("resnet18", own, table='prefix = "layer1."')
    nothing = said("resnet18", own, table='prefix = "body."')
    assert nothing == "no tensor's name begins with body.; the first is conv1.weight"
    rename = 'rename = { "encoder.q." = "" }'
    assert said("resnet18", prefixed(own), table=rename) == ""
    # A file of another model: it is named if the catalog has it.
    timms = state_of(lambda: timm.create_model("convnext_atto", num_classes=7))
    assert said("timm/convnext_atto", timms) == ""
    assert "; the file fits timm/convnext_atto: take" in said("convnext_tiny", timms)
    detector = state_of(
        lambda: models.detection.fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None)
    )
    assert said("fasterrcnn_resnet50_fpn", detector, "detection") == ""
    theirs = {}
    for name, it in detector.items():
        (found,) = (re.sub(old, new, name) for old, new in MMDET if re.fullmatch(old, name))
        theirs[found] = it
    assert layout + '"mmdet" }' in said("fasterrcnn_resnet50_fpn", theirs, "detection")
    assert said("fasterrcnn_resnet50_fpn", theirs, "detection", 'layout = "mmdet"') == ""
    body = said("fasterrcnn_resnet50_fpn", state_of(models.resnet50), "detection")
    assert "; the file fits resnet50: take that model, or another file" in body


def notes_on(file: str) -> list[str]:
    """What a build says of a file of weights for a resnet18."""
    weights, format_ = f'"{file}"', "imagefolder"
    text = SPEC.format(
        task="classification", weights=weights, model="resnet18", classes="num_classes = 4",
        format=format_,
    )  # fmt: skip
    Path("spec.toml").write_text(text)
    read = source.read(Path("spec.toml"), ())
    build.plan(read)
    return [note.message for note in read.notes]


def test_files_that_hold_no_weights_of_the_model_are_told_of(here: Path) -> None:
    torch.save(resnet(), "whole.pth")
    whole = Path("whole.pth").read_bytes()
    Path("cut.pth").write_bytes(whole[: len(whole) // 2])
    Path("empty.pth").touch()
    Path("lfs.pth").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    safetensors.torch.save_file({"a": torch.zeros(99)}, "a.safetensors")
    Path("b.safetensors").write_bytes(Path("a.safetensors").read_bytes()[:-1])
    Path("c.safetensors").write_bytes(b"hello, I am text")
    torch.save(state_of(models.resnet50), "larger.pth")
    assert notes_on("whole.pth") == []
    assert notes_on("cut.pth") == ["cut.pth is cut short"]
    assert notes_on("empty.pth") == ["empty.pth is empty"]
    assert notes_on("lfs.pth") == [
        "lfs.pth is a pointer of Git LFS: `git lfs pull` fetches the weights"
    ]
    assert notes_on("b.safetensors") == ["b.safetensors is cut short"]
    assert notes_on("c.safetensors") == ["c.safetensors has no header of safetensors"]
    assert notes_on("larger.pth") == ["the file fits resnet50: take that model, or another file"]
