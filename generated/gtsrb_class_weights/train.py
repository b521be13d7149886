"""Fine-tune resnet34 for 43 classes.

    python train.py             on one GPU, or the CPU
    ./launch.sh                 on all GPUs of this machine, or of many
    python train.py --resume    continue a run as if it had never stopped, or begin one

A run writes its checkpoints last.pt, previous.pt (the one before it) and best.pt, a
sheet of samples, pictures of the results and curves to a folder, runs/ unless --output
names another. A new one begins with the model of a best.pt that --weights names.
"""

import argparse
import os
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.elastic.multiprocessing.errors import record
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

import checkpoint
import distributed
from data import (
    DATA_DIR,
    NUM_CLASSES,
    Batches,
    Samples,
    build_datasets,
    build_loaders,
    draw_sheet,
    normalize,
)
from evaluate import draw_confusion, evaluate
from model import build_model, load_pretrained

SEED = 0
EPOCHS = 30
BATCH_SIZE = 256  # samples, over all processes together
LR = 0.0003
BETAS = (0.9, 0.999)
WEIGHT_DECAY = 0.01
PATIENCE = 2  # evaluations without a better one
GAMMA = 0.1  # LR is multiplied by this after them
LOG_EVERY = 50  # steps
MONITOR = "mean_class_accuracy"  # the metric that says which model is best
EARLY_STOP = 5  # evaluations without a better one
CHECKPOINT_STEPS = 1000  # last.pt; and at the end of every epoch
RUN_DIR = Path(__file__).parent / "runs"


def mean_loss(window: list[tuple[Tensor, Tensor]], samples: Samples) -> float:
    """Average the losses of some steps, (loss, its samples) each, over all processes.

    Raises:
        FloatingPointError: if a loss is not finite; names the samples of its batch.
    """
    losses = torch.stack([loss for loss, _ in window])
    for step in (~losses.isfinite()).nonzero().flatten().tolist():
        names = ", ".join(map(samples.name, window[step][1].tolist()))
        raise FloatingPointError(f"the loss is {losses[step]:g} on {names}")
    total = losses.mean()
    dist.all_reduce(total)
    return total.item() / dist.get_world_size()


