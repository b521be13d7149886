# How whole files end. Pillow itself notices a cut WebP when it opens one.
ENDS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82", "GIF": b";"}


def read_headers(files: Sequence[str | Path]) -> list[tuple[int, int] | str]:
    """Look at all images before training begins; see `read_header`."""
    silent = QUIET or None  # or where there is no terminal
    with ThreadPoolExecutor() as pool:
        found = pool.map(read_header, files)
        return list(tqdm(found, "images", len(files), leave=False, disable=silent))


def read_header(file: str | Path) -> tuple[int, int] | str:
    """Return height and width of an upright image, or what keeps it from being read.

    A file that does not end as a whole one is decoded: it is cut, or something follows.
    """
    try:
        #% if data.bands
        if is_array(file):
            array = numpy.load(file, mmap_mode="r")  # its header alone
            if array.ndim != 3 or array.shape[2] != CHANNELS:
                return f"{file}: {array.shape}, not [H, W, {CHANNELS}]"
            if array.dtype not in (numpy.uint8, numpy.uint16):
                return f"{file}: {array.dtype}; save it as uint8 or uint16"
            return array.shape[0], array.shape[1]
        #% endif
        with open(file, "rb") as content:
            content.seek(-8, os.SEEK_END)
            end = content.read()
            with Image.open(content) as image:
                #% if data.bands
                if len(bands := image.getbands()) != CHANNELS:
                    return f"{file}: {len(bands)} channels ({image.mode}), not {CHANNELS}"
                #% else
                if image.mode in ("I", "F"):
                    return f"{file}: 32 bits a channel; save it with 8 or 16"
                #% endif
                width, height = image.size
                exif = Image.Image.getexif(image)  # that of PNG would decode the image
                turned = exif.get(ExifTags.Base.Orientation, 1) >= 5
                if not end.endswith(ENDS.get(image.format or "", b"")):
                    image.load()
                return (width, height) if turned else (height, width)
    except FileNotFoundError:
        return f"{file}: no such image"
    except Exception:  # each decoder has its own
        return f"{file}: not a readable image"
