"""The names of the tensors in a file, read without torch and without the tensors' data."""

import io
import json
import math
import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from specc.tasks.common.remember import remembered

LARGEST = 32 << 20  # bytes of names that are read; the largest models have less than 1 MB
LEGACY = 0x1950A86A20F9469CFC6C  # what torch wrote first before version 1.6; two pickles follow
# As templates/shared/pretrained.py has them.
WRAPPERS = (
    *("state_dict_ema", "model_ema", "ema"),
    *("state_dict", "model_state_dict", "model", "net", "module"),
)
PREFIXES = ("_orig_mod.", "module.", "module.", "_orig_mod.")


@remembered
def read_tensors(path: str) -> dict[str, int]:
    """Return how many numbers each tensor in a file of weights holds, by name, -1 if not known.

    Wrappers are taken off as the generated code does. Empty where nothing is sure: the file may be
    damaged, or be another kind of file.
    """
    try:
        if Path(path).suffix == ".safetensors":
            _, header = _read_header(path)
            return {name: math.prod(entry["shape"]) for name, entry in header.items()}
        return _named(_read_pickle(path))
    except Exception:  # a damaged pickle can raise anything
        return {}


def find_fault(path: str) -> str:
    """Say why a file holds no weights, as far as its two ends tell; "" if they don't."""
    with open(path, "rb") as file:
        begin = file.read(64)
    if not begin:
        return "is empty"
    if begin.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS: `git lfs pull` fetches the weights"
    if begin.startswith(b"PK") and not zipfile.is_zipfile(path):
        return "is cut short"
    if path.endswith(".safetensors"):
        try:
            length, header = _read_header(path)
            ends = [entry["data_offsets"][1] for entry in header.values()]
            whole = 8 + length + max(ends, default=0) <= os.path.getsize(path)
        except (AttributeError, LookupError, TypeError, ValueError, struct.error):
            return "has no header of safetensors"
        return "" if whole else "is cut short"
    return ""


def _read_header(path: str) -> tuple[int, dict[str, Any]]:
    """Return the length in bytes of the header of a .safetensors file, and what it says."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(min(length, LARGEST)))
    header.pop("__metadata__", None)
    return length, header


def _read_pickle(path: str) -> Any:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            (name,) = (it for it in archive.namelist() if it.endswith("/data.pkl"))
            if archive.getinfo(name).file_size > LARGEST:
                return None
            return _Names(io.BytesIO(archive.read(name))).load()
    with open(path, "rb") as file:
        content = io.BytesIO(file.read(LARGEST))
    first = _Names(content).load()
    if first != LEGACY:
        return first
    _, _, state = (_Names(content).load() for _ in range(3))
    return state


class _Object:
    """A stand-in for an object of a pickle, which may be filled with anything."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __call__(self, *args: Any, **kwargs: Any) -> "_Object":
        return self

    def __setstate__(self, state: Any) -> None:
        pass

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, item: Any) -> None:
        pass

    def extend(self, items: Any) -> None:
        pass


class _Tensor(_Object):
    """A stand-in for a tensor: the arguments of torch's `_rebuild_tensor_v2` have its shape."""

    size = -1

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        match args:
            case [_Tensor() as tensor, *_]:  # which a parameter is made of
                self.size = tensor.size
            case [_, _, tuple(shape), *_] if all(type(side) is int for side in shape):
                self.size = math.prod(shape)


class _Names(pickle._Unpickler):
    """An unpickler that imports nothing, in Python as the memory of C's can be exhausted."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        rebuilt = module.startswith("torch.") and name.startswith("_rebuild_")
        return _Tensor if rebuilt else _Object

    def persistent_load(self, pid: Any) -> Any:
        return _Object()


def _named(state: Any) -> dict[str, int]:
    for _ in range(len(WRAPPERS)):
        inner = [name for name in WRAPPERS if _has(state, name)]
        if not inner:
            break
        state = state[inner[0]]
    if not isinstance(state, Mapping):
        return {}
    names = {
        name: it.size
        for name, it in state.items()
        if isinstance(name, str) and isinstance(it, _Tensor)
    }
    for prefix in PREFIXES:
        names = {name.removeprefix(prefix): size for name, size in names.items()}
    return names


def _has(state: Any, name: str) -> bool:
    return isinstance(state, Mapping) and isinstance(state.get(name), Mapping)
