"""The plan of reading annotations: the objects in images, and their classes' names."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePath

from specc.catalog.classes import classes as known_classes
from specc.source.diagnostics import choices, nearest, show
from specc.source.keys import Key
from specc.source.problems import Problems
from specc.tasks.classifier.labels import NAMED
from specc.tasks.common.code import Call, Name, Setting, joined
from specc.tasks.common.groups import check_division, division_settings, group
from specc.tasks.common.held_out import HeldOutPlan, check_test
from specc.tasks.common.lists import Unreadable
from specc.tasks.common.places import check_enough, common, under
from specc.tasks.detection.formats.language import (
    BoxData,
    Cityscapes,
    Coco,
    Voc,
    VocFolders,
    WiderFace,
    Yolo,
)
from specc.tasks.detection.formats.read import LARGE, Seen, each, look, parts, voc_lists
from specc.tasks.detection.formats.yolo import read_names
from specc.tasks.detection.language import Detection
from specc.tasks.detection.plans import AnnotationsPlan

BACKGROUND = "__background__"
SETS = ("coco", "voc")  # whose classes have to be said by no more than that


def plan_annotations(spec: Detection, *, background: bool, problems: Problems) -> AnnotationsPlan:
    """Decide how annotations are read, for a model that counts the background or does not."""
    data, masks = spec.data, spec.task == "instance-segmentation"
    _check_keys(data, masks, problems)
    seen = look(data, masks, problems)
    if masks and seen.keypoints:
        message = 'the labels have boxes and keypoints, no outlines; write task = "detection"'
        problems.add(("data", "format"), message, ("task",))
    classes = _classes(data, seen, problems)
    images = seen.images - round((data.val_fraction or 0) * seen.images)
    images = 0 if data.val_groups else images
    check_enough(spec, images * spec.data.repeat, problems)
    root, train, val, test = _reads(data, masks)
    format_ = f"wider-face-{data.annotations}" if isinstance(data, WiderFace) else data.format
    format_ = "voc" if isinstance(data, VocFolders) else format_
    found = data.val_groups and group(data.val_groups, "it.file", "stem")
    subset = data.classes is not None
    named = Name("CLASSES[1:]" if background else "CLASSES")
    if isinstance(data, Yolo):
        subset = any(names != tuple(classes) for names in seen.names.values())
    yolo_files = [it for _, _, it in each(data) if isinstance(data, Yolo)]
    files = Counter(part for part, _, _ in each(data)) if isinstance(data, Coco) else Counter()
    return AnnotationsPlan(
        root=root,
        data_dir=Setting("DATA_DIR", root),
        classes=(BACKGROUND, *classes) if background else tuple(classes),
        named=named,
        settings=_settings(data, classes, named, seen, subset),
        template=f"detection/annotations/{format_}.py",
        train=train,
        val=val,
        test=test,
        held_out=HeldOutPlan(val=val is not None, test=test is not None),
        subset=subset,
        masks=masks,
        areas=isinstance(data, Coco),
        ids=isinstance(data, Coco),
        several=max(files.values(), default=1) > 1,
        several_val=files["test"] > 1 or files["train" if data.val_fraction else "val"] > 1,
        sizes=format_ in ("coco", "voc", "wider-face-voc"),
        polygons=masks and isinstance(data, Coco | Yolo),
        numbered=masks and isinstance(data, Voc | Cityscapes),
        difficult=isinstance(data, Voc | VocFolders | WiderFace),
        reads_lines=isinstance(data, Voc | WiderFace | Yolo),
        cuts=not isinstance(data, Cityscapes),
        keypoints=bool(seen.keypoints),
        folders=isinstance(data, VocFolders) or any(not _is_list(it) for it in yolo_files),
        xml=isinstance(data, VocFolders) and data.xml is not None,
        lists=any(_is_list(it) for it in yolo_files),
        numbers=_numbers(seen),
        val_fraction=data.val_fraction,
        groups=Name(f"[{found} for it in records]") if found else None,
        keep_empty=data.keep_empty,
        min_size=data.min_size or None,
        fix=data.on_bad_annotation == "fix",
        images=images,
        requirements=_requirements(data, masks),
    )


def _check_keys(data: BoxData, masks: bool, problems: Problems) -> None:
    """Report keys of [data] that contradict each other, or the task."""
    check_test(data.test, data.train, parts(data).get("val"), problems)
    check_division(data, "images", problems)
    if isinstance(data, Coco) and not data.val and not data.val_fraction:
        message = "write val = { images = …, json = … }, or e.g. val_fraction = 0.2"
        problems.add(("data", "val"), f"there is nothing to validate on; {message}")
    if isinstance(data, WiderFace | VocFolders) and masks:
        things = "WIDER FACE has" if isinstance(data, WiderFace) else "these files have"
        message = f'{things} boxes only; write task = "detection"'
        problems.add(("data", "format"), message, ("task",))


# ---- classes ----


def _classes(data: BoxData, seen: Seen, problems: Problems) -> list[str]:
    """Return the names of the classes, in the order of their labels."""
    key = ("data", "classes")
    given = _given(data, problems)
    if given is not None:
        place = f"{data.classes}: " if isinstance(data.classes, str) else ""
        _check_names(given, key, place, problems)
        if isinstance(data, WiderFace) and len(given) > 1:
            problems.add(key, f"WIDER FACE has one class, not {len(given)}")
        for file, names in seen.names.items():
            _check_known(given, file, names, problems)
        return given
    if isinstance(data, Cityscapes | WiderFace):
        return list(known_classes(data.format).names)
    for place, named in seen.names.items():
        unused = {*seen.idle, "_background_"}
        found = [name for name in _counted_from_0(named) if name not in unused]
        _check_names(found, key, f"{place}: ", problems)
        for other, names in seen.names.items():
            _check_known(found, other, names, problems)
        return found
    if isinstance(data, Voc):
        return list(known_classes("voc").names)
    if isinstance(data, VocFolders):
        message = f"needed, as there are no XML files with objects in {data.root} to read them from"
        problems.add(key, message, ("data", "root"), ("data", "train"), ("data", "xml"))
        return []
    files: dict[str, Key] = {}
    if isinstance(data, Coco):
        files = {it.json: (*place, "json") for part, place, it in each(data) if part == "train"}
    else:
        files = {str(Path(data.root, "data.yaml")): ("data", "root")}
    missing = [it for it in files if not os.path.exists(it)]
    if not missing:
        file = max(files, key=os.path.getsize)
        message = f"needed, as {file} has over {LARGE // 10**6} MB, which are not read here"
        problems.add(key, message, ("data", "train"), ("data", "root"))
        return []
    message = f"there is no file {missing[0]} here to read the classes from"
    advice = "correct the path or, if the data are elsewhere, write data.classes"
    problems.add(files[missing[0]], f"{message}; {advice}", key)
    return []


def _counted_from_0(names: Sequence[str]) -> list[str]:
    return list(names[1:] if names and not names[0] else names)


def _given(data: BoxData, problems: Problems) -> list[str] | None:
    """Return the names that the spec gives; none where it gives a file that cannot be read."""
    if data.classes is None:
        return None
    if isinstance(data.classes, list):
        return [name.strip() for name in data.classes]
    if data.classes in SETS:
        return list(known_classes(data.classes).names)
    key = ("data", "classes")
    try:
        return _counted_from_0(read_names(Path(data.classes)))
    except FileNotFoundError:
        others = " or ".join(f'"{it}"' for it in SETS)
        message = f"there is no file {data.classes} here; write a list of names, or {others}"
        problems.add(key, f"{message}{nearest(data.classes, SETS)}")
    except (Unreadable, OSError) as error:
        problems.add(key, str(error))
    problems.left_out([key])
    return []


def _check_names(names: Sequence[str], key: Key, place: str, problems: Problems) -> None:
    if not names:
        problems.add(key, f"{place}there are no names")
    for name, count in Counter(names).items():
        if count > 1:
            problems.add(key, f"{place}{show(name)} is listed {count} times")
        if not name:
            problems.add(key, f"{place}a name is empty")
        if name == BACKGROUND:
            message = "the background must not be listed; leave it out"
            problems.add(key, f"{place}{show(name)}: {message}")


def _check_known(
    classes: Sequence[str], place: str, names: Sequence[str], problems: Problems
) -> None:
    """Return whether the data have the classes that are asked for."""
    missing = [name for name in classes if name not in (*names, BACKGROUND)]
    if missing:
        there = ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
        hint = nearest(missing[0], names) if len(missing) == 1 else ""
        hint = hint or f"; there are {there or 'none'}"
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        message = f"{place} has no class {choices(missing[:NAMED])}{more}{hint}"
        problems.add(("data", "classes"), message, ("data", "train"))


# ---- code ----


Expression = Call | Name


def _reads(
    data: BoxData, masks: bool
) -> tuple[str, Expression, Expression | None, Expression | None]:
    """Return the folder that `--data` replaces, and the expressions that read what is in it."""
    root = "" if isinstance(data, Coco) else data.root
    if isinstance(data, Coco):
        root = common([path for _, _, it in each(data) for path in (it.images, it.json)])
    reads: dict[str, Call | Name] = {}
    for part, value in parts(data).items():
        values = value if isinstance(value, list) else [value]
        calls: list[tuple[Call | Name | str, ...]] = []  # the arguments of each
        match data:
            case Coco():
                calls = [(under(root, it.images), under(root, it.json)) for it in values]
            case Voc():
                lists = [under("", path) for path in voc_lists(values, masks)]
                calls = [(Name(f"[{', '.join(lists)}]"),)]
            case VocFolders():
                xml = [under("", data.xml)] if data.xml else []
                calls = [(under("", it), *xml) for it in values]
            case Yolo():
                images = [_yolo_images(it) for it in values]
                calls = [(images[0] if len(images) == 1 else joined(images),)]
            case _:
                calls = [(Name("root"), it) for it in values]
        read = [Call("read_records", (*it, Name("problems"))) for it in calls]
        reads[part] = read[0] if len(read) == 1 else joined(read)
    return root or ".", reads["train"], reads.get("val"), reads.get("test")


def _yolo_images(path: str) -> Call:
    return Call("list_images" if _is_list(path) else "find_images", (under("", path),))


def _numbers(seen: Seen) -> Name:
    """Return the expression of the numbers that YOLO's labels may have."""
    from_1 = any(names and not names[0] for names in seen.names.values())
    return Name("range(1, len(NAMES))" if from_1 else "range(len(NAMES))")


