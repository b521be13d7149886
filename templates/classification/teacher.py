"""The teacher: {{ teacher.title }}, whose answers the model learns as well."""

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision import models

from data import IMAGE_SIZE, NUM_CLASSES
from pretrained import reading, unwrapped

TEACHER = {{ teacher.path }}
TEMPERATURE = {{ teacher.temperature }}


def build_teacher() -> nn.Module:
    """The trained teacher, frozen: from the same normalised images to logits."""
    teacher = {{ teacher.constructor }}
    with reading(TEACHER):
        state = torch.load(TEACHER, map_location="cpu", weights_only=True)
    teacher.load_state_dict(unwrapped(state, TEACHER))
    return teacher.requires_grad_(False).eval()


def distillation_loss(logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """How far the model's answers are from the teacher's: logits are [B, NUM_CLASSES].

    The Kullback-Leibler divergence at a temperature (arXiv 1503.02531), whose square
    keeps the gradient as large as that of the labels.
    """
    log_probabilities = F.log_softmax(logits / TEMPERATURE, dim=1)
    targets = F.log_softmax(teacher_logits / TEMPERATURE, dim=1)
    divergence = F.kl_div(
        log_probabilities, targets, reduction="batchmean", log_target=True
    )
    return divergence * TEMPERATURE**2
