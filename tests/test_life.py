"""The long life of a project: hundreds of hand edits and spec changes, and nothing is lost."""

import difflib
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from specc.build import load
from specc.project.merge import conflicts
from specc.project.write import write
from specc.render import render
from specc.source.diagnostics import SpecError, UserError

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
ROUNDS = 200
SHARED = {
    "optim.lr": ["0.01", "0.02", "0.3"],
    "optim.weight_decay": ["0.0", "0.001", "0.05"],
    "optim.clip_norm": ["1.0", "5.0"],
    "optim.head_lr": ["0.1", "0.2"],
    "schedule.epochs": ["30", "31"],
    "train.batch_size": ["32", "64"],
    "train.amp": ["off", "bf16", "fp16"],
    "train.ema": ["0.99", "0.999"],
    "train.max_batch_per_gpu": ["8", "16"],
    "train.early_stop": ["3", "5"],
    "train.checkpoint_every": ["2", "5"],
    "train.deterministic": ["true", "false"],
    "train.seed": ["1", "2"],
    "train.workers": ["2", "3"],
    "evaluate.every": ["1", "2"],
    "log.tensorboard": ["true", "false"],
    "log.wandb": ["project", "other"],
    "data.repeat": ["1", "3"],
    "launch.gpus": ["2", "4"],
}
CLASSIFIERS = {
    "train.loss": ["cross-entropy", "focal"],
    "train.compile": ["true", "false"],
    "data.mixup": ["0.2"],
    "data.random_erasing": ["0.25"],
    "data.color_jitter": ["0.4"],
    "evaluate.metrics": ["[]", '["f1"]', '["precision", "recall"]'],
    "export.format": ["torch", "onnx"],
    "model.init_std": ["0.01", "0.02"],
}
CHANGES = {
    "cifar10_resnet50": CLASSIFIERS | {"data.image_size": ["64", "96"], "model.freeze": ["0", "1"]},
    "cityscapes_maskrcnn": {
        "data.photometric_distort": ["true", "false"],
        "data.copy_paste": ["0.5"],
        "data.min_size": ["8", "16"],
        "data.keep_empty": ["true", "false"],
        "model.batch_norm": ["frozen", "train"],
        "evaluate.loss": ["true", "false"],
    },
    "ucf101_tsn": CLASSIFIERS
    | {"data.clips.segments": ["4", "8"], "data.decoder": ["pyav", "torchcodec"]},
}


