def read_masks(record: Record) -> Tensor:
    """Draw the objects' masks: zeros and ones, uint8 [N, height, width]."""
    masks = torch.zeros(len(record.shapes), record.height, record.width, dtype=torch.uint8)
    for mask, shape in zip(masks, encode_shapes(record), strict=True):
        mask.copy_(torch.from_numpy(rle.decode(shape)))
    return masks


def encode_shapes(record: Record) -> list[dict[str, Any]]:
    """Encode the objects' masks as compressed RLE, without drawing polygons."""
    encoded = []
    for shape in record.shapes:
        if isinstance(shape, list):
            shape = rle.merge(rle.frPyObjects(shape, record.height, record.width))
        encoded.append(shape)
    return encoded
