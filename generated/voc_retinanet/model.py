"""Build retinanet_resnet50_fpn_v2 for 20 classes."""

import torch
from torch import Tensor, nn
from torchvision import models

from annotations import NUM_CLASSES

WEIGHTS = models.detection.RetinaNet_ResNet50_FPN_V2_Weights.COCO_V1
FROZEN = ("backbone.body.conv1", "backbone.body.bn1", "backbone.body.layer1")


def build_model() -> nn.Module:
    """Build a detector, which takes lists of images, floats [3, H, W] from 0 to 1.

    In training mode it takes their targets as well, and returns its losses by name;
    else it returns for each image "boxes", float [N, 4] of x1, y1, x2, y2 in pixels;
    "labels", int64 [N]; and "scores", float [N].

    Its weights are random until `load_pretrained` or a checkpoint fills them.
    """
    model = models.detection.retinanet_resnet50_fpn_v2(
        weights=None,
        weights_backbone=None,
        num_classes=NUM_CLASSES,
        min_size=600,
        max_size=1000,
    )
    if torch.cuda.is_available():
        # Statistics over the whole batch, on any number of GPUs; CPUs cannot do it.
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    for name in FROZEN:
        freeze(model.get_submodule(name))
    return model


def freeze(module: nn.Module) -> None:
    """Fix the weights of `module` and, by keeping it in eval mode, its statistics."""
    module.requires_grad_(False).eval()
    # model.train() calls this, and leaves it in eval mode.
    module.train = lambda mode=True: module  # type: ignore[method-assign]


def load_pretrained(model: nn.Module) -> None:
    """Fill all of `model` but its head, which is new, with the pretrained weights.

    Raises:
        RuntimeError: names all other tensors that are missing, unexpected or misshapen.
    """
    state = read_pretrained()
    # The head stays as it is, whatever it is; all else has to be there.
    head = "head.classification_head.cls_logits."
    for name in [name for name in state if name.startswith(head)]:
        del state[name]
    for name, tensor in model.state_dict().items():
        if name.startswith(head):
            state[name] = tensor
    model.load_state_dict(state)


def read_pretrained() -> dict[str, Tensor]:
    """Read the pretrained weights, by the model's own names for them."""
    return WEIGHTS.get_state_dict(
        check_hash=True, map_location="cpu", weights_only=True
    )
