LABELS = {number: CLASSES.index(name) for name, number in LABEL_IDS.items()}
Instances = list[tuple[int, list[float]]]  # their numbers and boxes


def read_records(root: Path, part: str, problems: list[str]) -> list[Record]:
    """Read the images of a part of Cityscapes, and the objects in their instanceIds.

    Raises:
        ValueError: if there is no image.
    """
    ends = {
        root / "leftImg8bit" / part: "_leftImg8bit.png",
        root / "gtFine" / part: "_gtFine_instanceIds.png",
    }
    frames = sorted(
        {
            file.removesuffix(end)  # CITY/CITY_NUMBER_NUMBER
            for folder, end in ends.items()
            for file in glob.glob(f"*/*{end}", root_dir=folder)
        }
    )
    if not frames:
        raise ValueError(f"{root}: no images in leftImg8bit/{part}")
    images, truths = (
        [folder / f"{frame}{end}" for frame in frames] for folder, end in ends.items()
    )
    with ThreadPoolExecutor() as pool:
        contents = pool.map(find_instances, truths)
        contents = tqdm(contents, part, len(truths), leave=False, disable=QUIET)
        results = list(contents)
    records = []
    sizes = read_sizes(images, problems)
    for image, size, truth, content in zip(images, sizes, truths, results, strict=True):
        if content is None:
            fault = "not a readable PNG" if truth.exists() else "no such file"
            problems.append(f"{truth}: {fault}")
        elif size is not None and size != content[0]:
            problems.append(f"{truth}: not of the same size as {image}")
        elif size is not None:
            _, instances = content
            objects: list[Object] = []
            for number, box in instances:
                crowd = number < 1000  # several that are not told apart
                label = LABELS.get(number if crowd else number // 1000)
                if label is not None:
                    #% if annotations.masks
                    objects.append((box, label, crowd, number))
                    #% else
                    objects.append((box, label, crowd))
                    #% endif
            #% if annotations.masks
            records.append(build_record(image, size, objects, truth))
            #% else
            records.append(build_record(image, size, objects))
            #% endif
    return records


def find_instances(file: Path) -> tuple[Size, Instances] | None:
    """Read an image's height and width, and its instances; None if it is unreadable."""
    try:
        with Image.open(file) as image:
            pixels = np.array(image, np.uint16)
    except Exception:  # Pillow has many
        return None
    rows, columns = np.nonzero((pixels >= 1000) | np.isin(pixels, list(LABELS)))
    numbers = pixels[rows, columns]
    order = np.argsort(numbers, kind="stable")  # instance by instance
    numbers, first = np.unique(numbers[order], return_index=True)
    rows, columns = rows[order], columns[order]
    edges = [
        np.minimum.reduceat(columns, first),
        np.minimum.reduceat(rows, first),
        np.maximum.reduceat(columns, first) + 1,
        np.maximum.reduceat(rows, first) + 1,
    ]
    boxes = np.stack(edges, 1).astype(float).tolist()
    return pixels.shape, list(zip(numbers.tolist(), boxes, strict=True))
#% if annotations.masks


#% include "detection/annotations/numbered.py"
#% endif
