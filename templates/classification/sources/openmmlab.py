#% include "classification/sources/row.py"
#% if data.classes_file


#% include "classification/sources/open_text.py"
#% endif


def read_rows(root: Path, path: Path) -> list[Row]:
    """Read the entries of a JSON file of OpenMMLab's, with images in `root`.

    Raises:
        ValueError: names the entry that is not as it should be.
    """
    try:
        entries = list(json.loads(path.read_bytes())["data_list"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not JSON as OpenMMLab has it ({error!r})") from error
    rows = []
    for number, entry in enumerate(entries):
        place = f"{path}: data_list[{number}]"
        try:
            #% if data.image_suffix
            image = root / (entry["img_path"] + IMAGE_SUFFIX)
            #% else
            image = root / entry["img_path"]
            #% endif
            #% if data.multi_label
            rows.append((place, image, [str(label) for label in entry["gt_label"]]))
            #% else
            rows.append((place, image, str(entry["gt_label"])))
            #% endif
        except (KeyError, TypeError) as error:
            wanted = "img_path and gt_label"
            raise ValueError(f"{place}: needs {wanted}, not {entry}") from error
    return rows


#% if data.read_classes
def read_classes(path: Path) -> list[str]:
    """Read the classes' names from a JSON file of OpenMMLab's, or number them."""
    metainfo = json.loads(path.read_bytes()).get("metainfo") or {}
    numbers = [str(number) for number in range(NUM_CLASSES)]
    return [name.strip() for name in metainfo.get("classes") or numbers]


#% endif
#% include "classification/sources/labels.py"
