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
    #% if model.weights.fits
    state = read_pretrained(model)
    #% else
    state = read_pretrained()
    #% endif
    #% if model.new_head
    #% if model.single_head
    # The head stays as it is, whatever it is; all else has to be there.
    head = {{ model.head_prefix }}
    #% else
    # The heads stay as they are, whatever they are; all else has to be there.
    head = {{ model.head_prefixes }}
    #% endif
    for name in [name for name in state if name.startswith(head)]:
        del state[name]
    for name, tensor in model.state_dict().items():
        if name.startswith(head):
            state[name] = tensor
    #% endif
    #% for name in model.rgb_weights
    first = {{ name }}
    #% if model.weights.file
    if first in state and state[first].shape[1] == 3:  # trained on RGB images
        state[first] = from_rgb(state[first])
    #% else
    state[first] = from_rgb(state[first])
    #% endif
    #% endfor
    model.load_state_dict(state)


#% if model.weights.fits
def read_pretrained(model: nn.Module) -> dict[str, Tensor]:
    """Read the pretrained weights, with the names and shapes that `model` expects."""
#% else
def read_pretrained() -> dict[str, Tensor]:
    """Read the pretrained weights, by the model's own names for them."""
#% endif
    #% if not model.weights.file and not model.weights.steps
    return {{ model.weights.state }}
    #% else
    #% filter block(model.weights.file)
    with reading(WEIGHTS):
        #% if model.weights.fetch
        #% filter indented(8)
        #% include model.weights.fetch
        #% endfilter
        #% endif
        state = {{ model.weights.state }}
    #% endfilter
    #% if model.weights.file
    state = unwrapped(state, WEIGHTS)
    #% endif
    #% filter indented(4)
    #% for step in model.weights.steps
    #% include step
    #% endfor
    #% endfilter
    return state
    #% endif
#% endif
