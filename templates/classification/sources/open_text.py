def open_text(path: Path) -> StringIO:
    """Open a text file.

    Raises:
        ValueError: names it if it is not UTF-8.
    """
    try:
        return StringIO(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text; save it as that") from error
