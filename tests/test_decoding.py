"""Frames of video files: the right ones, upright, and no others decoded than that takes."""

import importlib.util
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import numpy as np
import pytest
import torch
from torch import Tensor

TEMPLATES = Path(__file__).parents[1] / "templates" / "video" / "decoders"
WIDTH, HEIGHT, BITS, BLOCK = 160, 96, 9, 16
TICKS = Fraction(1, 1000)  # of a second: what Matroska counts in


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"decoder_{name}", TEMPLATES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def torchcodec_missing() -> str:
    try:
        from torchcodec.decoders import ColorConverter

        ColorConverter()
    except (ImportError, OSError, RuntimeError) as error:  # it does not find FFmpeg's libraries
        return str(error).strip().splitlines()[0]
    return ""


MISSING = torchcodec_missing()
DECODERS = [
    "pyav",
    pytest.param("torchcodec", marks=pytest.mark.skipif(bool(MISSING), reason=MISSING)),
]


@pytest.fixture(params=DECODERS)
def decoder(request: pytest.FixtureRequest) -> ModuleType:
    return load(request.param)


def picture(number: int) -> np.ndarray:
    """Uint8 [HEIGHT, WIDTH, 3]: a number's bits as blocks in the first rows, and waves below."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    wave = np.sin((x + 3 * number) / 9) * np.cos(y / 7)
    image = (128 + 90 * np.stack([wave, wave[:, ::-1], np.roll(wave, number, 1)], 2)).astype(
        np.uint8
    )
    image[:BLOCK] = 0
    for bit in range(BITS):
        if number >> bit & 1:
            image[:BLOCK, bit * BLOCK : (bit + 1) * BLOCK] = 255
    return image


def numbers_in(images: Tensor) -> list[int]:
    """What is written in uint8 [T, 3, HEIGHT, WIDTH]."""
    inner = images[:, 1, 4 : BLOCK - 4].float().mean(1)
    blocks = inner[:, : BITS * BLOCK].unflatten(1, (BITS, BLOCK))[..., 4:-4].mean(-1)
    return [sum(1 << bit for bit in range(BITS) if row[bit] > 128) for row in blocks]


def write(
    path: Path,
    count: int,
    codec: str = "libx264",
    times: list[int] | None = None,
    context: dict[str, Any] | None = None,
    **options: str,
) -> Path:
    """A file of numbered frames, 30 a second or at `times` in TICKS."""
    with av.open(path, "w") as file:
        stream = file.add_stream(codec, 30, options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for key, value in (context or {}).items():
            setattr(stream.codec_context, key, value)
        if times:
            stream.codec_context.time_base = TICKS
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(picture(number), "rgb24")
            if times:
                frame.pts, frame.time_base = times[number], TICKS
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def rewrite(source: Path, target: Path, packets: list[av.Packet], **options: str) -> Path:
    """A file of the same stream, but of other packets."""
    with av.open(source) as file, av.open(target, "w", container_options=options) as out:
        stream = out.add_stream_from_template(file.streams.video[0])
        for packet in packets:
            packet.stream = stream
            out.mux(packet)
    return target


def packets_of(path: Path) -> list[av.Packet]:
    with av.open(path) as file:
        return [packet for packet in file.demux(video=0) if packet.size]


def packed(source: Path, target: Path) -> Path:
    """As DivX writes B-frames, in HMDB51 for one: in one packet with the frame before.

    Packets of nothing fill the places, and a further one follows the first frame.
    """
    chunks: list[bytes] = []
    for packet in packets_of(source):
        data = re.sub(rb"Lavc[\d.]+", b"DivX503b2816p", bytes(packet))
        if data[data.index(b"\0\0\1\xb6") + 4] >> 6 == 2:  # a B-frame
            chunks[-1:] = [chunks[-1] + data, b"\x7f"]
        else:
            chunks += [data] if chunks else [data, b"\x7f"]
    packets = [av.Packet(chunk) for chunk in chunks]
    for number, packet in enumerate(packets):
        packet.pts = packet.dts = number
        packet.time_base = Fraction(1, 30)
        packet.is_keyframe = number < 2
    return rewrite(source, target, packets)


def cut(source: Path, target: Path, frames: int) -> Path:
    """Hide the first frames by an edit list; decoding needs them all the same."""
    packets = packets_of(source)
    for packet in packets:
        shift = round(frames / 30 / packet.time_base)
        packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
    return rewrite(source, target, packets, avoid_negative_ts="disabled")


VARIABLE = (np.arange(80) * 20 + np.arange(80) ** 2 // 3 * 7).tolist()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("videos")
    b_frames = {"gop_size": 12, "max_b_frames": 2}
    return {
        "b-frames": write(root / "b.mp4", 300, g="12", bf="3"),
        "one key frame": write(root / "key.mp4", 300, g="999", sc_threshold="0"),
        "close key frames": write(root / "close.mp4", 60, bf="3", g="3", keyint_min="1"),
        "old avi": write(root / "old.avi", 60, "mpeg4", context=b_frames),
        "avi without b-frames": write(root / "p.avi", 60, "mpeg4", context={"gop_size": 12}),
        "h264 avi": write(root / "h264.avi", 60, g="12", bf="3"),
        "packed avi": packed(
            write(root / "plain.avi", 60, "mpeg4", context=b_frames | {"max_b_frames": 1}),
            root / "packed.avi",
        ),
        "variable rate": write(root / "variable.mkv", 80, times=VARIABLE, g="12", bf="3"),
        "transport stream": write(root / "b.ts", 60, g="12", bf="3"),
        "edit list": cut(root / "b.mp4", root / "cut.mp4", 5),
        "one frame": write(root / "one.mp4", 1),
        "three frames": write(root / "three.mp4", 3),
    }


FILES = {
    "b-frames": 300,
    "one key frame": 300,
    "close key frames": 60,
    "old avi": 60,
    "avi without b-frames": 60,
    "h264 avi": 60,
    "packed avi": 61,
    "variable rate": 80,
    "transport stream": 60,
    "edit list": 295,
    "one frame": 1,
    "three frames": 3,
}


def in_order(path: Path) -> Tensor:
    """All frames, uint8 [N, 3, H, W]."""
    with av.open(path) as file:
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    return torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)


def read(decoder: ModuleType, path: Path, numbers: list[int]) -> Tensor:
    return decoder.read_video(path, lambda seconds: torch.tensor(numbers))


@pytest.mark.parametrize("name", FILES)
def test_a_frame_is_the_one_of_that_number(
    decoder: ModuleType, files: dict[str, Path], name: str
) -> None:
    path, count = files[name], FILES[name]
    every = in_order(path)
    written = numbers_in(every)
    first = 5 if name == "edit list" else 0
    assert written == list(range(first, first + len(every)))
    last = len(every) - 1  # for what a packet of nothing counts as, the last frame stands
    generator = torch.Generator().manual_seed(0)
    shuffled = torch.randperm(count, generator=generator).tolist()
    choices = [
        list(range(count)),
        shuffled[:20],
        sorted(shuffled[:3]),
        [count - 1, 0, count - 1, count // 2, 0],
        *([number] for number in range(0, count, 1 + count // 30)),
        [count - 1],
    ]
    for numbers in choices:
        clip = read(decoder, path, numbers)
        assert clip.dtype == torch.uint8
        assert clip.shape == (len(numbers), 3, HEIGHT, WIDTH)
        expected = every[[min(number, last) for number in numbers]]
        assert numbers_in(clip) == numbers_in(expected), numbers
        if decoder.__name__ == "decoder_pyav":
            assert torch.equal(clip, expected), numbers
        else:  # it may be of another FFmpeg, whose colours differ by rounding
            assert (clip.float() - expected.float()).abs().mean() < 3


@pytest.mark.parametrize("name", FILES)
def test_choose_gets_the_times(decoder: ModuleType, files: dict[str, Path], name: str) -> None:
    seen = []

    def choose(seconds: Tensor) -> Tensor:
        seen.append(seconds)
        return torch.tensor([0])

    decoder.read_video(files[name], choose)
    (seconds,) = seen
    assert seconds.dtype == torch.float64
    assert len(seconds) == FILES[name]
    expected = torch.arange(FILES[name], dtype=torch.float64) / 30
    if name == "variable rate":
        expected = torch.tensor(VARIABLE, dtype=torch.float64) / 1000
    torch.testing.assert_close(seconds, expected, rtol=0, atol=1e-4)


@dataclass
class Work:
    seeks: int = 0
    frames: int = 0


@pytest.fixture
def work(decoder: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Work:
    """What a decoder does: how often it begins anew, and how many frames it gives out."""
    done = Work()
    plain = decoder.Video.decode

    def counting(self: Any, start: Any) -> Iterator[Any]:
        done.seeks += 1
        for found in plain(self, start):
            done.frames += 1
            yield found

    monkeypatch.setattr(decoder.Video, "decode", counting)
    return done


@pytest.mark.parametrize(
    ("name", "numbers", "most"),
    [
        ("one key frame", [5], Work(1, 6)),
        ("one key frame", [0], Work(1, 1)),
        ("one key frame", [200, 100, 150], Work(1, 201)),  # each once, in whatever order
        ("one key frame", [7, 7, 7], Work(1, 8)),
        ("b-frames", [299], Work(1, 12)),
        ("b-frames", [10, 150, 290], Work(3, 36)),
        ("b-frames", list(range(100, 132, 2)), Work(1, 12 + 31)),  # on over key frames
        ("variable rate", [70], Work(1, 12)),
        ("avi without b-frames", [58], Work(1, 12)),
        ("transport stream", [58], Work(2, 36)),
        ("packed avi", [3], Work(1, 4)),
    ],
)
def test_no_more_is_decoded_than_that_takes(
    decoder: ModuleType,
    files: dict[str, Path],
    work: Work,
    name: str,
    numbers: list[int],
    most: Work,
) -> None:
    assert numbers_in(read(decoder, files[name], numbers)) == numbers
    assert work.frames <= most.frames
    assert work.seeks <= most.seeks


@pytest.mark.parametrize(
    ("matrix", "turns"),  # clockwise, as a phone's display matrix says them
    [((0, 1, -1, 0), 1), ((-1, 0, 0, -1), 2), ((0, -1, 1, 0), 3)],
)
def test_frames_are_upright(
    decoder: ModuleType,
    files: dict[str, Path],
    tmp_path: Path,
    matrix: tuple[int, int, int, int],
    turns: int,
) -> None:
    data = bytearray(files["three frames"].read_bytes())
    a, b, c, d = (value << 16 for value in matrix)
    at = data.index(b"tkhd") + 44
    assert struct.unpack_from(">9i", data, at) == (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    struct.pack_into(">9i", data, at, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path = tmp_path / "turned.mp4"
    path.write_bytes(data)
    clip = read(decoder, path, [0, 1, 2])
    assert clip.shape[2:] == ((WIDTH, HEIGHT) if turns % 2 else (HEIGHT, WIDTH))
    lying = read(decoder, files["three frames"], [0, 1, 2])
    assert torch.equal(clip.rot90(turns, (2, 3)), lying)


def test_titles_may_be_in_any_encoding(
    decoder: ModuleType, files: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "title.avi"
    with av.open(files["avi without b-frames"]) as file, av.open(path, "w") as out:
        out.metadata["title"] = "a title"
        stream = out.add_stream_from_template(file.streams.video[0])
        for packet in file.demux(video=0):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    data = path.read_bytes()
    assert data.count(b"a title") == 1
    path.write_bytes(data.replace(b"a title", b"\xd3\xd3title"))
    assert numbers_in(read(decoder, path, [31])) == [31]


def audio(path: Path) -> None:
    with av.open(path, "w") as file:
        stream = file.add_stream("aac", 16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), "fltp", "mono")
        frame.sample_rate = 16000
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


BROKEN = {
    "missing": lambda path, whole: None,
    "empty": lambda path, whole: path.write_bytes(b""),
    "text": lambda path, whole: path.write_text("no video, but some words\n" * 50),
    "folder": lambda path, whole: path.mkdir(),
    "audio": lambda path, whole: audio(path),
    "truncated": lambda path, whole: path.write_bytes(whole[: len(whole) // 2]),
    "header only": lambda path, whole: path.write_bytes(whole[:100]),
    "scrambled": lambda path, whole: path.write_bytes(
        bytes(len(whole) // 2) + whole[len(whole) // 2 :]
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_named(
    decoder: ModuleType, files: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    path = tmp_path / f"{kind}.mp4"
    BROKEN[kind](path, files["b-frames"].read_bytes())
    with pytest.raises(RuntimeError, match="not a readable video; mend or remove it") as error:
        read(decoder, path, [0, 1])
    assert str(error.value).startswith(f"{path}: ")


def test_a_file_without_its_end_is_read_as_far_as_it_goes(
    decoder: ModuleType, files: dict[str, Path], tmp_path: Path
) -> None:
    whole = files["variable rate"].read_bytes()
    path = tmp_path / "truncated.mkv"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    clip = decoder.read_video(path, lambda seconds: torch.tensor([0, len(seconds) // 2]))
    first, middle = numbers_in(clip)
    assert first == 0
    assert 10 < middle < 40


def test_frames_have_one_layout_in_memory(decoder: ModuleType, files: dict[str, Path]) -> None:
    assert read(decoder, files["b-frames"], [0, 1]).is_contiguous()
