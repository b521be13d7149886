"""Build swin3d_t for 600 classes."""

from torch import Tensor, nn
from torchvision import models

from data import NUM_CLASSES, normalize

INIT_STD = 0.01  # of the new head's weights


def build_model() -> nn.Module:
    """Build a module from normalised clips, float [B, 3, T, H, W], to logits.

    Those are [B, NUM_CLASSES]. Its weights are random until `load_pretrained` or a
    checkpoint fills them.
    """
    model = models.video.swin3d_t(num_classes=NUM_CLASSES, dropout=0.1)
    nn.init.normal_(model.head.weight, std=INIT_STD)
    nn.init.zeros_(model.head.bias)
    return model


def score(model: nn.Module, clips: Tensor) -> Tensor:
    """Compute logits [B, NUM_CLASSES] of videos, for the mean of probabilities.

    Clips are uint8 [B, T, 3, H, W], one view each, or [B, V, T, 3, H, W].
    """
    views = model(normalize(clips.flatten(0, -5))).unflatten(0, (len(clips), -1))
    return views.log_softmax(2).logsumexp(1)


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
    return models.video.Swin3D_T_Weights.KINETICS400_V1.get_state_dict(
        check_hash=True, map_location="cpu", weights_only=True
    )
