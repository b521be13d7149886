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
TRAIN, VAL = "data.train.", "data.val."
OPTIONS: dict[str, list[str]] = {
    "model.name": [
        '"resnet18"',
        '"vit_b_16"',
        '"timm/resnet50d"',
        '"timm/deit_tiny_distilled_patch16_224"',
        '"googlenet"',
        '"densenet121"',
    ],
    "model.weights": [
        '"none"',
        '"default"',
        '"weights/a.safetensors"',
        '"https://localhost/a-0123abcd.pth"',
        '"https://localhost/a.pth"',
        '"package://some_package/b/a.pth"',
        '{ source = "a.pth", layout = "efficientnet-pytorch" }',
        '{ source = "a.pth", prefix = "net.", rename = { "body." = "" } }',
    ],
    "model.freeze": [
        '"none"',
        '"backbone"',
        "0",
        "1",
        '1\nmodel.unfreeze = [{ epoch = 2, freeze = 0 }, { epoch = 3, freeze = "none" }]',
    ],
    "data.format": [
        '"imagefolder"\ndata.root = "images"',
        '"imagefolder"\ndata.root = "images"\ndata.val_fraction = 0.2\ndata.balance = true',
        '"cifar10"',
        '"cifar10"\ndata.val_fraction = 0.2\ndata.label_smoothing = 0.1',
        '"imagenette"',
        f'"list"\n{TRAIN}list = "a/b"\n{VAL}list = "a/c"',
        f'"list"\n{TRAIN}list = "b"\ndata.val_fraction = 0.2\ndata.multi_label = true',
        f'"csv"\n{TRAIN}csv = "b"\n{VAL}csv = "c"\ndata.multi_label = true\n'
        f"data.label_columns = {list('abcdefghij')}",
        f'"openmmlab"\n{TRAIN}json = "b"\n{VAL}json = "c"',
    ],
    "data.augment": ['"random-resized-crop"', '"none"', '"rand-augment"'],
    "data.random_erasing": ["", "0.25\ndata.color_jitter = 0.4"],
    "data.repeat": ["1", "3"],
    "data.mixup": ["", "0.2"],
    "data.cutmix": ["", "1.0"],
    "data.eval_transforms": ["", '[{ name = "Resize", size = [224, 224] }]'],
    "optim.name": ['"sgd"', '"adamw"', '"lamb"'],
    "optim.head_lr": ["", "0.1"],
    "optim.layer_decay": ["", "0.5"],
    "optim.no_decay": ["", '["norm", "bias"]', '["bias"]', '["norm", "*.bias"]'],
    "optim.clip_norm": ["", "1.0"],
    "schedule.name": [
        '"cosine"',
        '"cosine"\nschedule.warmup = { steps = 9 }',
        '"onecycle"',
        '"plateau"',
        '"plateau"\nschedule.warmup = { epochs = 2 }',
        '"multistep"\nschedule.milestones = [3, 6]',
    ],
    "train.loss": ['"cross-entropy"', '"focal"'],
    "train.class_weights": ["", '"balanced"', "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"],
    "train.amp": ['"off"', '"bf16"', '"fp16"'],
    "train.ema": ["", "0.99"],
    "train.max_batch_per_gpu": ["", "8"],
    "train.compile": ["false", "true"],
    "train.channels_last": ["false", "true"],
    "train.early_stop": ["", "3"],
    "train.checkpoint_every": ["", "5", "5\ntrain.keep = 2"],
    "distill": ["", '{ name = "resnet18", weights = "teacher.pt" }'],
    "evaluate.every": ["1", "2"],
    "evaluate.metrics": ["[]", '["f1", "recall"]'],
    "evaluate.monitor": ["", '"loss"'],
    "train.deterministic": ["true", "false"],
    "train.sync_bn": ["true", "false"],
    "log.tensorboard": ["true", "false"],
    "log.wandb": ["", '"project"'],
    "log.mlflow": ["", '"experiment"'],
    "launch.gpus": ["", "2"],
    "evaluate.topk": ["", "[1, 3]"],
    "export.format": ['"torch"', '"onnx"'],
}
TASK = 'task = "classification"\nmodel.num_classes = 10\n'
FIXED = f'{TASK}data.root = "images"\n'


# Words of options that a build refuses together.
REFUSED = [
    ('"focal"', "data.mixup"),
    ('"focal"', "data.cutmix"),
    ('"focal"', "label_smoothing"),
    ('"focal"', "multi_label"),
    ("evaluate.topk", "multi_label"),
]
LINES = [[f"{key} = {value}" if value else "" for value in OPTIONS[key]] for key in OPTIONS]
Row = tuple[str, ...]
Pair = tuple[int, str, int, str]


def pairs(row: Row) -> set[Pair]:
    places = list(enumerate(row))
    return {(i, a, j, b) for (i, a), (j, b) in itertools.combinations(places, 2)}


def fits(one: str, other: str) -> bool:
    sides = [(one, other), (other, one)]
    return not any(a in left and b in right for a, b in REFUSED for left, right in sides)


def all_pairs() -> set[Pair]:
    return {
        (i, a, j, b)
        for (i, first), (j, second) in itertools.combinations(list(enumerate(LINES)), 2)
        for a, b in itertools.product(first, second)
        if fits(a, b)
    }


def covering() -> Iterator[Row]:
    """Choices in which every two values of different options meet, if they may."""
    missing = all_pairs()
    while missing:
        i, a, j, b = min(missing)
        row = [options[0] for options in LINES]
        row[i], row[j] = a, b
        for k, options in enumerate(LINES):
            if k not in (i, j):
                others = [*row[:k], *row[k + 1 :]]
                row[k] = max(
                    (line for line in options if all(fits(line, it) for it in others)),
                    key=lambda v: len(pairs((*row[:k], v, *row[k + 1 :])) & missing),  # noqa: B023
                )
        missing -= pairs(tuple(row))
        yield tuple(row)


ROWS = list(covering())


def test_all_pairs_of_options_are_built() -> None:
    met = set().union(*map(pairs, ROWS))
    assert met == all_pairs()
    assert len(met) == 5302


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project of each row, in a folder of its own."""
    root = tmp_path_factory.mktemp("projects")
    here = Path.cwd()
    os.chdir(root)
    for number, row in enumerate(ROWS):
        spec = Path(f"spec{number}.toml")
        spec.write_text(TASK + "\n".join(filter(None, row)) + "\n")
        build.build(build.load(spec), Path(f"project{number}"))
    os.chdir(here)
    return root


def test_every_project_is_clean_python(projects: Path) -> None:
    # All at once; `src` makes the modules of a project its own, as they are for one alone.
    folders = [f"project{number}" for number in range(len(ROWS))]
    rules = ["--isolated", "--select", "E,F,I,B,UP", "--exclude", ".specc"]
    rules += ["--config", f"src = {folders}", "--output-format", "concise"]
    linted = subprocess.run(["ruff", "check", *rules, "."], cwd=projects, capture_output=True)
    assert linted.returncode == 0, linted.stdout.decode()
    texts = {file.read_text(): file for file in projects.glob("project*/*.py")}
    for text, file in texts.items():
        assert black.format_str(text, mode=black.Mode()) == text, file


def test_every_project_is_short(projects: Path) -> None:
    for number, row in enumerate(ROWS):
        folder = projects / f"project{number}"
        lines = {file.name: file.read_text().count("\n") for file in folder.glob("*.py")}
        # With far more in one project than anybody asks for; the gallery keeps to 250.
        assert lines["train.py"] <= 290, row


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
