#% if model.unfreezes
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
    #% if model.freezes_parameters
    for name, parameter in model.named_parameters():
        if name in frozen:
            parameter.requires_grad_(False)
    #% endif
    #% if model.norm_eval
    fix_batch_norms(model)
    #% endif
    return before != [parameter.requires_grad for parameter in model.parameters()]


#% endif
#% if model.norm_eval
def fix_batch_norms(model: nn.Module) -> None:
    #% if model.norm_frozen
    """Fix the batch norms: scales and shifts, and by eval mode the statistics."""
    #% else
    """Keep the batch norms in eval mode, and so their running means and variances."""
    #% endif
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            #% if model.norm_frozen
            module.requires_grad_(False)
            #% endif
            #% if model.norm_eps is not none
            module.eps = {{ model.norm_eps }}  # as it was for the pretrained weights
            #% endif
            keep_in_eval(module)


#% endif
#% if model.frozen or model.unfreezes
def freeze(module: nn.Module) -> None:
    """Fix the weights of `module` and, by keeping it in eval mode, its statistics."""
    #% if model.norm_eval
    module.requires_grad_(False)
    keep_in_eval(module)


#% else
    module.requires_grad_(False).eval()
    # model.train() calls this, and leaves it in eval mode.
    module.train = lambda mode=True: module  # type: ignore[method-assign]


#% endif
#% endif
#% if model.norm_eval
def keep_in_eval(module: nn.Module) -> None:
    module.eval()
    # model.train() calls this, and leaves it in eval mode.
    module.train = lambda mode=True: module  # type: ignore[method-assign]


#% endif
