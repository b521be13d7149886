"""The way of a spec through all stages: the one place where they meet."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from specc.language.parse import parse
from specc.project.diff import coming, edits, known
from specc.project.reasons import reasons
from specc.project.steps import plan_steps
from specc.project.write import Changes, write
from specc.render import render
from specc.source.problems import Problems
from specc.source.read import Source, read
from specc.tasks import LANGUAGES, TASKS
from specc.tasks.common.plan import Plan


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
    spec = parse(source, LANGUAGES, problems)
    if spec is None:
        raise problems.error()
    return TASKS[spec.task].plan(source.path.stem, spec, problems)


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


def compare(folder: Path, spec: Path | None, overrides: Sequence[str]) -> str:
    """Return the owner's edits of a project as a patch; or what a build of `spec` would change.

    Raises:
        UserError: if no project is there, or it could not be built.
        SpecError: with everything that is wrong with the spec.
    """
    if spec is None:
        return "".join(it.patch() for it in edits(folder))
    state = known(folder)
    source = read(spec, overrides)
    files = built(source)
    steps, _ = plan_steps(folder, state, files, adopt=False)
    paths = {step.target: step.path for step in steps}
    why = reasons(state, source, files, built)
    text = ""
    for it in coming(folder, steps):
        text += "".join(f"# {it.new_path}: {reason}\n" for reason in why[paths[it.new_path]])
        text += it.patch()
    return text


def built(source: Source) -> dict[str, str]:
    """Return the files of a spec's project: path and text.

    Raises:
        SpecError: with everything that is wrong with the spec.
    """
    return render(plan(source))
