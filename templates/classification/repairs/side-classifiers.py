# Side classifiers help only to train from scratch: the model is built without them.
for name in list(state):
    if name.startswith(("aux1.", "aux2.", "AuxLogits.")):
        del state[name]
