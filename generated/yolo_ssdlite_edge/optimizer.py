"""The optimizer, and the parameters that have settings of their own in it."""

import torch
from torch import nn

LR = 0.0005
BETAS = (0.9, 0.999)
WEIGHT_DECAY = 0.01


def build_optimizer(model: nn.Module) -> torch.optim.Optimizer:
    """Build the optimizer of what is not frozen, a group for each pair of settings."""
    members: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            settings = (LR, weight_decay(name, parameter))
            members.setdefault(settings, []).append(parameter)
    groups = [
        {"params": parameters, "lr": lr, "weight_decay": decay}
        for (lr, decay), parameters in members.items()
    ]
    return torch.optim.AdamW(groups, lr=LR, betas=BETAS, weight_decay=WEIGHT_DECAY)


def weight_decay(name: str, parameter: nn.Parameter) -> float:
    """Return the weight decay of the parameter `name`."""
    if parameter.ndim < 2:  # the scale of a norm, or a bias
        return 0.0
    return WEIGHT_DECAY
