"""Build maskrcnn_resnet50_fpn for 8 classes."""

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision import models

from annotations import NUM_CLASSES

WEIGHTS = models.detection.MaskRCNN_ResNet50_FPN_Weights.COCO_V1
FROZEN = ("backbone.body.conv1", "backbone.body.bn1", "backbone.body.layer1")


def build_model() -> nn.Module:
    """Build a detector, which takes lists of images, floats [3, H, W] from 0 to 1.

    In training mode it takes their targets as well, and returns its losses by name;
    else it returns for each image "boxes", float [N, 4] of x1, y1, x2, y2 in pixels;
    "labels", int64 [N]; "scores", float [N]; and "masks", float [N, 1, H, W],
    above 0.5 where the object is.

    Its weights are random until `load_pretrained` or a checkpoint fills them.
    """
    # Training images already have their size: data.py resizes them.
    model = models.detection.maskrcnn_resnet50_fpn(
        weights=None,
        weights_backbone=None,
        num_classes=NUM_CLASSES,
        min_size=1024,
        max_size=2048,
        _skip_resize=True,
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
            module.eps = 0.0  # as it was for the pretrained weights
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
    """Fill all of `model` but its head, which is new, with the pretrained weights.

    Raises:
        RuntimeError: names all other tensors that are missing, unexpected or misshapen.
    """
    state = read_pretrained()
    # The heads stay as they are, whatever they are; all else has to be there.
    head = (
        "roi_heads.box_predictor.cls_score.",
        "roi_heads.box_predictor.bbox_pred.",
        "roi_heads.mask_predictor.mask_fcn_logits.",
    )
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
