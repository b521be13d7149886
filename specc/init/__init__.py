"""A first spec for data that are there: what lies in a folder, and a recipe for that much."""
