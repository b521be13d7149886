"""Build {{ title }}."""

import re
from collections import OrderedDict
from hashlib import sha256
from importlib.resources import files
from io import BytesIO
from pickle import UnpicklingError
from urllib.request import urlopen

import safetensors.torch
import timm
import torch
from timm.layers import convert_sync_batchnorm
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present
from torchvision import models
from torchvision.models.vision_transformer import interpolate_embeddings

from data import IMAGE_SIZE, NUM_CLASSES

#% if model.weights and model.weights.path
WEIGHTS = {{ model.weights.path }}
#% endif
#% if model.weights and model.weights.hash
HASH = {{ model.weights.hash }}  # how the file's begins
#% endif
#% if model.weights and model.weights.prefix
PREFIX = {{ model.weights.prefix }}  # of the names of the model's tensors in the file
#% endif
#% if model.weights and model.weights.renamed
# How names in the file begin, and how in the model.
RENAMED = {{ model.weights.renamed }}
#% endif
#% if model.single_head
INIT_STD = {{ model.init_std }}  # of the new head's weights
#% else
INIT_STD = {{ model.init_std }}  # of the new heads' weights
#% endif
#% if model.unfreezes
# What is frozen from so many finished epochs on: all that is named here, and no more.
FROZEN = {{ model.frozen_by_epoch }}
#% else
#% if model.frozen
FROZEN = {{ model.frozen }}
#% endif
#% if model.frozen_parameters
FROZEN_PARAMETERS = {{ model.frozen_parameters }}
#% endif
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
    #% if model.unfreezes
    set_frozen(model, 0)
    return model


def set_frozen(model: nn.Module, epoch: int) -> bool:
    """Freeze what is frozen after `epoch` epochs, and only that, until the next call.

    What is no longer frozen gets into training mode by the next `model.train()`.

    Returns: whether other parameters train than before.
    """
    frozen = FROZEN[max(start for start in FROZEN if start <= epoch)]
    before = [parameter.requires_grad for parameter in model.parameters()]
    model.requires_grad_(True)
    for name, module in model.named_modules():
        vars(module).pop("train", None)  # what `freeze` put there
        if name in frozen:
            freeze(module)
    #% if model.freezes_parameters
    for name, parameter in model.named_parameters():
        if name in frozen:
            parameter.requires_grad_(False)
    #% endif
    #% if model.norm_eval
    fix_statistics(model)
    #% endif
    return before != [parameter.requires_grad for parameter in model.parameters()]


#% else
    #% if model.frozen
    for name in FROZEN:
        freeze(model.get_submodule(name))
    #% endif
    #% if model.frozen_parameters
    for name in FROZEN_PARAMETERS:
        model.get_parameter(name).requires_grad_(False)
    #% endif
    #% if model.norm_eval
    fix_statistics(model)
    #% endif
    return model


#% endif
#% if model.norm_eval
def fix_statistics(model: nn.Module) -> None:
    """Keep the batch norms in eval mode, and so their running means and variances."""
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            keep_in_eval(module)


#% endif
#% if model.frozen or model.unfreezes
def freeze(module: nn.Module) -> None:
    """Fix the weights of `module` and, by keeping it in eval mode, its statistics."""
    #% if model.norm_eval
    module.requires_grad_(False)
    keep_in_eval(module)


#% else
    module.requires_grad_(False).eval()
    # model.train() calls this, and leaves it in eval mode.
    module.train = lambda mode=True: module  # type: ignore[method-assign]


#% endif
#% endif
#% if model.norm_eval
def keep_in_eval(module: nn.Module) -> None:
    module.eval()
    # model.train() calls this, and leaves it in eval mode.
    module.train = lambda mode=True: module  # type: ignore[method-assign]


#% endif
#% if model.weights
def load_pretrained(model: nn.Module) -> None:
    """Fill all of `model` but its head, which is new, with the pretrained weights.

    Raises:
        RuntimeError: names all other tensors that are missing, unexpected or misshapen.
    """
    #% if model.weights.fetch
    #% filter indent(4, true)
    #% include model.weights.fetch
    #% endfilter
    #% endif
    #% if model.weights.pickled
    try:
        state = {{ model.weights.state }}
    except UnpicklingError as error:
        found = re.findall(r"GLOBAL (\S+)", str(error)) or ["no tensors at all"]
        message = f"{WEIGHTS} holds {found[0]}; save a state_dict() alone, and name that"
        raise RuntimeError(message) from error
    #% else
    state = {{ model.weights.state }}
    #% endif
    #% filter indent(4, true)
    #% for step in model.weights.steps
    #% include step
    #% endfor
    #% endfilter
    #% if model.single_head
    # The head stays as it is; all else has to be there.
    state.update({{ model.head }}.state_dict(prefix={{ model.head_prefix }}))
    #% else
    # The heads stay as they are; all else has to be there.
    for name, tensor in model.state_dict().items():
        if name.startswith({{ model.head_prefixes }}):
            state[name] = tensor
    #% endif
    model.load_state_dict(state)
#% endif
