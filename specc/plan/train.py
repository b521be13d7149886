"""The training loop, and what is measured after it."""

from specc.diagnostics import choices, nearest
from specc.plan.code import Call, Name, Setting
from specc.plan.loss import plan_loss
from specc.plan.optimizer import OptimizerPlan
from specc.plan.plan import DataPlan, EvaluatePlan, TrainPlan
from specc.plan.schedule import plan_schedule
from specc.problems import Problems
from specc.spec.classification import Classification
from specc.spec.schedule import OneCycle

NAMED_CLASSES = 60  # for more a picture of all classes would be metres wide
AMP = {"bf16": Name("torch.bfloat16"), "fp16": Name("torch.float16")}
CLASSES = Name("NUM_CLASSES")


def plan_evaluate(spec: Classification, data: DataPlan, problems: Problems) -> EvaluatePlan:
    metrics: dict[str, Call] = {}
    if not data.multi_label:
        for k in _topk(spec, data.num_classes, problems):
            metrics[f"top{k}"] = Call("MulticlassAccuracy", (CLASSES, k, "micro"))
    elif spec.evaluate.topk is not None:
        message = "is for images of one class; leave it out"
        problems.add(("evaluate", "topk"), message, ("data", "multi_label"))
    kind = "Multilabel" if data.multi_label else "Multiclass"
    names = {"precision": "Precision", "recall": "Recall", "f1": "F1Score"}
    names["mean_class_accuracy"] = "Accuracy"
    for name in spec.evaluate.metrics:
        metrics[name] = Call(f"{kind}{names[name]}", (CLASSES,))
    return EvaluatePlan(metrics=metrics, named=data.num_classes <= NAMED_CLASSES)


def _topk(spec: Classification, classes: int, problems: Problems) -> tuple[int, ...]:
    topk = spec.evaluate.topk
    if topk is None:
        return (1, 5) if classes > 5 else (1,)
    for index, k in enumerate(topk):
        if 0 < classes <= k:
            message = f"top-{k} of {classes} classes is always right; write less than {classes}"
            problems.add(("evaluate", "topk", index), message, ("model", "num_classes"))
    return tuple(sorted({1, *topk}))


def plan_train(
    spec: Classification,
    data: DataPlan,
    optimizer: OptimizerPlan,
    evaluate: EvaluatePlan,
    problems: Problems,
) -> TrainPlan:
    train, log = spec.train, spec.log
    monitor = _monitor(spec, data, evaluate, problems)
    falls = monitor == "loss"
    schedule = plan_schedule(spec.schedule, monitor_falls=falls, problems=problems)
    loss = plan_loss(
        spec, classes=data.num_classes, multi_label=data.multi_label, problems=problems
    )
    settings = [*(() if optimizer.groups else optimizer.settings), *schedule.settings]
    if optimizer.clip_norm:
        settings.append(Setting("CLIP_NORM", optimizer.clip_norm, "of the whole gradient"))
    settings += loss.settings
    if train.ema:
        settings.append(Setting("EMA_DECAY", train.ema, "of the moving average, for each step"))
    if spec.distill:
        comment = "share of the loss that is the teacher's"
        settings.append(Setting("DISTILL_ALPHA", spec.distill.alpha, comment))
    if train.keep and not train.checkpoint_every:
        message = "says how many of the checkpoints of checkpoint_every stay; write that as well"
        problems.add(("train", "keep"), message, ("train", "checkpoint_every"))
    parts = {
        "model": True,
        "optimizer": True,
        "scheduler": schedule.scheduler,
        "plateau": schedule.plateau,
        "scaler": train.amp == "fp16",
        "ema": train.ema,
    }
    return TrainPlan(
        seed=train.seed,
        epochs=spec.schedule.epochs,
        batch_size=train.batch_size,
        micro_batch=train.max_batch_per_gpu,
        settings=tuple(settings),
        scheduler=schedule.scheduler,
        one_cycle=isinstance(spec.schedule, OneCycle),
        plateau=schedule.plateau,
        parts=Call("dict", (), {name: Name(name) for name, there in parts.items() if there}),
        loss=loss.call,
        class_weights=loss.class_weights,
        focal=loss.focal,
        amp=AMP.get(train.amp),
        scaler=train.amp == "fp16",
        compile=train.compile,
        channels_last=train.channels_last,
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


def _monitor(
    spec: Classification, data: DataPlan, evaluate: EvaluatePlan, problems: Problems
) -> str:
    """The metric that says which model is best."""
    default = "mAP" if data.multi_label else "top1"
    measured = list(dict.fromkeys([default, *evaluate.metrics, "loss"]))
    monitor = spec.evaluate.monitor or default
    if monitor not in measured:
        hint = nearest(monitor, measured)
        message = f'must be {choices(measured)}, which are measured, not "{monitor}"{hint}'
        others = [("evaluate", "topk"), ("evaluate", "metrics"), ("data", "multi_label")]
        problems.add(("evaluate", "monitor"), message, *others)
    return monitor
