# Not from torch.hub's cache, which would take half a file, as it has no hash.
with urlopen(WEIGHTS) as response:
    content = response.read()
