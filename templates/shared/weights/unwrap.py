#% if model.weights.pickled
# Training tools save more than the weights, and put a prefix before their names.
state = state.get("state_dict", state.get("model", state))
#% endif
consume_prefix_in_state_dict_if_present(state, "module.")
