# MNASNet asks of which version the names are, which such a file does not say.
state = OrderedDict(state)
state._metadata = {"": {"version": 2}}  # type: ignore[attr-defined]
