"""What comes out of the compiler, whatever the spec: Python that reads back as it was meant."""

import ast
import itertools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import black
import pytest

from specc import build
from specc.render import TEMPLATES, render

# One line each: a key, and values that lead to different code. Pairs of them are all built.
TRAIN, VAL, TEST = "data.train.", "data.val.", "data.test."
SHARED: dict[str, list[str]] = {
    "data.repeat": ["1", "3"],
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
    "train.amp": ['"off"', '"bf16"', '"fp16"'],
    "train.ema": ["", "0.99"],
    "train.max_batch_per_gpu": ["", "8"],
    "train.early_stop": ["", "3"],
    "train.checkpoint_every": ["", "5", "5\ntrain.keep = 2"],
    "train.deterministic": ["true", "false"],
    "train.sync_bn": ["true", "false"],
    "evaluate.every": ["1", "2"],
    "log.tensorboard": ["true", "false"],
    "log.wandb": ["", '"project"'],
    "log.mlflow": ["", '"experiment"'],
    "launch.gpus": ["", "2"],
}
CLASSIFICATION = SHARED | {
    "model.name": [
        '"resnet18"',
        '"vit_b_16"',
        '"timm/resnet50d"\ndata.channels = 1',
        '"timm/deit_tiny_distilled_patch16_224"',
        '"googlenet"',
        '"densenet121"\ndata.channels = 1',
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
        '"imagefolder"\ndata.root = "images"\ndata.val_fraction = 0.2\ndata.balance = true\n'
        'data.train = "train"\ndata.test = "test"',
        '"cifar10"',
        '"cifar10"\ndata.val_fraction = 0.2\ndata.label_smoothing = 0.1\ndata.test = "test"',
        '"imagenette"',
        f'"list"\n{TRAIN}list = "a/b"\n{VAL}list = "a/c"',
        f'"list"\n{TRAIN}list = "b"\ndata.val_fraction = 0.2\ndata.multi_label = true\n'
        'data.image_suffix = ".png"\ndata.on_bad_image = "skip"',
        f'"csv"\n{TRAIN}csv = "b"\n{VAL}csv = "c"\n{TEST}csv = "d"\ndata.multi_label = true\n'
        f"data.label_columns = {list('abcdefghij')}",
        f'"csv"\n{TRAIN}csv = "b"\ndata.val_fraction = 0.2\ndata.val_groups = "patient"',
        f'"openmmlab"\n{TRAIN}json = "b"\n{VAL}json = "c"\n{TEST}json = "d"\n'
        "data.value_range = [0, 4095]",
    ],
    "data.augment": ['"random-resized-crop"', '"none"', '"rand-augment"'],
    "data.random_erasing": ["", "0.25\ndata.color_jitter = 0.4"],
    "data.mixup": ["", "0.2"],
    "data.cutmix": ["", "1.0"],
    "data.eval_transforms": ["", '[{ name = "Resize", size = [224, 224] }]'],
    "optim.name": ['"sgd"', '"adamw"', '"lamb"'],
    "train.loss": ['"cross-entropy"', '"focal"'],
    "train.class_weights": ["", '"balanced"', "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"],
    "train.compile": ["false", "true"],
    "train.channels_last": ["false", "true"],
    "distill": ["", '{ name = "resnet18", weights = "teacher.pt" }'],
    "evaluate.metrics": ["[]", '["f1", "recall"]'],
    "evaluate.monitor": ["", '"loss"'],
    "evaluate.topk": ["", "[1, 3]"],
    "export.format": ['"torch"', '"onnx"'],
}
BOXES, MASKS = '\ntask = "detection"', '\ntask = "instance-segmentation"'
COCO = '"coco"\ndata.train = { images = "a/b", json = "a/c.json" }\n'
DETECTION = {  # the model first: it decides what of the others fits
    "model.name": [
        f'"fasterrcnn_resnet50_fpn"{BOXES}',
        f'"fasterrcnn_mobilenet_v3_large_320_fpn"{BOXES}',
        f'"maskrcnn_resnet50_fpn"{MASKS}',
        f'"maskrcnn_resnet50_fpn_v2"{MASKS}',
        f'"retinanet_resnet50_fpn_v2"{BOXES}',
        f'"fcos_resnet50_fpn"{BOXES}',
        f'"ssd300_vgg16"{BOXES}',
        f'"ssdlite320_mobilenet_v3_large"{BOXES}',
    ],
    "model.weights": [
        '"default"',
        '"none"',
        '"IMAGENET1K_V1"',
        '"weights/a.safetensors"',
        '{ source = "package://some_package/b/a.pth", prefix = "net.", head = true,'
        ' rename = { "body." = "" } }',
        '{ source = "a.pth", layout = "mmdet" }',
        '{ source = "a.pth", layout = "mmdet", head = true }',
        '{ source = "https://localhost/caffe.pth", layout = "mmdet-caffe" }',
    ],
    "model.freeze": [
        "",
        '"none"',
        '"backbone"',
        "0",
        '["backbone.*"]',
        '2\nmodel.unfreeze = [{ epoch = 2, freeze = 0 }, { epoch = 3, freeze = "none" }]',
    ],
    "model.batch_norm": ["", '"frozen"', '"eval"', '"train"'],
    "data.format": [
        '"voc"\ndata.root = "voc"',
        '"voc"\ndata.root = "voc"\ndata.train = ["VOC2007/trainval", "VOC2012/trainval"]\n'
        'data.classes = ["dog"]\ndata.val_fraction = 0.2\ndata.test = "VOC2007/test"',
        f'{COCO}data.val = {{ images = "a/d", json = "a/e.json" }}\ndata.classes = ["a", "b"]\n'
        'data.test = { images = "a/f", json = "a/g.json" }',
        f'{COCO}data.val_fraction = 0.2\ndata.classes = "coco"',
        '"coco"\n'
        'data.train = [{ images = "a", json = "a.json" }, { images = "b", json = "b.json" }]\n'
        'data.classes = ["a", "b"]\ndata.val_fraction = 0.2',
        '"voc-folders"\ndata.root = "voc"\ndata.classes = ["a", "b"]',
        '"voc-folders"\ndata.root = "voc"\ndata.classes = ["a"]\ndata.train = "images"\n'
        'data.xml = "xml"\ndata.val_fraction = 0.2',
        '"cityscapes"\ndata.root = "streets"',
        '"wider-face"\ndata.root = "faces"',
        '"wider-face"\ndata.root = "faces"\ndata.annotations = "voc"\ndata.val_fraction = 0.2\n'
        'data.val_groups = "_"',
        '"yolo"\ndata.root = "yolo"\ndata.classes = ["a", "b"]',
        '"yolo"\ndata.root = "here"\ndata.classes = ["c", "a"]',  # of three there are
        '"yolo"\ndata.root = "yolo"\ndata.classes = ["a"]\n'
        'data.train = "train.txt"\ndata.val = ["val.txt", "images/more"]\n'
        'data.test = "images/test"',
    ],
    "data.keep_empty": ["false", "true"],
    "data.on_bad_annotation": ['"error"', '"fix"'],
    "data.min_size": ["", "8"],
    "data.resize": [
        "",
        "{ short = 600, long = 1000 }",
        "{ short = [640, 800], long = 1333 }",
        "{ short = [480, 512, 640], long = 1333 }",
    ],
    "data.augment": ["", '"large-scale-jitter"', '"ssd"', '"none"'],
    "data.photometric_distort": ["false", "true"],
    "data.copy_paste": ["", "0.5"],
    "data.train_transforms": ["", '[{ name = "Resize", size = [600, 800] }]', "[]"],
    "data.mean": ["", "[0.4, 0.5, 0.6]\ndata.std = [0.2, 0.3, 0.4]"],
    **SHARED,
    "optim.name": ['"sgd"', '"adamw"', '"muon"'],
    "optim.groups": ["", '[{ match = "backbone", lr = 0.001, weight_decay = 0 }]'],
    "train.group_by_shape": ["true", "false"],
    "evaluate.max_detections": ["100", "300"],
    "evaluate.loss": [
        "true",
        "false",
        'true\nevaluate.monitor = "loss"',
        'false\nevaluate.monitor = "box_AP75"',
    ],
}
VIDEO = {  # the model first, as above
    "model.name": [
        '"tsn"',
        '"tsn"\nmodel.backbone = "timm/efficientnet_lite0"',
        '"tsn"\nmodel.backbone = "vit_b_16"',
        '"r3d_18"',
        '"s3d"',
        '"mvit_v2_s"',
        '"swin3d_t"',
    ],
    "model.weights": [
        '"default"',
        '"none"',
        '"weights/a.safetensors"',
        '{ source = "https://localhost/a-0123abcd.pth", prefix = "net.", rename = { "a." = "" } }',
        '{ source = "package://some_package/b/a.pth", layout = "classifier" }',
        '{ source = "a.pth", layout = "mmaction" }',
    ],
    "model.freeze": [
        '"none"',
        '"backbone"',
        '1\nmodel.unfreeze = [{ epoch = 2, freeze = 0 }, { epoch = 3, freeze = "none" }]',
    ],
    "model.batch_norm": ['"train"', '"eval"'],
    "data.format": [
        f'"rawframes"\n{TRAIN}list = "a/b"\n{VAL}list = "a/c"',
        f'"rawframes"\n{TRAIN}list = "b"\ndata.val_fraction = 0.2\ndata.with_offset = true\n'
        f"data.classes = {[str(number) for number in range(101)]}",
        f'"videos"\n{TRAIN}list = "b"\n{VAL}list = "c"\n{TEST}list = "d"\n'
        'data.classes = "names.txt"',
        f'"videos"\n{TRAIN}list = "b"\ndata.val_fraction = 0.2\ndata.balance = true',
        '"videofolder"\ndata.root = "videos"',
        '"videofolder"\ndata.root = "videos"\ndata.val_fraction = 0.2\n'
        'data.train = "train"\ndata.test = "test"',
        '"kinetics"\ndata.root = "kinetics"',
        '"kinetics"\ndata.root = "kinetics"\ndata.val_fraction = 0.2\ndata.val_groups = "folder"',
        '"kinetics"\ndata.root = "kinetics"\ndata.val_fraction = 0.2\ndata.test = "test"',
        '"ucf101"\ndata.root = "ucf101"\ndata.fold = 2',
    ],
    "data.clips": [
        "{ }",
        "{ segments = 8 }",
        "{ frames = 16, stride = 2 }",
        "{ frames = 16, fps = 7.5 }",
    ],
    "data.decoder": ['"pyav"', '"torchcodec"'],
    "data.flip": ["true", "false"],
    "data.augment": ["", '"random-crop"', '"multi-scale-crop"', '"aug-mix"'],
    "data.random_erasing": ["", "0.25\ndata.color_jitter = 0.4"],
    "data.train_transforms": [
        "",
        '[{ name = "AugMix" }, { name = "Resize", size = [224, 224] }]',
    ],
    "data.mixup": ["", "0.2"],
    "data.cutmix": ["", "1.0"],
    **SHARED,
    "optim.name": ['"sgd"', '"adamw"', '"lamb"'],
    "train.loss": ['"cross-entropy"', '"focal"'],
    "train.class_weights": ["", '"balanced"'],
    "train.compile": ["false", "true"],
    "evaluate.metrics": ["[]", '["f1", "mean_class_accuracy"]'],
    "evaluate.monitor": ["", '"loss"'],
    "evaluate.test": [
        "",
        "{ clips = 4 }",
        "{ clips = 2, crops = 3 }",
        '{ clips = 3, crops = 5, average = "scores" }',
        '{ clips = 25, crops = 10, average = "scores" }',
    ],
    "export.format": ['"torch"', '"onnx"'],
}
# Words of options that a build refuses together.
REFUSED = [
    ('"focal"', "data.mixup"),
    ('"focal"', "data.cutmix"),
    ('"focal"', "label_smoothing"),
    ('"focal"', "multi_label"),
    ("evaluate.topk", "multi_label"),
    ("mmdet", "mobilenet"),
    ("mmdet", "fpn_v2"),
    ("mmdet", "fcos"),
    ("mmdet", "ssd300"),
    ("IMAGENET1K_V1", "ssd"),
    ("model.batch_norm", "ssd300"),
    ("data.resize", "ssd300"),
    ("data.resize", "ssdlite320"),
    ("short = [", '"large-scale-jitter"'),
    ("short = [", "data.train_transforms"),
    ("data.augment", "data.train_transforms"),
    ("random_erasing", "data.train_transforms"),
    ("data.flip = false", "data.train_transforms"),
    ("photometric_distort = true", "data.train_transforms"),
    ("voc-folders", MASKS),
    ("voc-folders", "data.copy_paste"),
    ("wider-face", MASKS),
    ("wider-face", "data.copy_paste"),
    ("data.copy_paste", BOXES),
    ("segments", '"r3d_18"'),
    ("segments", '"s3d"'),
    ("segments", "mvit_v2_s"),
    ("segments", "swin3d_t"),
    ("frames = 16", '"tsn"'),
    ("fps", "rawframes"),
    ("layout", "r3d_18"),
    ("layout", "s3d"),
    ("layout", "mvit_v2_s"),
    ("layout", "swin3d_t"),
    ("layout", "frames = 16"),
    ("mmaction", "backbone = "),
    ('batch_norm = "eval"', "vit"),
    ('batch_norm = "eval"', "swin3d_t"),
]
Row = tuple[str, ...]
Lines = list[list[str]]
Pair = tuple[int, str, int, str]


