Line = tuple[str, list[float]]  # its place, and its numbers


def read_records(root: Path, part: str, problems: list[str]) -> list[Record]:
    """Read the images of a part of WIDER FACE, and the faces in them.

    Raises:
        ValueError: names a line that is not as it should be.
    """
    file = root / "wider_face_split" / f"wider_face_{part}_bbx_gt.txt"
    images: list[Path] = []
    faces: list[list[Line]] = []  # of each image
    lines = enumerate(read_lines(file), 1)
    for number, name in lines:
        images.append(root / f"WIDER_{part}" / "images" / name.strip())
        faces.append([])
        try:
            number, text = next(lines, (number, ""))
            count = max(int(text), 1)  # where there is no face, there is a line of zeros
            for number, text in islice(lines, count):
                values = list(map(float, text.split()))
                if len(values) != 10:
                    raise ValueError(f"must be 10 numbers, not {len(values)}")
                faces[-1].append((f"{file}:{number}", values))
        except ValueError as error:
            raise ValueError(f"{file}:{number}: {error}") from error
    records = []
    sizes = read_sizes(images, problems)
    for image, size, rows in zip(images, sizes, faces, strict=True):
        if size is None:
            continue
        objects: list[Object] = []
        for where, (x, y, width, height, _, _, _, invalid, _, _) in rows:
            if not width or not height:
                continue  # a line of zeros, or one of the few faces of no size
            if box := cut_box([x, y, x + width, y + height], size, where, problems):
                objects.append((box, NUM_CLASSES - 1, invalid == 1))
        records.append(build_record(image, size, objects))
    return records
