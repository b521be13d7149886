"""Keys that cancel each other: what a spec asks for and its other keys keep from happening."""

from specc.language.schedule import OneCycle, Plateau
from specc.language.spec import Spec
from specc.source.problems import Problems


def note_idle(spec: Spec, problems: Problems) -> None:
    """Note keys without effect. They do no harm, and so they don't stop a build."""
    train, schedule, every = spec.train, spec.schedule, spec.evaluate.every
    epochs = schedule.epochs
    evaluations = -(-epochs // every)  # the last epoch is evaluated whatever `every` says
    if every > epochs:
        message = f"above schedule.epochs ({epochs}): the only evaluation is at the end"
        problems.note(("evaluate", "every"), message)
    if isinstance(schedule, Plateau):
        _note_plateau(schedule, evaluations, train.early_stop, problems)
    if train.early_stop and train.early_stop >= evaluations:
        message = f"never ends training, as there are {evaluations} evaluations; write less"
        problems.note(("train", "early_stop"), message)
    if train.checkpoint_every and train.checkpoint_every > epochs:
        message = f"above schedule.epochs ({epochs}): there are no such checkpoints"
        problems.note(("train", "checkpoint_every"), message)
    warmup = None if isinstance(schedule, OneCycle) else schedule.warmup
    if warmup and warmup.epochs == epochs:
        message = "as long as training: the learning rate is reached at its end only"
        problems.note(("schedule", "warmup", "epochs"), message)


def _note_plateau(
    schedule: Plateau, evaluations: int, early_stop: int | None, problems: Problems
) -> None:
    """Note a learning rate that never falls.

    It falls at the evaluation number patience + 1 without a better one (ReduceLROnPlateau's rule),
    and so at the one number patience + 2 at the earliest: the first is always better than none.
    """
    falls = schedule.patience + 1
    if falls + 1 >= evaluations:
        message = f"with {evaluations} evaluations the learning rate never falls; write less"
        problems.note(("schedule", "patience"), message)
    elif early_stop and early_stop <= falls:
        message = (
            f"ends training before schedule.patience ({schedule.patience}) lowers the learning "
            f"rate, which takes {falls} evaluations without a better one; write {falls + 1} or more"
        )
        problems.note(("train", "early_stop"), message)
