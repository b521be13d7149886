"""`specc init`: say what lies in a folder, and write a spec for it."""

import json
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from specc.build import plan
from specc.init.boxes import near_miss
from specc.init.found import Found
from specc.init.look import look
from specc.init.recipe import IMBALANCE, imbalance, recipe
from specc.init.sizes import sizes
from specc.language.schema import schema_text
from specc.source.diagnostics import SpecError, UserError, choices, visible
from specc.source.keys import dotted, quoted
from specc.source.read import Source
from specc.tasks import LANGUAGES

SCHEMA = "specc.schema.json"  # beside the spec
COMMENTS = {
    "val_fraction": "the share to validate on",
    "balance": "each class is drawn equally often",
    "freeze": "all but the new head",
}


def init(
    folder: Path,
    output: Path | None,
    *,
    task: str | None = None,
    format: str | None = None,
    model: str | None = None,
    epochs: int | None = None,
    val_fraction: float | None = None,
) -> str:
    """Write a spec for the data in `folder`; what was found, in words.

    Raises:
        UserError: if nothing or several things are found, the output exists, or what was asked
            for makes no valid spec.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    path = output or Path(f"{folder.resolve().name}.toml")
    if path.exists():
        raise UserError(f"{path} exists; name another file with -o")
    found = _chosen(folder, format)
    if task:
        found = replace(found, task=task)
    data = dict(found.data)
    if val_fraction is not None:
        if found.format in ("imagefolder", "videofolder") and "val_fraction" not in data:
            data.setdefault("train", "train")  # which is the root with val_fraction
        data.pop("val", None)
        data["val_fraction"] = val_fraction
    told = list(describe(found))
    why, sections = recipe(found, model, epochs)
    if imbalance(found) > IMBALANCE and "classification" in found.task:
        data["balance"] = True
    lines = [
        f"#:schema {SCHEMA}",
        f"# {told[0]}",
        f"# So {why}.",
        *(f"# {visible(it)}." for it in found.notes),
    ]
    lines += [f"task = {_toml(found.task)}"]
    for name, table in {"model": sections["model"], "data": data, **sections}.items():
        lines += ["", f"[{name}]"]
        for key, value in table.items():
            comment = f"  # {COMMENTS[key]}" if COMMENTS.get(key) else ""
            lines.append(f"{key} = {_toml(value)}{comment}")
    text = "\n".join(lines) + "\n"
    _check(text)
    path.write_text(text, encoding="utf-8")
    # Editors find the schema by the spec's first line, relative to the spec.
    path.with_name(SCHEMA).write_text(schema_text(LANGUAGES), encoding="utf-8")
    command = f"specc check {shlex.quote(str(path))}"
    return "\n".join([*told, f"so {why}", f"{path}: written; {command}"]) + "\n"


def _chosen(folder: Path, format: str | None) -> Found:
    found = look(folder, format)
    formats = list(dict.fromkeys(it.format for it in found))
    if format and not found:
        others = choices(dict.fromkeys(it.format for it in look(folder)))
        hint = f"; it looks like {others}" if others else ""
        raise UserError(f'{folder}: not in the format "{format}"{hint}')
    if not found and (reason := near_miss(folder)):
        raise UserError(visible(reason))
    if not found:
        raise UserError(
            f"{folder}: no data in a format that specc knows: folders of a class each, lists, CSV, "
            "COCO, VOC, YOLO, Kinetics, UCF101 or folders of frames"
        )
    if len(formats) > 1 and not format:
        raise UserError(f"{folder}: can be read as {choices(formats)}; say which with --format")
    return found[0]


def describe(found: Found) -> Iterator[str]:
    """Describe the data that were found, a sentence each."""
    things = "videos" if found.task == "video-classification" else "images"
    val = f"{found.val} to validate on" if found.val else "none to validate on"
    val += f", {found.test} to test on" if found.test else ""
    yield visible(
        f"{found.format}: {found.train} {things} to train on, {val}, {len(found.counts)} classes"
    )
    counts = sorted(found.counts.items(), key=lambda it: it[1])
    if counts:
        (least, low), (most, high) = counts[0], counts[-1]
        of = "objects" if found.task in ("detection", "instance-segmentation") else things
        yield visible(f'from {low} {of} of "{least}" to {high} of "{most}"')
    yield from map(visible, found.notes)
    yield from sizes(found.files)


def _toml(value: Any) -> str:
    match value:
        case Mapping():
            items = [f"{dotted((str(name),))} = {_toml(it)}" for name, it in value.items()]
            return f"{{ {', '.join(items)} }}"
        case list():
            return f"[{', '.join(map(_toml, value))}]"
        case str():
            return quoted(value)
    return json.dumps(value)


def _check(text: str) -> None:
    """Check that the spec can be built.

    Raises:
        UserError: if not, with everything that is wrong.
    """
    try:
        plan(Source(tomllib.loads(text), {}, Path("spec.toml")))
    except SpecError as error:
        problems = [str(it).partition("  ")[2] for it in error.diagnostics]
        raise UserError("no spec was written: " + "; ".join(problems)) from None
