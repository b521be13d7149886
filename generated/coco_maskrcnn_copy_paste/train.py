"""Fine-tune maskrcnn_resnet50_fpn_v2 for 3 classes.

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

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.elastic.multiprocessing.errors import record
from torch.nn.parallel import DistributedDataParallel
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

import checkpoint
import distributed
from annotations import CLASSES, DATA_DIR, data_folder
from data import Batches, Samples, build_datasets, build_loaders, draw_sheet, to_floats
from evaluate import build_truth, draw_precisions, draw_results, evaluate, summary
from model import build_model, load_pretrained
from optimizer import build_optimizer

SEED = 0
EPOCHS = 40
BATCH_SIZE = 8  # samples, over all processes together
MAX_BATCH_PER_GPU = 4  # samples; more are taken in parts
LOG_EVERY = 50  # steps
MONITOR = "mask_AP"  # the metric that says which model is best
CHECKPOINT_STEPS = 1000  # last.pt; and at the end of every epoch
RUN_DIR = Path(__file__).parent / "runs"


def mean_losses(
    window: list[tuple[Tensor, Tensor]], names: list[str], samples: Samples
) -> dict[str, float]:
    """Average each loss, and their sum, over some steps and all processes.

    Args:
        window: of each step the losses, in the order of `names`, and its samples.

    Raises:
        FloatingPointError: if a loss is not finite; names the samples of its batch.
    """
    losses = torch.stack([values for values, _ in window])  # [steps, losses]
    for step, loss in (~losses.isfinite()).nonzero().tolist():
        images = ", ".join(map(samples.name, window[step][1].tolist()))
        value = losses[step, loss]
        raise FloatingPointError(f"{names[loss]} is {value:g} on {images}")
    means = losses.mean(0)
    dist.all_reduce(means)
    means /= dist.get_world_size()
    return dict(
        zip(["loss", *names], [means.sum().item(), *means.tolist()], strict=True)
    )


@record  # torchrun reports the error of the process that failed first
def main() -> None:
    parser = argparse.ArgumentParser(description="Train the model.")
    parser.add_argument("--data", type=data_folder, default=DATA_DIR)
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
        checkpoint.fill(model, args.weights, CLASSES)
    elif is_main and not resuming:
        load_pretrained(model)
    model.to(device)
    ddp = DistributedDataParallel(model)
    truth = build_truth(val_set, MONITOR) if is_main else None
    optimizer = build_optimizer(model)
    scheduler = CosineAnnealingLR(optimizer, T_max=EPOCHS * steps_per_epoch)
    parts: dict[str, Any] = dict(model=model, optimizer=optimizer)
    # A run is resumed with the same of these; any other setting may be a new one.
    recipe = checkpoint.describe(parts) | {"SEED": SEED, "BATCH_SIZE": BATCH_SIZE}
    recipe |= {"MONITOR": MONITOR, "classes": CLASSES}
    recipe |= {"steps per epoch": steps_per_epoch, "samples": len(train_set)}
    settings = checkpoint.settings("data", "optimizer", __name__)
    step, finished, best = 0, 0, -1.0
    if resuming:
        state = checkpoint.load(last, previous, key="recipe")
        checkpoint.check_recipe(last, state["recipe"], recipe)
        step, finished, best = state["step"], state["finished"], state["best"]
        checkpoint.advance(scheduler, min(step, EPOCHS * steps_per_epoch))
        checkpoint.restore(parts, state)
        checkpoint.report(args.output, state, settings)
    elif args.resume and is_main:
        print(f"no {last}: a new run")

    def save() -> None:
        if is_main:
            writer.flush()
            state = {name: part.state_dict() for name, part in parts.items()}
            state |= {"step": step, "finished": finished, "classes": CLASSES}
            state |= {"best": best, "recipe": recipe, "settings": settings}
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
        first = step - epoch * steps_per_epoch  # above 0 after a stop
        batches.start(epoch, first)
        title = f"epoch {epoch + 1}/{EPOCHS}"
        progress = tqdm(
            train_loader, title, steps_per_epoch, initial=first, disable=not is_main
        )
        window: list[tuple[Tensor, Tensor]] = []  # the steps since the last log line
        ddp.train()
        for inputs, targets, indices in progress:
            torch.manual_seed((SEED + step) * dist.get_world_size() + dist.get_rank())
            inputs = to_floats(inputs, device)
            targets = [
                {k: v.to(device, non_blocking=True) for k, v in target.items()}
                for target in targets
            ]
            share, losses = len(inputs), []
            count = -(-share // MAX_BATCH_PER_GPU)
            splits = [(inputs[i::count], targets[i::count]) for i in range(count)]
            optimizer.zero_grad()
            for inputs, targets in splits:
                with nullcontext() if len(losses) + 1 == count else ddp.no_sync():
                    losses_by_name = ddp(inputs, targets)
                    values = torch.stack([v.float() for v in losses_by_name.values()])
                    values = values * len(inputs) / share
                    loss = values.sum()
                    losses.append(values.detach())
                    loss.backward()
            optimizer.step()
            scheduler.step()
            step += 1
            window.append((torch.stack(losses).sum(0), indices))

            end_of_epoch = step % steps_per_epoch == 0
            stopping = distributed.any_process(stop.is_set())
            saving = stopping or end_of_epoch or step % CHECKPOINT_STEPS == 0
            if saving or step % LOG_EVERY == 0:
                train_losses = mean_losses(window, list(losses_by_name), train_set)
                if is_main:
                    progress.set_postfix(loss=f"{train_losses['loss']:.4f}")
                    log({f"train/{k}": v for k, v in train_losses.items()})
                    log({"train/lr": optimizer.param_groups[-1]["lr"]})
                window.clear()
            if saving:  # at the end of an epoch before evaluating, which may fail
                save()
            if stopping:
                message = f"stopped at step {step}; --resume continues"
                raise SystemExit(message if is_main else 1)

        evaluation = evaluate(model, val_loader, truth, device)
        metrics = evaluation.metrics
        if is_main:
            print(summary(metrics))
            log({f"val/{name}": value for name, value in metrics.items()})
        if metrics[MONITOR] > best:
            best = metrics[MONITOR]
            if is_main:
                state = {"model": model.state_dict(), "classes": CLASSES}
                checkpoint.save(args.output / "best.pt", state)
                draw_precisions(evaluation.by_class).savefig(
                    args.output / "average_precision.png"
                )
                figure = draw_results(val_set, evaluation.results)
                figure.savefig(args.output / "predictions.png")
                writer.add_figure("predictions", figure, step)
        finished = epoch + 1
        save()

    if is_main:
        writer.close()
        print(f"best {MONITOR} {best:.4f}; the model is in {args.output / 'best.pt'}")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
