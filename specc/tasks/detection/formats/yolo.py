"""YOLO's data.yaml, lists and folders."""

from pathlib import Path
from typing import Any

from specc.tasks.common.lists import Unreadable
from specc.tasks.common.remember import remembered
from specc.tasks.detection.formats.files import find_images, read_text
from specc.tasks.detection.formats.language import Yolo

YAML = (".yaml", ".yml")


def read_names(path: Path) -> list[str]:
    """Return the names in a text file, one in each line, or those in YOLO's data.yaml.

    Where that counts from 1, number 0 has the name "".

    Raises:
        Unreadable, OSError: if there are none.
    """
    if path.suffix not in YAML:
        return [line.strip() for line in read_text(path).strip().splitlines()]
    names = _yaml(path).get("names")
    if isinstance(names, dict) and names:
        numbers = sorted(names, key=str)
        if numbers == sorted(range(len(names)), key=str):
            names = [names[number] for number in range(len(names))]
        elif numbers == sorted(range(1, len(names) + 1), key=str):
            names = ["", *(names[number] for number in range(1, len(names) + 1))]  # none is 0
    if not isinstance(names, list) or not names:
        raise Unreadable(f"{path}: must have names, as a list or of the numbers from 0 or 1 on")
    return [str(name).strip() for name in names]


def _yaml(path: Path) -> dict[str, Any]:
    import yaml  # takes a while, and few need it

    try:
        content = yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        raise Unreadable(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    return content if isinstance(content, dict) else {}


def yolo_names(data: Yolo) -> dict[str, tuple[str, ...]]:
    for name in ("data.yaml", "data.yml", "classes.txt"):
        path = Path(data.root, name)
        if path.is_file():
            return {str(path): tuple(read_names(path))}
    given = Path(data.classes) if isinstance(data.classes, str) else None
    if given and given.suffix in (".yaml", ".yml") and given.is_file():
        return {str(given): tuple(read_names(given))}
    return {}


def yolo_keypoints(data: Yolo) -> int:
    """Return how many numbers of keypoints a line has: the product of `kpt_shape`."""
    paths = [Path(data.root, "data.yaml"), Path(data.root, "data.yml")]
    if isinstance(data.classes, str):
        paths.append(Path(data.classes))
    for path in paths:
        shape = _yaml(path).get("kpt_shape") if path.suffix in YAML and path.is_file() else None
        match shape:
            case [int(points), int(numbers)] if points > 0 and numbers in (2, 3):
                return points * numbers
            case None:
                continue
        raise Unreadable(f"{path}: kpt_shape must be as [17, 3], not {shape}")
    return 0


@remembered
def yolo_images(root: str, place: str) -> list[Path]:
    path = Path(root, place)
    if path.suffix == ".txt":
        return [path.parent / line.strip() for line in read_text(path).splitlines() if line.strip()]
    return find_images(path)
