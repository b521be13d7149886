"""Build timm/hgnet_tiny for 196 classes."""

import timm
import torch
from timm.layers import convert_sync_batchnorm
from torch import Tensor, nn

from data import NUM_CLASSES

INIT_STD = 0.01  # of the new head's weights


def build_model() -> nn.Module:
    """Build a module from images, float [B, 3, H, W], to logits [B, NUM_CLASSES].

    Its weights are random until `load_pretrained` or a checkpoint fills them.
    """
    model = timm.create_model("hgnet_tiny", num_classes=NUM_CLASSES)
    nn.init.normal_(model.head.fc.weight, std=INIT_STD)
    nn.init.zeros_(model.head.fc.bias)
    if torch.cuda.is_available():
        # Statistics over the whole batch, on any number of GPUs; CPUs cannot do it.
        model = convert_sync_batchnorm(model)
    return model


def load_pretrained(model: nn.Module) -> None:
    """Fill all of `model` but its head, which is new, with the pretrained weights.

    Raises:
        RuntimeError: names all other tensors that are missing, unexpected or misshapen.
    """
    state = read_pretrained()
    # The head stays as it is, whatever it is; all else has to be there.
    head = "head.fc."
    for name in [name for name in state if name.startswith(head)]:
        del state[name]
    for name, tensor in model.state_dict().items():
        if name.startswith(head):
            state[name] = tensor
    model.load_state_dict(state)


def read_pretrained() -> dict[str, Tensor]:
    """Read the pretrained weights, by the model's own names for them."""
    return timm.create_model("hgnet_tiny.ssld_in1k", pretrained=True).state_dict()
