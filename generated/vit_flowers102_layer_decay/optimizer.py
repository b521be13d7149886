"""The optimizer, and the parameters that have settings of their own in it."""

from fnmatch import fnmatchcase

import torch
from torch import nn

LR = 0.0005
BETAS = (0.9, 0.999)
WEIGHT_DECAY = 0.05
LAYER_DECAY = 0.75  # of the learning rate, from each layer to the one before
LAYERS = (
    ("conv_proj.", "class_token", "encoder.pos_embedding"),
    ("encoder.layers.encoder_layer_0.",),
    ("encoder.layers.encoder_layer_1.",),
    ("encoder.layers.encoder_layer_2.",),
    ("encoder.layers.encoder_layer_3.",),
    ("encoder.layers.encoder_layer_4.",),
    ("encoder.layers.encoder_layer_5.",),
    ("encoder.layers.encoder_layer_6.",),
    ("encoder.layers.encoder_layer_7.",),
    ("encoder.layers.encoder_layer_8.",),
    ("encoder.layers.encoder_layer_9.",),
    ("encoder.layers.encoder_layer_10.",),
    ("encoder.layers.encoder_layer_11.",),
)
# With the norms: tokens, positions or scales that the model's authors do not decay.
NO_DECAY = ("class_token", "encoder.pos_embedding")


def build_optimizer(model: nn.Module) -> torch.optim.Optimizer:
    """Build the optimizer of what is not frozen, a group for each pair of settings."""
    members: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            settings = (learning_rate(name), weight_decay(name, parameter))
            members.setdefault(settings, []).append(parameter)
    groups = [
        {"params": parameters, "lr": lr, "weight_decay": decay}
        for (lr, decay), parameters in members.items()
    ]
    return torch.optim.AdamW(groups, lr=LR, betas=BETAS, weight_decay=WEIGHT_DECAY)


def learning_rate(name: str) -> float:
    """Return the learning rate of the parameter `name`."""
    for depth, layer in enumerate(reversed(LAYERS), 1):
        if name.startswith(layer):
            return LR * LAYER_DECAY**depth
    return LR


def weight_decay(name: str, parameter: nn.Parameter) -> float:
    """Return the weight decay of the parameter `name`."""
    if any(fnmatchcase(name, pattern) for pattern in NO_DECAY):
        return 0.0
    if parameter.ndim < 2:  # the scale of a norm, or a bias
        return 0.0
    return WEIGHT_DECAY
