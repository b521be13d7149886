"""Which videos are read, what the model sees of them, and how many classes they have."""

import csv
from pathlib import Path

from specc.catalog.models import Weights
from specc.catalog.videos import VideoClassifier, VideoWeights
from specc.source.problems import Problems
from specc.tasks.classifier.fit import (
    FitPlan,
    Size,
    check_fit,
    plan_fit,
    random_resized_crop,
    shows_all,
    sides,
    used,
)
from specc.tasks.classifier.folders import count_folders, split_folders
from specc.tasks.classifier.labels import ELSEWHERE, count_labelled, given_classes, left, numbered
from specc.tasks.classifier.sizes import agreed_size, built_for
from specc.tasks.common.code import Call, Name, Setting
from specc.tasks.common.groups import check_division, division_settings, group
from specc.tasks.common.held_out import HeldOutPlan, check_test
from specc.tasks.common.lists import EMPTY
from specc.tasks.common.places import (
    NAME_CLASSES,
    Places,
    asked_classes,
    check_enough,
    classes_file,
    list_places,
    under,
)
from specc.tasks.common.transforms import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    augmented,
    check_preset,
    listed,
)
from specc.tasks.video.formats.language import Kinetics, RawFrames, Ucf101, VideoFolder, Videos
from specc.tasks.video.language import VideoClassification
from specc.tasks.video.plans import ClipsPlan, TestingPlan

SEGMENTS = 3  # of a TSN, as in its paper
UCF101_CLASSES = 101
# Presets that fit = "letterbox" contradicts.
CROPPING = {"random-crop", "multi-scale-crop", "random-resized-crop", "center-crop"}
BEYOND_A_PRESET = ("augment", "color_jitter", "random_erasing")  # or part of one
KINETICS_COLUMNS = {"label", "youtube_id", "time_start", "time_end"}
CROPS = {3: "three_crops", 5: "F.five_crop", 10: "F.ten_crop"}


