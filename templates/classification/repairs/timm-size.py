# Trained on images of another size, maybe: timm interpolates positions and tables.
state = {{ model.weights.resize }}(state, {{ model.weights.network }})
