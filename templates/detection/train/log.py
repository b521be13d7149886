train_losses = mean_losses(window, list(losses_by_name), train_set)
if is_main:
    progress.set_postfix(loss=f"{train_losses['loss']:.4f}")
    #% if train.logs
    log({f"train/{k}": v for k, v in train_losses.items()})
    log({"train/lr": optimizer.param_groups[-1]["lr"]})
    #% endif
