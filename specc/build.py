"""The way of a spec through all stages: the one place where they meet."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from specc.plan.classification import plan_classification
from specc.plan.detection import plan_detection
from specc.plan.plan import Plan
from specc.plan.video import plan_video
from specc.problems import Problems
from specc.project.write import Changes, write
from specc.render import render
from specc.source import Source, read
from specc.spec.classification import Classification
from specc.spec.detection import Detection
from specc.spec.parse import parse
from specc.spec.video import VideoClassification


def load(path: Path, overrides: Sequence[str] = ()) -> Plan:
    """The plan of the spec at `path`, a .toml or .json file.

    Args:
        overrides: `key=value`, as `--set` takes them.

    Raises:
        SpecError: with everything that is wrong with the spec.
    """
    return plan(read(path, overrides))


def plan(source: Source) -> Plan:
    """The plan of a spec that was read.

    Raises:
        SpecError: with everything that is wrong with it.
    """
    problems = Problems(source)
    spec = parse(source, problems)
    if spec is None:
        raise problems.error()
    match spec:
        case Classification():
            return plan_classification(source.path.stem, spec, problems)
        case Detection():
            return plan_detection(source.path.stem, spec, problems)
        case VideoClassification():
            return plan_video(source.path.stem, spec, problems)


def build(
    plan: Plan,
    folder: Path,
    spec: Mapping[str, Any] | None = None,
    *,
    adopt: bool = False,
    dry_run: bool = False,
) -> Changes:
    """Write the project of `plan` to `folder`, or bring it up to date.

    Args:
        spec: the tables of which it is the plan, to be remembered.
        adopt: whether files that are in the way count as edited by their owner, and stay.
        dry_run: only say what would be done.

    Raises:
        UserError: if what its owner edited or made would be lost.
        OSError: if the folder cannot be written.
    """
    return write(folder, render(plan), spec, adopt=adopt, dry_run=dry_run)
