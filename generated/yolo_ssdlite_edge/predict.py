"""Find objects in images: `python predict.py photo.jpg folder 'more/*.png'`."""

import argparse
import glob
import json
import os
import signal
import sys
from collections import Counter
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms.v2 import functional as F

from annotations import CLASSES, is_image_file
from data import build_loader, outline, read_image, to_floats
from evaluate import CHECKPOINT, detect, load_model, to_coco, to_dataset

THRESHOLD = 0.5  # objects with a lower score are left out
PICTURES = Path(__file__).parent / "runs/predictions"


@dataclass
class Files(Dataset[Tensor | str]):
    """Images, uint8 [3, H, W]; an error message where one cannot be read."""

    paths: list[str]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor | str:
        try:
            return read_image(self.paths[index])
        except RuntimeError as error:
            return str(error)


def find(patterns: list[str]) -> list[str]:
    """List files, and the images in folders and among matches of globs, each once."""
    paths: dict[str, None] = {}
    for pattern in patterns:
        inside = os.path.join(glob.escape(pattern), "**")
        searched = inside if os.path.isdir(pattern) else pattern
        files = sorted(filter(is_image_file, glob.glob(searched, recursive=True)))
        if os.path.isfile(pattern):
            files = [pattern]  # whatever its name
        if not files:
            raise SystemExit(f"{shown(pattern)}: no image here")
        paths |= dict.fromkeys(files)
    return list(paths)


def shown(text: str) -> str:
    """Return `text` in one line, with control characters escaped for the terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def unused(path: Path, taken: set[str]) -> Path:
    """Return `path`, numbered if it is taken already, and add it to `taken`."""
    numbered = (path.with_stem(f"{path.stem}-{number}") for number in count(2))
    place = next(p for p in chain([path], numbered) if os.path.realpath(p) not in taken)
    taken.add(os.path.realpath(place))
    return place


def main() -> None:
    parser = argparse.ArgumentParser(description="Find objects in images.")
    parser.add_argument("images", nargs="+", help="files, folders, or globs in quotes")
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--threshold", type=float, default=THRESHOLD, help="of scores")
    parser.add_argument("--draw", type=Path, default=PICTURES, help="pictures' folder")
    parser.add_argument("--json", type=Path, help="file to write the objects to")
    args = parser.parse_args()
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))  # Ctrl-C: no traceback

    files = find(args.images)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = load_model(args.checkpoint, device)
    args.draw.mkdir(parents=True, exist_ok=True)
    width = max(len(shown(path)) for path in files)
    unread, images, objects = [], [], []
    taken = set(map(os.path.realpath, files))  # no picture is drawn over an image
    loader = build_loader(Files(files), batch_size=None)
    for image_id, (path, image) in enumerate(zip(files, loader, strict=True), start=1):
        if isinstance(image, str):
            unread.append(shown(image))
            continue
        try:
            detected = detect(model, *to_floats([image], device))
        except RuntimeError as error:  # one so thin, e.g., that no row of it is left
            height, width = image.shape[1:]
            unread.append(shown(f"{path}: {width} x {height} pixels: {error}"))
            continue
        kept = detected["scores"] >= args.threshold
        detected = {name: values[kept] for name, values in detected.items()}
        size = {"height": image.shape[1], "width": image.shape[2]}
        images.append({"id": image_id, "file_name": path, **size})
        objects += to_coco(image_id, detected, score=detected["scores"])

        names = [CLASSES[label] for label in detected["labels"].tolist()]
        counts = [f"{n} {shown(name)}" for name, n in Counter(names).most_common()]
        print(f"{shown(path):{width}}   {', '.join(counts) or 'nothing'}")
        pairs = zip(names, detected["scores"].tolist(), strict=True)
        texts = [f"{name} {score:.0%}" for name, score in pairs]
        picture = unused(args.draw / f"{Path(path).stem}-found.jpg", taken)
        F.to_pil_image(outline(image, detected, texts)).save(picture, quality=95)
    print(f"pictures: {shown(str(args.draw))}")
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(to_dataset(images, objects)))
    if unread:
        header = f"{len(unread)} of {len(files)} files were not read:"
        raise SystemExit("\n".join([header, *unread]))


if __name__ == "__main__":
    main()
