def readable(parts: list[Samples]) -> list[Samples]:
    """Leave out the images that cannot be read, and name them.

    Raises:
        ValueError: if no image to train on, or none to evaluate on, can be read.
    """
    kept = []
    for samples in parts:
        headers = read_headers(samples.files)
        if wrong := [header for header in headers if isinstance(header, str)]:
            if not QUIET:
                listed = "\n".join(wrong[:20] + ["…"] * (len(wrong) > 20))
                print(f"{len(wrong)} of {len(headers)} images left out:\n{listed}")
            whole = [i for i, header in enumerate(headers) if not isinstance(header, str)]
            if not whole:
                raise ValueError(f"no image can be read; the first of them: {wrong[0]}")
            samples = samples.part(whole, samples.transform)
        kept.append(samples)
    return kept
