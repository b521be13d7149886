# They may be trained on images of another size: timm interpolates positions and tables.
state = {{ model.weights.resize }}(state, {{ model.weights.network }})
