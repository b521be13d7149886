"""The way of a spec through all stages: the one place where they meet."""

from collections.abc import Sequence
from pathlib import Path

from specc import project
from specc.plan.classification import plan_classification
from specc.plan.detection import plan_detection
from specc.plan.plan import Plan
from specc.plan.video import plan_video
from specc.problems import Problems
from specc.render import render
from specc.source import read
from specc.spec.classification import Classification
from specc.spec.detection import Detection
from specc.spec.parse import parse
from specc.spec.video import VideoClassification


def load(path: Path, overrides: Sequence[str] = ()) -> Plan:
    """The plan of a spec.

    Args:
        path: a .toml or .json file.
        overrides: `key=value`, as `--set` takes them.

    Raises:
        SpecError: with everything that is wrong with the spec.
    """
    source = read(path, overrides)
    problems = Problems(source)
    spec = parse(source, problems)
    if spec is None:
        raise problems.error()
    match spec:
        case Classification():
            return plan_classification(path.stem, spec, problems)
        case Detection():
            return plan_detection(path.stem, spec, problems)
        case VideoClassification():
            return plan_video(path.stem, spec, problems)


def build(plan: Plan, folder: Path) -> project.Changes:
    """Write the project of `plan` to `folder`.

    Raises:
        UserError: if that would overwrite what its owner edited or made.
        OSError: if the folder cannot be written.
    """
    return project.write(folder, render(plan))
