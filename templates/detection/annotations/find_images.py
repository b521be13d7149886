def find_images(folder: Path) -> list[Path]:
    """List the images in a folder and in those in it, without hidden ones.

    Raises:
        ValueError: if there are none.
    """
    names = glob.glob("**", root_dir=folder, recursive=True)
    images = sorted(folder / name for name in names if is_image_file(name))
    if not images:
        raise ValueError(f"{folder}: no images")
    return images
