# Not from torch.hub's cache: without a hash, half a file or another would do there.
with urlopen(WEIGHTS) as response:
    content = response.read()
