# MMAction2 keeps each convolution and its norm together, in a module of their own.
for old in list(state):
    new = re.sub(r"\.conv(\d)\.conv\.", r".conv\1.", old)
    new = re.sub(r"\.conv(\d)\.bn\.", r".bn\1.", new)
    new = new.replace(".downsample.conv.", ".downsample.0.")
    new = new.replace(".downsample.bn.", ".downsample.1.")
    state[new.replace("cls_head.fc_cls.", "fc.")] = state.pop(old)
