"""Build tsn on resnet50 for 101 classes."""

import re

import torch
from torch import Tensor, nn
from torchvision import models

from data import NUM_CLASSES, normalize
from pretrained import reading, unwrapped

WEIGHTS = "https://open-mmlab.s3.ap-northeast-2.amazonaws.com/mmaction/mmaction-v1/recognition/tsn_r50_1x1x3_100e_kinetics400_rgb/tsn_r50_1x1x3_100e_kinetics400_rgb_20200614-e508be42.pth"
INIT_STD = 0.01  # of the new head's weights
DROPOUT = 0.4  # share of the features that training zeroes


class TSN(nn.Module):
    """A temporal segment network (arXiv 1608.00859): an image classifier sees a frame
    of each segment of a video, and the mean of its features tells the class.
    """

    def __init__(self) -> None:
        super().__init__()
        self.backbone = models.resnet50()
        self.fc = nn.Linear(self.backbone.fc.in_features, NUM_CLASSES)
        self.backbone.fc = nn.Identity()  # its own head
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, clips: Tensor) -> Tensor:
        """Map frames of any number of segments, float [B, T, 3, H, W], to logits."""
        features = self.backbone(clips.flatten(0, 1)).unflatten(0, clips.shape[:2])
        return self.fc(self.dropout(features.mean(1)))


def build_model() -> nn.Module:
    """Build a module from normalised frames, float [B, T, 3, H, W], to logits.

    Those are [B, NUM_CLASSES]. Its weights are random until `load_pretrained` or a
    checkpoint fills them.
    """
    model = TSN()
    nn.init.normal_(model.fc.weight, std=INIT_STD)
    nn.init.zeros_(model.fc.bias)
    if torch.cuda.is_available():
        # Statistics over the whole batch, on any number of GPUs; CPUs cannot do it.
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    return model


def score(model: nn.Module, clips: Tensor) -> Tensor:
    """Compute logits [B, NUM_CLASSES] of videos, the mean of those of their views.

    Clips are uint8 [B, T, 3, H, W], one view each, or [B, V, T, 3, H, W].
    """
    views = model(normalize(clips.flatten(0, -5))).unflatten(0, (len(clips), -1))
    return views.mean(1)


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
        state = torch.hub.load_state_dict_from_url(
            WEIGHTS, map_location="cpu", weights_only=True, check_hash=True
        )
    state = unwrapped(state, WEIGHTS)
    # MMAction2 keeps each convolution and its norm together, in a module of their own.
    for old in list(state):
        new = re.sub(r"\.conv(\d)\.conv\.", r".conv\1.", old)
        new = re.sub(r"\.conv(\d)\.bn\.", r".bn\1.", new)
        new = new.replace(".downsample.conv.", ".downsample.0.")
        new = new.replace(".downsample.bn.", ".downsample.1.")
        state[new.replace("cls_head.fc_cls.", "fc.")] = state.pop(old)
    return state