def plan_clips(
    spec: VideoClassification,
    model: VideoClassifier | None,
    weights: Weights | VideoWeights | None,
    problems: Problems,
) -> ClipsPlan:
    """Decide on the data.

    Args:
        weights: those whose preparation of clips is followed; of a TSN the backbone's.
    """
    data = spec.data
    tsn = spec.model.name == "tsn"
    _check_keys(spec, problems)
    size = agreed_size(data, model, built_for(model, weights), None, problems)
    mean, std = (weights.mean, weights.std) if weights else (IMAGENET_MEAN, IMAGENET_STD)
    fit = plan_fit(data, size, weights)
    evaluate = fit.transforms
    if data.eval_transforms is not None:
        key = ("data", "eval_transforms")
        evaluate = listed(data.eval_transforms, key, same_shape=False, problems=problems)
    preset = data.augment or ("multi-scale-crop" if tsn else "random-crop")
    cropped, settings = _cropped(preset, size, fit, weights)
    if shows_all(data):
        cropped, settings = fit.transforms, ()
    train = augmented(cropped, preset, data, data.mean or mean, flip=data.flip)
    if data.train_transforms is not None:
        settings = ()
        key = ("data", "train_transforms")
        train = listed(data.train_transforms, key, same_shape=False, problems=problems)
    fit = used(fit, (*train, *evaluate))
    root, train_args, val_args, test_args, classes = _places(spec)
    num_classes, videos = _num_classes(spec, problems)
    check_enough(spec, videos * spec.data.repeat, problems)
    frames, stride, fps = (None, None, None) if tsn else _clip(spec, model, weights, problems)
    raw = isinstance(data, RawFrames)
    return ClipsPlan(
        clips=True,
        root=root,
        data_dir=Setting("DATA_DIR", root),
        num_classes=num_classes,
        image_size=size,
        fit=fit,
        mean=data.mean or mean,
        std=data.std or std,
        train_transforms=train,
        eval_transforms=evaluate,
        eval_batch_size=spec.evaluate.batch_size,
        workers=spec.train.workers,
        settings=(*fit.settings, *settings, *_settings(spec)),
        source_template=_source(spec),
        train_args=train_args,
        val_args=val_args,
        test_args=test_args,
        held_out=HeldOutPlan(
            val=not data.val_fraction, test=bool(test_args), classes=asked_classes(classes)
        ),
        classes=classes,
        val_classes=None,
        eval_classes=None,
        classes_file=classes_file(data, root) if isinstance(data, RawFrames | Videos) else None,
        name_classes=classes == NAME_CLASSES,
        labels_are_numbers=False,
        labels_may_be_numbers=isinstance(data, RawFrames | Videos)
        and classes != NAME_CLASSES
        and numbered(given_classes(data) or ()),
        val_fraction=data.val_fraction,
        groups=_groups(spec),
        multi_label=False,
        mixup=data.mixup,
        cutmix=data.cutmix,
        read_from=Name("Frames" if raw else "Path"),
        transform=Name("Callable[[Frames], Tensor]" if raw else "Callable[[Path], Tensor]"),
        train_transform=Name("train_clip"),
        eval_transform=Name("eval_clip"),
        segments=(data.clips.segments or SEGMENTS) if tsn else None,
        frames=frames,
        stride=stride,
        fps=fps,
        rawframes=raw,
        with_offset=isinstance(data, RawFrames) and data.with_offset,
        multi_scale_crop=Name("multi_scale_crop") in train,
        reader=Name("read_frames" if raw else "read_video"),
        any_video=Name("Frames | Path" if raw else "Path"),
        place_training=_chosen(raw, tsn, fps, "SEGMENTS" if tsn else "1", random=True),
        place_evaluation=_chosen(raw, tsn, fps, "SEGMENTS" if tsn else "1", random=False),
        place_test=_chosen(raw, tsn, fps, "TEST_SEGMENTS" if tsn else "TEST_CLIPS", random=False),
        testing=_testing(spec, size, fit, problems),
    )


def _chosen(raw: bool, tsn: bool, fps: float | None, many: str, *, random: bool) -> Name:
    """Return the function that picks frames: of a number of them, or of the times of each."""
    seen = "count" if raw else "times"
    known = "count" if raw else "times" if fps else "len(times)"
    function, part = ("place_clips", "[0]" if many == "1" else ".flatten()")
    if tsn:
        function, part = "place_frames", ""
    return Name(f"lambda {seen}: {function}({known}, {many}, random={random}){part}")


# ---- what the model sees ----


def _cropped(
    preset: str, size: Size, fit: FitPlan, weights: Weights | VideoWeights | None
) -> tuple[tuple[Call | Name, ...], tuple[Setting, ...]]:
    """Return what a preset begins with, and the settings that it reads."""
    resize = fit.transforms[0]
    match preset:
        case "random-crop":
            return (resize, Call("v2.RandomCrop", (), {"size": Name("IMAGE_SIZE")})), ()
        case "multi-scale-crop":
            return (resize, Name("multi_scale_crop")), ()
        case "center-crop":
            return fit.transforms, ()
    return random_resized_crop(size, weights)


def _clip(
    spec: VideoClassification,
    model: VideoClassifier | None,
    weights: Weights | VideoWeights | None,
    problems: Problems,
) -> tuple[int, int | None, float | None]:
    """Return the frames of a clip, and the stride from one to the next or how many a second."""
    clips, key = spec.data.clips, ("data", "clips")
    video = weights if isinstance(weights, VideoWeights) else None
    frames = clips.frames or (video.frames if video else 16)
    if model and not model.any_frames and frames != model.frames:
        message = f"{model.name} takes clips of {model.frames} frames only"
        problems.add((*key, "frames"), message, ("model", "name"))
    elif model and frames < model.min_frames:
        message = f"{model.name} needs {model.min_frames} frames or more, not {frames}"
        problems.add((*key, "frames"), message, ("model", "name"))
    fps = clips.fps or (video.frame_rate if video else 15.0)
    if clips.stride:
        return frames, clips.stride, None
    if isinstance(spec.data, RawFrames):
        return frames, max(1, round(30 / fps)), None
    return frames, None, int(fps) if fps == int(fps) else fps


