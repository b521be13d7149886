"""Optimizer and learning rate schedule: their constants, and the calls that use them."""

from specc.plan.code import Call, Name, Setting
from specc.problems import Problems
from specc.spec.optim import SGD, Optim
from specc.spec.schedule import Constant, Cosine, MultiStep, Schedule


def plan_optimizer(spec: Optim, parameters: Name) -> tuple[tuple[Setting, ...], Call]:
    values = spec.model_dump(exclude={"name"})
    settings = tuple(Setting(name.upper(), value) for name, value in values.items())
    options = {name: Name(name.upper()) for name in values}
    optimizer = "SGD" if isinstance(spec, SGD) else "AdamW"
    return settings, Call(f"torch.optim.{optimizer}", (parameters,), options)


def plan_schedule(spec: Schedule, problems: Problems) -> tuple[tuple[Setting, ...], Call]:
    optimizer = Name("optimizer")
    match spec:
        case Cosine():
            steps = Name("EPOCHS * steps_per_epoch")
            return (), Call("CosineAnnealingLR", (optimizer,), {"T_max": steps})
        case Constant():
            return (), Call("ConstantLR", (optimizer,), {"factor": 1.0})
        case MultiStep():
            _check_milestones(spec, problems)
    settings = (
        Setting("MILESTONES", tuple(spec.milestones), "epochs"),
        Setting("GAMMA", spec.gamma, "that LR is multiplied by after each of them"),
    )
    steps = Name("[epoch * steps_per_epoch for epoch in MILESTONES]")
    return settings, Call(
        "MultiStepLR", (optimizer,), {"milestones": steps, "gamma": Name("GAMMA")}
    )


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
