def read_masks(record: Record) -> Tensor:
    """Draw the objects' masks: zeros and ones, uint8 [N, height, width].

    Raises:
        ValueError: if the file of masks is not as large as the image.
    """
    with Image.open(record.mask_file) as file:
        pixels = torch.from_numpy(np.array(file, np.int32))
    if pixels.shape != (record.height, record.width):
        raise ValueError(f"{record.mask_file}: not of the same size as {record.file}")
    return (pixels == record.numbers[:, None, None]).to(torch.uint8)
