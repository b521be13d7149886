"""The source of pretrained weights, and the renaming to the model's names."""

import importlib.util
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath

from specc.language.model import WeightsFile
from specc.source.diagnostics import show
from specc.source.keys import Key
from specc.source.problems import Problems
from specc.tasks.common.code import Call, Name, python
from specc.tasks.common.foreign import FOREIGN, check_suffix
from specc.tasks.common.plan import WeightsPlan

PICKLED = {".pth", ".pt", ".bin", ".ckpt", ".tar"}
WEIGHTS = {*PICKLED, ".safetensors"}


def written(weights: str | WeightsFile) -> tuple[str, Key, WeightsFile | None]:
    """Return the source of weights, the key that names it, and that key's table."""
    key: Key = ("model", "weights")
    if isinstance(weights, WeightsFile):
        return weights.source, (*key, "source"), weights
    return weights, key, None


def is_file(source: str) -> bool:
    return "/" in source or PurePath(source).suffix in {*WEIGHTS, *FOREIGN}


def check_here(path: str, key: Key, problems: Problems) -> None:
    """Say if a file is not there: training may be started elsewhere, but a typo is likelier."""
    if not os.path.isfile(path):
        problems.note(key, f"there is no file {show(path)} here, where training would read it")


def _check_packaged(package: str, file: str, key: Key, problems: Problems) -> None:
    """Report a file that a package does not have, if the package is installed here."""
    parent, *rest = package.split(".")
    try:
        found = importlib.util.find_spec(parent)  # which imports nothing
    except (ImportError, ValueError):
        return
    folders = [Path(it, *rest) for it in (found and found.submodule_search_locations) or ()]
    if not folders or any((folder / file).is_file() for folder in folders):
        return
    there = [
        path.relative_to(folder).as_posix()
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.suffix in WEIGHTS
    ]
    hint = f"; there is {', '.join(there[:3])}" if there else ""
    problems.add(key, f"the package {package} that is installed here has no file {file}{hint}")


def check_name(source: str, key: Key, table: WeightsFile | None, problems: Problems) -> None:
    """Report what of a table is for files only, where it names weights instead."""
    for name in ("layout", "prefix", "rename", "head"):
        if getattr(table, name, None):
            message = f"only for weights from a file, not {show(source)}; leave it out"
            problems.add((*key[:-1], name), message, key)


def file_weights(
    source: str,
    key: Key,
    table: WeightsFile | None,
    layout: Mapping[str, str],
    steps: Sequence[str],
    problems: Problems,
) -> WeightsPlan:
    """Plan weights in a file, here, in a package, or behind a URL.

    Args:
        layout: how names begin in the file and in the model, by what the file's layout says.
        steps: templates that then make the names the model's own.
    """
    check_suffix(source, key, problems)
    safe = PurePath(source).suffix == ".safetensors"
    path: Name | str = source
    package = fetch = hashed = ""
    options = {} if safe else {"map_location": "cpu", "weights_only": True}
    load = "safetensors.torch.load" if safe else "torch.load"
    content = Name("content" if safe else "BytesIO(content)")
    if source.startswith("package://"):
        package, _, file = source.removeprefix("package://").partition("/")
        # The name is that of a requirement as well, and so a word in a line that pip reads.
        if not file or not re.fullmatch(r"(?ai:[a-z]([\w.]*[a-z0-9])?)", package):
            message = "must be package://PACKAGE/FILE, with the package's import name"
            problems.add(key, f"{message}, not {show(source)}")
        else:
            _check_packaged(package, file, key, problems)
        path = Name(f"files({python(package)}) / {python(file)}")
        fetch = "shared/weights/package.py"
    elif re.match(r"https?://", source):
        # A hash of eight digits before the suffix, as torch.hub's files have, is checked.
        digits = re.search(r"-([0-9a-f]{8,})\.\w+$", source)
        if digits and not safe:
            load, content = "torch.hub.load_state_dict_from_url", Name("WEIGHTS")
            options |= {"check_hash": True}
        elif digits:
            fetch, hashed = "shared/weights/hashed-url.py", digits[1]
        else:
            fetch = "shared/weights/url.py"
    else:
        check_here(source, key, problems)
        content = Name("WEIGHTS")
        load = "safetensors.torch.load_file" if safe else load
    renamed = {**layout, **(table.rename if table else {})}
    prefix = table.prefix or "" if table else ""
    first = ["shared/weights/prefix.py"] if prefix else []
    first += ["shared/weights/rename.py"] if renamed else []
    return WeightsPlan(
        state=Call(load, (content,), options),
        path=path,
        package=package,
        fetch=fetch,
        file=True,
        hash=hashed,
        prefix=prefix,
        renamed=renamed,
        steps=(*first, *steps),
    )
