"""The formats that videos and their labels come in."""
