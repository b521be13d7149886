"""Fine-tune {{ title }}.

    python train.py             on one GPU, or the CPU
    ./launch.sh                 on all GPUs of this machine, or of many
    python train.py --resume    continue a run as if it had never stopped, or begin one

A run writes its checkpoints last.pt, previous.pt (the one before it) and best.pt, a
sheet of samples, pictures of the results and curves to a folder, runs/ unless --output
names another. A new one begins with the model of a best.pt that --weights names.
"""

import argparse
import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import mlflow
import torch
import torch.distributed as dist
import wandb
from timm.optim import Lamb, Muon
from torch import Tensor, nn
from torch.distributed.elastic.multiprocessing.errors import record
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    LinearLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    StepLR,
)
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.tensorboard import SummaryWriter
from torchvision.ops import sigmoid_focal_loss
from tqdm import tqdm

#% include loop ~ "/imports.py"

SEED = {{ train.seed }}
EPOCHS = {{ train.epochs }}
BATCH_SIZE = {{ train.batch_size }}  # samples, over all processes together
#% if train.micro_batch
MAX_BATCH_PER_GPU = {{ train.micro_batch }}  # samples; more are taken in parts
#% endif
#% for setting in train.settings
{{ setting }}
#% endfor
LOG_EVERY = {{ train.log_every }}  # steps
#% if train.evaluate_every > 1
EVALUATE_EVERY = {{ train.evaluate_every }}  # epochs
#% endif
MONITOR = {{ train.monitor }}  # the metric that says which model is best
#% if train.early_stop
EARLY_STOP = {{ train.early_stop }}  # evaluations without a better one
#% endif
CHECKPOINT_STEPS = {{ train.checkpoint_steps }}  # last.pt; and at the end of every epoch
#% if train.checkpoint_every
CHECKPOINT_EVERY = {{ train.checkpoint_every }}  # epochs; these stay beside last.pt
#% endif
#% if train.keep
KEEP = {{ train.keep }}  # of them, the latest
#% endif
#% if train.wandb
WANDB_PROJECT = {{ train.wandb }}
#% endif
#% if train.mlflow
MLFLOW_EXPERIMENT = {{ train.mlflow }}
#% endif
RUN_DIR = Path(__file__).parent / "runs"


#% include loop ~ "/losses.py"


