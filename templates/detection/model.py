"""Build {{ title }}."""

import re
from hashlib import sha256
from importlib.resources import files
from io import BytesIO
from urllib.request import urlopen

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision import models

from annotations import NUM_CLASSES
from pretrained import reading, unwrapped

#% include "shared/model/weights.py"
#% include "shared/model/frozen.py"


def build_model() -> nn.Module:
    """Build a detector, which takes lists of images, floats [3, H, W] from 0 to 1.

    #% if model.masks
    In training mode it takes their targets as well, and returns its losses by name;
    else it returns for each image "boxes", float [N, 4] of x1, y1, x2, y2 in pixels;
    "labels", int64 [N]; "scores", float [N]; and "masks", float [N, 1, H, W],
    above 0.5 where the object is.
    #% else
    In training mode it takes their targets as well, and returns its losses by name;
    else it returns for each image "boxes", float [N, 4] of x1, y1, x2, y2 in pixels;
    "labels", int64 [N]; and "scores", float [N].
    #% endif

    #% if model.pretrained
    Its weights are random until `load_pretrained` or a checkpoint fills them.
    #% else
    Its weights are random until a checkpoint fills them.
    #% endif
    #% if model.mmdet

    It is not MMDetection's in all: there RoIAlign is shifted by half a pixel and takes
    as many samples as there are pixels; the loss of boxes is L1, or smooth L1 with a
    beta of 1, and here 1/9; and a box on which no proposal lies well may have one that
    lies badly.
    #% endif
    """
    #% if data.resizes
    # Training images already have their size: data.py resizes them.
    #% endif
    model = {{ model.constructor }}
    #% if model.caffe
    # Caffe's ResNet halves the resolution in the first convolution of a stage.
    for stage in (model.backbone.body.layer2, model.backbone.body.layer3, model.backbone.body.layer4):
        stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
    #% endif
    #% if model.mmdet
    # MMDetection does not round its anchors to whole pixels.
    root = torch.tensor([0.5, 1.0, 2.0]).sqrt()  # of height by width
    corners = torch.stack([-1 / root, -root, 1 / root, root], 1) / 2
    anchors = model.rpn.anchor_generator
    anchors.cell_anchors = [size * corners for (size,) in anchors.sizes]
    #% endif
    #% if model.sync_batch_norm
    if torch.cuda.is_available():
        # Statistics over the whole batch, on any number of GPUs; CPUs cannot do it.
        model = {{ model.convert_sync_batchnorm }}(model)
    #% endif
    #% filter indented(4)
    #% include "shared/model/freeze.py"
    #% endfilter
    return model


#% include "shared/model/freezing.py"
#% if model.backbone_weights
def load_pretrained(model: nn.Module) -> None:
    """Fill the backbone with the weights of a classifier; all else is new."""
    model.backbone.load_state_dict(read_pretrained())


def read_pretrained() -> dict[str, Tensor]:
    """Read the weights of the backbone, by its own names for them."""
    pretrained = {{ model.backbone_weights }}
    return pretrained.backbone.state_dict()
#% else
#% include "shared/model/load_pretrained.py"
#% endif
