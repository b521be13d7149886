"""The command line, as a process: what it prints, where, and its exit code."""

import json
import os
import runpy
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from commands import specc

from specc import launch
from specc.source.diagnostics import UserError
from specc.tasks.common.plan import LaunchPlan

SPEC = """
task = "classification"
model.name = "resnet18"
data.format = "cifar10"
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("spec.toml").write_text(SPEC)
    return tmp_path


def test_build_writes_a_project(here: Path) -> None:
    done = specc("build", "spec.toml", "-o", "out")
    assert (done.returncode, done.stdout, done.stderr) == (0, "out: 13 files written\n", "")
    assert Path("out/train.py").exists()


def test_set_wins_over_the_file(here: Path) -> None:
    specc("build", "spec.toml", "-o", "out", "--set", "optim.lr=0.5", "--set", "train.seed=7")
    settings = Path("out/train.py").read_text().splitlines()
    assert {"LR = 0.5", "SEED = 7"} <= set(settings)


def test_problems_of_a_spec_go_to_stderr_with_code_2(here: Path) -> None:
    done = specc("build", "spec.toml", "-o", "out", "--set", "optim.rate=1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("--set optim.rate=1  optim.rate: unknown key")
    assert not Path("out").exists()


@pytest.mark.parametrize("spec", ["absent.toml", ".", "spec.yaml", "latin1.toml"])
def test_a_file_that_is_no_spec(here: Path, spec: str) -> None:
    Path("spec.yaml").write_text("task: classification\n")
    Path("latin1.toml").write_bytes(b'task = "\xe9"\n')
    done = specc("build", spec, "-o", "out")
    assert done.returncode == 2
    assert done.stderr.startswith(spec)


def test_an_output_that_is_a_file(here: Path) -> None:
    Path("out").write_text("mine\n")
    done = specc("build", "spec.toml", "-o", "out")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "out/.specc: Not a directory\n"
    assert Path("out").read_text() == "mine\n"


def test_an_output_that_cannot_be_written(here: Path) -> None:
    done = specc("build", "spec.toml", "-o", "/proc/out")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("/proc/out")


def test_names_that_are_no_text(here: Path) -> None:
    """Of file names, any bytes are allowed; line breaks and bytes that are no UTF-8."""
    Path("spec.toml").rename("a\n\udcff.toml")
    done = specc("build", "a\n\udcff.toml", "-o", "o\udcff")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "o\\udcff: 13 files written\n"
    readme = Path("o\udcff/README.md").read_text()
    assert readme.startswith("# `a\\u000a\\udcff`\n")


def test_a_conflict_is_named_with_code_1_and_nothing_is_lost(here: Path) -> None:
    specc("build", "spec.toml", "-o", "out")
    Path("out/train.py").write_text("mine\n")
    done = specc("build", "spec.toml", "-o", "out", "--set", "optim.lr=0.5")
    assert done.returncode == 1
    assert "CONFLICTS" in done.stdout and "train.py:1." in done.stdout
    assert Path("out/train.py").read_text().startswith("<<<<<<< yours\nmine\n=======\n")


def test_models_are_searched_by_name() -> None:
    done = specc("models", "resnet18")
    assert done.returncode == 0
    found = [line.split()[0] for line in done.stdout.splitlines()]
    assert found[:3] == ["model", "resnet18", "timm/legacy_seresnet18"]
    assert "timm/resnet18d" in found


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ("ssld_stage1", ["timm/hgnetv2_b0", "timm/hgnetv2_b6"]),
        ("ResNet18.A1", ["timm/resnet18"]),
        (
            "--min-acc1 86",
            ["regnet_y_128gf", "regnet_y_16gf", "regnet_y_32gf", "vit_h_14", "vit_l_16"],
        ),
        ("vit_ --min-acc1 85 --max-params 100", ["vit_b_16"]),
        ("--max-params 1.3", ["squeezenet1_0", "squeezenet1_1"]),
        ("--task instance-segmentation", ["maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2"]),
        ("--task detection --max-params 10", ["ssdlite320_mobilenet_v3_large"]),
        ("--task video-classification --max-params 10", ["s3d", "tsn"]),
        ("--task video-classification KINETICS400_ImageNet", ["swin3d_b"]),
        ("--task video-classification --min-acc1 50", []),
        ("--task pose", []),
    ],
)
def test_models_are_searched_by_what_they_are(options: str, names: list[str]) -> None:
    done = specc("models", *options.split())
    assert done.returncode == 0
    found = [line.split()[0] for line in done.stdout.splitlines()[1:] if line]
    assert set(names) <= set(found)
    if options.startswith(("--min", "vit_", "ResNet", "--task")):
        assert found == names


def test_timm_s_models_are_only_counted_if_none_is_named() -> None:
    classifiers, *_ = specc("models").stdout.split("\n\n")
    *lines, last = classifiers.splitlines()
    assert len(lines) == 1 + 80
    assert last.startswith("and 1357 of timm")


def test_detectors_have_columns_of_their_own() -> None:
    *_, found = specc("models", "maskrcnn_resnet50_fpn").stdout.split("\n\n")
    assert found.splitlines() == [
        "model                       params    pixels box AP mask AP  weights",
        "maskrcnn_resnet50_fpn        44.5M  800-1333   37.9    34.6  COCO_V1",
        "maskrcnn_resnet50_fpn_v2     46.4M  800-1333   47.4    41.8  COCO_V1",
    ]
    detectors = specc("models").stdout.split("\n\n")[1].splitlines()
    assert len(detectors) == 1 + 11 and len({line.index("COCO") for line in detectors[1:]}) == 1


def test_video_classifiers_have_columns_of_their_own() -> None:
    *_, found = specc("models", "--task", "video-classification").stdout.split("\n\n")
    head, *lines, last = found.splitlines()
    assert head == "model          params frames x pixels  acc@1  weights"
    assert len(lines) == 9
    assert lines[3] == "r2plus1d_18     31.5M          16x112   67.5  KINETICS400_V1"
    assert lines[5] == "s3d              8.3M         128x224   68.4  KINETICS400_V1"
    assert last == "tsn takes any image classifier as `backbone`"
    assert specc("models").stdout.endswith(f"\n\n{found}")
    assert specc("models", "tsn").stdout == f"{last}\n"


def test_schema_is_json() -> None:
    schema = json.loads(specc("schema").stdout)
    assert {"task", "model", "optim"} <= {*schema["properties"]}


def test_no_command_imports_torch(here: Path) -> None:
    code = (
        "import sys; from specc.cli import app\n"
        "for line in ['build spec.toml -o out', 'models', 'schema', '--help']:\n"
        "    try: app(line.split())\n"
        "    except SystemExit: pass\n"
        "print(*{'torch', 'torchvision', 'timm', 'numpy'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert Path("out/train.py").exists()
    assert done.stderr == "\n"


# ---- run ----

HERE = LaunchPlan(gpus=None, nodes=1, endpoint="localhost:29500")
THERE = "first:29500"


@pytest.mark.parametrize(
    ("wanted", "available", "line"),
    [
        (HERE, 4, "--standalone --nproc-per-node 4 out/train.py"),
        (launch.where(HERE, 2, None, None), 4, "--standalone --nproc-per-node 2 out/train.py"),
        (
            launch.where(HERE, None, None, None, 2),
            0,
            "--standalone --nproc-per-node 2 out/train.py",
        ),
        (
            launch.where(HERE, 8, 2, THERE),
            8,
            "--nnodes 2 --rdzv-backend c10d --rdzv-endpoint first:29500 --nproc-per-node 8 "
            "out/train.py",
        ),
    ],
)
def test_the_torchrun_line(
    wanted: LaunchPlan, available: int, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    words = launch.command(Path("out"), wanted, available, ["--resume"])
    assert words == ["torchrun", *line.split(), "--resume"]


def test_on_windows_a_run_ends_as_its_training_does(here: Path) -> None:
    """Where exec does not wait: Ctrl-C reaches both processes, and the exit code is passed on."""
    Path("train.py").write_text(
        "import signal, sys, time\n"
        "signal.signal(signal.SIGINT, lambda *_: (time.sleep(1), sys.exit(7)))\n"
        "print('begun', flush=True)\n"
        "time.sleep(60)\n"
    )
    code = (
        "from pathlib import Path; from specc import launch; launch.WINDOWS = True; "
        "launch.train(Path('.'), launch.LaunchPlan(None, 1, 'localhost:29500', 1), [])"
    )
    line = [sys.executable, "-c", code]
    pipe = subprocess.PIPE
    run = subprocess.Popen(line, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
    assert run.stdout
    while run.stdout.readline() != "begun\n":
        assert run.poll() is None
    os.killpg(run.pid, signal.SIGINT)
    _, said = run.communicate(timeout=60)
    assert (run.returncode, said) == (7, "")


@pytest.mark.parametrize("available", [0, 1])
def test_one_process_needs_no_torchrun(available: int) -> None:
    words = launch.command(Path("out"), HERE, available, ["--resume"])
    assert words == [sys.executable, "out/train.py", "--resume"]


def test_another_torchrun_on_the_path_is_not_taken(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("torchrun").write_text("#!/bin/sh\n")
    Path("torchrun").chmod(0o755)
    monkeypatch.setenv("PATH", str(here))
    assert launch.torchrun() == [sys.executable, "-m", "torch.distributed.run"]


def test_more_gpus_than_there_are() -> None:
    with pytest.raises(UserError, match="8 GPUs asked for, and this machine has 2"):
        launch.command(Path("out"), launch.where(HERE, 8, None, None), 2, [])
    with pytest.raises(UserError, match="8 GPUs asked for, and this machine has 0: write --cpu 1"):
        launch.command(Path("out"), launch.where(HERE, 8, None, None), 0, [])
    with pytest.raises(UserError, match="leave --gpus and --nodes out"):
        launch.where(HERE, 8, None, None, 2)


def test_specs_of_one_name_do_not_share_a_project(here: Path) -> None:
    project = Path("out/spec")
    launch.claim(project, Path("a/spec.toml"), named=False)  # nothing is there yet
    specc("build", "spec.toml", "-o", "out/spec")
    launch.claim(project, Path("a/spec.toml"), named=False)
    assert specc("build", "spec.toml", "-o", "out/spec").returncode == 0
    launch.claim(project, Path("a/spec.toml"), named=False)
    done = specc("run", "spec.toml")
    assert done.returncode == 1
    assert done.stderr.startswith("out/spec is the project of a/spec.toml, not of spec.toml: ")
    launch.claim(project, Path("spec.toml"), named=True)
    launch.claim(project, Path("spec.toml"), named=False)


def test_several_machines_need_a_place_to_meet() -> None:
    with pytest.raises(UserError, match="--endpoint"):
        launch.command(Path("out"), launch.where(HERE, None, 2, None), 2, [])


def test_run_names_a_missing_package_and_how_to_install_it(here: Path) -> None:
    specc("build", "spec.toml", "-o", "my out")
    requirements = Path("my out/requirements.txt")
    requirements.write_text("torch>=2.6\nno-such-package>=1\ntyper>=999\n")
    assert launch.missing_requirements(Path("my out")) == ["no-such-package>=1", "typer>=999"]
    with pytest.raises(UserError, match=r"no-such-package>=1, typer>=999: .* -r 'my out/req"):
        launch.train(Path("my out"), HERE, [])


def test_requirements_may_have_been_edited_or_deleted(here: Path) -> None:
    assert launch.missing_requirements(here) == []
    text = "# mine\n\n-r more.txt\n./wheels/own.whl\ntyper\nno-such-package\n"
    Path("requirements.txt").write_text(text)
    assert launch.missing_requirements(here) == ["no-such-package"]


@pytest.mark.slow
def test_run_starts_torchrun_where_the_user_stands_and_the_reason_comes_last(here: Path) -> None:
    specc("build", "spec.toml", "-o", "out")
    say = "os.write(1, ' '.join([os.getcwd(), *sys.argv[1:]]).encode() + b'\\n')"  # in one piece
    Path("out/train.py").write_text(
        "import os, sys, time\n"
        "from torch.distributed.elastic.multiprocessing.errors import record\n"
        "@record\ndef main():\n"
        f"    {say}\n"
        "    if os.environ['RANK'] == '1':\n        raise ValueError('cat.png is empty')\n"
        "    time.sleep(0.5)\n    raise RuntimeError('[pair.cc:545] Connection closed by peer')\n"
        "main()\n"
    )
    # The build refuses a project with edits, and so we start what it would have started.
    code = (
        "from pathlib import Path; from specc import launch; from specc.tasks.common.plan import "
        "LaunchPlan; launch.train(Path('out'), LaunchPlan(None, 1, '', cpu=2), ['--a b'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1  # torchrun's own code for a worker that failed
    lines = done.stdout.splitlines()
    assert lines[0] == "training on the CPU, in 2 process(es)"
    torchrun = shlex.join(launch.torchrun())
    assert lines[1] == f"{torchrun} --standalone --nproc-per-node 2 out/train.py '--a b'"
    assert lines.count(f"{here} --a b") == 2
    assert "ChildFailedError" not in done.stderr
    assert done.stderr.splitlines()[-1] == "process 1 failed: ValueError: cat.png is empty"


@pytest.mark.parametrize(
    ("ends", "line"),
    [
        ({0: (1, "RuntimeError: [pair.cc] reset"), 1: (-9, "")}, "process 1 was ended by SIGKILL"),
        ({0: (1, "ValueError: bad"), 1: (-15, "")}, "process 0 failed: ValueError: bad"),
        ({0: (1, ""), 1: (1, "RuntimeError: [pair.cc] reset")}, "process 0 ended first; its own"),
        ({0: (1, ""), 1: (1, "")}, ""),  # all have said why, and that stands last already
    ],
)
def test_the_reason_is_the_failure_from_which_others_follow(
    here: Path, ends: dict[int, tuple[int, str]], line: str
) -> None:
    from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

    specc("build", "spec.toml", "-o", "out")
    reason = runpy.run_path("out/launch.py")["reason"]
    failures = {}
    for rank, (code, message) in ends.items():
        file = here / f"error{rank}.json"
        if message:
            message_data = {"message": message, "extraInfo": {"timestamp": "1"}}
            file.write_text(json.dumps({"message": message_data}))
        failures[rank] = ProcessFailure(rank, 1, code, str(file))
    assert reason(failures).startswith(line) and bool(line) == bool(reason(failures))


def test_launch_sh_is_the_same_by_hand(here: Path) -> None:
    specc("build", "spec.toml", "-o", "out")
    binaries = here / "bin"
    binaries.mkdir()
    python = binaries / "python"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)

    def run(*arguments: str, **environment: str) -> list[str]:
        path = f"{binaries}:{os.environ['PATH']}"
        command = ["bash", "out/launch.sh", *arguments]
        env = {**os.environ, "PATH": path, **environment}
        return subprocess.run(command, env=env, capture_output=True, text=True).stdout.split("\n")

    Path("out/launch.py").write_text("import sys; print(*sys.argv[1:], sep='\\n')\n")
    assert run("--output", "a b", CPU="2") == [
        *["--standalone", "--nproc-per-node", "2", "out/train.py", "--output", "a b", ""]
    ]
    several = launch.command(Path("out"), launch.where(HERE, 1, 3, THERE), 2, [])
    options = several[len(launch.torchrun()) :]
    assert run(GPUS="1", NODES="3", ENDPOINT=THERE) == [*options, ""]
    assert run(GPUS="999") == [""]
    Path("out/train.py").write_text("import sys; print('python', *sys.argv[1:])\n")
    assert run("--resume", CPU="1") == ["python --resume", ""]
