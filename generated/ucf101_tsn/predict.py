"""Name the class of videos: `python predict.py clip.mp4 folder 'more/*.avi'`."""

import argparse
import csv
import glob
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

import checkpoint
from data import build_loader, draw, test_views
from model import build_model, score
from video import is_video_file

CHECKPOINT = Path(__file__).parent / "runs/best.pt"
TOPK = 3  # classes to name for a video
DRAWN = 16  # videos on a picture, the first ones


@dataclass
class Files(Dataset[tuple[Tensor, str]]):
    """Views of videos, uint8 [V, T, 3, H, W], with error messages.

    The message is "" if the video was read; an unreadable video has no view.
    """

    paths: list[str]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, str]:
        try:
            return test_views(Path(self.paths[index])), ""
        except RuntimeError as error:
            return torch.empty(0), str(error)


def find(patterns: list[str]) -> list[str]:
    """List files, and the videos in folders and among matches of globs, each once."""
    paths: dict[str, None] = {}
    for pattern in patterns:
        inside = os.path.join(glob.escape(pattern), "**")
        searched = inside if os.path.isdir(pattern) else pattern
        files = sorted(filter(is_video_file, glob.glob(searched, recursive=True)))
        if os.path.isfile(pattern):
            files = [pattern]  # whatever its name
        if not files:
            raise SystemExit(f"{shown(pattern)}: no video here")
        paths |= dict.fromkeys(files)
    return list(paths)


def shown(text: str) -> str:
    """Return `text` in one line, with control characters escaped for the terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


@torch.inference_mode()
def predict(
    model: nn.Module, files: list[str], device: torch.device
) -> Iterator[tuple[Tensor, str, Tensor]]:
    """Yield for each file a clip, its error, and probabilities [NUM_CLASSES]."""
    for clip, error in build_loader(Files(files), batch_size=None):
        if error:
            yield clip, error, clip
            continue
        logits = score(model, clip[None].to(device, non_blocking=True))
        yield clip[0], error, logits[0].softmax(0).cpu()


def main() -> None:
    parser = argparse.ArgumentParser(description="Name the class of videos.")
    parser.add_argument("paths", nargs="+", help="files, folders, or globs in quotes")
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument(
        "--csv", type=Path, default=os.devnull, help="file to write the table to"
    )
    parser.add_argument("--draw", type=Path, help="picture to draw the answers on")
    args = parser.parse_args()
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))  # Ctrl-C: no traceback

    files = find(args.paths)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    state = checkpoint.load(args.checkpoint)
    classes = state["classes"]
    model = build_model().to(device).eval()
    checkpoint.load_model(model, state["model"], args.checkpoint)
    width = max(len(shown(path)) for path in files)
    class_width = max(len(shown(name)) for name in classes)
    unread, drawn, titles = [], [], []
    args.csv.parent.mkdir(parents=True, exist_ok=True)
    with open(
        args.csv, "w", encoding="utf-8", errors="surrogateescape", newline=""
    ) as file:
        table = csv.writer(file)
        columns = [(f"class_{k + 1}", f"probability_{k + 1}") for k in range(TOPK)]
        table.writerow(["path", *chain(*columns)])
        answers = predict(model, files, device)
        for path, (sample, error, probabilities) in zip(files, answers, strict=True):
            if error:
                unread.append(shown(error))
                continue
            top = (t.tolist() for t in probabilities.topk(TOPK))
            named = [(classes[label], p) for p, label in zip(*top, strict=True)]
            table.writerow([path, *chain(*named)])
            cells = [f"{shown(name):{class_width}} {p:6.1%}" for name, p in named]
            print(f"{shown(path):{width}}", *cells, sep="   ")
            if len(drawn) < DRAWN:
                drawn.append(sample)
                titles.append("   ".join([os.path.basename(path), *cells]))
    if args.draw and drawn:
        args.draw.parent.mkdir(parents=True, exist_ok=True)
        draw(drawn, titles).savefig(args.draw)
    if unread:
        header = f"{len(unread)} of {len(files)} files were not read:"
        raise SystemExit("\n".join([header, *unread]))


if __name__ == "__main__":
    main()