def _is_list(path: str) -> bool:
    return PurePath(path).suffix == ".txt"


def _settings(
    data: BoxData, classes: Sequence[str], named: Name, seen: Seen, subset: bool
) -> tuple[Setting, ...]:
    settings: list[Setting] = []
    if isinstance(data, Cityscapes):
        numbers = known_classes("cityscapes").numbers
        found = {name: numbers[name] for name in classes if name in numbers}
        settings += [Setting("LABEL_IDS", found)]
    if isinstance(data, Yolo):
        names = list(next(iter(seen.names.values()))) if subset else named
        settings += [Setting("NAMES", names, "by their numbers in files of labels")]
        if seen.keypoints:
            comment = "of keypoints in a line, after the box"
            settings += [Setting("KEYPOINT_NUMBERS", seen.keypoints, comment)]
    if data.min_size:
        comment = "pixels of a side, below which an object does not count"
        settings += [Setting("MIN_SIZE", data.min_size, comment)]
    return (*settings, *division_settings(data, "images"))


def _requirements(data: BoxData, masks: bool) -> frozenset[str]:
    """Return the packages that reading needs beyond torch and torchvision."""
    requirements = {"pillow>=10.3", "tqdm>=4.66"}
    if masks or isinstance(data, Coco | Cityscapes | Yolo):
        requirements.add("numpy>=1.26")
    return frozenset(requirements)
