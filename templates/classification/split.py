def split(samples: Samples) -> tuple[Samples, Samples]:
    #% if data.multi_label
    """Take VAL_FRACTION of the samples for validation, in every run the same ones.

    Raises:
        ValueError: if the samples are too few for that.
    """
    generator = torch.Generator().manual_seed(VAL_SEED)
    order = torch.randperm(len(samples), generator=generator).tolist()
    count = round(VAL_FRACTION * len(order))
    train, val = order[count:], order[:count]
    #% else
    """Take VAL_FRACTION of each class for validation, in every run the same samples.

    Raises:
        ValueError: if the samples are too few for that.
    """
    generator = torch.Generator().manual_seed(VAL_SEED)
    members = defaultdict(list)
    for index in torch.randperm(len(samples), generator=generator).tolist():
        members[samples.labels[index]].append(index)
    train, val = [], []
    for indices in members.values():
        count = min(round(VAL_FRACTION * len(indices)), len(indices) - 1)
        train += indices[count:]
        val += indices[:count]
    #% endif
    if not val:
        raise ValueError(f"{len(samples)} samples are too few to validate on some")
    return (
        samples.part(sorted(train), {{ data.train_transform }}),
        samples.part(sorted(val), {{ data.eval_transform }}),
    )
