"""The way of a spec through all stages: the one place where they meet."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from specc.language.parse import parse
from specc.project.write import Changes, write
from specc.render import render
from specc.source.problems import Problems
from specc.source.read import Source, read
from specc.tasks.classification.language import Classification
from specc.tasks.classification.plan import plan_classification
from specc.tasks.common.plan import Plan
from specc.tasks.detection.language import Detection
from specc.tasks.detection.plan import plan_detection
from specc.tasks.video.language import VideoClassification
from specc.tasks.video.plan import plan_video


def load(path: Path, overrides: Sequence[str] = ()) -> Plan:
    """Return the plan of the spec at `path`, a .toml or .json file.

    Args:
        overrides: `key=value`, as `--set` takes them.

    Raises:
        SpecError: with everything that is wrong with the spec.
    """
    return plan(read(path, overrides))


def plan(source: Source) -> Plan:
    """Return the plan of a spec that was read.

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
