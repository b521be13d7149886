"""Build resnet18 for 4 classes."""

import torch
from torch import Tensor, nn
from torchvision import models

from data import NUM_CLASSES
from pretrained import reading, unwrapped

WEIGHTS = "model/resnet18-f37072fd.pth"
INIT_STD = 0.01  # of the new head's weights
FROZEN = ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4")


def build_model() -> nn.Module:
    """Build a module from images, float [B, 3, H, W], to logits [B, NUM_CLASSES].

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
    state = read_pretrained()
    # The head stays as it is, whatever it is; all else has to be there.
    head = "fc."
    for name in [name for name in state if name.startswith(head)]:
        del state[name]
    for name, tensor in model.state_dict().items():
        if name.startswith(head):
            state[name] = tensor
    model.load_state_dict(state)


def read_pretrained() -> dict[str, Tensor]:
    """Read the pretrained weights, by the model's own names for them."""
    with reading(WEIGHTS):
        state = torch.load(WEIGHTS, map_location="cpu", weights_only=True)
    state = unwrapped(state, WEIGHTS)
    return state
