def letterbox(image: Tensor) -> Tensor:
    """Resize a whole image, uint8 [..., 3, H, W], to fit in IMAGE_SIZE.

    It is in the middle, between borders of MEAN's colour, which `normalize` makes about 0.
    """
    #% if data.rectangle
    high, wide = IMAGE_SIZE
    #% else
    high = wide = IMAGE_SIZE
    #% endif
    height, width = image.shape[-2:]
    scale = min(high / height, wide / width)
    size = [max(1, round(scale * height)), max(1, round(scale * width))]
    down, right = high - size[0], wide - size[1]
    borders = [right // 2, down // 2, right - right // 2, down - down // 2]
    image = {{ data.fit.resized }}
    return F.pad(image, borders, fill=[round(255 * value) for value in MEAN])
