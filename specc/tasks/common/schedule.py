"""The learning rate schedule: its constants, and the calls that use them."""

from dataclasses import dataclass
from typing import Any

from specc.language.schedule import (
    Constant,
    Cosine,
    MultiStep,
    OneCycle,
    Plateau,
    Poly,
    Schedule,
    Step,
    Warmup,
)
from specc.source.problems import Problems
from specc.tasks.common.code import Call, Name, Setting

OPTIMIZER = Name("optimizer")
STEPS = Name("EPOCHS * steps_per_epoch")


@dataclass(frozen=True)
class SchedulePlan:
    settings: tuple[Setting, ...]
    scheduler: Call | None  # called after each step
    plateau: Call | None  # called with the monitored metric, after each evaluation


def plan_schedule(spec: Schedule, *, monitor_falls: bool, problems: Problems) -> SchedulePlan:
    settings: list[Setting] = []
    calls: list[Call] = []
    plateau = None
    if not isinstance(spec, OneCycle) and spec.warmup:
        settings, calls = _warmup(spec.warmup, spec.epochs, problems)
    match spec:
        case Cosine():
            calls.append(_call("CosineAnnealingLR", T_max=STEPS))
        case Poly():
            settings.append(Setting("POWER", spec.power))
            calls.append(_call("PolynomialLR", total_iters=STEPS, power=Name("POWER")))
        case MultiStep():
            _check_milestones(spec, problems)
            settings.append(Setting("MILESTONES", tuple(spec.milestones), "epochs"))
            settings.append(
                Setting("GAMMA", spec.gamma, "LR is multiplied by this at each milestone")
            )
            steps = Name("[epoch * steps_per_epoch for epoch in MILESTONES]")
            calls.append(_call("MultiStepLR", milestones=steps, gamma=Name("GAMMA")))
        case Step():
            _check_step_size(spec, problems)
            settings.append(Setting("STEP_SIZE", spec.step_size, "epochs"))
            settings.append(Setting("GAMMA", spec.gamma, "LR is multiplied by this after each"))
            steps = Name("STEP_SIZE * steps_per_epoch")
            calls.append(_call("StepLR", step_size=steps, gamma=Name("GAMMA")))
        case OneCycle():
            settings.append(Setting("PCT_START", spec.pct_start, "of the steps LR rises"))
            settings.append(Setting("DIV_FACTOR", spec.div_factor, "LR by the first step's"))
            options = {
                # Each group of parameters rises to its own.
                "max_lr": Name('[group["lr"] for group in optimizer.param_groups]'),
                "total_steps": STEPS,
                "pct_start": Name("PCT_START"),
                "div_factor": Name("DIV_FACTOR"),
                "cycle_momentum": False,
            }
            calls.append(_call("OneCycleLR", **options))
        case Plateau():
            settings.append(Setting("PATIENCE", spec.patience, "evaluations without a better one"))
            settings.append(Setting("GAMMA", spec.gamma, "LR is multiplied by this after them"))
            options = {"mode": "min" if monitor_falls else "max", "factor": Name("GAMMA")}
            options |= {"patience": Name("PATIENCE"), "threshold": 0.0}
            plateau = _call("ReduceLROnPlateau", **options)
        case Constant() if not calls:
            calls.append(_call("ConstantLR", factor=1.0))
    scheduler = calls[0] if calls else None
    if len(calls) > 1:
        scheduler = Call("ChainedScheduler", (calls,), {"optimizer": OPTIMIZER})
    return SchedulePlan(tuple(settings), scheduler, plateau)


def _call(scheduler: str, **options: Any) -> Call:
    return Call(scheduler, (OPTIMIZER,), options)


def _warmup(spec: Warmup, epochs: int, problems: Problems) -> tuple[list[Setting], list[Call]]:
    """Return a factor that rises to 1: lr * (1 - (1 - i / W) * (1 - factor)) at the step i < W."""
    key = ("schedule", "warmup")
    if (spec.steps is None) == (spec.epochs is None):
        problems.add(key, "needs a length; write either steps or epochs")
    if spec.epochs and spec.epochs > epochs:
        message = f"must be at most schedule.epochs ({epochs}), not {spec.epochs}"
        problems.add((*key, "epochs"), message, ("schedule", "epochs"))
    if spec.epochs:
        length = Setting("WARMUP_EPOCHS", spec.epochs)
        steps = Name("WARMUP_EPOCHS * steps_per_epoch")
    else:
        length = Setting("WARMUP_STEPS", spec.steps)
        steps = Name("WARMUP_STEPS")
    factor = Setting("WARMUP_FACTOR", spec.factor, "of LR, at the first step")
    options = {"start_factor": Name("WARMUP_FACTOR"), "total_iters": steps}
    return [length, factor], [_call("LinearLR", **options)]


def _check_milestones(spec: MultiStep, problems: Problems) -> None:
    previous = 0
    for index, milestone in enumerate(spec.milestones):
        key = ("schedule", "milestones", index)
        if milestone >= spec.epochs:
            message = f"must be below schedule.epochs ({spec.epochs}), not {milestone}"
            problems.add(key, message, ("schedule", "epochs"))
        elif milestone <= previous:
            message = f"must be more than the {previous} before it, not {milestone}"
            problems.add(key, message)
        previous = milestone


def _check_step_size(spec: Step, problems: Problems) -> None:
    if spec.step_size >= spec.epochs:
        message = f"must be below schedule.epochs ({spec.epochs}), not {spec.step_size}"
        problems.add(("schedule", "step_size"), message, ("schedule", "epochs"))
