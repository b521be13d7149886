"""Fine-tune {{ title }}.

    python train.py             on one GPU, or the CPU
    ./launch.sh                 on all GPUs of this machine, or of many
    python train.py --resume    continue a stopped run as if it had never stopped

A run writes to its folder, runs/ unless --run names another: last.pt, best.pt, a sheet
of training samples and the confusion matrix.
"""

import argparse
import os
import signal
import threading
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    LRScheduler,
    MultiStepLR,
)
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

import checkpoint
import distributed
from data import DATA_DIR, build_loaders, draw_samples, normalize
from evaluate import draw_confusion, evaluate
from model import build_model, load_pretrained

SEED = {{ train.seed }}
EPOCHS = {{ train.epochs }}
BATCH_SIZE = {{ train.batch_size }}  # samples, over all processes together
#% for setting in train.settings
{{ setting }}
#% endfor
LOG_EVERY = {{ train.log_every }}  # steps
CHECKPOINT_EVERY = {{ train.checkpoint_every }}  # steps; and at the end of every epoch
RUN_DIR = Path(__file__).parent / "runs"


def build_optimizer(model: nn.Module) -> torch.optim.Optimizer:
    #% if model.frozen
    parameters = [p for p in model.parameters() if p.requires_grad]
    #% else
    parameters = model.parameters()
    #% endif
    return {{ train.optimizer }}


def build_scheduler(
    optimizer: torch.optim.Optimizer, steps_per_epoch: int
) -> LRScheduler:
    """The learning rate's schedule, to be stepped after every batch."""
    return {{ train.scheduler }}


def mean_loss(window: list[tuple[Tensor, Tensor]], names: list[str]) -> float:
    """The mean loss of all processes over a window of steps.

    Args:
        window: the loss and the samples' indices, int64 [B], of each step.
        names: the name of each sample of the dataset.

    Raises:
        FloatingPointError: if a loss is not finite; names the samples of its batch.
    """
    losses = torch.stack([loss for loss, _ in window])
    for step in (~losses.isfinite()).nonzero().flatten().tolist():
        samples = ", ".join(names[index] for index in window[step][1].tolist())
        raise FloatingPointError(f"the loss is {losses[step]:g} on {samples}")
    return distributed.mean(losses.mean()).item()


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the model.")
    parser.add_argument("--data", type=Path, default=DATA_DIR)
    parser.add_argument("--run", type=Path, default=RUN_DIR, help="folder to write to")
    parser.add_argument("--resume", action="store_true", help="continue that run")
    args = parser.parse_args()

    stop = threading.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, lambda *_: stop.set())
    #% if train.deterministic
    # A resumed run repeats the run that was stopped bit for bit.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    #% else
    torch.backends.cudnn.benchmark = True
    #% endif
    device = distributed.init()
    is_main = dist.get_rank() == 0
    last = args.run / "last.pt"
    if last.exists() and not args.resume:
        raise SystemExit(f"{last} exists: --resume that run, or choose another --run")

    torch.manual_seed(SEED)
    train_loader, val_loader = build_loaders(args.data, BATCH_SIZE, SEED)
    train_set, classes = train_loader.dataset, train_loader.dataset.source.classes
    steps_per_epoch = len(train_loader)
    model = build_model()
    #% if model.weights
    if is_main and not args.resume:  # DistributedDataParallel hands it to the others
        load_pretrained(model)
    #% endif
    ddp = DistributedDataParallel(model.to(device))
    optimizer = build_optimizer(model)
    scheduler = build_scheduler(optimizer, steps_per_epoch)
    step, best = 0, 0.0
    if args.resume:
        state = checkpoint.load(last)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        scheduler.load_state_dict(state["scheduler"])
        step, best = state["step"], state["best"]

    def save() -> None:
        if is_main:
            state = {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "scheduler": scheduler.state_dict(),
                "step": step,
                "best": best,
                "classes": classes,
            }
            checkpoint.save(last, state)

    if is_main:
        args.run.mkdir(parents=True, exist_ok=True)
        sheet = draw_samples(train_set)
        sheet.savefig(args.run / "samples.png")
        #% if train.tensorboard
        writer = SummaryWriter(args.run, purge_step=step)
        writer.add_figure("samples", sheet, step)
        #% endif

    for epoch in range(step // steps_per_epoch, EPOCHS):
        first = step % steps_per_epoch  # not 0 where a run was stopped inside an epoch
        train_loader.batch_sampler.start(epoch, first)
        progress = tqdm(
            train_loader,
            f"epoch {epoch + 1}/{EPOCHS}",
            initial=first,
            total=steps_per_epoch,
            disable=not is_main,
        )
        window: list[tuple[Tensor, Tensor]] = []  # the steps since the last log line
        ddp.train()
        for images, labels, indices in progress:
            #% if model.dropout
            torch.manual_seed((SEED + step) * dist.get_world_size() + dist.get_rank())
            #% endif
            logits = ddp(normalize(images.to(device, non_blocking=True)))
            loss = F.cross_entropy(logits, labels.to(device, non_blocking=True))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            step += 1
            window.append((loss.detach(), indices))

            end_of_epoch = step % steps_per_epoch == 0
            stopping = distributed.any_process(stop.is_set())
            saving = stopping or step % CHECKPOINT_EVERY == 0
            if saving or end_of_epoch or step % LOG_EVERY == 0:
                train_loss = mean_loss(window, train_set.names)
                window.clear()
                if is_main:
                    progress.set_postfix(loss=f"{train_loss:.4f}")
                    #% if train.tensorboard
                    writer.add_scalar("train/loss", train_loss, step)
                    writer.add_scalar("train/lr", scheduler.get_last_lr()[0], step)
                    #% endif
            if saving and not end_of_epoch:
                save()
            if stopping and not end_of_epoch:
                raise SystemExit(f"stopped at step {step}; --resume continues")

        metrics, confusion = evaluate(model, val_loader, device)
        if is_main:
            print(", ".join(f"{name} {value:.4f}" for name, value in metrics.items()))
            #% if train.tensorboard
            for name, value in metrics.items():
                writer.add_scalar(f"val/{name}", value, step)
            #% endif
        if metrics["top1"] > best:
            best = metrics["top1"]
            if is_main:
                state = {"model": model.state_dict(), "classes": classes}
                checkpoint.save(args.run / "best.pt", state)
                figure = draw_confusion(confusion, classes)
                figure.savefig(args.run / "confusion_matrix.png")
        save()
        if stopping:
            raise SystemExit(f"stopped after epoch {epoch + 1}; --resume continues")

    if is_main:
        print(f"best top1 {best:.4f}; the model is in {args.run / 'best.pt'}")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
