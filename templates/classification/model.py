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

from data import IMAGE_SIZE, NUM_CLASSES
from pretrained import reading, unwrapped

#% include "shared/model/weights.py"
#% if model.single_head
INIT_STD = {{ model.init_std }}  # of the new head's weights
#% else
INIT_STD = {{ model.init_std }}  # of the new heads' weights
#% endif
#% include "shared/model/frozen.py"


def build_model() -> nn.Module:
    """Build a module from images, float [B, 3, H, W], to logits [B, NUM_CLASSES].

    #% if model.weights
    Its weights are random until `load_pretrained` or a checkpoint fills them.
    #% else
    Its weights are random until a checkpoint fills them.
    #% endif
    """
    model = {{ model.constructor }}
    #% if model.single_head
    nn.init.normal_({{ model.head }}.weight, std=INIT_STD)
    #% if model.head_bias
    nn.init.zeros_({{ model.head }}.bias)
    #% endif
    #% else
    for head in {{ model.heads }}:
        nn.init.normal_(head.weight, std=INIT_STD)
        nn.init.zeros_(head.bias)
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
#% include "shared/model/load_pretrained.py"
