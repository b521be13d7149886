def cover(image: Tensor) -> Tensor:
    """Resize an image, uint8 [..., H, W], to cover MARGIN times IMAGE_SIZE."""
    height, width = image.shape[-2:]
    scale = MARGIN * max(IMAGE_SIZE[0] / height, IMAGE_SIZE[1] / width)
    size = [round(scale * height), round(scale * width)]
    return {{ data.fit.resized }}
