"""Keys as they are, and as a user writes them."""

import json
import re
import tomllib
from typing import Any

Key = tuple[str | int, ...]  # ("data", "train_transforms", 0, "size")


def dotted(key: Key) -> str:
    """Return the key as a user would write it: `data.train_transforms[0].size`."""
    text = ""
    for part in key:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        if not re.fullmatch(r"[A-Za-z0-9_-]+", part):
            part = quoted(part)
        text += f".{part}" if text else part
    return text


def parts(text: str) -> list[str]:
    """Return the parts of a dotted key of TOML. Raises ValueError if `text` is none."""
    if "\n" in text:
        raise ValueError(text)
    tree: Any = tomllib.loads(f"{text} = 0")
    found = []
    while isinstance(tree, dict):
        [(part, tree)] = tree.items()
        found.append(part)
    return found


def quoted(text: str) -> str:
    """Return a string of TOML, which has all escapes of JSON, and wants one more."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", r"\u007f")
