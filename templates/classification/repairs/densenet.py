# The files that torchvision offers say norm.1 for norm1, as its own loader knows.
for name in list(state):
    new = re.sub(r"(denselayer\d+\.(?:norm|conv))\.", r"\1", name)
    state[new] = state.pop(name)