class Owner:
    """Edits files by hand, each time with a mark of his own."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.count = 0

    def edit(self, folder: Path) -> str:
        """A random edit of a random file; its path."""
        files = sorted(it for it in folder.iterdir() if it.is_file())
        often = [it for it in files if it.name in ("train.py", "data.py", "model.py")]
        file = self.random.choice([*files, *often, *often])
        lines = file.read_text().splitlines(keepends=True)
        action = self.random.choice([self.insert, self.change, self.delete, self.move])
        action(lines)
        file.write_text("".join(lines))
        return file.name

    def mark(self) -> str:
        self.count += 1
        return f"# mine {self.count}."

    def place(self, lines: list[str]) -> int:
        """A line; half of the time a setting, which a spec changes most."""
        settings = [index for index, line in enumerate(lines) if re.match(r"[A-Z_]+ = ", line)]
        if settings and self.random.random() < 0.5:
            return self.random.choice(settings)
        return self.random.randrange(len(lines))

    def insert(self, lines: list[str]) -> None:
        at = self.place(lines)
        indent = re.match(r"[ \t]*", lines[at])[0]  # type: ignore[index]
        new = [f"{indent}{self.mark()}\n" for _ in range(self.random.randint(1, 3))]
        lines[at:at] = new

    def change(self, lines: list[str]) -> None:
        at = self.place(lines)
        lines[at] = f"{lines[at].rstrip()}  {self.mark()}\n"

    def delete(self, lines: list[str]) -> None:
        at = self.place(lines)
        del lines[at : at + self.random.randint(1, 2)]

    def move(self, lines: list[str]) -> None:
        line = lines.pop(self.random.randrange(len(lines)))
        lines.insert(self.random.randrange(len(lines) + 1), f"{line.rstrip()}  {self.mark()}\n")

    def resolve(self, file: Path) -> None:
        """Settle the conflicts in a file, each in one way or another."""
        pattern = r"<<<<<<< yours\n(.*?)=======\n(.*?)>>>>>>> generated\n"
        choose: list[Callable[[re.Match[str]], str]] = [
            lambda hunk: hunk[1],
            lambda hunk: hunk[2],
            lambda hunk: hunk[1] + hunk[2],
        ]
        text = re.sub(
            pattern, lambda it: self.random.choice(choose)(it), file.read_text(), flags=re.S
        )
        file.write_text(text)


def marks(text: str) -> Counter[str]:
    return Counter(re.findall(r"# mine \d+\.", text))


def added(old: str, new: str) -> Counter[str]:
    """The lines that there are more of."""
    return Counter(new.splitlines()) - Counter(old.splitlines())


def outside(text: str, side: int) -> str:
    """A text with one side of its conflicts only."""
    pattern = r"<<<<<<< yours\n(.*?)=======\n(.*?)>>>>>>> generated\n"
    return re.sub(pattern, lambda hunk: hunk[side], text, flags=re.S)


def ranges(old: str, new: str) -> Iterator[tuple[int, int]]:
    matcher = difflib.SequenceMatcher(None, old.splitlines(), new.splitlines(), autojunk=False)
    for kind, begin, end, _, _ in matcher.get_opcodes():
        if kind != "equal":
            yield begin, end


def apart(base: str, yours: str, new: str) -> bool:
    """Whether no change of the owner's touches one of the spec's."""
    return all(
        end < other_begin or other_end < begin
        for begin, end in ranges(base, yours)
        for other_begin, other_end in ranges(base, new)
    )


def check(base: str, yours: str, new: str, merged: str) -> None:
    """That a merged file has the owner's edits and the spec's changes."""
    assert marks(merged) >= marks(yours)
    mine, spec = outside(merged, 1), outside(merged, 2)
    # What the spec adds is there, and what either takes away is gone.
    assert not added(base, new) - Counter(spec.splitlines())
    assert not added(base, yours) - Counter(mine.splitlines())
    once = [line for line, count in Counter(base.splitlines()).items() if count == 1]
    for line in once:
        if line not in yours.splitlines() and line not in new.splitlines():
            assert line not in merged.splitlines()
        elif line not in yours.splitlines():  # one less, where the spec adds another such line
            assert mine.splitlines().count(line) < new.splitlines().count(line)
        elif line not in new.splitlines():  # one less, where the owner has another such line
            assert spec.splitlines().count(line) < yours.splitlines().count(line)
    if apart(base, yours, new):
        assert not conflicts(merged)
    # And nothing that nobody wrote.
    assert not set(mine.splitlines()) - set(yours.splitlines()) - set(new.splitlines())


@pytest.mark.parametrize("name", CHANGES)
def test_a_long_life(here: Path, name: str) -> None:
    owner = Owner(seed=len(name))
    options = SHARED | CHANGES[name]
    overrides: dict[str, str] = {}
    spec = ROOT / f"specs/{name}.toml"
    project, twin = here / "project", here / "twin"
    said: Counter[str] = Counter()
    generated = render(load(spec))
    write(project, generated)
    for _ in range(ROUNDS):
        if owner.random.random() < 0.5:
            owner.edit(project)
            said["edits"] += 1
        else:
            key = owner.random.choice(sorted(options))
            value = owner.random.choice(["", *options[key]])
            tried = {**overrides, key: value} if value else overrides.copy()
            if not value:
                tried.pop(key, None)
            try:
                new = render(load(spec, [f"{k}={v}" for k, v in tried.items()]))
            except SpecError:
                continue
            overrides = tried
            yours = {file: (project / file).read_text() for file in generated}
            changes = write(project, new)
            said["builds"] += 1
            said["conflicts"] += len(changes.conflicts)
            said["merged"] += len(changes.paths("merged"))
            for file in new:
                merged = (project / file).read_text()
                base = generated.get(file)
                if base is None or yours[file] == base:
                    assert merged == new[file]
                else:
                    check(base, yours[file], new[file], merged)
            if changes.conflicts:
                with pytest.raises(UserError, match="conflicts that are still there"):
                    write(project, new)
                for line in changes.conflicts:
                    owner.resolve(project / line.partition(":")[0])
            for file in set(generated) - set(new):  # no longer generated
                assert (project / file).exists() == (yours[file] != generated[file])
                (project / file).unlink(missing_ok=True)
            generated = new
            write(twin, new)
        known = {it.name: it.read_text() for it in twin.glob("*") if it.is_file()}
        assert not known or known == generated
    print(name, dict(said))
    assert said["builds"] > ROUNDS / 4 and said["merged"] > 10 and said["conflicts"] > 0
