"""The teacher: {{ teacher.title }}, whose outputs the model learns as well."""

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision import models
from torchvision.transforms.v2.functional import normalize

import checkpoint
from data import CHANNELS, IMAGE_SIZE, MEAN, NUM_CLASSES, STD
from model import set_channels
from pretrained import reading, unwrapped

TEACHER = {{ teacher.path }}
TEMPERATURE = {{ teacher.temperature }}
#% if teacher.renormalizes
TEACHER_MEAN = {{ teacher.mean }}
TEACHER_STD = {{ teacher.std }}
#% endif


def build_teacher(classes: list[str]) -> nn.Module:
    #% if teacher.renormalizes
    """Build the trained, frozen teacher: from `renormalized` images to logits."""
    #% else
    """Build the trained, frozen teacher: from normalised images to logits."""
    #% endif
    teacher = {{ teacher.constructor }}
    #% if teacher.input_conv
    set_channels({{ teacher.input_conv }})
    #% endif
    with reading(TEACHER):
        state = torch.load(TEACHER, map_location="cpu", weights_only=True)
    if "classes" in state:
        checkpoint.check_classes(TEACHER, state["classes"], classes)
    teacher.load_state_dict(unwrapped(state, TEACHER))
    return teacher.requires_grad_(False).eval()


#% if teacher.renormalizes
def renormalized(inputs: Tensor) -> Tensor:
    """Normalise images again, float [B, {{ data.axis }}, H, W], as in the teacher's training."""
    mean, std = (inputs.new_tensor(values)[:, None, None] for values in (MEAN, STD))
    return normalize(inputs * std + mean, TEACHER_MEAN, TEACHER_STD)


#% endif
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
