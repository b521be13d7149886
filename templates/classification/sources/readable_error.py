def readable(parts: list[Samples]) -> list[Samples]:
    """Look at the headers of all images before training begins.

    Raises:
        ValueError: names the images that are missing or cannot be read.
    """
    faults = find_faults([file for samples in parts for file in samples.files])
    wrong = [fault for fault in faults if fault]
    if wrong:
        listed = "\n".join(wrong[:20] + ["…"] * (len(wrong) > 20))
        raise ValueError(f"{len(wrong)} of {len(faults)} images are wrong:\n{listed}")
    return parts
