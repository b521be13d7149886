def readable(parts: list[Samples]) -> list[Samples]:
    """Look at the headers of all images before training begins.

    Raises:
        ValueError: names the images that are missing or cannot be read.
    """
    headers = read_headers([file for samples in parts for file in samples.files])
    if wrong := [header for header in headers if isinstance(header, str)]:
        listed = "\n".join(wrong[:20] + ["…"] * (len(wrong) > 20))
        raise ValueError(f"{len(wrong)} of {len(headers)} images are wrong:\n{listed}")
    return parts
