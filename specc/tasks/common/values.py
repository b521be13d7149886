"""Which values of deep images there are."""

from specc.source.problems import Problems
from specc.tasks.common.code import Setting


def value_range(values: tuple[int, int] | None, problems: Problems) -> tuple[Setting, ...]:
    """Return the setting for the values of 16-bit images, none if they are all there can be."""
    if values is None:
        return ()
    low, high = values
    if low >= high:
        problems.add(("data", "value_range"), f"must rise, e.g. [0, 4095], not [{low}, {high}]")
    return (Setting("VALUE_RANGE", values, "of 16-bit images: what becomes 0 to 255"),)
