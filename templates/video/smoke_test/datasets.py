#% if decoder == "pyav"
def write_video(path: str) -> None:
    """Write eight frames of noise as a video file."""
    shape = ({{ data.sides }}, 3)
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.height, stream.width, _ = shape
        for _ in range(8):
            noise = torch.randint(256, shape, dtype=torch.uint8).numpy()
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise)))
        container.mux(stream.encode())
#% else
def write_video(path: str) -> None:
    """Write eight frames of noise as a video file."""
    shape = (8, 3, {{ data.sides }})
    noise = torch.randint(256, shape, dtype=torch.uint8)
    VideoEncoder(noise, frame_rate=10).to_file(path)
#% endif


def build_datasets(root: Path) -> tuple[data.Samples, data.Samples]:
    """List the eight videos of noise in `root`, for training and for validation."""
    #% if data.rawframes
    videos = [data.Frames(root / str(i), data.FIRST_FRAME, 8) for i in range(8)]
    #% else
    videos = [root / f"{index}.mp4" for index in range(8)]
    #% endif
    classes = [f"class {number}" for number in range(data.NUM_CLASSES)]
    labels = [index % data.NUM_CLASSES for index in range(8)]
    return (
        data.Samples(videos, labels, classes, data.train_clip),
        data.Samples(videos, labels, classes, data.eval_clip),
    )
