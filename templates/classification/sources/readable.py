#% if data.skip_unreadable
#% include "classification/sources/readable_skip.py"
#% else
#% include "classification/sources/readable_error.py"
#% endif


def find_faults(files: Sequence[str | Path]) -> list[str]:
    """Find what is wrong with the header of each image, "" if nothing is."""
    others = os.environ.get("RANK", "0") != "0"
    silent = others or None  # or where there is no terminal
    with ThreadPoolExecutor() as pool:
        faults = pool.map(find_fault, files)
        return list(tqdm(faults, "check", len(files), leave=False, disable=silent))


def find_fault(path: str | Path) -> str:
    """Find what is wrong with the header of an image; see `find_faults`."""
    try:
        with Image.open(path) as image:
            if image.mode in ("I", "F"):
                return f"{path}: 32 bits a channel; save it with 8 or 16"
    except FileNotFoundError:
        return f"{path}: no such image"
    except Exception:  # each decoder has its own
        return f"{path}: not a readable image; mend or remove it"
    return ""
