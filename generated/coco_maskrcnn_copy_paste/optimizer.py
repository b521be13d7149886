"""The optimizer, and the parameters that have settings of their own in it."""

import torch
from torch import nn

LR = 0.0001
BETAS = (0.9, 0.999)
WEIGHT_DECAY = 0.01
LAYER_DECAY = 0.8  # of the learning rate, from each layer to the one before
LAYERS = (
    ("backbone.body.conv1.", "backbone.body.bn1."),
    ("backbone.body.layer1.",),
    ("backbone.body.layer2.",),
    ("backbone.body.layer3.",),
    ("backbone.body.layer4.",),
)


def build_optimizer(model: nn.Module) -> torch.optim.Optimizer:
    """Build the optimizer of what is not frozen, a group for each pair of settings."""
    members: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            settings = (learning_rate(name), WEIGHT_DECAY)
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
