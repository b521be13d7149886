state = torch.hub.load_state_dict_from_url(
    WEIGHTS,
    map_location="cpu",
    #% if model.weights.check_hash
    check_hash=True,
    #% endif
    weights_only=True,
)
