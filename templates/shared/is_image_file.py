def is_image_file(path: str) -> bool:
    """Whether the name of a file is that of an image."""
    return path.lower().endswith((*IMG_EXTENSIONS, ".avif", ".gif", ".jfif"))
