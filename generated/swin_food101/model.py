"""Build swin_t for 101 classes."""

from torch import Tensor, nn
from torchvision import models

from data import NUM_CLASSES

INIT_STD = 0.01  # of the new head's weights


def build_model() -> nn.Module:
    """Build a module from images, float [B, 3, H, W], to logits [B, NUM_CLASSES].

    Its weights are random until `load_pretrained` or a checkpoint fills them.
    """
    model = models.swin_t(num_classes=NUM_CLASSES)
    nn.init.normal_(model.head.weight, std=INIT_STD)
    nn.init.zeros_(model.head.bias)
    return model


def load_pretrained(model: nn.Module) -> None:
    """Fill all of `model` but its head, which is new, with the pretrained weights.

    Raises:
        RuntimeError: names all other tensors that are missing, unexpected or misshapen.
    """
    state = read_pretrained()
    # The head stays as it is, whatever it is; all else has to be there.
    head = "head."
    for name in [name for name in state if name.startswith(head)]:
        del state[name]
    for name, tensor in model.state_dict().items():
        if name.startswith(head):
            state[name] = tensor
    model.load_state_dict(state)


def read_pretrained() -> dict[str, Tensor]:
    """Read the pretrained weights, by the model's own names for them."""
    return models.Swin_T_Weights.IMAGENET1K_V1.get_state_dict(
        check_hash=True, map_location="cpu", weights_only=True
    )
