weights = {{ model.weights.name }}
state = weights.get_state_dict(check_hash=True, map_location="cpu", weights_only=True)
