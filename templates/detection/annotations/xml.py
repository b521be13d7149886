def read_xml(file: Path) -> ElementTree.Element:
    """Parse an XML file, in the encoding that it declares, and return its root.

    Raises:
        OSError, ElementTree.ParseError, LookupError, ValueError: if it cannot be read.
    """
    content = file.read_bytes()
    declared = re.match(rb"""<\?xml[^>]*?encoding=["']([\w.:-]+)""", content)
    if declared is None:
        return ElementTree.fromstring(content)
    encoding = declared[1].decode()
    if encoding.lower() == "gb2312":
        encoding = "gb18030"  # which has it, and what else such files contain
    return ElementTree.fromstring(content.decode(encoding))  # ElementTree knows few


def read_wanted_size(root: ElementTree.Element) -> Size:
    """Read the image's height and width from an XML file; 0, 0 without them."""
    try:
        height, width = (float(root.findtext(f"size/{side}", "")) for side in ("height", "width"))
    except ValueError:
        return 0, 0
    return int(height), int(width)


def read_box(element: ElementTree.Element) -> list[float]:
    """Read xmin, ymin, xmax and ymax of an object.

    Raises:
        ValueError: if one is missing, or is not a number.
    """
    corners = [f"bndbox/{side}" for side in ("xmin", "ymin", "xmax", "ymax")]
    return [float(element.findtext(corner, "")) for corner in corners]


def is_difficult(element: ElementTree.Element) -> bool:
    return element.findtext("difficult", "0").strip() == "1"
