state = torch.load(WEIGHTS, map_location="cpu", weights_only=True)
