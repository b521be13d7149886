"""Files of weights whose tensors have other names than the model's: said before a training."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from specc.catalog import models as catalog
from specc.source.diagnostics import show, visible
from specc.source.keys import Key
from specc.source.problems import Problems
from specc.tasks.common.plan import WeightsPlan
from specc.tasks.common.tensors import find_fault, read_tensors

FEW, MOST = 0.1, 0.9  # shares of the model's names that another's, and its own, file has
SEARCHED = 80  # models of the catalog, by size
# Files that torch.load does not read, by their suffix.
FOREIGN = {
    ".pdparams": "PaddlePaddle",
    ".h5": "Keras",
    ".keras": "Keras",
    ".msgpack": "Flax",
    ".npz": "NumPy",
    ".onnx": "ONNX",
}
# Parts of names that transformers' models have, and neither torchvision's nor timm's.
TRANSFORMERS = (".embeddings.", ".embedder.", ".attention.attention.", "encoder.stages.")


@dataclass(frozen=True)
class Layout:
    """Names that some library gives the model's tensors."""

    name: str  # the value of `layout`
    renamed: Mapping[str, str]  # how names begin in the file and in the model
    signs: tuple[str, ...] = ()  # parts of names that tell the library, where `renamed` does not


def check_suffix(source: str, key: Key, problems: Problems) -> None:
    """Report a file of another library's, which no layout makes readable."""
    if library := FOREIGN.get(PurePath(source).suffix):
        message = f"torch cannot read {library}'s files; convert it to .pth or .safetensors"
        problems.add(key, message)


def check_names(
    key: Key,
    model: str,
    heads: tuple[str, ...],
    layouts: Sequence[Layout],
    weights: WeightsPlan,
    problems: Problems,
) -> None:
    """Say if a file that is here has hardly a name of the model's.

    Args:
        model: a name of the catalog's, whose parameters are expected but those of its `heads`.
        layouts: what the file may be instead.
        weights: how it is read.
    """
    source = str(weights.path)
    if os.path.isfile(source) and (fault := find_fault(source)):
        problems.note(key, f"{source} {fault}")
        return
    found = read_tensors(source) if os.path.isfile(source) else {}
    start = weights.prefix
    first = visible(next(iter(found), ""))
    if found and not any(name.startswith(start) for name in found):
        message = f"no tensor's name begins with {start}; the first is {first}"
        problems.note((*key[:-1], "prefix"), message)
        return
    found = {it.removeprefix(start): n for it, n in found.items() if it.startswith(start)}
    left_out = tuple(f"{head}." for head in heads)
    parameters = catalog.tree(model).parameters
    wanted = [name for name in parameters if not name.startswith(left_out)]
    if not found or not wanted:
        return
    renamed = _rename(found, weights.renamed)
    if _share(wanted, renamed) >= FEW:
        alike = sum(renamed.get(name) == parameters[name] for name in wanted)
        if alike < MOST * len(wanted) and (other := _known(renamed)) not in ("", model):
            problems.note(key, f"the file fits {other}: take that model, or another file")
        return
    title = f"a TSN of {model.removeprefix(catalog.TSN)}" if catalog.TSN in model else model
    message = f"its tensors are named as {first}, those of {title} as {wanted[0]}"
    problems.note(key, f"{message}; {_advice(source, found, wanted, layouts)}")


def _advice(
    source: str, found: Mapping[str, int], wanted: list[str], layouts: Sequence[Layout]
) -> str:
    """Say what to write so that a file is read, as far as that can be told from the names."""
    for layout in layouts:
        signs = layout.signs and all(any(sign in it for it in found) for sign in layout.signs)
        if signs or (layout.renamed and _share(wanted, _rename(found, layout.renamed)) >= MOST):
            return f"write {{ source = {show(source)}, layout = {show(layout.name)} }}"
    for name in found:
        prefix = name.removesuffix(wanted[0])
        if prefix != name and _share([prefix + it for it in wanted], found) >= MOST:
            return f"write {{ source = {show(source)}, prefix = {show(prefix)} }}"
    if other := _known(found):
        return f"the file fits {other}: take that model, or another file"
    if any(sign in name for name in found for sign in TRANSFORMERS):
        return "they look like those of transformers; take the file of timm or torchvision"
    return "map them by prefix or rename, or take another file"


def _known(found: Mapping[str, int]) -> str:
    """Return the name of the classifier that has these tensors, "" if none is known."""
    total = sum(size for size in found.values() if size > 0)
    near = sorted(catalog.models().values(), key=lambda row: abs(row.parameters - total))
    fits = {row.name: _fit(row, found) for row in near[:SEARCHED]}
    best = max(fits, key=fits.__getitem__)
    return best if fits[best][0] >= MOST else ""


def _fit(row: catalog.Classifier, found: Mapping[str, int]) -> tuple[float, int]:
    """Return the share of a model's tensors that are there, of the same size, and their number."""
    heads = tuple(f"{head}." for head in row.head)
    tree = catalog.tree(row.name).parameters
    sizes = {name: size for name, size in tree.items() if not name.startswith(heads)}
    there = sum(found.get(name) == size for name, size in sizes.items())
    return there / max(1, len(sizes)), there


def _share(wanted: list[str], found: Mapping[str, int]) -> float:
    return sum(name in found for name in wanted) / len(wanted)


def _rename(found: Mapping[str, int], renamed: Mapping[str, str]) -> dict[str, int]:
    """Rename tensors as the generated code does."""
    names = dict(found)
    for old, new in renamed.items():
        for name in [name for name in names if name.startswith(old)]:
            names[new + name.removeprefix(old)] = names.pop(name)
    return names
