def readable(parts: list[Samples]) -> list[Samples]:
    """Leave out the images whose headers cannot be read, and name them."""
    kept = []
    for samples in parts:
        faults = find_faults(samples.files)
        if wrong := [fault for fault in faults if fault]:
            if os.environ.get("RANK", "0") == "0":  # one process speaks for all
                listed = "\n".join(wrong[:20] + ["…"] * (len(wrong) > 20))
                print(f"{len(wrong)} of {len(faults)} images left out:\n{listed}")
            indices = [index for index, fault in enumerate(faults) if not fault]
            samples = samples.part(indices, samples.transform)
        kept.append(samples)
    return kept
