"""The training loop."""

from collections.abc import Sequence

from specc.language.spec import Spec
from specc.language.train import Train, TrainClasses
from specc.source.problems import Problems
from specc.tasks.common.code import Call, Name, Setting
from specc.tasks.common.idle import note_idle
from specc.tasks.common.optimizer import OptimizerPlan
from specc.tasks.common.plan import TrainPlan
from specc.tasks.common.schedule import plan_schedule

AMP = {"bf16": Name("torch.bfloat16"), "fp16": Name("torch.float16")}


def plan_train(
    spec: Spec,
    optimizer: OptimizerPlan,
    settings: Sequence[Setting],
    *,
    monitor: str,
    recorded: Name,
    classes: Name,
    problems: Problems,
) -> TrainPlan:
    """Decide on the loop.

    Args:
        settings: of the loss.
        monitor: the metric that says which model is best.
        recorded: what is noted of a step's loss.
        classes: their names.
    """
    train, log = spec.train, spec.log
    falls = monitor == "loss"
    schedule = plan_schedule(spec.schedule, monitor_falls=falls, problems=problems)
    constants = [*(() if optimizer.groups else optimizer.settings), *schedule.settings]
    if optimizer.clip_norm:
        constants.append(Setting("CLIP_NORM", optimizer.clip_norm, "of the whole gradient"))
    constants += settings
    if train.ema:
        constants.append(
            Setting("EMA_DECAY", train.ema, "of the moving average, after its first steps")
        )
    if train.keep and not train.checkpoint_every:
        message = "limits the checkpoints of checkpoint_every; write that as well"
        problems.add(("train", "keep"), message, ("train", "checkpoint_every"))
    note_idle(spec, problems)
    parts = {
        "model": True,
        "optimizer": True,
        "plateau": schedule.plateau,
        "scaler": train.amp == "fp16",
        "ema": train.ema,
    }
    return TrainPlan(
        seed=train.seed,
        epochs=spec.schedule.epochs,
        batch_size=train.batch_size,
        micro_batch=train.max_batch_per_gpu,
        settings=tuple(constants),
        scheduler=schedule.scheduler,
        plateau=schedule.plateau,
        # A warm-up keeps what it is to reach.
        initial_lr=Name('group["initial_lr"]' if schedule.scheduler else 'group["lr"]'),
        parts=Call("dict", (), {name: Name(name) for name, there in parts.items() if there}),
        recorded=recorded,
        classes=classes,
        amp=AMP.get(train.amp),
        scaler=train.amp == "fp16",
        compile=isinstance(train, TrainClasses) and train.compile,
        channels_last=isinstance(train, Train) and train.channels_last,
        ema=train.ema is not None,
        evaluated=Name("ema.module" if train.ema else "model"),
        evaluate_every=spec.evaluate.every,
        monitor=monitor,
        monitor_falls=falls,
        worst=Name('float("inf")') if falls else -1.0,
        early_stop=train.early_stop,
        log_every=train.log_every,
        checkpoint_steps=train.checkpoint_steps,
        checkpoint_every=train.checkpoint_every,
        keep=train.keep,
        deterministic=train.deterministic,
        logs=bool(log.tensorboard or log.wandb or log.mlflow),
        tensorboard=log.tensorboard,
        wandb=log.wandb,
        mlflow=log.mlflow,
    )
