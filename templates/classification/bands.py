def read_image(path: str | Path) -> Tensor:
    """Read a file as uint8 [CHANNELS, H, W], in the file's own order.

    It is an image, turned upright as its EXIF data says, or an array [H, W, CHANNELS]
    #% if data.value_range
    in a .npy file; of 16 bits VALUE_RANGE becomes 0 to 255.
    #% else
    in a .npy file; of 16 bits the upper 8 are kept.
    #% endif
    """
    try:
        if is_array(path):
            array = numpy.load(path)
            #% if data.value_range
            if array.dtype == numpy.uint16:
                low, high = VALUE_RANGE
                array = (array.astype(int) - low) * 256 // (high - low + 1)
                array = array.clip(0, 255).astype(numpy.uint8)
            #% else
            if array.dtype == numpy.uint16:
                array = (array >> 8).astype(numpy.uint8)
            #% endif
            image = torch.from_numpy(array).permute(2, 0, 1).contiguous()
        else:
            with Image.open(path) as file:
                image = F.pil_to_tensor(ImageOps.exif_transpose(file))
        if len(image) != CHANNELS or image.dtype != torch.uint8:
            wanted = f"uint8 with {CHANNELS} channels"
            raise ValueError(f"{image.dtype} with {len(image)}, not {wanted}")
        return image
    except Exception as error:  # each decoder has its own
        message = f"{path}: not a readable image; mend or remove it ({error})"
        raise RuntimeError(message) from error


def is_array(path: str | Path) -> bool:
    """Return whether a file is a NumPy array by its name."""
    return str(path).lower().endswith(".npy")


def is_image_file(path: str) -> bool:
    """Return whether a file is an image, or an array that is one, by its name."""
    return path.lower().endswith((*IMG_EXTENSIONS, ".avif", ".gif", ".jfif", ".npy"))
