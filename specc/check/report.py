"""The screen that `specc check` prints."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from specc.build import plan
from specc.check.warnings import shares, warnings
from specc.render import render
from specc.source.diagnostics import visible
from specc.source.read import Source, read
from specc.tasks.common.plan import ClassesPlan, ClassificationPlan, Plan

CLASSES = 12  # that are listed; of more the largest and the smallest
LEFT_OUT = 5  # wrong annotations that are shown
HEIGHT, BLOCKS = 5, " ▁▂▃▄▅▆▇█"
WIDTH = 100
# How to leave out what stops a training, by what the generated project says of it.
LEAVE_OUT = {
    "annotations are wrong; ": 'data.on_bad_annotation = "fix" leaves these out',
    " images are wrong:": 'data.on_bad_image = "skip" leaves these out',
}


def check(
    path: Path, overrides: Sequence[str], gpus: int | None, nodes: int | None
) -> tuple[str, bool]:
    """Describe the training by the spec at `path` in about 40 lines; return whether it could begin.

    Raises:
        SpecError: with everything that is wrong with the spec.
    """
    source = read(path, overrides)
    checked = plan(source)
    answers = probe(checked, source)
    processes = (gpus or checked.launch.gpus or 1) * (nodes or checked.launch.nodes)
    sections: list[tuple[str, list[str]]] = [
        ("data", list(_data(checked, answers))),
        ("model", list(_model(checked, answers))),
        ("batch", list(_batch(checked, source, answers, processes))),
        ("lr", list(_curve(checked, answers))),
        ("best", list(_best(checked))),
        ("saved", list(_saved(checked))),
    ]
    lines = [f"{path}: {source.tree['task']}, {checked.title}", ""]
    for title, texts in sections:
        for index, text in enumerate("\n".join(texts).splitlines()):
            lines.append(f"{title if not index else '':7}{text}".rstrip())
    found = [str(it) for it in [*source.notes, *warnings(checked, source, answers, processes)]]
    lines += ["", *found] if found else []
    divided = checked.train.batch_size % shares(checked, processes) == 0
    return "\n".join(lines) + "\n", divided and "wrong" not in answers


def probe(checked: Plan, source: Source) -> dict[str, Any]:
    """Ask the project of a plan about itself; see probe.py."""
    asked = {
        "batch_size": checked.train.batch_size,
        "epochs": checked.train.epochs,
        "repeat": repeat(source),
        "data": not (isinstance(checked, ClassificationPlan) and checked.data.named),
        "test": "test" in source.tree["data"],
    }
    script = resources.files("specc.check").joinpath("probe.py").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        for name, text in render(checked).items():
            Path(folder, name).write_text(text, encoding="utf-8")
        command = [sys.executable, "-c", script, folder, json.dumps(asked)]
        done = subprocess.run(command, capture_output=True, text=True)
    try:
        answers: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        *_, last = done.stderr.strip().splitlines() or ["it says nothing"]
        answers = {"missing": dict.fromkeys(("data", "model", "curve"), last)}
    return answers


def repeat(source: Source) -> int:
    """Return the number of passes over the samples in an epoch."""
    return int(source.tree["data"].get("repeat", 1))


def _data(checked: Plan, answers: Mapping[str, Any]) -> Iterator[str]:
    if "data" not in answers:
        yield f"not counted: {(reason := answers['missing']['data'])}"
        yield from (advice for text, advice in LEAVE_OUT.items() if text in reason)
        return
    found = answers["data"]
    noun = f"{checked.sample}s"
    tests = f", {found['test']['count']} to test on" if "count" in found.get("test", {}) else ""
    yield f"{found['train']} {noun} to train on, {found['val']} to validate on{tests}"
    if left_out := found["left_out"]:
        yield f"{len(left_out)} wrong annotations are left out or mended:"
        yield from (f"  {visible(line)}"[: WIDTH - 8] for line in left_out[:LEFT_OUT])
        if len(left_out) > LEFT_OUT:
            yield f"  … {len(left_out) - LEFT_OUT} more"
    train, val = found["classes"]
    rows = sorted(train, key=lambda name: (-train[name], name))
    things = noun if isinstance(checked, ClassesPlan) else "objects"
    shown = rows if len(rows) <= CLASSES else [*rows[: CLASSES // 2], "", *rows[-CLASSES // 2 :]]
    width = min(30, max(map(len, shown), default=0))
    longest = max([1, *train.values()])
    yield f"{len(rows)} classes; {things} of each in training and validation:"
    for name in shown:
        if not name:
            yield f"  … {len(rows) - CLASSES} more"
            continue
        bar = "█" * max(1, round(30 * train[name] / longest)) if train[name] else ""
        yield f"  {visible(name)[:width]:{width}}{train[name]:8} {val.get(name, 0):7}  {bar}"


def _model(checked: Plan, answers: Mapping[str, Any]) -> Iterator[str]:
    if "model" not in answers:
        yield f"parameters not counted: {answers['missing']['model']}"
    else:
        all_, trained = answers["model"]["all"], answers["model"]["trained"]
        share = f", {trained:,} of them trained ({trained / all_:.1%})" if trained < all_ else ""
        yield f"{all_:,} parameters{share or ', all trained'}"
    for epoch, names in checked.model.frozen_by_epoch.items():
        if names or epoch:
            when = f"from epoch {epoch + 1} on" if epoch else "frozen"
            listed = ", ".join(names[:6]) + (", …" if len(names) > 6 else "")
            yield f"{when}: {listed or 'nothing is frozen'}"[: WIDTH - 8]
    if not checked.model.pretrained:
        yield "random weights"
    elif checked.model.new_head:
        yield "pretrained weights, and a new head"
    else:
        yield "pretrained weights"


def _batch(
    checked: Plan, source: Source, answers: Mapping[str, Any], processes: int
) -> Iterator[str]:
    size, micro = checked.train.batch_size, checked.train.micro_batch
    each = size // processes
    text = f"{size} {checked.sample}s"
    if processes > 1 and not size % processes:
        text += f", {each} on each of {processes} GPUs"
    if micro and micro < each:
        text += f", computed {micro} at a time and accumulated in {-(-each // micro)} parts"
    yield text
    epochs = checked.train.epochs
    if "data" in answers:
        samples = repeat(source) * answers["data"]["train"]
        steps = samples // size
        left = f"; {samples % size} samples of an epoch left out" if samples % size else ""
        yield f"{steps} steps an epoch, {steps * epochs} in {epochs} epochs{left}"
    else:
        yield f"{epochs} epochs"


def _curve(checked: Plan, answers: Mapping[str, Any]) -> Iterator[str]:
    """Yield the learning rate as bars, from 0 to its highest value."""
    if "curve" not in answers:
        yield f"not drawn: {answers['missing']['curve']}"
        return
    found = answers["curve"]
    if "plateau" in found:
        rates = ", ".join(f"{rate:g}" for rate in sorted(set(found["plateau"])))
        yield f"{rates}, until {checked.train.monitor} stops getting better"
        return
    rates, highest = found["rates"], max(found["rates"])
    levels = [round(8 * HEIGHT * rate / highest) if highest else 0 for rate in rates]
    for row in reversed(range(HEIGHT)):
        label = f"{highest:.2g}" if row == HEIGHT - 1 else "0" if not row else ""
        yield f"{label:>8} {''.join(BLOCKS[max(0, min(8, it - 8 * row))] for it in levels)}"
    last = f"epoch {checked.train.epochs}"
    yield f"{'':8} epoch 1{last:>{len(rates) - 7}}"
    several = ""
    if len(found["peaks"]) > 1:
        several = f"; the lowest of {len(found['peaks'])} groups up to {found['peaks'][0]:.3g}"
    yield f"from {found['first']:.3g} to {found['last']:.3g}{several}"
    if "data" not in answers:
        yield "(as if an epoch had 100 steps)"


def _best(checked: Plan) -> Iterator[str]:
    train = checked.train
    often = "each epoch" if train.evaluate_every == 1 else f"every {train.evaluate_every} epochs"
    better = "lowest" if train.monitor_falls else "highest"
    yield f"the {better} {train.monitor}, measured {often}" + (
        f"; stops after {train.early_stop} evaluations without a better one"
        if train.early_stop
        else ""
    )


def _saved(checked: Plan) -> Iterator[str]:
    train = checked.train
    every = f"; an own file every {train.checkpoint_every} epochs" if train.checkpoint_every else ""
    yield f"last.pt each epoch and every {train.checkpoint_steps} steps, best.pt{every}"
    kinds = [str(train.amp).removeprefix("torch.")] if train.amp else []
    kinds += ["torch.compile"] * train.compile + ["a moving average of the weights"] * train.ema
    if kinds:
        yield f"trained with {', '.join(kinds)}"
