"""The groups of samples that a division into training and validation leaves whole."""

from specc.source.problems import Problems
from specc.tasks.classification.formats.language import CsvData, Data
from specc.tasks.common.code import Setting
from specc.tasks.detection.formats.language import BoxData
from specc.tasks.video.formats.language import VideoData

FOLDER = "folder"  # the value of val_groups that is no part of a file's name


def check_division(data: Data | BoxData | VideoData, things: str, problems: Problems) -> None:
    """Report keys that say how samples, e.g. "images", are divided where they are not."""
    if getattr(data, "val", None) and data.val_fraction:
        message = (
            f"takes validation {things} from the training {things}; leave either it or val out"
        )
        problems.add(("data", "val_fraction"), message, ("data", "val"))
    message = "says which samples val_fraction takes; write that as well, or leave it out"
    for key in ("val_seed", "val_groups"):
        if getattr(data, key, None) and not data.val_fraction:
            problems.add(("data", key), message, ("data", "val_fraction"))


def group(rule: str, path: str, name: str) -> str:
    """Return the expression of a sample's group.

    Args:
        path: the expression of the sample's path, and `name` its attribute with the group in it.
    """
    return f"{path}.parent.name" if rule == FOLDER else f"{path}.{name}.split(GROUP_END)[0]"


def division_settings(data: Data | BoxData | VideoData, things: str) -> list[Setting]:
    """Return the settings of a division, but for those of a format's own groups."""
    if not data.val_fraction:
        return []
    settings = [
        Setting("VAL_FRACTION", data.val_fraction, f"of the {things}, to validate on"),
        Setting("VAL_SEED", data.val_seed, "decides which"),
    ]
    rule = None if isinstance(data, CsvData) else getattr(data, "val_groups", None)
    if rule not in (None, FOLDER):
        comment = "of the group's name, which a file's begins with"
        settings.append(Setting("GROUP_END", rule, comment))
    return settings
