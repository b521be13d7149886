def read_box(element: ElementTree.Element) -> list[float]:
    """xmin, ymin, xmax and ymax of an object.

    Raises:
        ValueError: if it has not got them.
    """
    corners = [f"bndbox/{side}" for side in ("xmin", "ymin", "xmax", "ymax")]
    return [float(element.findtext(corner, "")) for corner in corners]


def is_difficult(element: ElementTree.Element) -> bool:
    return element.findtext("difficult", "0").strip() == "1"