@record  # torchrun reports the error of the process that failed first
def main() -> None:
    parser = argparse.ArgumentParser(description="Train the model.")
    parser.add_argument("--data", type={{ data_folder }}, default=DATA_DIR)
    parser.add_argument("--output", type=Path, default=RUN_DIR, help="the run's folder")
    parser.add_argument("--resume", action="store_true", help="continue it, or begin")
    parser.add_argument("--weights", type=Path, help="a best.pt to begin a run with")
    args = parser.parse_args()

    stop = distributed.catch_signals()
    #% if train.deterministic
    # The same run gives the same bits: a resumed one goes on as if never stopped.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    #% else
    torch.backends.cudnn.benchmark = True
    #% endif
    device = distributed.init()
    is_main = dist.get_rank() == 0
    last, previous = args.output / "last.pt", args.output / "previous.pt"
    resuming = distributed.any_process(last.exists() or previous.exists())
    if resuming and not args.resume:
        raise SystemExit(f"{last} exists: --resume that run, or name another --output")

    torch.manual_seed(SEED)
    train_set, val_set = build_datasets(args.data)
    batches = Batches(train_set, BATCH_SIZE, SEED)
    train_loader, val_loader = build_loaders(train_set, batches, val_set)
    steps_per_epoch = len(batches)
    model = build_model()
    if is_main and args.weights and not resuming:  # DDP hands it to the others
        checkpoint.fill(model, args.weights, {{ train.classes }})
    #% if model.pretrained
    elif is_main and not resuming:
        load_pretrained(model)
    #% endif
    #% if train.channels_last
    model.to(device, memory_format=torch.channels_last)
    #% else
    model.to(device)
    #% endif
    #% if train.compile
    model.compile()
    #% endif
    #% if model.unfreezes
    set_frozen(model, EPOCHS)  # the optimizer gets all that ever trains
    #% endif
    ddp = DistributedDataParallel(model)
    #% if train.ema

    def average(averages: Any, values: Any, _: Any) -> None:
        """Move the averages; TensorFlow's ramp lets the first steps be forgotten."""
        decay = min(EMA_DECAY, (1 + step) / (10 + step))
        get_ema_multi_avg_fn(decay)(averages, values, _)

    ema = AveragedModel(model, multi_avg_fn=average, use_buffers=True)
    #% endif
    #% filter indented(4)
    #% include loop ~ "/setup.py"
    #% endfilter
    #% if optimizer.groups
    optimizer = build_optimizer(model)
    #% else
    #% if model.freezes
    parameters = [p for p in model.parameters() if p.requires_grad]
    #% endif
    optimizer = {{ optimizer.call }}
    #% endif
    #% if train.scheduler
    scheduler = {{ train.scheduler }}
    #% endif
    #% if train.plateau
    plateau = {{ train.plateau }}
    #% endif
    #% if train.scaler
    scaler = torch.amp.GradScaler(device.type)
    #% endif
    parts: dict[str, Any] = {{ train.parts }}
    # A run is resumed with the same of these; any other setting may be a new one.
    recipe = checkpoint.describe(parts) | {"SEED": SEED, "BATCH_SIZE": BATCH_SIZE}
    recipe |= {"MONITOR": MONITOR, "classes": {{ train.classes }}}
    recipe |= {"steps per epoch": steps_per_epoch, "samples": len(train_set)}
    #% if train.plateau
    lrs = tuple({{ train.initial_lr }} for group in optimizer.param_groups)
    recipe["learning rates"] = lrs
    #% endif
    #% if optimizer.groups
    settings = checkpoint.settings("data", "optimizer", __name__)
    #% else
    settings = checkpoint.settings("data", __name__)
    #% endif
    step, finished, best = 0, 0, {{ train.worst }}
    #% if train.early_stop
    stale = 0  # evaluations since the best one
    #% endif
    #% if train.wandb or train.mlflow
    state: dict[str, Any] = {}
    #% endif
    if resuming:
        state = checkpoint.load(last, previous, key="recipe")
        checkpoint.check_recipe(last, state["recipe"], recipe)
        step, finished, best = state["step"], state["finished"], state["best"]
        #% if train.early_stop
        stale = state.get("stale", 0)
        #% endif
        #% if train.scheduler
        checkpoint.advance(scheduler, min(step, EPOCHS * steps_per_epoch))
        #% endif
        #% if train.plateau
        groups = zip(optimizer.param_groups, state["optimizer"]["param_groups"], strict=True)
        for group, saved in groups:
            group["lr"] = saved["lr"]
        state["plateau"] |= {"factor": GAMMA, "patience": PATIENCE}
        #% endif
        checkpoint.restore(parts, state)
        checkpoint.report(args.output, state, settings)
    elif args.resume and is_main:
        print(f"no {last}: a new run")

    def save() -> None:
        if is_main:
            #% if train.tensorboard
            writer.flush()
            #% endif
            state = {name: part.state_dict() for name, part in parts.items()}
            state |= {"step": step, "finished": finished, "classes": {{ train.classes }}}
            state |= {"best": best, "recipe": recipe, "settings": settings}
            #% if train.early_stop
            state["stale"] = stale
            #% endif
            #% if train.wandb
            state["wandb"] = wandb_run.id
            #% endif
            #% if train.mlflow
            state["mlflow"] = mlflow_run.info.run_id
            #% endif
            checkpoint.save(last, state, previous)

    #% if train.logs
    def log(values: dict[str, float]) -> None:
        """Add to the curves; for the main process."""
        #% if train.tensorboard
        for name, value in values.items():
            writer.add_scalar(name, value, step)
        #% endif
        #% if train.wandb
        wandb_run.log(values, step)
        #% endif
        #% if train.mlflow
        mlflow.log_metrics(values, step)
        #% endif

    #% endif
    if is_main:
        args.output.mkdir(parents=True, exist_ok=True)
        sheet = draw_sheet(train_set)
        sheet.savefig(args.output / "samples.png")
        #% if train.tensorboard
        writer = SummaryWriter(args.output, purge_step=step + 1)
        writer.add_figure("samples", sheet, step)
        #% endif
        #% if train.wandb
        run_id = state.get("wandb")  # of a run that goes on
        wandb_run = wandb.init(
            project=WANDB_PROJECT, dir=args.output, id=run_id, resume="allow"
        )
        wandb_run.log({"samples": wandb.Image(sheet)}, step)
        #% endif
        #% if train.mlflow
        mlflow.set_experiment(MLFLOW_EXPERIMENT)
        mlflow_run = mlflow.start_run(state.get("mlflow"))  # the one that goes on
        mlflow.log_figure(sheet, "samples.png")
        #% endif

    for epoch in range(finished, EPOCHS):
        #% if train.early_stop
        if stale >= EARLY_STOP:
            break
        #% endif
        #% if model.unfreezes
        if set_frozen(model, epoch):
            ddp = DistributedDataParallel(model)
        #% endif
        first = step - epoch * steps_per_epoch  # above 0 after a stop
        batches.start(epoch, first)
        title = f"epoch {epoch + 1}/{EPOCHS}"
        progress = tqdm(
            train_loader, title, steps_per_epoch, initial=first, disable=not is_main
        )
        window: list[tuple[Tensor, Tensor]] = []  # the steps since the last log line
        ddp.train()
        for inputs, targets, indices in progress:
            #% if model.draws
            torch.manual_seed((SEED + step) * dist.get_world_size() + dist.get_rank())
            #% endif
            #% filter indented(12)
            #% include loop ~ "/batch.py"
            #% endfilter
            optimizer.zero_grad()
            #% filter block(train.micro_batch)
            for inputs, targets in splits:
                #% filter block(train.micro_batch)
                with nullcontext() if len(losses) + 1 == count else ddp.no_sync():
                    #% filter indented(20)
                    #% include loop ~ "/loss.py"
                    #% endfilter
                    #% if train.micro_batch
                    losses.append({{ train.recorded }}.detach())
                    #% endif
                    #% if train.scaler
                    scaler.scale(loss).backward()
                    #% else
                    loss.backward()
                    #% endif
                #% endfilter
            #% endfilter
            #% if train.scaler and optimizer.clip_norm
            scaler.unscale_(optimizer)
            #% endif
            #% if optimizer.clip_norm
            nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
            #% endif
            #% if train.scaler
            scaler.step(optimizer)
            scaler.update()
            #% else
            optimizer.step()
            #% endif
            #% if train.scheduler
            scheduler.step()
            #% endif
            #% if train.ema
            ema.update_parameters(model)
            #% endif
            step += 1
            #% if train.micro_batch
            window.append((torch.stack(losses).sum(0), indices))
            #% else
            window.append(({{ train.recorded }}.detach(), indices))
            #% endif

            end_of_epoch = step % steps_per_epoch == 0
            stopping = distributed.any_process(stop.is_set())
            saving = stopping or end_of_epoch or step % CHECKPOINT_STEPS == 0
            if saving or step % LOG_EVERY == 0:
                #% filter indented(16)
                #% include loop ~ "/log.py"
                #% endfilter
                window.clear()
            if saving:  # at the end of an epoch before evaluating, which may fail
                save()
            if stopping:
                message = f"stopped at step {step}; --resume continues"
                raise SystemExit(message if is_main else 1)

        #% if model.trains_batch_norm
        for statistics in {{ train.evaluated }}.buffers():  # the main process's are saved
            dist.broadcast(statistics, src=0)
        #% endif
        #% filter block(train.evaluate_every > 1)
        if (epoch + 1) % EVALUATE_EVERY == 0 or epoch + 1 == EPOCHS:
            #% filter indented(12)
            #% include loop ~ "/evaluate.py"
            #% endfilter
            #% if train.plateau
            plateau.step(metrics[MONITOR])
            #% endif
            if is_main:
                #% filter indented(16)
                #% include loop ~ "/print.py"
                #% endfilter
                #% if train.logs
                log({f"val/{name}": value for name, value in metrics.items()})
                #% endif
            #% if train.early_stop
            stale += 1
            #% endif
            #% if train.monitor_falls
            if metrics[MONITOR] < best:
                best = metrics[MONITOR]
            #% else
            if metrics[MONITOR] > best:
                best = metrics[MONITOR]
            #% endif
                #% if train.early_stop
                stale = 0
                #% endif
                if is_main:
                    state = {"model": {{ train.evaluated }}.state_dict(), "classes": {{ train.classes }}}
                    checkpoint.save(args.output / "best.pt", state)
                    #% filter indented(20)
                    #% include loop ~ "/pictures.py"
                    #% endfilter
        #% endfilter
        #% if train.checkpoint_every
        if is_main and (epoch + 1) % CHECKPOINT_EVERY == 0:
            state = {"model": {{ train.evaluated }}.state_dict(), "classes": {{ train.classes }}}
            checkpoint.save(args.output / f"epoch_{epoch + 1:04}.pt", state)
            #% if train.keep
            for old in sorted(args.output.glob("epoch_*.pt"))[:-KEEP]:
                old.unlink()
            #% endif
        #% endif
        finished = epoch + 1
        save()

    if is_main:
        #% if train.tensorboard
        writer.close()
        #% endif
        #% if train.wandb
        wandb_run.finish()
        #% endif
        #% if train.mlflow
        mlflow.end_run()
        #% endif
        print(f"best {MONITOR} {best:.4f}; the model is in {args.output / 'best.pt'}")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
