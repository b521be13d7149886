"""The teacher: resnet50, whose outputs the model learns as well."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision import models

import checkpoint
from data import NUM_CLASSES
from pretrained import reading, unwrapped

TEACHER = "runs/teacher/best.pt"
TEMPERATURE = 4.0


def build_teacher(classes: list[str]) -> nn.Module:
    """Build the trained, frozen teacher: from normalised images to logits."""
    teacher = models.resnet50(num_classes=NUM_CLASSES)
    with reading(TEACHER):
        state = torch.load(TEACHER, map_location="cpu", weights_only=True)
    if "classes" in state:
        checkpoint.check_classes(TEACHER, state["classes"], classes)
    teacher.load_state_dict(unwrapped(state, TEACHER))
    return teacher.requires_grad_(False).eval()


def distillation_loss(logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """Measure the distance of the teacher's outputs; logits are [B, NUM_CLASSES].

    This is the Kullback-Leibler divergence at a temperature (arXiv 1503.02531), whose
    square keeps the gradient as large as that of the labels.
    """
    log_probabilities = F.log_softmax(logits / TEMPERATURE, dim=1)
    targets = F.log_softmax(teacher_logits / TEMPERATURE, dim=1)
    divergence = F.kl_div(
        log_probabilities, targets, reduction="batchmean", log_target=True
    )
    return divergence * TEMPERATURE**2
