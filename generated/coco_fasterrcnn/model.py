"""Build fasterrcnn_resnet50_fpn for 80 classes."""

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision import models

from annotations import NUM_CLASSES

FROZEN = ("backbone.body.conv1", "backbone.body.bn1", "backbone.body.layer1")


def build_model() -> nn.Module:
    """Build a detector, which takes lists of images, floats [3, H, W] from 0 to 1.

    In training mode it takes their targets as well, and returns its losses by name;
    else it returns for each image "boxes", float [N, 4] of x1, y1, x2, y2 in pixels;
    "labels", int64 [N]; and "scores", float [N].

    Its weights are random until `load_pretrained` or a checkpoint fills them.
    """
    model = models.detection.fasterrcnn_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=NUM_CLASSES
    )
    for name in FROZEN:
        freeze(model.get_submodule(name))
    fix_batch_norms(model)
    return model


def fix_batch_norms(model: nn.Module) -> None:
    """Fix the batch norms: scales and shifts, and by eval mode the statistics."""
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.requires_grad_(False)
            keep_in_eval(module)


def freeze(module: nn.Module) -> None:
    """Fix the weights of `module` and, by keeping it in eval mode, its statistics."""
    module.requires_grad_(False)
    keep_in_eval(module)


def keep_in_eval(module: nn.Module) -> None:
    module.eval()
    # model.train() calls this, and leaves it in eval mode.
    module.train = lambda mode=True: module  # type: ignore[method-assign]


def load_pretrained(model: nn.Module) -> None:
    """Fill the backbone with the weights of a classifier; all else is new."""
    model.backbone.load_state_dict(read_pretrained())


def read_pretrained() -> dict[str, Tensor]:
    """Read the weights of the backbone, by its own names for them."""
    pretrained = models.detection.fasterrcnn_resnet50_fpn(
        weights=None, weights_backbone="IMAGENET1K_V1"
    )
    return pretrained.backbone.state_dict()
