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
        #% if data.bands
        if is_array(path):
            array = numpy.load(path, mmap_mode="r")  # its header alone
            if array.ndim != 3 or array.shape[2] != CHANNELS:
                return f"{path}: {array.shape}, not [H, W, {CHANNELS}]"
            if array.dtype not in (numpy.uint8, numpy.uint16):
                return f"{path}: {array.dtype}; save it as uint8 or uint16"
            return ""
        #% endif
        with Image.open(path) as image:
            #% if data.bands
            if len(bands := image.getbands()) != CHANNELS:
                return f"{path}: {len(bands)} channels ({image.mode}), not {CHANNELS}"
            #% else
            if image.mode in ("I", "F"):
                return f"{path}: 32 bits a channel; save it with 8 or 16"
            #% endif
    except FileNotFoundError:
        return f"{path}: no such image"
    except Exception:  # each decoder has its own
        return f"{path}: not a readable image; mend or remove it"
    return ""
