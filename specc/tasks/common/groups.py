"""The groups of samples that a division into training and validation leaves whole."""

from specc.source.problems import Problems
from specc.tasks.classification.formats.language import Data
from specc.tasks.common.code import Setting
from specc.tasks.detection.formats.language import BoxData
from specc.tasks.video.formats.language import VideoData

FOLDER = "folder"  # the value of val_groups that is no part of a file's name


def check_division(data: Data | BoxData | VideoData, problems: Problems) -> None:
    """Report keys that say how samples are divided where they are not."""
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


def group_settings(rule: str | None) -> list[Setting]:
    """Return the settings of a rule that finds groups in the names of files."""
    if rule in (None, FOLDER):
        return []
    return [Setting("GROUP_END", rule, "of the group's name, which a file's begins with")]
