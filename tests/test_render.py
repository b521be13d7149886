"""What comes out of the compiler, whatever the spec: Python that reads back as it was meant."""

import ast
import itertools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import black
import pytest

from specc import build
from specc.render import TEMPLATES, render

# One line each: a key, and values that lead to different code. Pairs of them are all built.
OPTIONS: dict[str, list[str]] = {
    "model.name": [
        '"resnet18"',
        '"vgg16_bn"',
        '"vit_b_16"',
        '"maxvit_t"',
        '"squeezenet1_1"',
        '"timm/resnet50d"',
    ],
    "model.weights": [
        '"none"',
        '"weights/a.pth"',
        '"https://localhost/a-0123abcd.pth"',
        '"https://localhost/a.pth"',
        '"package://some_package/b/a.pth"',
        '{ source = "a.pth", layout = "efficientnet-pytorch" }',
    ],
    "model.freeze": ['"none"', '"backbone"', "0", "1"],
    "data.format": ['"imagefolder"', '"cifar10"'],
    "data.augment": ['"random-resized-crop"', '"flip"', '"none"'],
    "data.eval_transforms": ["", '[{ name = "Resize", size = [224, 224] }]'],
    "optim.name": ['"sgd"', '"adamw"'],
    "schedule.name": ['"cosine"', '"constant"', '"multistep"\nschedule.milestones = [3, 6]'],
    "train.deterministic": ["true", "false"],
    "train.sync_bn": ["true", "false"],
    "log.tensorboard": ["true", "false"],
    "launch.gpus": ["", "2"],
    "evaluate.topk": ["", "[1, 3]"],
    "export.format": ['"torch"', '"onnx"'],
}
FIXED = 'task = "classification"\nmodel.num_classes = 10\ndata.root = "images"\n'


def pairs(row: tuple[str, ...]) -> set[tuple[int, str, int, str]]:
    places = list(enumerate(row))
    return {(i, a, j, b) for (i, a), (j, b) in itertools.combinations(places, 2)}


def covering() -> Iterator[tuple[str, ...]]:
    """Choices in which every two values of different options meet at least once."""
    values = list(OPTIONS.values())
    missing = {
        (i, a, j, b)
        for (i, first), (j, second) in itertools.combinations(list(enumerate(values)), 2)
        for a, b in itertools.product(first, second)
    }
    while missing:
        i, a, j, b = min(missing)
        row = [options[0] for options in values]
        row[i], row[j] = a, b
        for k, options in enumerate(values):
            if k not in (i, j):
                row[k] = max(
                    options,
                    key=lambda v: len(pairs((*row[:k], v, *row[k + 1 :])) & missing),  # noqa: B023
                )
        missing -= pairs(tuple(row))
        yield tuple(row)


ROWS = list(covering())


