"""The formats that the data of an image classifier come in."""
