"""A preview of the training that a spec describes."""