def test_all_pairs_of_options_are_built() -> None:
    met = set().union(*map(pairs, ROWS))
    sizes = [len(options) for options in OPTIONS.values()]
    assert len(met) == sum(a * b for a, b in itertools.combinations(sizes, 2)) == 729


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project of each row, in a folder of its own."""
    root = tmp_path_factory.mktemp("projects")
    here = Path.cwd()
    os.chdir(root)
    for number, row in enumerate(ROWS):
        chosen = zip(OPTIONS, row, strict=True)
        lines = [f"{key} = {value}" for key, value in chosen if value]
        spec = Path(f"spec{number}.toml")
        spec.write_text(FIXED + "\n".join(lines) + "\n")
        build.build(build.load(spec), Path(f"project{number}"))
    os.chdir(here)
    return root


def test_every_project_is_clean_python(projects: Path) -> None:
    rules = ["--isolated", "--select", "E,F,I,B,UP", "--exclude", ".specc"]
    for number, row in enumerate(ROWS):
        folder = projects / f"project{number}"
        linted = subprocess.run(["ruff", "check", *rules, "."], cwd=folder, capture_output=True)
        assert linted.returncode == 0, (row, linted.stdout.decode())
        for file in folder.glob("*.py"):
            text = file.read_text()
            assert black.format_str(text, mode=black.Mode()) == text, (row, file.name)


def test_every_project_is_short(projects: Path) -> None:
    for number, row in enumerate(ROWS):
        folder = projects / f"project{number}"
        lines = {file.name: file.read_text().count("\n") for file in folder.glob("*.py")}
        assert lines["train.py"] <= 250, row
        assert sum(lines.values()) <= 865, row


@pytest.mark.parametrize("template", sorted(TEMPLATES.rglob("*.py")), ids=lambda p: p.name)
def test_every_template_is_python(template: Path) -> None:
    ast.parse(template.read_text())


def test_the_same_spec_gives_the_same_bytes_anywhere(tmp_path: Path) -> None:
    outputs = []
    for seed, folder in [("1", "a"), ("2", "b b")]:
        here = tmp_path / folder
        here.mkdir()
        (here / "spec.toml").write_text(FIXED + 'model.name = "vit_b_16"\ndata.format = "cifar10"')
        command = [shutil.which("specc") or "specc", "build", "spec.toml", "-o", "out"]
        subprocess.run(command, cwd=here, check=True, env={**os.environ, "PYTHONHASHSEED": seed})
        files = sorted(path for path in (here / "out").rglob("*") if path.is_file())
        outputs.append([(path.relative_to(here), path.read_bytes()) for path in files])
    assert outputs[0] == outputs[1]


HOSTILE = [
    'a"b',
    "a'b",
    "a'\"b",
    '"""; raise SystemExit',
    "\\",
    "a\\",
    "{{ data.root }}",
    "{% raw %}",
    "#% if x",
    "$(touch broken)",
    "`touch broken`",
    "'; touch broken; '",
    "a b",
    "-rf",
    "œuvre – 画像 🪑",
    "``` x",
    "<script>alert(1)</script>",
    "x" * 300,
    "%s %(name)s {0}",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_string_of_the_spec_stays_a_string(tmp_path: Path, text: str) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text(
        json.dumps(
            {
                "task": "classification",
                "model": {"name": "resnet18", "weights": f"./{text}", "num_classes": 2},
                "data": {"format": "imagefolder", "root": text, "train": text, "val": text},
            }
        )
    )
    files = render(build.load(spec))
    for path, source in files.items():
        if path.endswith(".py"):
            assert black.format_str(source, mode=black.Mode()) == source
    assert code_spans(files["README.md"])[1] == text.strip()
    assert constant(files["data.py"], "DATA_DIR") == text
    assert constant(files["model.py"], "WEIGHTS") == f"./{text}"
    folders = [
        node.right.value
        for node in ast.walk(ast.parse(files["data.py"]))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
        if isinstance(node.right, ast.Constant)
    ]
    assert folders == [text, text]


def code_spans(markdown: str) -> list[str]:
    """What CommonMark takes for code inside lines: it ends with as many ` as it begins with."""
    spans = re.findall(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", markdown)
    return [span.strip() for _, span in spans]


def constant(source: str, name: str) -> object:
    """The value of a constant at the top of a module."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f"no {name}")


@pytest.mark.parametrize("text", [t for t in HOSTILE if "/" not in t and len(t) < 200])
def test_a_hostile_file_name_builds_and_launches_as_data(tmp_path: Path, text: str) -> None:
    spec = tmp_path / f"{text}.toml"
    spec.write_text(FIXED + 'model.name = "resnet18"\ndata.format = "cifar10"\n')
    out = tmp_path / "out"
    build.build(build.load(spec), out)
    for file in out.glob("*.py"):
        ast.parse(file.read_text())
    subprocess.run(["bash", "-n", "launch.sh"], cwd=out, check=True)
    heading, *_ = (out / "README.md").read_text().splitlines()
    assert code_spans(heading) == [text]