def _testing(
    spec: VideoClassification, size: Size, fit: FitPlan, problems: Problems
) -> TestingPlan | None:
    test = spec.evaluate.test
    if test is None:
        return None
    cut = None
    if function := CROPS.get(test.crops):
        frames = Name("test_transform(frames)")
        shape = () if test.crops == 3 else (Name(f"[{sides(size)}]"),)
        cut = Call(function, (frames, *shape))
        if spec.data.eval_transforms is not None:
            message = "are cut from resized frames; leave eval_transforms out, or write 1"
            key = ("data", "eval_transforms")
            problems.add(("evaluate", "test", "crops"), message, key)
        elif shows_all(spec.data):
            message = f'are cut out, but fit = "{spec.data.fit}" shows all of a frame; write 1'
            problems.add(("evaluate", "test", "crops"), message, ("data", "fit"))
    return TestingPlan(
        clips=test.clips,
        cut=cut,
        three=test.crops == 3,
        resize=fit.transforms[0],
        scores=test.average == "scores",
    )


def _check_keys(spec: VideoClassification, problems: Problems) -> None:
    """Report keys of [data] that contradict each other."""
    data, clips, key = spec.data, spec.data.clips, ("data", "clips")
    said = [name for name in BEYOND_A_PRESET if getattr(data, name)]
    check_preset(data, said if data.flip else [*said, "flip"], problems)
    check_fit(data, data.augment, CROPPING, problems)
    check_division(data, "videos", problems)
    if not isinstance(data, Ucf101):
        train, val = (
            split_folders(data) if isinstance(data, VideoFolder) else (data.train, data.val)
        )
        if isinstance(data, Kinetics) and not data.val_fraction:
            val = data.val or "val"
        check_test(data.test, train, val, problems)
    if isinstance(data, RawFrames | Videos) and not data.val and not data.val_fraction:
        message = "write val = { root = …, list = … }, or e.g. val_fraction = 0.2"
        problems.add(("data", "val"), f"there is nothing to validate on; {message}")
    if isinstance(data, Videos) and ("\n" in data.separator or "\r" in data.separator):
        problems.add(("data", "separator"), "must be part of a line")
    if spec.model.name == "tsn":
        for name in ("frames", "stride", "fps"):
            if getattr(clips, name):
                message = "tsn takes single frames, one of each segment; leave it out"
                problems.add((*key, name), message, ("model", "name"))
        return
    if clips.segments:
        message = "is for tsn; other models look at one clip, of `frames` frames"
        problems.add((*key, "segments"), message, ("model", "name"))
    if clips.stride and clips.fps:
        problems.add((*key, "fps"), "contradicts stride; leave one of the two out")
    elif clips.fps and isinstance(data, RawFrames):
        message = "the frame rate of rawframes is not known; write stride"
        problems.add((*key, "fps"), message, ("data", "format"))


# ---- where the videos are ----


def _source(spec: VideoClassification) -> str:
    """Return the template that lists the videos."""
    if isinstance(spec.data, Videos):  # the lines are like those of image lists
        return "classification/sources/list.py"
    return f"video/sources/{spec.data.format}.py"


