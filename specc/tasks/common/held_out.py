"""Samples that training does not see: of validation, and of a test at the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from specc.source.diagnostics import show
from specc.source.problems import Problems
from specc.tasks.common.code import Name


@dataclass(frozen=True)
class HeldOutPlan:
    """The way to samples to evaluate on, without those to train on."""

    val: bool  # whether the validation samples are none of those that training is given
    test: bool  # whether there are others to test on at the end
    classes: Name | None = None  # an expression of the classes that evaluate.py asks for

    @property
    def any(self) -> bool:
        return self.val or self.test

    @property
    def both(self) -> bool:
        return self.val and self.test

    @property
    def evaluated(self) -> Name:
        """The call in evaluate.py of what is evaluated."""
        return self._call("args.data", ("args.split",) if self.test else ())

    @property
    def checked(self) -> Name:
        """The call in export.py of what its file is checked on."""
        return self._call("root", ('"val"',) if self.test else ())

    def _call(self, root: str, split: Sequence[str]) -> Name:
        if not self.any:
            return Name(f"build_datasets({root})[1]")
        classes = (self.classes,) if self.classes else ()
        return Name(f"build_eval_set({', '.join((root, *classes, *split))})")


def check_test(test: Any, train: Any, val: Any, problems: Problems) -> None:
    """Report a test split that training sees: no number of it would be a test's."""
    for name, other, use in (("train", train, "trained on"), ("val", val, "validated on")):
        if test is not None and test == other:
            written = f" ({show(test)})" if isinstance(test, str) else ""
            message = f"is what is {use}{written}; name others, or leave it out"
            problems.add(("data", "test"), message, ("data", name))
