"""Clips read per second by the decoders of generated projects, and by plain loops over PyAV.

    python benchmarks/decoding.py [ROUNDS]

Makes videos of ten seconds, 30 frames each. All readers use one thread, as a data loader's worker
does, and read in turn, so that a machine whose speed drifts treats all alike. Prints for each the
median over the rounds; every round reads other frames, the same ones with every reader.
"""

import importlib.util
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import skimage.data
import skimage.transform
import torch
from torch import Tensor

TEMPLATES = Path(__file__).parents[1] / "templates" / "video" / "decoders"
FRAMES, RATE = 300, 30
# Width, height, and the largest distance of key frames: as an encoder does by default, for the
# whole file, and as for training.
VIDEOS = [(320, 256, 250), (320, 256, 9999), (320, 256, 12), (1280, 720, 250), (1280, 720, 9999)]

Reader = Callable[[str, Tensor], Tensor]


def single_frames(generator: torch.Generator) -> Tensor:
    """[1, 3]: one frame from each third, as a TSN is trained on."""
    third = FRAMES // 3
    return torch.arange(3)[None] * third + torch.randint(third, (1, 3), generator=generator)


def dense_clip(generator: torch.Generator) -> Tensor:
    """[1, 16]: frames 2 apart, from anywhere."""
    return torch.randint(FRAMES - 30, (1, 1), generator=generator) + torch.arange(0, 32, 2)


def ten_clips(generator: torch.Generator) -> Tensor:
    """[10, 32]: clips from all over the video, as in testing."""
    return torch.linspace(0, FRAMES - 32, 10).long()[:, None] + torch.arange(32)


# From a generator to the numbers of the frames in some clips, int64 [clips, frames].
PATTERNS = {
    "3 frames": single_frames,
    "16 frames, 2 apart": dense_clip,
    "10 clips of 32 frames": ten_clips,
}


def write_video(path: str, width: int, height: int, distance: int) -> None:
    """A picture of coffee that moves in circles, and a cat that crosses it."""
    coffee = skimage.transform.resize(skimage.data.coffee(), (height + 60, width + 60))
    cat = skimage.transform.resize(skimage.data.cat(), (height // 3, width // 3))
    coffee, cat = (255 * coffee).astype(np.uint8), (255 * cat).astype(np.uint8)
    with av.open(path, "w") as file:
        stream = file.add_stream("libx264", RATE, {"g": str(distance), "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(FRAMES):
            x, y = (int(30 + 30 * f(number / 20)) for f in (np.cos, np.sin))
            picture = coffee[y : y + height, x : x + width].copy()
            left = number * (width - cat.shape[1]) // FRAMES
            picture[height // 3 : height // 3 + len(cat), left : left + cat.shape[1]] = cat
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        file.mux(stream.encode(None))


def decoder_of(name: str) -> Reader:
    """The reader of a template."""
    spec = importlib.util.spec_from_file_location(f"video_{name}", TEMPLATES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda path, numbers: module.read_video(path, lambda seconds: numbers)


def from_the_start(path: str, numbers: Tensor) -> Tensor:
    """Decode from the first frame on until all are there."""
    return plain_loop(path, numbers, stop=int(numbers.max()))


def whole_file(path: str, numbers: Tensor) -> Tensor:
    """Decode all frames."""
    return plain_loop(path, numbers, stop=FRAMES)


def plain_loop(path: str, numbers: Tensor, stop: int) -> Tensor:
    wanted, images = set(numbers.tolist()), {}
    with av.open(path) as file:
        file.streams.video[0].codec_context.thread_count = 1
        for number, frame in enumerate(file.decode(video=0)):
            if number in wanted:
                images[number] = torch.from_numpy(frame.to_ndarray(format="rgb24", threads=1))
            if number == stop:
                break
    return torch.stack([images[number] for number in numbers.tolist()]).permute(0, 3, 1, 2)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    torch.set_num_threads(1)
    readers: dict[str, Reader] = {"pyav": decoder_of("pyav")}
    try:
        from torchcodec.decoders import ColorConverter

        ColorConverter()  # needs FFmpeg's libraries
        readers["torchcodec"] = decoder_of("torchcodec")
    except (ImportError, RuntimeError, OSError) as error:
        print(f"torchcodec cannot be loaded: {str(error).strip().splitlines()[0]}")
    readers |= {"from the start": from_the_start, "whole file": whole_file}

    print(f"{'clips per second':35}" + "".join(f"{name:>16}" for name in readers))
    with tempfile.TemporaryDirectory() as folder:
        for width, height, distance in VIDEOS:
            path = f"{folder}/{width}-{distance}.mp4"
            write_video(path, width, height, distance)
            which = "the first one only" if distance > FRAMES else f"every {distance}"
            print(f"{width} x {height}, key frames: {which}")
            for pattern, choose in PATTERNS.items():
                speeds = measure(readers, path, choose, rounds)
                print(f"    {pattern:31}" + "".join(f"{speed:16.2f}" for speed in speeds))


def measure(
    readers: dict[str, Reader], path: str, choose: Callable[..., Tensor], rounds: int
) -> list[float]:
    """Clips per second of each reader: the median."""
    generator = torch.Generator().manual_seed(0)
    spent: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(rounds):
        numbers = choose(generator)
        for name, read in readers.items():
            start = time.perf_counter()
            read(path, numbers.flatten())
            spent[name].append((time.perf_counter() - start) / len(numbers))
    return [1 / statistics.median(times) for times in spent.values()]


if __name__ == "__main__":
    main()
