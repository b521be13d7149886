#% if annotations.folders
#% include "detection/annotations/find_images.py"


#% if annotations.xml
def read_records(folder: Path, xml: Path, problems: list[str]) -> list[Record]:
    """Read the images in a folder, and the objects in files of their names in `xml`."""
#% else
def read_records(folder: Path, problems: list[str]) -> list[Record]:
    """Read the images in a folder, and the objects in the XML files beside them."""
#% endif
    images = find_images(folder)
    records = []
    for image, size in zip(images, read_sizes(images, problems), strict=True):
        #% if annotations.xml
        file = xml / f"{image.stem}.xml"
        #% else
        file = image.with_suffix(".xml")
        #% endif
        if size and (objects := read_objects(file, image, size, problems)) is not None:
            records.append(build_record(image, size, objects))
    return records


#% else
def read_records(lists: list[Path], problems: list[str]) -> list[Record]:
    """Read the images of Pascal VOC's lists, in their order, and the objects."""
    places: list[tuple[Path, str]] = []  # VOC's folder, and the name of an image
    images: list[Path] = []
    for file in lists:
        folder = file.parents[2]
        present = sorted((folder / "JPEGImages").iterdir())
        files = {path.stem: path for path in present if is_image_file(path.name)}
        for line in read_lines(file):
            if name := line.strip():
                places.append((folder, name))
                images.append(files.get(name, folder / "JPEGImages" / f"{name}.jpg"))
    records = []
    sizes = read_sizes(images, problems)
    #% if annotations.masks
    mask_files = [place / "SegmentationObject" / f"{name}.png" for place, name in places]
    mask_sizes = read_sizes(mask_files, problems)
    rows = zip(places, images, sizes, mask_files, mask_sizes, strict=True)
    for (folder, name), image, size, mask_file, mask_size in rows:
        if size is None or mask_size is None:
            continue
        if mask_size != size:
            problems.append(f"{mask_file}: not of the same size as {image}")
            continue
    #% else
    for (folder, name), image, size in zip(places, images, sizes, strict=True):
        if size is None:
            continue
    #% endif
        xml = folder / "Annotations" / f"{name}.xml"
        if (objects := read_objects(xml, image, size, problems)) is not None:
            #% if annotations.masks
            records.append(build_record(image, size, objects, mask_file))
            #% else
            records.append(build_record(image, size, objects))
            #% endif
    return records


#% endif
def read_objects(
    file: Path, image: Path, size: Size, problems: list[str]
) -> list[Object] | None:
    """Read the objects of an XML file; None if it is unreadable or of another image."""
    try:
        root = read_xml(file)
    except (OSError, ElementTree.ParseError, LookupError, ValueError) as error:
        problems.append(f"{file}: {error}")
        return None
    if not has_size(image, size, read_wanted_size(root), str(file), problems):
        return None
    objects: list[Object] = []
    for number, element in enumerate(root.findall("object"), 1):
        where = f"{file}: object {number}"
        name = element.findtext("name", "").strip()
        if name not in CLASSES:
            #% if not annotations.subset
            problems.append(f"{where}: {name!r} is none of CLASSES")
            #% endif
            continue
        try:
            x1, y1, x2, y2 = read_box(element)
        except ValueError:
            problems.append(f"{where}: needs a bndbox of xmin, ymin, xmax and ymax")
            continue
        # VOC counts pixels from 1, and the last ones are part of the object.
        if box := cut_box([x1 - 1, y1 - 1, x2, y2], size, where, problems):
            label, crowd = CLASSES.index(name), is_difficult(element)
            #% if annotations.masks
            objects.append((box, label, crowd, number))
            #% else
            objects.append((box, label, crowd))
            #% endif
    return objects


#% include "detection/annotations/xml.py"
#% if annotations.masks


#% include "detection/annotations/numbered.py"
#% endif
