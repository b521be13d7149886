"""The optimizer, and the parameters that have settings of their own in it."""

import torch
from torch import nn

LR = 0.05
MOMENTUM = 0.9
NESTEROV = True
WEIGHT_DECAY = 5e-05
HEAD_LR = 0.5
HEAD = ("head.fc.",)


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
    return torch.optim.SGD(
        groups, lr=LR, momentum=MOMENTUM, nesterov=NESTEROV, weight_decay=WEIGHT_DECAY
    )


def learning_rate(name: str) -> float:
    """Return the learning rate of the parameter `name`."""
    if name.startswith(HEAD):
        return HEAD_LR
    return LR