@record  # torchrun reports the error of the process that failed first
def main() -> None:
    parser = argparse.ArgumentParser(description="Train the model.")
    parser.add_argument("--data", type=Path, default=DATA_DIR)
    parser.add_argument("--output", type=Path, default=RUN_DIR, help="the run's folder")
    parser.add_argument("--resume", action="store_true", help="continue it, or begin")
    parser.add_argument("--weights", type=Path, help="a best.pt to begin a run with")
    args = parser.parse_args()

    stop = distributed.catch_signals()
    # The same run gives the same bits: a resumed one goes on as if never stopped.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
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
        checkpoint.fill(model, args.weights, train_set.classes)
    elif is_main and not resuming:
        load_pretrained(model)
    model.to(device)
    ddp = DistributedDataParallel(model)
    counts = torch.bincount(torch.tensor(train_set.labels), minlength=NUM_CLASSES)
    class_weights = (len(train_set) / NUM_CLASSES / counts.clamp(min=1)).to(device)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=LR, betas=BETAS, weight_decay=WEIGHT_DECAY
    )
    plateau = ReduceLROnPlateau(
        optimizer, mode="max", factor=GAMMA, patience=PATIENCE, threshold=0.0
    )
    parts: dict[str, Any] = dict(model=model, optimizer=optimizer, plateau=plateau)
    # A run is resumed with the same of these; any other setting may be a new one.
    recipe = checkpoint.describe(parts) | {"SEED": SEED, "BATCH_SIZE": BATCH_SIZE}
    recipe |= {"MONITOR": MONITOR, "classes": train_set.classes}
    recipe |= {"steps per epoch": steps_per_epoch, "samples": len(train_set)}
    lrs = tuple(group["lr"] for group in optimizer.param_groups)
    recipe["learning rates"] = lrs
    settings = checkpoint.settings("data", __name__)
    step, finished, best = 0, 0, -1.0
    stale = 0  # evaluations since the best one
    if resuming:
        state = checkpoint.load(last, previous, key="recipe")
        checkpoint.check_recipe(last, state["recipe"], recipe)
        step, finished, best = state["step"], state["finished"], state["best"]
        stale = state.get("stale", 0)
        groups = zip(
            optimizer.param_groups, state["optimizer"]["param_groups"], strict=True
        )
        for group, saved in groups:
            group["lr"] = saved["lr"]
        state["plateau"] |= {"factor": GAMMA, "patience": PATIENCE}
        checkpoint.restore(parts, state)
        checkpoint.report(args.output, state, settings)
    elif args.resume and is_main:
        print(f"no {last}: a new run")

    def save() -> None:
        if is_main:
            writer.flush()
            state = {name: part.state_dict() for name, part in parts.items()}
            state |= {"step": step, "finished": finished, "classes": train_set.classes}
            state |= {"best": best, "recipe": recipe, "settings": settings}
            state["stale"] = stale
            checkpoint.save(last, state, previous)

    def log(values: dict[str, float]) -> None:
        """Add to the curves; for the main process."""
        for name, value in values.items():
            writer.add_scalar(name, value, step)

    if is_main:
        args.output.mkdir(parents=True, exist_ok=True)
        sheet = draw_sheet(train_set)
        sheet.savefig(args.output / "samples.png")
        writer = SummaryWriter(args.output, purge_step=step + 1)
        writer.add_figure("samples", sheet, step)

    for epoch in range(finished, EPOCHS):
        if stale >= EARLY_STOP:
            break
        first = step - epoch * steps_per_epoch  # above 0 after a stop
        batches.start(epoch, first)
        title = f"epoch {epoch + 1}/{EPOCHS}"
        progress = tqdm(
            train_loader, title, steps_per_epoch, initial=first, disable=not is_main
        )
        window: list[tuple[Tensor, Tensor]] = []  # the steps since the last log line
        ddp.train()
        for inputs, targets, indices in progress:
            inputs = normalize(inputs.to(device, non_blocking=True))
            targets = targets.to(device, non_blocking=True)
            optimizer.zero_grad()
            logits = ddp(inputs)
            loss = F.cross_entropy(
                logits, targets, weight=class_weights, reduction="none"
            ).mean()
            loss.backward()
            optimizer.step()
            step += 1
            window.append((loss.detach(), indices))

            end_of_epoch = step % steps_per_epoch == 0
            stopping = distributed.any_process(stop.is_set())
            saving = stopping or end_of_epoch or step % CHECKPOINT_STEPS == 0
            if saving or step % LOG_EVERY == 0:
                train_loss = mean_loss(window, train_set)
                if is_main:
                    progress.set_postfix(loss=f"{train_loss:.4f}")
                    lr = optimizer.param_groups[-1]["lr"]
                    log({"train/loss": train_loss, "train/lr": lr})
                window.clear()
            if saving:  # at the end of an epoch before evaluating, which may fail
                save()
            if stopping:
                message = f"stopped at step {step}; --resume continues"
                raise SystemExit(message if is_main else 1)

        for statistics in model.buffers():  # the main process's are saved
            dist.broadcast(statistics, src=0)
        metrics, confusion = evaluate(model, val_loader, device)
        plateau.step(metrics[MONITOR])
        if is_main:
            print(", ".join(f"{name} {value:.4f}" for name, value in metrics.items()))
            log({f"val/{name}": value for name, value in metrics.items()})
        stale += 1
        if metrics[MONITOR] > best:
            best = metrics[MONITOR]
            stale = 0
            if is_main:
                state = {"model": model.state_dict(), "classes": train_set.classes}
                checkpoint.save(args.output / "best.pt", state)
                figure = draw_confusion(confusion, train_set.classes)
                figure.savefig(args.output / "confusion_matrix.png")
        finished = epoch + 1
        save()

    if is_main:
        writer.close()
        print(f"best {MONITOR} {best:.4f}; the model is in {args.output / 'best.pt'}")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
