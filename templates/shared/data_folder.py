def data_folder(path: str) -> Path:
    """Return the folder that --data names, relative to where a command is started."""
    if not Path(path).is_dir():
        raise SystemExit(f"{path}: no such folder in {Path.cwd()}; name it by --data DIR")
    return Path(path)
