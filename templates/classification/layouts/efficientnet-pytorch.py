# The file was written by efficientnet_pytorch, which lists the tensors in the same
# order under other names; only their last parts agree. Its head is left out.
state = {n: tensor for n, tensor in state.items() if not n.startswith("_fc.")}
names = [n for n in model.state_dict() if not n.startswith({{ model.head_prefix }})]
if [n.split(".")[-1] for n in names] != [n.split(".")[-1] for n in state]:
    raise RuntimeError(f"{WEIGHTS} is not of efficientnet_pytorch")
state = dict(zip(names, state.values(), strict=True))
