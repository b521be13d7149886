# The file's first layer takes blue, green and red, in this order.
state["backbone.body.conv1.weight"] = state["backbone.body.conv1.weight"].flip(1)
