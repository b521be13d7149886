SUFFIXES = {".bmp", ".jpeg", ".jfif", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff"}
SUFFIXES |= {".avif", ".gif", ".webp"}


def find_images(folder: Path) -> list[Path]:
    """List the images in a folder and in those in it, without hidden ones.

    Raises:
        ValueError: if there are none.
    """
    files = map(folder.joinpath, glob.glob("**", root_dir=folder, recursive=True))
    images = sorted(it for it in files if it.suffix.lower() in SUFFIXES)
    if not images:
        raise ValueError(f"{folder}: no images")
    return images
