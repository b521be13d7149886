"""The reading of texts, XML and folders of images."""

import re
from pathlib import Path
from xml.etree import ElementTree

from specc.tasks.common.lists import Unreadable
from specc.tasks.common.places import IMAGES, visible_files
from specc.tasks.common.remember import remembered


def read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(f"{path}: must be UTF-8 ({error})") from error


def read_xml(path: Path) -> ElementTree.Element:
    """Return the root of an XML file, in the encoding that it declares, as projects read it."""
    content = path.read_bytes()
    declared = re.match(rb"""<\?xml[^>]*?encoding=["']([\w.:-]+)""", content)
    if declared is None:
        return ElementTree.fromstring(content)
    encoding = declared[1].decode().lower()
    encoding = "gb18030" if encoding == "gb2312" else encoding
    return ElementTree.fromstring(content.decode(encoding))


@remembered
def find_images(folder: Path) -> list[Path]:
    return visible_files(folder, IMAGES)
