# What is under the prefix is the model, all else belongs to others.
inside = {
    name.removeprefix(PREFIX): tensor
    for name, tensor in state.items()
    if name.startswith(PREFIX)
}
if not inside:
    raise RuntimeError(f"{WEIGHTS} has nothing under {PREFIX}, but {list(state)[:3]}")
state = inside
