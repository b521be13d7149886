"""Build fcos_resnet50_fpn for 1 class."""

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision import models

from annotations import NUM_CLASSES

WEIGHTS = models.detection.FCOS_ResNet50_FPN_Weights.COCO_V1
# The frozen modules, by the number of finished epochs from which on they are.
FROZEN = {
    0: ("backbone.body.conv1", "backbone.body.bn1", "backbone.body.layer1"),
    6: (),
}


def build_model() -> nn.Module:
    """Build a detector, which takes lists of images, floats [3, H, W] from 0 to 1.

    In training mode it takes their targets as well, and returns its losses by name;
    else it returns for each image "boxes", float [N, 4] of x1, y1, x2, y2 in pixels;
    "labels", int64 [N]; and "scores", float [N].

    Its weights are random until `load_pretrained` or a checkpoint fills them.
    """
    # Training images already have their size: data.py resizes them.
    model = models.detection.fcos_resnet50_fpn(
        weights=None,
        weights_backbone=None,
        num_classes=NUM_CLASSES,
        min_size=800,
        max_size=1333,
        _skip_resize=True,
    )
    set_frozen(model, 0)
    return model


def set_frozen(model: nn.Module, epoch: int) -> bool:
    """Freeze what FROZEN names after `epoch` epochs, and unfreeze all else.

    The next `model.train()` brings unfrozen modules into training mode.

    Returns: whether the trained parameters changed.
    """
    frozen = FROZEN[max(start for start in FROZEN if start <= epoch)]
    before = [parameter.requires_grad for parameter in model.parameters()]
    model.requires_grad_(True)
    for name, module in model.named_modules():
        vars(module).pop("train", None)  # what `freeze` put there
        if name in frozen:
            freeze(module)
    fix_batch_norms(model)
    return before != [parameter.requires_grad for parameter in model.parameters()]


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
