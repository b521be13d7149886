#% if model.weights.check_hash
state = torch.hub.load_state_dict_from_url(
    WEIGHTS, map_location="cpu", check_hash=True, weights_only=True
)
#% else
# Not from torch.hub's cache: without a hash, half a file or another would do there.
with urlopen(WEIGHTS) as response:
    file = BytesIO(response.read())
state = torch.load(file, map_location="cpu", weights_only=True)
#% endif
