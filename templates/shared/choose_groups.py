def choose_groups(groups: list[str], labels: list[list[int]]) -> set[str]:
    """Choose the groups to validate on: about VAL_FRACTION of each class's samples.

    In a random order, the same in every run, groups are taken, or put back, as long as
    that brings the classes' shares nearer to it. Each class keeps samples to train on.

    Raises:
        ValueError: if no group can be taken.
    """
    counts: dict[str, Counter[int]] = defaultdict(Counter)  # of the classes, by group
    totals: Counter[int] = Counter()
    for group, classes in zip(groups, labels, strict=True):
        counts[group].update(classes)
        totals.update(classes)

    def error(label: int, count: int) -> float:
        return (count / totals[label] - VAL_FRACTION) ** 2

    names = sorted(counts)
    generator = torch.Generator().manual_seed(VAL_SEED)
    order = [names[i] for i in torch.randperm(len(names), generator=generator).tolist()]
    chosen: set[str] = set()
    held = dict.fromkeys(totals, 0)  # samples of each class to validate on
    moved = True
    while moved:
        moved = False
        for group in order:
            sign = -1 if group in chosen else 1
            after = {c: held[c] + sign * n for c, n in counts[group].items()}
            gain = sum(error(c, held[c]) - error(c, after[c]) for c in after)
            if gain > 1e-9 and all(after[c] < totals[c] for c in after):
                chosen ^= {group}
                held |= after
                moved = True
    if not chosen:
        raise ValueError(
            f"{len(groups)} samples are of {len(counts)} groups, none of which can be "
            f"validated on: a class would have none to train on, or VAL_FRACTION "
            f"{VAL_FRACTION} is too small"
        )
    return chosen