def pairs(row: Row) -> set[Pair]:
    places = list(enumerate(row))
    return {(i, a, j, b) for (i, a), (j, b) in itertools.combinations(places, 2)}


@cache
def fits(one: str, other: str) -> bool:
    sides = [(one, other), (other, one)]
    return not any(a in left and b in right for a, b in REFUSED for left, right in sides)


def all_pairs(lines: Lines) -> set[Pair]:
    return {
        (i, a, j, b)
        for (i, first), (j, second) in itertools.combinations(list(enumerate(lines)), 2)
        for a, b in itertools.product(first, second)
        if fits(a, b)
    }


def covering(lines: Lines) -> Iterator[Row]:
    """Choices in which every two values of different options meet, if they may."""
    missing = all_pairs(lines)
    while missing:
        i, a, j, b = min(missing)
        row = [options[0] for options in lines]
        row[i], row[j] = a, b
        for k, options in enumerate(lines):
            if k not in (i, j):
                others = [*row[:k], *row[k + 1 :]]
                row[k] = max(
                    (line for line in options if all(fits(line, it) for it in others)),
                    key=lambda v: len(pairs((*row[:k], v, *row[k + 1 :])) & missing),  # noqa: B023
                )
        missing -= pairs(tuple(row))
        yield tuple(row)


