"""Reading of video files: some frames, decoding as few others as that takes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor
from torchcodec.decoders import ColorConverter, Demuxer, RawFrame, VideoPacketDecoder

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
    converter = ColorConverter()  # fails here where FFmpeg is missing: no file's fault
    try:
        video = Video(Path(path))
        numbers = choose(video.seconds).tolist()
        clip = torch.empty(0)
        for place in sorted(range(len(numbers)), key=numbers.__getitem__):
            frame = converter.convert(video.frame(numbers[place]))
            image = frame.data.permute(1, 2, 0)  # [H, W, 3], as it lies in memory
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

    def __init__(self, path: Path) -> None:
        self.demuxer = Demuxer(path)
        (stream,) = self.demuxer.streams
        self.decoder = stream.make_decoder(num_ffmpeg_threads=1)
        index = stream.scan()
        if not len(index):
            raise ValueError("no frame in it")
        self.times = index.pts_seconds
        self.keys = self.times[index.is_key_frame]
        self.seconds = self.times - self.times[0]  # float64 [N]
        # AVI files store no times. Where frames are not shown in the order of decoding
        # (then the decoder holds back the first), the times read are wrong, and frames
        # have to be counted from the first one on.
        avi = path.suffix.lower() == ".avi"
        self.counts = avi and not self.decoder.decode(next(self.demuxer))
        if self.counts:
            self.times, self.keys = torch.arange(len(index)), torch.empty(0)
        self.number = len(index)  # of the last frame read

    def frame(self, number: int) -> RawFrame:
        """Return a frame; for one never shown, the next one, or else the last."""

        time = self.times[number]
        keys = self.keys[self.keys <= time]
        far = number > self.number + AHEAD and len(keys) and keys[-1] > self.now
        if number < self.number or far:
            self.seek(time, keys)
        self.number = number
        while self.now < time and (following := next(self.frames, None)):
            self.now, self.shown = following
        return self.shown

    def seek(self, time: Tensor, keys: Tensor) -> None:
        """Go to the last of `keys`, if decoding can begin there, or to one before."""
        # In some formats a seek goes by the time of decoding, and ends too far on.
        for start in [*reversed(keys[-2:].tolist()), 0]:
            self.frames = self.decode(start)
            self.now, self.shown = next(self.frames, (time, None))
            if self.now <= time and self.shown:
                return
        if self.shown is None:
            raise ValueError("no frame of it can be decoded")

    def decode(self, start: float) -> Iterator[tuple[float, RawFrame]]:
        """Yield frames with their times, or numbers, from about the time `start` on."""
        self.demuxer.seek(start)
        self.decoder.reset()
        frames = all_frames(self.demuxer, self.decoder)
        if self.counts:
            return enumerate(frames)
        return ((frame.pts_seconds, frame) for frame in frames)


def all_frames(demuxer: Demuxer, decoder: VideoPacketDecoder) -> Iterator[RawFrame]:
    """Yield the frames of the remaining packets."""
    for packet in demuxer:
        yield from decoder.decode(packet)
    yield from decoder.drain()
