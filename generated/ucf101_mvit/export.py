"""Export a checkpoint as a file that needs no code: `python export.py`."""

import argparse
import json
from pathlib import Path

import onnxruntime
import torch
from torch import Tensor, nn
from torch.export import Dim

import checkpoint
from data import FRAMES, IMAGE_SIZE, normalize
from model import build_model

CHECKPOINT = Path(__file__).parent / "runs/best.pt"
TOLERANCE = 1e-3  # of the exported probabilities against the model's own


class Classifier(nn.Module):
    """The model from its preprocessing to probabilities.

    From clips of uint8 RGB frames [B, T, 3, H, W] to float [B, NUM_CLASSES].
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor) -> Tensor:
        return self.model(normalize(inputs)).softmax(1)


def main() -> None:
    parser = argparse.ArgumentParser(description="Export and check the model.")
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--output", type=Path, help="default: model.onnx beside it")
    args = parser.parse_args()
    output = args.output or args.checkpoint.with_name("model.onnx")
    output.parent.mkdir(parents=True, exist_ok=True)
    shape = (FRAMES, 3, IMAGE_SIZE, IMAGE_SIZE)

    state = checkpoint.load(args.checkpoint)
    model = build_model()
    checkpoint.load_model(model, state["model"], args.checkpoint)
    classifier = Classifier(model).eval()
    classes = json.dumps(state["classes"])
    inputs = torch.randint(256, (2, *shape), dtype=torch.uint8)
    # PyTorch 2.6 needs the bound for transformers, and cannot load a strict program.
    shapes = ({0: Dim("batch", min=1, max=2**16)},)
    program = torch.export.export(
        classifier, (inputs,), dynamic_shapes=shapes, strict=False
    )
    names = {"input_names": ["clips"], "output_names": ["probabilities"]}
    translated = torch.onnx.export(program, dynamo=True, verbose=False, **names)
    translated.model.metadata_props["classes"] = classes
    translated.save(output)

    # Check the saved file on another batch, of another size.
    inputs = torch.randint(256, (3, *shape), dtype=torch.uint8)
    expected = classifier(inputs)
    session = onnxruntime.InferenceSession(output)
    exported = torch.from_numpy(session.run(None, {"clips": inputs.numpy()})[0])
    torch.testing.assert_close(exported, expected, rtol=0, atol=TOLERANCE)
    difference = (exported - expected).abs().max().item()
    print(f"{output}: agrees with the model within {difference:.1e}")


if __name__ == "__main__":
    main()
