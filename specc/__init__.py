"""A compiler from a short, typed fine-tuning spec to a standalone PyTorch project."""

__version__ = "0.1.0"
