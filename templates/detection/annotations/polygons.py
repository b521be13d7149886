def read_masks(record: Record) -> Tensor:
    """Draw the objects' masks: zeros and ones, uint8 [N, height, width].

    Raises:
        ValueError: if one cannot be made.
    """
    size = record.height, record.width
    masks = torch.zeros(len(record.shapes), *size, dtype=torch.uint8)
    for mask, shape in zip(masks, record.shapes, strict=True):
        try:
            if isinstance(shape, list):
                shape = rle.merge(rle.frPyObjects(shape, *size))
            mask.copy_(torch.from_numpy(rle.decode(shape)))
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"{record.file}: no mask can be made: {error}") from error
    return masks


def encode_shapes(record: Record) -> list[dict[str, Any]]:
    """Encode the objects' masks as compressed RLE, without drawing polygons.

    Raises:
        ValueError: if one cannot be made.
    """
    encoded = []
    for shape in record.shapes:
        try:
            if isinstance(shape, list):
                polygons = rle.frPyObjects(shape, record.height, record.width)
                encoded.append(rle.merge(polygons))
            else:
                rle.decode(shape)  # which raises where it is malformed
                encoded.append(shape)
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"{record.file}: no mask can be made: {error}") from error
    return encoded
