"""Build {{ title }}."""

from importlib.resources import files
from io import BytesIO
from urllib.request import urlopen

import timm
import torch
from torch import nn
from torchvision import models

from data import NUM_CLASSES

#% if model.weights and model.weights.path
WEIGHTS = {{ model.weights.path }}
#% endif
INIT_STD = {{ model.init_std }}  # of the new head's weights
#% if model.frozen
FROZEN = {{ model.frozen }}
#% endif
#% if model.frozen_parameters
FROZEN_PARAMETERS = {{ model.frozen_parameters }}
#% endif


def build_model() -> nn.Module:
    """A module from normalised images, float [B, 3, H, W], to logits [B, NUM_CLASSES].

    #% if model.weights
    Its weights are random until `load_pretrained` or a checkpoint fills them.
    #% else
    Its weights are random until a checkpoint fills them.
    #% endif
    """
    model = {{ model.constructor }}
    nn.init.normal_({{ model.head }}.weight, std=INIT_STD)
    #% if model.head_bias
    nn.init.zeros_({{ model.head }}.bias)
    #% endif
    #% if model.sync_batch_norm
    if torch.cuda.is_available():
        # Statistics over the whole batch, on any number of GPUs; CPUs cannot do it.
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    #% endif
    #% if model.frozen
    for name in FROZEN:
        freeze(model.get_submodule(name))
    #% endif
    #% if model.frozen_parameters
    for name in FROZEN_PARAMETERS:
        model.get_parameter(name).requires_grad_(False)
    #% endif
    return model


#% if model.frozen
def freeze(module: nn.Module) -> None:
    """Fix the weights of `module` and, by keeping it in eval mode, its statistics."""
    module.requires_grad_(False).eval()
    # model.train() calls this, and leaves it in eval mode.
    module.train = lambda mode=True: module  # type: ignore[method-assign]


#% endif
#% if model.weights
def load_pretrained(model: nn.Module) -> None:
    """Fill all of `model` but its head, which is new, with the pretrained weights.

    Raises:
        RuntimeError: names all other tensors that are missing, unexpected or misshapen.
    """
    #% filter indent(4, true)
    #% include "classification/weights/" ~ model.weights.kind ~ ".py"
    #% if model.weights.layout
    #% include "classification/layouts/" ~ model.weights.layout ~ ".py"
    #% endif
    #% endfilter
    # The head stays as it is; all else has to be there.
    head = {{ model.head }}.state_dict(prefix={{ model.head_prefix }})
    model.load_state_dict(state | head)
#% endif
