def read_xml(file: Path) -> ElementTree.Element:
    """The root of an XML file, in the encoding that it declares.

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
    """Height and width of the image, as an XML file has them; 0, 0 if it has not."""
    try:
        height, width = (float(root.findtext(f"size/{it}", "")) for it in ("height", "width"))
    except ValueError:
        return 0, 0
    return int(height), int(width)


def read_box(element: ElementTree.Element) -> list[float]:
    """xmin, ymin, xmax and ymax of an object.

    Raises:
        ValueError: if it has not got them.
    """
    corners = [f"bndbox/{side}" for side in ("xmin", "ymin", "xmax", "ymax")]
    return [float(element.findtext(corner, "")) for corner in corners]


def is_difficult(element: ElementTree.Element) -> bool:
    return element.findtext("difficult", "0").strip() == "1"
