"""The sizes of images or videos, and those that cannot be read."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from specc.source.diagnostics import visible
from specc.tasks.common.places import VIDEOS

LOOKED_AT = 1000  # images, from all over
OPENED = 200  # videos
NAMED = 5  # broken files in a sentence


def sizes(files: Sequence[Path]) -> Iterator[str]:
    """Describe the sizes in a few sentences; nothing for no files."""
    if not files:
        return
    videos = files[0].suffix.lower() in VIDEOS
    try:
        found = list(_videos(files) if videos else _images(files))
    except ImportError as error:
        yield f"not opened, as {error.name} is not installed"
        return
    if sides := [side for _, side, _ in found if side]:
        widths, heights = zip(*sides, strict=True)
        middle = f"{median(widths):.0f}x{median(heights):.0f}"
        extent = f"{min(widths)}x{min(heights)} to {max(widths)}x{max(heights)}"
        yield f"{extent} pixels, {middle} in the middle"
    if seconds := [length for _, _, length in found if length]:
        extent = f"{min(seconds):.1f} to {max(seconds):.1f} seconds"
        yield f"{extent}, {median(seconds):.1f} in the middle"
    if broken := [str(file) for file, side, _ in found if not side]:
        more = f" and {len(broken) - NAMED} more" if len(broken) > NAMED else ""
        yield visible(f"cannot be read: {', '.join(broken[:NAMED])}{more}")


# The width and height in pixels, or None of a broken file, and the seconds if it has them.
Measured = tuple[Path, tuple[int, int] | None, float | None]


def _images(files: Sequence[Path]) -> Iterator[Measured]:
    from PIL import Image

    for file in files[:: max(1, len(files) // LOOKED_AT)]:
        try:
            with Image.open(file) as image:
                yield file, image.size, None
        except (OSError, SyntaxError, ValueError):
            yield file, None, None


def _videos(files: Sequence[Path]) -> Iterator[Measured]:
    """Measure the first frame of each, as a file may lack a description of itself."""
    import av

    for file in files[:: max(1, len(files) // OPENED)]:
        try:
            with av.open(str(file)) as container:
                frame = next(container.decode(video=0))
                length = container.duration / av.time_base if container.duration else None
                yield file, (frame.width, frame.height), length
        except (av.FFmpegError, IndexError, StopIteration):
            yield file, None, None
