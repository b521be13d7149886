"""The output of `specc diff`."""

from collections.abc import Sequence
from pathlib import Path

from specc.build import plan
from specc.project.diff import coming, edits, known
from specc.project.reasons import reasons
from specc.project.steps import plan_steps
from specc.render import render
from specc.source.read import read


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
    files = render(plan(source))
    steps, _ = plan_steps(folder, state, files, adopt=False)
    paths = {step.target: step.path for step in steps}
    why = reasons(state, source, files)
    text = ""
    for it in coming(folder, steps):
        text += "".join(f"# {it.new_path}: {reason}\n" for reason in why[paths[it.new_path]])
        text += it.patch()
    return text