def _places(spec: VideoClassification) -> Places:
    data = spec.data
    match data:
        case RawFrames() | Videos():
            root, train, val, test, classes = list_places(data)
            return root, train, () if data.val_fraction else val, test, classes
        case VideoFolder():
            train, val, test = (
                (under("", name),) if name else () for name in (*split_folders(data), data.test)
            )
            return data.root, train, val, test, None
        case Kinetics():
            parts = [
                (under("", part), under("", f"annotations/{part}.csv")) if part else ()
                for part in (data.train, data.val or "val", data.test)
            ]
            classes = NAME_CLASSES
        case Ucf101():
            parts = [
                (under("", "UCF-101"), under("", f"ucfTrainTestlist/{part}list0{data.fold}.txt"))
                for part in ("train", "test")
            ]
            parts.append(())
            classes = Name('read_classes(root / "ucfTrainTestlist/classInd.txt")')
    return data.root, parts[0], () if data.val_fraction else parts[1], parts[2], classes


def _settings(spec: VideoClassification) -> tuple[Setting, ...]:
    data = spec.data
    settings: list[Setting] = []
    match data:
        case RawFrames():
            settings.append(Setting("FRAME_NAME", data.frame_name))
            settings.append(Setting("FIRST_FRAME", data.first_frame, "number of a folder's first"))
        case Videos():
            settings.append(Setting("SEPARATOR", data.separator, "of path and label, in a line"))
    if isinstance(data, RawFrames | Videos) and isinstance(data.classes, list):
        settings.append(Setting("CLASSES", given_classes(data)))
    settings += division_settings(data, "videos")
    if data.repeat > 1:
        settings.append(Setting("REPEAT", data.repeat, "passes over the videos in an epoch"))
    return tuple(settings)


def _groups(spec: VideoClassification) -> Name | None:
    """Return the expression of the training videos' groups."""
    rule = spec.data.val_groups
    if not rule:
        return None
    raw = isinstance(spec.data, RawFrames)
    found = group(rule, "video.folder", "name") if raw else group(rule, "video", "stem")
    return Name(f"[{found} for video in train.videos]")


# ---- how many there are ----


def _num_classes(spec: VideoClassification, problems: Problems) -> tuple[int, int]:
    """Return the number of classes that the spec and the data, where they are here, agree on.

    And the number of videos to train on, 0 where it is not known.
    """
    data = spec.data
    match data:
        case RawFrames() | Videos():
            return count_labelled(spec, data, problems)
        case VideoFolder():
            return count_folders(spec, data, problems)
        case Kinetics():
            return _count_kinetics(spec, data, problems)
    names = Path(data.root, "ucfTrainTestlist/classInd.txt")
    classes = UCF101_CLASSES
    if names.is_file():
        classes = len(names.read_text(encoding="utf-8", errors="replace").split()) // 2
    return _agreed(spec, classes, "UCF101", problems), 0


def _count_kinetics(
    spec: VideoClassification, data: Kinetics, problems: Problems
) -> tuple[int, int]:
    path = Path(data.root, "annotations", f"{data.train}.csv")
    if not path.is_file():
        if spec.model.num_classes is None:
            message = f"there is no file {path} here to count the classes in; {ELSEWHERE}"
            problems.add(("data", "root"), message, ("model", "num_classes"), ("data", "train"))
        return spec.model.num_classes or 0, 0
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if missing := KINETICS_COLUMNS - {*(reader.fieldnames or ())}:
                message = f"{path}: no column {', '.join(sorted(missing))}"
                problems.add(("data", "train"), message)
                return 0, 0
            labels = []
            for row in reader:
                if not (row["label"] or "").strip():
                    problems.add(("data", "train"), f"{path}:{reader.line_num}: {EMPTY}")
                    return 0, 0
                labels.append(row["label"].strip())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        problems.add(("data", "train"), f"{path}: cannot be read: {error}")
        return 0, 0
    count = _agreed(spec, len({*labels}), str(path), problems)
    return count, left([len(labels)], data)


def _agreed(spec: VideoClassification, classes: int, where: str, problems: Problems) -> int:
    said = spec.model.num_classes
    if said not in (None, classes):
        message = f"{where} has {classes} classes, not {said}; leave it out"
        problems.add(("model", "num_classes"), message)
    elif classes < 2:
        problems.add(("data", "root"), f"{where} has fewer than two classes")
    return classes
