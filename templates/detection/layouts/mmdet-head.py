#% if model.masks
# The background is the last class there, the first here; it has no box and no mask.
#% else
# The background is the last class there and the first here; it has no box.
#% endif
predictor = "roi_heads.box_predictor"
for part in ("weight", "bias"):
    name = f"{predictor}.cls_score.{part}"
    state[name] = state[name].roll(1, 0)
    name = f"{predictor}.bbox_pred.{part}"
    state[name] = torch.cat([torch.zeros_like(state[name][:4]), state[name]])
    #% if model.masks
    name = f"roi_heads.mask_predictor.mask_fcn_logits.{part}"
    state[name] = torch.cat([torch.zeros_like(state[name][:1]), state[name]])
    #% endif
