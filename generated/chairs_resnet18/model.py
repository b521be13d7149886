"""Build resnet18 for 4 classes."""

import re
from pickle import UnpicklingError

import torch
from torch import nn
from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present
from torchvision import models

from data import NUM_CLASSES

WEIGHTS = "model/resnet18-f37072fd.pth"
INIT_STD = 0.01  # of the new head's weights
FROZEN = ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4")


def build_model() -> nn.Module:
    """A module from normalised images, float [B, 3, H, W], to logits [B, NUM_CLASSES].

    Its weights are random until `load_pretrained` or a checkpoint fills them.
    """
    model = models.resnet18(num_classes=NUM_CLASSES)
    nn.init.normal_(model.fc.weight, std=INIT_STD)
    nn.init.zeros_(model.fc.bias)
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
    try:
        state = torch.load(WEIGHTS, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        found = re.findall(r"GLOBAL (\S+)", str(error)) or ["no tensors at all"]
        message = (
            f"{WEIGHTS} holds {found[0]}; save a state_dict() alone, and name that"
        )
        raise RuntimeError(message) from error
    # Training tools save more than the weights, and put a prefix before their names.
    state = state.get("state_dict", state.get("model", state))
    consume_prefix_in_state_dict_if_present(state, "module.")
    # The head stays as it is; all else has to be there.
    state.update(model.fc.state_dict(prefix="fc."))
    model.load_state_dict(state)
