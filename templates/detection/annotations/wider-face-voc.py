def read_records(root: Path, part: str, problems: list[str]) -> list[Record]:
    """Read the images of a part of WIDER FACE, and the faces in their XML files."""
    folder = root / f"WIDER_{part}"
    files: list[Path] = []
    images: list[Path] = []
    contents: list[ElementTree.Element] = []
    for name in map(str.strip, read_lines(root / f"{part}.txt")):
        if not name:
            continue
        file = folder / "Annotations" / f"{name}.xml"
        try:
            content = read_xml(file)
        except (OSError, ElementTree.ParseError, LookupError, ValueError) as error:
            problems.append(f"{file}: {error}")
            continue
        files.append(file)
        images.append(folder / content.findtext("folder", "").strip() / f"{name}.jpg")
        contents.append(content)
    records = []
    sizes = read_sizes(images, problems)
    for file, image, size, content in zip(files, images, sizes, contents, strict=True):
        if size is None:
            continue
        if not has_size(image, size, read_wanted_size(content), str(file), problems):
            continue
        objects: list[Object] = []
        for number, element in enumerate(content.findall("object"), 1):
            where = f"{file}: object {number}"
            try:
                corners = read_box(element)  # which count from 0 here, unlike VOC's
            except ValueError:
                problems.append(f"{where}: needs a bndbox of xmin, ymin, xmax and ymax")
                continue
            if corners[0] == corners[2] or corners[1] == corners[3]:
                continue  # there are faces of no size
            if box := cut_box(corners, size, where, problems):
                objects.append((box, NUM_CLASSES - 1, is_difficult(element)))
        records.append(build_record(image, size, objects))
    return records


#% include "detection/annotations/xml.py"
