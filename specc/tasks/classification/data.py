"""Which images are read, how they are prepared, and how many classes they have."""

from specc.catalog import models as catalog
from specc.source.problems import Problems
from specc.tasks.classification.channels import plan_channels, plan_statistics
from specc.tasks.classification.formats.language import (
    CsvData,
    Emnist,
    ImageFolder,
    ListData,
    NamedData,
    OpenMMLabData,
)
from specc.tasks.classification.formats.named import known_dataset, plan_named
from specc.tasks.classification.language import Classification
from specc.tasks.classifier.fit import check_fit, plan_fit, random_resized_crop, shows_all, used
from specc.tasks.classifier.folders import count_folders, split_folders
from specc.tasks.classifier.labels import count_labelled, given_classes, left, numbered
from specc.tasks.classifier.sizes import agreed_size, built_for
from specc.tasks.common.code import Call, Name, Setting
from specc.tasks.common.groups import check_division, division_settings, group
from specc.tasks.common.held_out import HeldOutPlan, check_test
from specc.tasks.common.places import (
    NAME_CLASSES,
    Places,
    asked_classes,
    check_enough,
    classes_file,
    list_places,
    under,
)
from specc.tasks.common.plan import ImagesPlan
from specc.tasks.common.transforms import (
    augmented,
    check_preset,
    listed,
)
from specc.tasks.common.values import value_range

CROPPING = {"random-resized-crop"}  # presets that fit = "letterbox" contradicts
BEYOND_A_PRESET = ("augment", "color_jitter", "random_erasing")  # or part of one


def plan_data(
    spec: Classification,
    model: catalog.Classifier | None,
    weights: catalog.Weights | None,
    problems: Problems,
) -> ImagesPlan:
    data = spec.data
    _check_keys(spec, problems)
    own = _own_size(spec)
    size = agreed_size(data, model, built_for(model, weights), own, problems)
    channels = plan_channels(spec, problems)
    mean, std = plan_statistics(spec, weights, problems)
    same_shape = own is not None
    preset = data.augment or "random-resized-crop"
    fit = plan_fit(data, size, weights)
    cropped: tuple[Call | Name, ...] = fit.transforms
    settings: tuple[Setting, ...] = ()
    if preset not in ("flip", "none") and not shows_all(data):
        cropped, settings = random_resized_crop(size, weights)
    train = augmented(cropped, preset, data, mean, flip=preset != "none")
    if data.train_transforms is not None:
        key = ("data", "train_transforms")
        train = listed(data.train_transforms, key, same_shape=same_shape, problems=problems)
        settings = ()
    evaluate = fit.transforms
    if data.eval_transforms is not None:
        key = ("data", "eval_transforms")
        evaluate = listed(data.eval_transforms, key, same_shape=same_shape, problems=problems)
    fit = used(fit, (*train, *evaluate))
    root, train_args, val_args, test_args, classes = _places(spec)
    metainfo = isinstance(data, OpenMMLabData) and not data.classes
    dataset = known_dataset(data) if isinstance(data, NamedData | Emnist) else None
    named = plan_named(data, problems) if isinstance(data, NamedData | Emnist) else None
    num_classes, images = _num_classes(spec, problems)
    files = None if isinstance(data, NamedData | Emnist) else data
    deep = files.value_range if files else None
    check_enough(spec, images * spec.data.repeat, problems)
    return ImagesPlan(
        root=root,
        data_dir=Setting("DATA_DIR", root, dataset.place if dataset else ""),
        num_classes=num_classes,
        image_size=size,
        fit=fit,
        mean=mean,
        std=std,
        train_transforms=train,
        eval_transforms=evaluate,
        eval_batch_size=spec.evaluate.batch_size,
        workers=spec.train.workers,
        channels=data.channels,
        settings=(
            *fit.settings,
            *settings,
            *channels,
            *_settings(spec),
            *value_range(deep, problems),
        ),
        source_template=f"classification/sources/{'named' if named else data.format}.py",
        files=dataset is None or bool(dataset.files),
        train_args=train_args,
        val_args=val_args,
        test_args=test_args,
        held_out=HeldOutPlan(
            val=not data.val_fraction,
            test=data.test is not None,
            classes=None if named else asked_classes(classes),
        ),
        classes=classes,
        val_classes=_read_classes(val_args) if metainfo else None,
        eval_classes=_eval_classes(val_args, test_args) if metainfo else None,
        classes_file=(
            classes_file(data, root)
            if isinstance(data, ListData | CsvData | OpenMMLabData)
            else None
        ),
        name_classes=classes == NAME_CLASSES,
        read_classes=metainfo,
        labels_are_numbers=isinstance(data, OpenMMLabData),
        labels_may_be_numbers=classes != NAME_CLASSES and _class_numbers(spec),
        named=named,
        transposed=dataset is not None and dataset.transposed,
        val_fraction=data.val_fraction,
        groups=_groups(spec, train_args),
        group_column=isinstance(data, CsvData) and data.val_groups is not None,
        multi_label=_multi_label(spec),
        value_range=deep,
        skip_unreadable=files is not None and files.on_bad_image == "skip",
        image_suffix=isinstance(data, ListData | CsvData | OpenMMLabData)
        and data.image_suffix is not None,
        label_columns=isinstance(data, CsvData) and data.label_columns is not None,
        delimiter=isinstance(data, CsvData) and data.delimiter != ",",
        mixup=data.mixup,
        cutmix=data.cutmix,
    )


