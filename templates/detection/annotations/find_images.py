SUFFIXES = {".bmp", ".jpeg", ".jfif", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff"}
SUFFIXES |= {".avif", ".gif", ".webp"}


def find_images(folder: Path) -> list[Path]:
    """The images in a folder, and in folders in it, but for those that a dot hides.

    Raises:
        ValueError: if there are none.
    """
    files = map(folder.joinpath, glob.glob("**", root_dir=folder, recursive=True))
    images = sorted(it for it in files if it.suffix.lower() in SUFFIXES)
    if not images:
        raise ValueError(f"{folder}: no images")
    return images
