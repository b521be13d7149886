"""`specc init`: say what lies in a folder, and write a spec for it."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from specc.build import load
from specc.diagnostics import SpecError, UserError, choices, visible
from specc.init.look import Found, look
from specc.init.recipe import IMBALANCE, imbalance, recipe
from specc.source import dotted

LOOKED_AT = 1000  # images whose sizes are read
NAMED = 5  # files or classes in a sentence
COMMENTS = {
    "val_fraction": "of each class, as there is no validation part",
    "balance": "each class is drawn equally often",
    "freeze": "all but the new head",
    "warmup": "",
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
        UserError: if nothing or several things are found, or the output exists.
        SpecError: if what was asked for makes no valid spec.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    path = output or Path(f"{folder.resolve().name}.toml")
    if path.exists():
        raise UserError(f"{path} exists; name another file with -o")
    found = _chosen(folder, format)
    if task:
        found = Found(task, found.data, found.counts, found.train, found.val, found.files)
    data = dict(found.data)
    if val_fraction is not None:
        data.pop("val", None)
        data["val_fraction"] = val_fraction
    told = list(describe(found))
    why, sections = recipe(found, model, epochs)
    if imbalance(found) > IMBALANCE and "classification" in found.task:
        data["balance"] = True
    lines = [f"# {told[0]}", f"# So {why}.", f"task = {_toml(found.task)}"]
    for name, table in {"model": sections["model"], "data": data, **sections}.items():
        lines += ["", f"[{name}]"]
        for key, value in table.items():
            comment = f"  # {COMMENTS[key]}" if COMMENTS.get(key) else ""
            lines.append(f"{key} = {_toml(value)}{comment}")
    text = "\n".join(lines) + "\n"
    _check(text)
    path.write_text(text, encoding="utf-8")
    return "\n".join([*told, f"so {why}", f"{path}: written; specc check {path}"]) + "\n"


def _chosen(folder: Path, format: str | None) -> Found:
    found = look(folder, format)
    formats = list(dict.fromkeys(it.format for it in found))
    if format and not found:
        others = choices(dict.fromkeys(it.format for it in look(folder)))
        hint = f"; it looks like {others}" if others else ""
        raise UserError(f'{folder}: not in the format "{format}"{hint}')
    if not found:
        raise UserError(
            f"{folder}: no data in a format that specc knows: folders of a class each, lists, CSV, "
            "COCO, VOC, YOLO, Kinetics, UCF101 or folders of frames"
        )
    if len(formats) > 1 and not format:
        raise UserError(f"{folder}: can be read as {choices(formats)}; say which with --format")
    return found[0]


def describe(found: Found) -> Iterator[str]:
    """What was found, a sentence each."""
    things = "videos" if found.task == "video-classification" else "images"
    val = f"{found.val} to validate on" if found.val else "none to validate on"
    yield visible(
        f"{found.format}: {found.train} {things} to train on, {val}, {len(found.counts)} classes"
    )
    counts = sorted(found.counts.items(), key=lambda it: it[1])
    if counts:
        (least, low), (most, high) = counts[0], counts[-1]
        of = "objects" if found.task in ("detection", "instance-segmentation") else things
        yield visible(f'from {low} {of} of "{least}" to {high} of "{most}"')
    if found.files and things == "images":
        yield from _sizes(found.files)


def _sizes(files: list[Path]) -> Iterator[str]:
    """How large images are, and which cannot be read; of so many, from all over."""
    try:
        from PIL import Image
    except ImportError:
        return
    step = max(1, len(files) // LOOKED_AT)
    sides, broken = [], []
    for file in files[::step]:
        try:
            with Image.open(file) as image:
                sides.append(image.size)
        except (OSError, SyntaxError, ValueError):
            broken.append(str(file))
    if sides:
        widths, heights = zip(*sides, strict=True)
        middle = f"{median(widths):.0f}x{median(heights):.0f}"
        extent = f"{min(widths)}x{min(heights)} to {max(widths)}x{max(heights)}"
        yield f"{extent} pixels, {middle} in the middle"
    if broken:
        more = f" and {len(broken) - NAMED} more" if len(broken) > NAMED else ""
        yield visible(f"cannot be read: {', '.join(broken[:NAMED])}{more}")


def _toml(value: Any) -> str:
    match value:
        case Mapping():
            items = [f"{dotted((str(name),))} = {_toml(it)}" for name, it in value.items()]
            return f"{{ {', '.join(items)} }}"
        case list():
            return f"[{', '.join(map(_toml, value))}]"
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", r"\u007f")
    return json.dumps(value)


def _check(text: str) -> None:
    """That the spec can be built.

    Raises:
        SpecError: if not, with everything that is wrong.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "spec.toml")
        path.write_text(text, encoding="utf-8")
        try:
            load(path)
        except SpecError as error:
            places = [str(it).partition("  ")[2] for it in error.diagnostics]
            raise UserError("no spec was written: " + "; ".join(places)) from None