def data_requirements(spec: Classification) -> set[str]:
    """Return the packages that the data need beyond torch and torchvision."""
    data = spec.data
    requirements = {"pillow>=10.3", "torchvision>=0.21"}
    if isinstance(data, NamedData | Emnist):
        dataset = known_dataset(data)
        requirements = {"pillow>=10.3", f"torchvision>={dataset.torchvision}", *dataset.packages}
    arrays = {"numpy>=1.26"} if data.channels not in (1, 3) else set()
    return requirements | arrays


def _class_numbers(spec: Classification) -> bool:
    """Return whether labels may be the numbers of classes: not of those whose names are numbers."""
    data = spec.data
    return isinstance(data, ListData | CsvData) and numbered(given_classes(data) or ())


def _multi_label(spec: Classification) -> bool:
    return isinstance(spec.data, ListData | CsvData | OpenMMLabData) and spec.data.multi_label


def _own_size(spec: Classification) -> int | None:
    """Return the height and width of the data's images, where all have the same."""
    data = spec.data
    return known_dataset(data).size if isinstance(data, NamedData | Emnist) else None


def _check_keys(spec: Classification, problems: Problems) -> None:
    """Report keys of [data] that contradict each other."""
    data = spec.data
    check_preset(data, [name for name in BEYOND_A_PRESET if getattr(data, name)], problems)
    check_fit(data, data.augment, CROPPING, problems)
    check_division(data, "images", problems)
    if not isinstance(data, NamedData | Emnist):
        train, val = (
            split_folders(data) if isinstance(data, ImageFolder) else (data.train, data.val)
        )
        check_test(data.test, train, val, problems)
    single = isinstance(data, ListData | CsvData | OpenMMLabData) and not data.val
    if single and not data.val_fraction:
        name = {"list": "list", "csv": "csv", "openmmlab": "json"}[data.format]
        message = f"write val = {{ root = …, {name} = … }}, or e.g. val_fraction = 0.2"
        problems.add(("data", "val"), f"there is nothing to validate on; {message}")
    if data.balance and _multi_label(spec):
        message = "an image with several labels cannot be drawn for one; leave it out"
        problems.add(("data", "balance"), message, ("data", "multi_label"))
    if _multi_label(spec) and data.label_smoothing:
        message = "is for one label an image; leave it out"
        problems.add(("data", "label_smoothing"), message, ("data", "multi_label"))
    if isinstance(data, ListData):
        if "\n" in data.separator or "\r" in data.separator:
            problems.add(("data", "separator"), "must be part of a line")
        elif data.multi_label and data.separator == ",":
            message = 'separates the labels of an image; write another one, e.g. "\\t"'
            problems.add(("data", "separator"), message, ("data", "multi_label"))
    if isinstance(data, CsvData):
        for name in ("label_separator", "label_columns"):
            if getattr(data, name) and not data.multi_label:
                message = "is for images with several labels; write multi_label = true as well"
                problems.add(("data", name), message, ("data", "multi_label"))
        for name in ("label_column", "label_separator", "classes"):
            if data.label_columns and getattr(data, name):
                message = "label_columns name the classes already; leave one of the two out"
                problems.add(("data", name), message, ("data", "label_columns"))


