"""Files of weights as training tools write them, with more in them than the weights."""

import re
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath, PureWindowsPath
from pickle import UnpicklingError
from typing import Any

import numpy
import torch
from torch import Tensor
from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present

# Where the weights are in a file: first in a moving average, if it has one.
AVERAGES = ("state_dict_ema", "model_ema", "ema")
WRAPPERS = (*AVERAGES, "state_dict", "model_state_dict", "model", "net", "module")
# Types of settings and results beside the weights: to read one does no harm.
NUMBER = numpy.float64().__reduce__()[0]  # the function that NumPy's numbers come from
HARMLESS = [
    Namespace,
    (PurePosixPath, "pathlib.PosixPath"),
    (PurePosixPath, "pathlib._local.PosixPath"),
    (PureWindowsPath, "pathlib.WindowsPath"),
    (PureWindowsPath, "pathlib._local.WindowsPath"),
    (NUMBER, "numpy.core.multiarray.scalar"),
    (NUMBER, "numpy._core.multiarray.scalar"),
    numpy.dtype,
    *(type(numpy.dtype(kind)) for kind in ("float32", "float64", "int32", "int64")),
]


@contextmanager
def reading(file: object) -> Iterator[None]:
    """Let torch.load read harmless settings as well, and say what cannot be read."""
    try:
        with torch.serialization.safe_globals(HARMLESS):
            yield
    except OSError as error:
        message = f"cannot read the weights {file}: {error.strerror or error}"
        raise SystemExit(message) from error
    except (UnpicklingError, EOFError, KeyError) as error:
        types = re.findall(r"GLOBAL (\S+)", str(error)) or ["no tensors at all"]
        message = f"{file} holds {types[0]}; save a state_dict() alone, and name that"
        raise RuntimeError(message) from error
    except Exception as error:  # a damaged file; each format has its own
        reason = str(error).partition("\n")[0]
        raise RuntimeError(f"cannot read the weights {file}: {reason}") from error


def unwrapped(state: Any, file: object) -> dict[str, Tensor]:
    """Return the weights in a file's content, by the names of the bare model."""
    while isinstance(state, dict):
        inner = [name for name in WRAPPERS if isinstance(state.get(name), dict)]
        if not inner:
            break
        if inner[0] in AVERAGES:
            print(f"{file}: {inner[0]}, a moving average of the weights, is taken")
        state = state[inner[0]]
    if not isinstance(state, dict) or not any(map(torch.is_tensor, state.values())):
        raise RuntimeError(f"{file} holds no tensors by name; save a state_dict()")
    # torch.compile and DistributedDataParallel put these before names, in any order.
    for prefix in ("_orig_mod.", "module.", "module.", "_orig_mod."):
        consume_prefix_in_state_dict_if_present(state, prefix)
    state.pop("n_averaged", None)  # torch's count of what a moving average has seen
    return state
