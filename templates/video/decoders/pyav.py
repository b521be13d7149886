"""Reading of video files: some frames, decoding as few others as that takes."""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import dropwhile
from pathlib import Path

import av
import torch
from av.container import InputContainer
from torch import Tensor

AHEAD = 4  # frames that a decoder may take in before it gives out the first

VIDEOS = (".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm", ".wmv")


def is_video_file(path: str) -> bool:
    """Return whether a file is a video by its name."""
    return path.lower().endswith(VIDEOS)


def read_video(path: str | Path, choose: Callable[[Tensor], Tensor]) -> Tensor:
    """Decode some frames of a video file, and no others than that takes.

    Args:
        choose: from the times at which the frames are shown, float64 [N] seconds from
            the first one's on, in rising order, to the numbers of those wanted,
            int64 [T], in any order and possibly several times the same.

    Returns:
        uint8 RGB [T, 3, H, W], upright as the file's display matrix says.

    Raises:
        RuntimeError: names the file, and what keeps it from being read.
    """
    try:
        # A title in unknown letters, as in some files of UCF101, is no obstacle.
        with av.open(path, metadata_errors="ignore") as file:
            video = Video(file)
            numbers = choose(video.seconds).tolist()
            clip = torch.empty(0)
            for place in sorted(range(len(numbers)), key=numbers.__getitem__):
                image = to_image(video.frame(numbers[place]))
                if not len(clip):
                    clip = image.new_empty(len(numbers), *image.shape)
                clip[place] = image
            # In one layout, copied by workers or not: it decides about roundings.
            return clip.permute(0, 3, 1, 2).contiguous()
    except Exception as error:  # each format and codec has its own
        message = f"{path}: not a readable video; mend or remove it ({error})"
        raise RuntimeError(message) from error


class Video:
    """An open video file, to read frames from by number, best in rising order.

    A file is a row of packets, each an encoded frame, in the order of decoding. Most
    tell only how a frame differs from others; at a key frame decoding can begin.
    """

    def __init__(self, file: InputContainer) -> None:
        self.file, self.stream = file, file.streams.best("video")
        if self.stream is None:
            raise ValueError("no video in it")
        self.stream.codec_context.thread_count = 1  # workers are processes already
        starts, times, keys = [], [], []
        for packet in file.demux(self.stream):
            starts.append(packet.pts if packet.dts is None else packet.dts)
            # An edit list may leave packets out; the last one tells but of the end.
            if packet.size and not packet.is_discard:
                times.append(time_of(packet))
                if packet.is_keyframe:
                    keys.append(time_of(packet))
        if not times or None in times:
            raise ValueError("no frames with times in it")
        self.start, self.times, self.keys = starts[0], sorted(times), sorted(keys)
        seconds = torch.tensor(self.times, dtype=torch.float64) - self.times[0]
        base = self.stream.time_base
        self.seconds = seconds * base.numerator / base.denominator  # float64 [N]
        # AVI files store no times. Where frames are not shown in the order of decoding,
        # the times read are wrong, and frames have to be counted from the first one on.
        self.counts = file.format.name == "avi" and self.stream.has_b_frames
        if self.counts:
            self.times, self.keys = range(len(times)), []
        self.number = len(times)  # of the last frame read

    def frame(self, number: int) -> av.VideoFrame:
        """Return a frame; for one never shown, the next one, or else the last."""

        time = self.times[number]
        keys = self.keys[: bisect_right(self.keys, time)]
        far = number > self.number + AHEAD and keys and keys[-1] > self.now
        if number < self.number or far:
            self.seek(time, keys)
        self.number = number
        while self.now < time and (following := next(self.frames, None)):
            self.now, self.shown = following
        return self.shown

    def seek(self, time: int, keys: list[int]) -> None:
        """Go to the last of `keys`, if decoding can begin there, or to one before."""
        # In some formats a seek goes by the time of decoding, and ends too far on.
        for key in keys[:-3:-1]:
            self.frames = dropwhile(
                lambda found: found[0] < time and not found[1].key_frame,
                self.decode(key),
            )
            self.now, self.shown = next(self.frames, (time, None))
            if self.now <= time and self.shown and self.shown.key_frame:
                return
        self.frames = self.decode(self.start)
        self.now, self.shown = next(self.frames, (time, None))
        if self.shown is None:
            raise ValueError("no frame of it can be decoded")

    def decode(self, start: int) -> Iterator[tuple[int, av.VideoFrame]]:
        """Yield frames with their times, or numbers, from about the time `start` on."""
        self.file.seek(start, stream=self.stream)
        frames = self.file.decode(self.stream)
        if self.counts:
            return enumerate(frames)
        return ((time_of(frame), frame) for frame in frames)


def time_of(part: av.Packet | av.VideoFrame) -> int | None:
    """Return when a frame is shown; some files only say when it is decoded."""
    return part.dts if part.pts is None else part.pts


def to_image(frame: av.VideoFrame) -> Tensor:
    """Convert a frame to uint8 RGB [H, W, 3], upright."""
    image = torch.from_numpy(frame.to_ndarray(format="rgb24", threads=1))
    return image.rot90(round(frame.rotation / 90)) if frame.rotation else image
