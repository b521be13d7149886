# They are an image classifier's: its layers but the head are the backbone.
state = {
    f"backbone.{name}": tensor
    for name, tensor in state.items()
    if not name.startswith({{ tsn.head_prefix }})
}
