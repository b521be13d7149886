"""torchvision's datasets, read by generated projects from small files in their real formats."""

import hashlib
import inspect
import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from projects import Project, compile_spec
from torchvision import datasets as tv

from specc import build
from specc.catalog.datasets import datasets
from specc.source.diagnostics import SpecError
from specc.tasks.classification.formats.language import Emnist, NamedData

ROWS = datasets()
RANDOM = np.random.default_rng(0)
Patch = Callable[[type, str, Any], None]


def spec(name: str, **data: Any) -> str:
    row = ROWS[name]
    known = {"format": name}
    if name.startswith("emnist-"):
        known = {"format": "emnist", "split": name.removeprefix("emnist-")}
    if not row.split:
        data = {"val_fraction": 0.5} | data
    return json.dumps(
        {
            "task": "classification",
            "model": {"name": "resnet18", "weights": "none"},
            "data": {"image_size": 32, **known, **data},
            "train": {"batch_size": 2, "workers": 0},
        }
    )


def compiled(name: str, **data: Any) -> Project:
    Path("spec.json").write_text(spec(name, **data))
    return compile_spec(Path("spec.json"))


# ---- the catalog ----


def test_every_dataset_can_be_named() -> None:
    named = inspect.get_annotations(NamedData)["format"].__args__
    kinds = [f"emnist-{it}" for it in inspect.get_annotations(Emnist)["split"].__args__]
    assert sorted([*named, *kinds]) == sorted(ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_the_catalog_fits_the_installed_torchvision(name: str) -> None:
    row = ROWS[name]
    made = getattr(tv, row.class_name)
    wanted = {*row.options, *([row.split] if row.split else []), "root"}
    parameters = set(inspect.signature(made).parameters)
    base = next(it for it in made.__mro__[1:] if "__init__" in vars(it))
    if "kwargs" in parameters:  # that go to the class that it is derived from
        parameters |= set(inspect.signature(base).parameters)
    if row.download:
        wanted.add("download")
    assert wanted <= parameters
    assert {row.train, *([row.val] if row.val else [])} <= set(row.images)
    assert bool(row.val) == bool(row.split)
    source = inspect.getsource(made) + "".join(map(inspect.getsource, made.__mro__[1:-4]))
    for split in row.images:
        if row.split == "split":
            assert f'"{split}"' in source
    if row.split == "train":
        assert set(row.images) == {"train", "test"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_every_dataset_is_clean_python(name: str, here: Path) -> None:
    for data in ({}, {"val_fraction": 0.25}):
        project = compiled(name, **data)
        assert max(map(len, (project.folder / "data.py").read_text().splitlines())) <= 88
        module = project.module("data")
        assert module.NUM_CLASSES == ROWS[name].num_classes
        assert getattr(module, ROWS[name].class_name) is getattr(tv, ROWS[name].class_name)


# ---- their files ----


def noise(*shape: int) -> np.ndarray:
    return RANDOM.integers(256, size=shape, dtype=np.uint8)


def save_image(path: Path, mode: str = "RGB", size: tuple[int, int] = (40, 36)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise(size[1], size[0], 3)).convert(mode).save(path)


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def cifar(root: Path, patch: Patch, made: Any, train: list[str], test: str, meta: str) -> None:
    folder = root / made.base_folder
    folder.mkdir(parents=True)
    key, names = (
        ("fine_labels", "fine_label_names") if made is tv.CIFAR100 else ("labels", "label_names")
    )
    classes = 100 if made is tv.CIFAR100 else 10
    sums = {}
    for name in [*train, test]:
        content = {"data": noise(2, 3072), key: [classes - 1, 3]}
        (folder / name).write_bytes(pickle.dumps(content))
        sums[name] = md5(folder / name)
    (folder / meta).write_bytes(pickle.dumps({names: [f"kind {it}" for it in range(classes)]}))
    patch(made, "train_list", [[name, sums[name]] for name in train])
    patch(made, "test_list", [[test, sums[test]]])
    patch(made, "meta", {"filename": meta, "key": names, "md5": md5(folder / meta)})


def write_cifar10(root: Path, patch: Patch) -> None:
    cifar(
        root,
        patch,
        tv.CIFAR10,
        [f"data_batch_{i}" for i in range(1, 6)],
        "test_batch",
        "batches.meta",
    )


def write_cifar100(root: Path, patch: Patch) -> None:
    cifar(root, patch, tv.CIFAR100, ["train"], "test", "meta")


def idx(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    header = bytes([0, 0, 8, values.ndim]) + b"".join(n.to_bytes(4, "big") for n in values.shape)
    path.write_bytes(header + values.astype(np.uint8).tobytes())


def mnist(folder: str, prefix: str = "", tests: str = "t10k", highest: int = 9) -> Any:
    def write(root: Path, patch: Patch) -> None:
        for part in ("train", tests):
            raw = root / folder / "raw"
            idx(raw / f"{prefix}{part}-images-idx3-ubyte", noise(4, 28, 28))
            idx(raw / f"{prefix}{part}-labels-idx1-ubyte", np.array([1, 1, highest, highest]))

    return write


def write_flowers(root: Path, patch: Patch) -> None:
    from scipy.io import savemat

    folder = root / "flowers-102"
    for number in range(1, 10):
        save_image(folder / f"jpg/image_{number:05d}.jpg")
    savemat(folder / "imagelabels.mat", {"labels": np.array([1, 102, 3, 4, 5, 6, 7, 8, 9])})
    savemat(folder / "setid.mat", {"trnid": [1, 2, 3], "valid": [4, 5, 6], "tstid": [7, 8, 9]})
    files = {"image": ("x", "y"), "label": "imagelabels.mat", "setid": "setid.mat"}
    for name in ("label", "setid"):
        files[name] = (files[name], md5(folder / str(files[name])))  # type: ignore[assignment]
    patch(tv.Flowers102, "_file_dict", files)


def write_pets(root: Path, patch: Patch) -> None:
    folder = root / "oxford-iiit-pet"
    (folder / "annotations").mkdir(parents=True)
    names = [f"Breed_{letter}_{n}" for letter in "ab" for n in (1, 2)]
    for part in ("trainval", "test"):
        lines = [f"{name} {1 + index // 2} 1 1\n" for index, name in enumerate(names)]
        (folder / f"annotations/{part}.txt").write_text("".join(lines))
    for name in names:
        save_image(folder / f"images/{name}.jpg")


def write_food(root: Path, patch: Patch) -> None:
    folder = root / "food-101"
    (folder / "meta").mkdir(parents=True)
    listed = {name: [f"{name}/1", f"{name}/2"] for name in ("waffles", "apple_pie")}
    for part in ("train", "test"):
        (folder / f"meta/{part}.json").write_text(json.dumps(listed))
    for path in sum(listed.values(), []):
        save_image(folder / f"images/{path}.jpg")


def write_dtd(root: Path, patch: Patch) -> None:
    folder = root / "dtd/dtd"
    (folder / "labels").mkdir(parents=True)
    files = [f"{name}/{name}_{n}.jpg" for name in ("banded", "zigzagged") for n in (1, 2)]
    for part in ("train1", "val1", "test1"):
        (folder / f"labels/{part}.txt").write_text("\n".join(files) + "\n")
    for file in files:
        save_image(folder / "images" / file)


def write_eurosat(root: Path, patch: Patch) -> None:
    for name in ("Forest", "River"):
        for number in range(3):
            save_image(root / f"eurosat/2750/{name}/{name}_{number}.jpg", size=(64, 64))


def write_cars(root: Path, patch: Patch) -> None:
    from scipy.io import savemat

    folder = root / "stanford_cars"
    for part, file in (
        ("train", "devkit/cars_train_annos.mat"),
        ("test", "cars_test_annos_withlabels.mat"),
    ):
        rows = [(1, 2, 3, 4, label, f"{n:05d}.jpg") for n, label in enumerate((1, 196, 7))]
        fields = ["bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class", "fname"]
        kinds = [(name, object) for name in fields]
        (folder / "devkit").mkdir(parents=True, exist_ok=True)
        savemat(folder / file, {"annotations": np.array(rows, dtype=kinds)})
        for *_, name in rows:
            save_image(folder / f"cars_{part}" / name)
    names = np.array([f"Car {n}" for n in range(196)], dtype=object)
    savemat(folder / "devkit/cars_meta.mat", {"class_names": names})


def write_aircraft(root: Path, patch: Patch) -> None:
    folder = root / "fgvc-aircraft-2013b/data"
    (folder / "images").mkdir(parents=True)
    (folder / "variants.txt").write_text("707-320\n727-200\nA 380\n")
    for part in ("train", "val", "trainval", "test"):
        text = "0000001 707-320\n0000002 A 380\n0000003 727-200\n"
        (folder / f"images_variant_{part}.txt").write_text(text)
    for number in (1, 2, 3):
        save_image(folder / f"images/{number:07d}.jpg")


def write_svhn(root: Path, patch: Patch) -> None:
    from scipy.io import savemat

    found = {}
    root.mkdir(exist_ok=True)
    for part in ("train", "test", "extra"):
        file = root / f"{part}_32x32.mat"
        savemat(file, {"X": noise(32, 32, 3, 4), "y": np.array([[10], [1], [9], [10]])})
        found[part] = ["x", file.name, md5(file)]
    patch(tv.SVHN, "split_list", found)


def write_gtsrb(root: Path, patch: Patch) -> None:
    folder = root / "gtsrb/GTSRB"
    for name in range(43):
        save_image(folder / f"Training/{name:05d}/00000.ppm", size=(33, 29))
    for number in range(2):
        save_image(folder / f"Final_Test/Images/{number:05d}.ppm", size=(50, 61))
    lines = "Filename;Width;Height;ClassId\n00000.ppm;50;61;42\n00001.ppm;50;61;0\n"
    (root / "gtsrb/GT-final_test.csv").write_text(lines)


def write_caltech101(root: Path, patch: Patch) -> None:
    for name, mode in (("BACKGROUND_Google", "RGB"), ("accordion", "L"), ("yin_yang", "RGB")):
        for number in (1, 2, 3):
            path = root / f"caltech101/101_ObjectCategories/{name}/image_{number:04d}.jpg"
            save_image(path, mode)


def write_caltech256(root: Path, patch: Patch) -> None:
    for index, name in enumerate(("001.ak47", "002.american-flag"), 1):
        for number in (1, 2, 3):
            folder = root / f"caltech256/256_ObjectCategories/{name}"
            save_image(folder / f"{index:03d}_{number:04d}.jpg", "L" if number == 1 else "RGB")
    (root / "caltech256/256_ObjectCategories/001.ak47/RENAME2").write_text("")


def write_sun(root: Path, patch: Patch) -> None:
    names = ["/a/abbey", "/o/outhouse/outdoor"]
    (root / "SUN397").mkdir(parents=True)
    (root / "SUN397/ClassName.txt").write_text("\n".join(names) + "\n")
    for name in names:
        for letter in "zax":
            save_image(root / f"SUN397{name}/sun_{letter}.jpg")


def write_stl(root: Path, patch: Patch) -> None:
    folder = root / "stl10_binary"
    folder.mkdir(parents=True)
    for part in ("train", "test", "unlabeled"):
        (folder / f"{part}_X.bin").write_bytes(noise(3, 3, 96, 96).tobytes())
        (folder / f"{part}_y.bin").write_bytes(bytes([1, 10, 5]))
    names = [f"kind {number}" for number in range(10)]
    (folder / "class_names.txt").write_text("\n".join(names) + "\n")
    for name in ("train_list", "test_list"):
        listed = getattr(tv.STL10, name)
        patch(tv.STL10, name, [[file, md5(folder / file)] for file, _ in listed])


def write_pcam(root: Path, patch: Patch) -> None:
    h5py = pytest.importorskip("h5py")
    (root / "pcam").mkdir(parents=True)
    for files in tv.PCAM._FILES.values():
        with h5py.File(root / "pcam" / files["images"][0], "w") as file:
            file["x"] = noise(3, 96, 96, 3)
        with h5py.File(root / "pcam" / files["targets"][0], "w") as file:
            file["y"] = np.array([1, 0, 1], dtype=np.uint8).reshape(3, 1, 1, 1)


def write_imagenette(root: Path, patch: Patch) -> None:
    for part in ("train", "val"):
        for name in tv.Imagenette._WNID_TO_CLASS:
            save_image(root / f"imagenette2/{part}/{name}/{name}_1.JPEG")


def write_imagenet(root: Path, patch: Patch) -> None:
    """As it lies there once torchvision has unpacked it."""
    names = {"n01": ("tench", "Tinca tinca"), "n02": ("crane",), "n03": ("crane",)}
    for part in ("train", "val"):
        for name in names:
            save_image(root / f"{part}/{name}/{name}_1.JPEG")
    torch.save((names, ["n01", "n02", "n03"]), root / "meta.bin")


WRITERS: dict[str, Any] = {
    "cifar10": write_cifar10,
    "cifar100": write_cifar100,
    "mnist": mnist("MNIST"),
    "fashion-mnist": mnist("FashionMNIST"),
    "kmnist": mnist("KMNIST"),
    "emnist-byclass": mnist("EMNIST", "emnist-byclass-", "test", 61),
    "emnist-bymerge": mnist("EMNIST", "emnist-bymerge-", "test", 46),
    "emnist-balanced": mnist("EMNIST", "emnist-balanced-", "test", 46),
    "emnist-letters": mnist("EMNIST", "emnist-letters-", "test", 26),
    "emnist-digits": mnist("EMNIST", "emnist-digits-", "test"),
    "emnist-mnist": mnist("EMNIST", "emnist-mnist-", "test"),
    "flowers102": write_flowers,
    "oxford-iiit-pet": write_pets,
    "food101": write_food,
    "dtd": write_dtd,
    "eurosat": write_eurosat,
    "stanford-cars": write_cars,
    "fgvc-aircraft": write_aircraft,
    "svhn": write_svhn,
    "gtsrb": write_gtsrb,
    "caltech101": write_caltech101,
    "caltech256": write_caltech256,
    "sun397": write_sun,
    "stl10": write_stl,
    "pcam": write_pcam,
    "imagenette": write_imagenette,
    "imagenet": write_imagenet,
}
# What the files above have, where it is not all classes.
LABELS = {
    "cifar10": [9, 3] * 5,
    "cifar100": [99, 3],
    "flowers102": [0, 101, 2],
    "stanford-cars": [0, 195, 6],
    "fgvc-aircraft": [0, 2, 1],
    "svhn": [0, 1, 9, 0],
    "gtsrb": list(range(43)),
    "stl10": [0, 9, 4],
    "pcam": [1, 0, 1],
    "imagenette": list(range(10)),
    "imagenet": [0, 1, 2],
}
FIRST_CLASS = {
    "cifar10": "kind 0",
    "mnist": "0 - zero",
    "fashion-mnist": "T-shirt/top",
    "kmnist": "o",
    "emnist-letters": "N/A",
    "flowers102": "pink primrose",
    "oxford-iiit-pet": "Breed A",
    "food101": "apple_pie",
    "stanford-cars": "Car 0",
    "gtsrb": "0",
    "svhn": "0",
    "caltech101": "accordion",
    "caltech256": "001.ak47",
    "sun397": "abbey",
    "stl10": "kind 0",
    "pcam": "0",
    "imagenette": "tench",
    "imagenet": "tench, Tinca tinca",
}


@pytest.mark.parametrize("name", WRITERS)
def test_files_are_read(name: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = compiled(name)
    module = project.module("data")
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setattr(module.dist, "barrier", lambda: None)
    WRITERS[name](Path("data"), monkeypatch.setattr)
    train, val = module.build_datasets(Path(module.DATA_DIR))
    for part in (train, val):
        assert len(part) == len(part.labels) > 0
        assert all(type(label) is int for label in part.labels)
        assert all(type(it) is str for it in part.classes)
        for index in range(len(part)):
            image, label, number = part[index, 3]
            assert (image.dtype, image.shape) == (torch.uint8, (3, 32, 32))
            assert (label, number) == (part.labels[index], index)
            title = f"{ROWS[name].title}'s "
            assert part.name(index).startswith(title) or Path(part.name(index)).is_file()
    assert train.transform is module.train_transform and val.transform is module.eval_transform
    if name in LABELS:
        assert train.labels == LABELS[name]
    if name in FIRST_CLASS:
        assert train.classes[0] == FIRST_CLASS[name]
    assert max(train.labels) < len(train.classes) <= ROWS[name].num_classes
    if ROWS[name].size:
        assert train.source[0][0].size == (ROWS[name].size,) * 2 if not ROWS[name].files else True
    if not ROWS[name].split:
        assert sorted([*train.labels, *val.labels]) == [0, 0, 0, 1, 1, 1]
    if name == "imagenet":
        assert train.classes == ["tench, Tinca tinca", "crane", "crane"]


def test_letters_stand_upright(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """EMNIST's files have them mirrored at the diagonal."""
    module = compiled("emnist-letters").module("data")
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setattr(module.dist, "barrier", lambda: None)
    WRITERS["emnist-letters"](Path("data"), None)
    raw = Path("data/EMNIST/raw/emnist-letters-test-images-idx3-ubyte").read_bytes()[16:]
    stored = torch.frombuffer(bytearray(raw), dtype=torch.uint8).view(4, 28, 28)
    _, val = module.build_datasets(Path("data"))
    val.transform = torch.nn.Identity()
    assert torch.equal(val[2, 0][0], stored[2].T.expand(3, 28, 28))


def test_the_order_of_a_disk_does_not_matter(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SUN397 lists its files as the disk does."""
    module = compiled("sun397").module("data")
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setattr(module.dist, "barrier", lambda: None)
    write_sun(Path("data"), monkeypatch.setattr)
    found = []
    rglob = Path.rglob

    def listed(reverse: bool) -> Any:
        return lambda folder, name: sorted(rglob(folder, name), reverse=reverse)

    for reverse in (False, True):
        with monkeypatch.context() as patch:
            patch.setattr(Path, "rglob", listed(reverse))
            found.append(module.build_datasets(Path("data")))
    one, other = found
    for a, b in zip(one, other, strict=True):
        assert (a.files, a.labels) == (b.files, b.labels)
        assert all(
            a.classes[label] in str(file) for file, label in zip(a.files, a.labels, strict=True)
        )


@pytest.mark.slow
def test_one_process_fetches_for_all(here: Path) -> None:
    project = compiled("cifar10", eval_transforms=[{"name": "Resize", "size": 32}])
    text = (
        "import time, sys\nfrom pathlib import Path\n"
        "def fetch(self):\n"
        "    Path('fetched').open('a').write('x'); time.sleep(1); Path('there').touch()\n"
        "def check(self): return Path('there').exists()\n"
        "def load(self): self.classes = [str(number) for number in range(10)]\n"
    )
    Path("fake.py").write_text(text)
    file = project.folder / "data.py"
    file.write_text(
        file.read_text().replace(
            "def build_datasets(",
            "import sys; sys.path.insert(0, '.'); import fake\n"
            "CIFAR10.download, CIFAR10._check_integrity = fake.fetch, fake.check\n"
            "CIFAR10._load_meta = fake.load\n"
            "CIFAR10.train_list = CIFAR10.test_list = [('batch', '')]\n\n\ndef build_datasets(",
        )
    )
    folder = Path("data/cifar-10-batches-py")
    folder.mkdir(parents=True)
    content = {"data": noise(8, 3072), "labels": [it % 10 for it in range(8)]}
    (folder / "batch").write_bytes(pickle.dumps(content))
    project.edit("train.py", "BATCH_SIZE = 2", "BATCH_SIZE = 4")
    project.run("train.py", "--output", "run", processes=2)
    assert Path("fetched").read_text() == "x"


# ---- what a build says ----


def problems(text: str) -> list[str]:
    Path("spec.json").write_text(text)
    with pytest.raises(SpecError) as error:
        build.load(Path("spec.json"))
    return [f"{it.key}: {it.message}" for it in error.value.diagnostics]


def test_splits_are_checked(here: Path) -> None:
    assert problems(spec("flowers102", train="training")) == [
        'data.train: Flowers-102 has no split "training"; write "train", "val" or "test"; '
        'did you mean "train"?'
    ]
    (said,) = problems(spec("eurosat", val_fraction=None))
    assert (
        said == "data.val_fraction: EuroSAT has no validation images; write e.g. val_fraction = 0.2"
    )
    (said,) = problems(spec("eurosat", train="train"))
    assert said.startswith("data.train: EuroSAT has no splits; leave it out")
    (said,) = problems(spec("fgvc-aircraft", train="trainval"))
    assert said.startswith('data.val: its images are in "trainval" as well')
    (said,) = problems(spec("mnist", val="train"))
    assert said.startswith('data.val: its images are in "train" as well')


def test_other_splits_are_read(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = compiled("fgvc-aircraft", train="trainval", val="test").module("data")
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setattr(module.dist, "barrier", lambda: None)
    write_aircraft(Path("data"), monkeypatch.setattr)
    folder = Path("data/fgvc-aircraft-2013b/data")
    (folder / "images_variant_trainval.txt").write_text("0000003 727-200\n")
    (folder / "images_variant_test.txt").write_text("0000002 A 380\n")
    train, val = module.build_datasets(Path("data"))
    assert [Path(part.name(0)).stem for part in (train, val)] == ["0000003", "0000002"]


def test_where_files_must_lie_is_said(here: Path) -> None:
    text = (compiled("imagenet").folder / "data.py").read_text()
    assert re.search(r'^# with .*\bILSVRC2012_img_train\.tar\b.*\nDATA_DIR = "data"$', text, re.M)


@pytest.mark.slow
def test_packages_are_required(here: Path) -> None:
    for name in ROWS:
        text = (compiled(name).folder / "requirements.txt").read_text()
        for package in ROWS[name].packages:
            assert f"{package}\n" in text
    assert "torchvision>=0.22\n" in (compiled("flowers102").folder / "requirements.txt").read_text()