def lines_of(options: dict[str, list[str]]) -> Lines:
    return [[f"{key} = {value}" if value else "" for value in options[key]] for key in options]


TASK = 'task = "classification"\nmodel.num_classes = 10\n'
FIXED = f'{TASK}data.root = "images"\n'
LINES = {
    "classification": lines_of(CLASSIFICATION),
    "detection": lines_of(DETECTION),
    "video": lines_of(VIDEO),
}
ROWS = {task: list(covering(lines)) for task, lines in LINES.items()}
OPENING = {
    "classification": TASK,
    "detection": "",
    "video": 'task = "video-classification"\nmodel.num_classes = 101\n',
}
# A folder each, and the spec in it.
SPECS = {
    f"{task}{number}": OPENING[task] + "\n".join(filter(None, row))
    for task, rows in ROWS.items()
    for number, row in enumerate(rows)
}


@pytest.mark.parametrize(
    "task, number", [("classification", 5398), ("detection", 6730), ("video", 6017)]
)
def test_all_pairs_of_options_are_built(task: str, number: int) -> None:
    met = set().union(*map(pairs, ROWS[task]))
    assert met == all_pairs(LINES[task])
    assert len(met) == number


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project of each row, in a folder of its own."""
    root = tmp_path_factory.mktemp("projects")
    here = Path.cwd()
    os.chdir(root)
    for part in ("train", "val"):
        Path("here/images", part).mkdir(parents=True)
        Path("here/labels", part).mkdir(parents=True)
    Path("here/data.yaml").write_text("names: [a, b, c]\n")
    for folder, text in SPECS.items():
        spec = Path(f"{folder}.toml")
        spec.write_text(text)
        build.build(build.load(spec), Path(folder))
    os.chdir(here)
    return root


@pytest.mark.slow
@pytest.mark.xdist_group("projects")  # these look at the same projects
def test_every_project_is_clean_python(projects: Path) -> None:
    # All at once; `src` makes the modules of a project its own, as they are for one alone.
    rules = ["--isolated", "--select", "E,F,I,B,UP", "--exclude", ".specc"]
    rules += ["--config", f"src = {list(SPECS)}", "--output-format", "concise"]
    linted = subprocess.run(["ruff", "check", *rules, "."], cwd=projects, capture_output=True)
    assert linted.returncode == 0, linted.stdout.decode()


@pytest.mark.slow
@pytest.mark.xdist_group("projects")
def test_nothing_in_a_project_is_for_nothing(projects: Path) -> None:
    # Ruff sees what is local; this is of functions, classes and constants of modules.
    for folder, spec in SPECS.items():
        defined, used = set(), set()
        for file in (projects / folder).glob("*.py"):
            tree = ast.parse(file.read_text())
            for node in tree.body:
                if isinstance(node, ast.FunctionDef | ast.ClassDef):
                    defined.add(node.name)
                elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                    defined.add(node.targets[0].id)
            for node in ast.walk(tree):
                if isinstance(node, ast.Attribute):
                    used.add(node.attr)
                elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                    used.add(node.id)
        assert defined <= used, spec


@pytest.mark.slow
@pytest.mark.xdist_group("projects")
def test_every_project_is_short(projects: Path) -> None:
    for folder, spec in SPECS.items():
        lines = {
            file.name: file.read_text().count("\n") for file in (projects / folder).glob("*.py")
        }
        # With far more in one project than anybody asks for; the gallery keeps to 250.
        assert lines["train.py"] <= 290, spec


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
        if isinstance(node.right, ast.Constant) and isinstance(node.right.value, str)
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
