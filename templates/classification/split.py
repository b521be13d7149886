#% if data.groups
#% include "shared/choose_groups.py"


def split(samples: Samples, groups: list[str]) -> tuple[Samples, Samples]:
    """Take whole groups for validation, about VAL_FRACTION of each class."""
    #% if data.multi_label
    chosen = choose_groups(groups, [labels or [NUM_CLASSES] for labels in samples.labels])
    #% else
    chosen = choose_groups(groups, [[label] for label in samples.labels])
    #% endif
    train = [index for index, group in enumerate(groups) if group not in chosen]
    val = [index for index, group in enumerate(groups) if group in chosen]
    return (
        samples.part(train, {{ data.train_transform }}),
        samples.part(val, {{ data.eval_transform }}),
    )
#% else
def split(samples: Samples) -> tuple[Samples, Samples]:
    #% if data.multi_label
    """Take VAL_FRACTION of each class for validation, in every run the same samples.

    A sample counts for all its classes, so that it cannot be that of each exactly; the
    rarest class is divided first (Sechidis et al., ECML 2011). Samples without labels
    are divided as another class.

    Raises:
        ValueError: if the samples are too few for that.
    """
    generator = torch.Generator().manual_seed(VAL_SEED)
    classes = [labels or [NUM_CLASSES] for labels in samples.labels]
    members = defaultdict(list)
    for index in torch.randperm(len(samples), generator=generator).tolist():
        for label in classes[index]:
            members[label].append(index)
    rarest_first = sorted(members, key=lambda label: (len(members[label]), label))
    counts = [len(members[label]) for label in range(NUM_CLASSES + 1)]
    wanted = [min(round(VAL_FRACTION * count), count - 1) for count in counts]
    divided: set[int] = set()
    train, val = [], []
    for label in rarest_first:
        for index in members[label]:
            if index in divided:
                continue
            divided.add(index)
            if wanted[label] <= 0:
                train.append(index)
                continue
            val.append(index)
            for each in classes[index]:
                wanted[each] -= 1
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
#% endif
