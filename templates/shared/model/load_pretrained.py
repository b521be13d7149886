#% if model.weights
def load_pretrained(model: nn.Module) -> None:
    #% if model.new_head
    """Fill all of `model` but its head, which is new, with the pretrained weights.

    Raises:
        RuntimeError: names all other tensors that are missing, unexpected or misshapen.
    """
    #% else
    """Fill `model` with the pretrained weights.

    Raises:
        RuntimeError: names all tensors that are missing, unexpected or misshapen.
    """
    #% endif
    #% if model.weights.fetch
    #% filter indented(4)
    #% include model.weights.fetch
    #% endfilter
    #% endif
    #% if model.weights.pickled
    try:
        state = {{ model.weights.state }}
    except UnpicklingError as error:
        found = re.findall(r"GLOBAL (\S+)", str(error)) or ["no tensors at all"]
        message = f"{WEIGHTS} holds {found[0]}; save a state_dict() alone, and name that"
        raise RuntimeError(message) from error
    #% else
    state = {{ model.weights.state }}
    #% endif
    #% filter indented(4)
    #% for step in model.weights.steps
    #% include step
    #% endfor
    #% endfilter
    #% if model.new_head
    #% if model.single_head
    # The head stays as it is; all else has to be there.
    state.update({{ model.head }}.state_dict(prefix={{ model.head_prefix }}))
    #% else
    # The heads stay as they are; all else has to be there.
    for name, tensor in model.state_dict().items():
        if name.startswith({{ model.head_prefixes }}):
            state[name] = tensor
    #% endif
    #% endif
    model.load_state_dict(state)
#% endif
