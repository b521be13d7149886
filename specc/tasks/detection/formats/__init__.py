"""The formats that boxes and masks come in."""
