with WEIGHTS.open("rb") as file:
    state = torch.load(file, map_location="cpu", weights_only=True)
