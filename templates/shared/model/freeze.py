#% if model.unfreezes
set_frozen(model, 0)
#% else
#% if model.frozen
for name in FROZEN:
    freeze(model.get_submodule(name))
#% endif
#% if model.frozen_parameters
for name in FROZEN_PARAMETERS:
    model.get_parameter(name).requires_grad_(False)
#% endif
#% if model.norm_eval
fix_batch_norms(model)
#% endif
#% endif
