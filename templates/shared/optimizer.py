"""The optimizer, and the parameters that have settings of their own in it."""

from fnmatch import fnmatchcase

import torch
from timm.optim import Lamb, Muon
from torch import nn

#% for setting in optimizer.settings
{{ setting }}
#% endfor
#% if optimizer.groups.head
HEAD = {{ optimizer.groups.head }}
#% endif
#% if optimizer.groups.layers
LAYERS = {{ optimizer.groups.layers }}
#% endif
#% if optimizer.groups.lrs
LRS = {{ optimizer.groups.lrs }}  # of the parameters with such names
#% endif
#% if optimizer.groups.decays
WEIGHT_DECAYS = {{ optimizer.groups.decays }}  # of the parameters with such names
#% endif
#% if optimizer.groups.no_decay
#% if optimizer.groups.own_no_decay
# With the norms: tokens, positions or scales that the model's authors do not decay.
#% endif
NO_DECAY = {{ optimizer.groups.no_decay }}
#% endif


def build_optimizer(model: nn.Module) -> torch.optim.Optimizer:
    """Build the optimizer of what is not frozen, a group for each pair of settings."""
    members: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            settings = ({{ optimizer.groups.lr }}, {{ optimizer.groups.decay }})
            members.setdefault(settings, []).append(parameter)
    groups = [
        {"params": parameters, "lr": lr, "weight_decay": decay}
        for (lr, decay), parameters in members.items()
    ]
    return {{ optimizer.call }}


#% if optimizer.groups.lr != "LR"
def learning_rate(name: str) -> float:
    """Return the learning rate of the parameter `name`."""
    #% if optimizer.groups.lrs
    for pattern, lr in LRS.items():
        if fnmatchcase(name, pattern):
            return lr
    #% endif
    #% if optimizer.groups.head
    if name.startswith(HEAD):
        return HEAD_LR
    #% endif
    #% if optimizer.groups.layers
    for depth, layer in enumerate(reversed(LAYERS), 1):
        if name.startswith(layer):
            return LR * LAYER_DECAY**depth
    #% endif
    return LR
#% endif


#% if optimizer.groups.decay != "WEIGHT_DECAY"
def weight_decay(name: str, parameter: nn.Parameter) -> float:
    """Return the weight decay of the parameter `name`."""
    #% if optimizer.groups.decays
    for pattern, decay in WEIGHT_DECAYS.items():
        if fnmatchcase(name, pattern):
            return decay
    #% endif
    #% if optimizer.groups.no_decay
    if any(fnmatchcase(name, pattern) for pattern in NO_DECAY):
        return 0.0
    #% endif
    #% if not optimizer.groups.norms_decay and not optimizer.groups.biases_decay
    if parameter.ndim < 2:  # the scale of a norm, or a bias
        return 0.0
    #% elif not optimizer.groups.norms_decay
    if parameter.ndim < 2 and not name.endswith("bias"):  # the scale of a norm
        return 0.0
    #% elif not optimizer.groups.biases_decay
    if name.endswith("bias"):
        return 0.0
    #% endif
    return WEIGHT_DECAY
#% endif