def _places(spec: Classification) -> Places:
    """Return the data's folder, which `--data` replaces, and expressions for what is where in it.

    These are the arguments of the function that lists images of each split, and the names of the
    classes. The folder is the one that all places have in common.
    """
    data = spec.data
    if isinstance(data, NamedData | Emnist):
        return data.root, (), (), (), None
    if isinstance(data, ImageFolder):
        train, val, test = (
            (under("", name),) if name else () for name in (*split_folders(data), data.test)
        )
        return data.root, train, val, test, None
    return list_places(data)


def _read_classes(args: tuple[Name, ...]) -> Name | None:
    """Return the expression of the names in one of OpenMMLab's files, if there is one."""
    return Name(f"read_classes({args[1]})") if args else None


def _eval_classes(val_args: tuple[Name, ...], test_args: tuple[Name, ...]) -> Name | None:
    """Return the expression of the names in the file of what is evaluated."""
    if not val_args or not test_args:
        return _read_classes(val_args or test_args)
    return Name(f'read_classes({{"val": {val_args[1]}, "test": {test_args[1]}}}[split])')


def _settings(spec: Classification) -> tuple[Setting, ...]:
    data = spec.data
    settings: list[Setting] = []
    match data:
        case ListData():
            settings += [Setting("SEPARATOR", data.separator, "of path and label, in a line")]
        case CsvData():
            if data.delimiter != ",":
                settings += [Setting("DELIMITER", data.delimiter, "of the fields in a row")]
            settings += [Setting("IMAGE_COLUMN", data.image_column)]
            if data.label_columns:
                settings += [Setting("CLASSES", data.label_columns, "columns, of 0 and 1")]
            else:
                settings += [Setting("LABEL_COLUMN", data.label_column or "label")]
            if data.multi_label and not data.label_columns:
                separator = data.label_separator or ","
                settings += [Setting("LABEL_SEPARATOR", separator, "of an image's labels")]
    if isinstance(data, ListData | CsvData | OpenMMLabData) and data.image_suffix:
        settings += [Setting("IMAGE_SUFFIX", data.image_suffix, "which the paths are without")]
    if isinstance(data, ListData | CsvData | OpenMMLabData) and isinstance(data.classes, list):
        settings += [Setting("CLASSES", given_classes(data))]
    settings += division_settings(data, "images")
    if isinstance(data, CsvData) and data.val_groups:
        settings += [Setting("GROUP_COLUMN", data.val_groups, "of what is not divided")]
    if data.repeat > 1:
        settings += [Setting("REPEAT", data.repeat, "passes over the images in an epoch")]
    return tuple(settings)


def _groups(spec: Classification, train_args: tuple[Name, ...]) -> Name | None:
    """Return the expression of the training images' groups."""
    data = spec.data
    if isinstance(data, NamedData | Emnist) or not data.val_groups:
        return None
    if isinstance(data, CsvData):
        return Name(f"read_groups({train_args[1]})")
    return Name(f"[{group(data.val_groups, 'Path(file)', 'stem')} for file in train.files]")


def _num_classes(spec: Classification, problems: Problems) -> tuple[int, int]:
    """Return the number of classes that the spec and the data, where they are here, agree on.

    And the number of images to train on, 0 where it is not known.
    """
    data = spec.data
    if isinstance(data, NamedData | Emnist):
        dataset, said = known_dataset(data), spec.model.num_classes
        if said not in (None, dataset.num_classes):
            message = f"{dataset.title} has {dataset.num_classes} classes, not {said}; leave it out"
            problems.add(("model", "num_classes"), message)
        images = dataset.images.get(data.train or dataset.train, 0)
        return dataset.num_classes, left([images], data)
    if isinstance(data, ImageFolder):
        return count_folders(spec, data, problems)
    return count_labelled(spec, data, problems)
