# The file was written by efficientnet_pytorch, which lists the tensors in the same
# order under other names; only their last parts agree.
names = model.state_dict().keys()
if [n.split(".")[-1] for n in names] != [n.split(".")[-1] for n in state]:
    raise RuntimeError(f"{WEIGHTS} is not of efficientnet_pytorch")
state = dict(zip(names, state.values(), strict=True))
