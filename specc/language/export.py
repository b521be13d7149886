"""`[export]`: the file that a trained model becomes."""

from typing import Literal

from specc.language.section import Section


class Export(Section):
    format: Literal["torch", "onnx"] = "torch"
    """The file that `export.py` writes: `"torch"` for `torch.export.load`, `"onnx"` for ONNX
    Runtime and others."""
