"""Build {{ title }}."""

import re
from collections import OrderedDict
from hashlib import sha256
from importlib.resources import files
from io import BytesIO
from urllib.request import urlopen

import safetensors.torch
import timm
import torch
from timm.layers import convert_sync_batchnorm
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision import models
from torchvision.models.vision_transformer import interpolate_embeddings

from data import IMAGE_SIZE, NUM_CLASSES, normalize
from pretrained import reading, unwrapped

#% include "shared/model/weights.py"
INIT_STD = {{ model.init_std }}  # of the new head's weights
#% if tsn
DROPOUT = {{ tsn.dropout }}  # share of the features that training zeroes
#% endif
#% include "shared/model/frozen.py"


#% if tsn
class TSN(nn.Module):
    """A temporal segment network (arXiv 1608.00859): an image classifier sees a frame
    of each segment of a video, and the mean of its features tells the class.
    """

    def __init__(self) -> None:
        super().__init__()
        self.backbone = {{ tsn.backbone }}
        self.fc = nn.Linear({{ tsn.features }}, NUM_CLASSES)
        {{ tsn.cut }}  # its own head
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, clips: Tensor) -> Tensor:
        """Map frames of any number of segments, float [B, T, 3, H, W], to logits."""
        features = self.backbone(clips.flatten(0, 1)).unflatten(0, clips.shape[:2])
        return self.fc(self.dropout(features.mean(1)))


#% endif
def build_model() -> nn.Module:
    #% if tsn
    """Build a module from normalised frames, float [B, T, 3, H, W], to logits.

    #% if model.weights
    Those are [B, NUM_CLASSES]. Its weights are random until `load_pretrained` or a
    checkpoint fills them.
    #% else
    Those are [B, NUM_CLASSES]. Its weights are random until a checkpoint fills them.
    #% endif
    """
    #% else
    """Build a module from normalised clips, float [B, 3, T, H, W], to logits.

    #% if model.weights
    Those are [B, NUM_CLASSES]. Its weights are random until `load_pretrained` or a
    checkpoint fills them.
    #% else
    Those are [B, NUM_CLASSES]. Its weights are random until a checkpoint fills them.
    #% endif
    """
    #% endif
    model = {{ model.constructor }}
    nn.init.normal_({{ model.head }}.weight, std=INIT_STD)
    nn.init.zeros_({{ model.head }}.bias)
    #% if model.sync_batch_norm
    if torch.cuda.is_available():
        # Statistics over the whole batch, on any number of GPUs; CPUs cannot do it.
        model = {{ model.convert_sync_batchnorm }}(model)
    #% endif
    #% filter indented(4)
    #% include "shared/model/freeze.py"
    #% endfilter
    return model


#% if data.testing
def score(model: nn.Module, clips: Tensor) -> Tensor:
    #% if data.testing.scores
    """Compute logits [B, NUM_CLASSES] of videos, the mean of those of their views.

    Clips are uint8 [B, T, 3, H, W], one view each, or [B, V, T, 3, H, W].
    """
    views = model(normalize(clips.flatten(0, -5))).unflatten(0, (len(clips), -1))
    return views.mean(1)
    #% else
    """Compute logits [B, NUM_CLASSES] of videos, for the mean of probabilities.

    Clips are uint8 [B, T, 3, H, W], one view each, or [B, V, T, 3, H, W].
    """
    views = model(normalize(clips.flatten(0, -5))).unflatten(0, (len(clips), -1))
    return views.log_softmax(2).logsumexp(1)
    #% endif


#% endif
#% include "shared/model/freezing.py"
#% include "shared/model/load_pretrained.py"
