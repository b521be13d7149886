"""The planning of all that projects of every task have."""
