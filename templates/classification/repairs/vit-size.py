# They may be trained on images of another size: positions are interpolated between.
state = interpolate_embeddings(IMAGE_SIZE, {{ model.weights.network }}.patch_size, state)
