train_loss = mean_loss(window, train_set)
if is_main:
    progress.set_postfix(loss=f"{train_loss:.4f}")
    #% if train.logs
    lr = optimizer.param_groups[-1]["lr"]
    log({"train/loss": train_loss, "train/lr": lr})
    #% endif
