"""Export a checkpoint as a file that needs no code: `python export.py`."""

import argparse
import json
from pathlib import Path

import onnxruntime
import torch
from torch import Tensor, nn
from torch.export import Dim

import checkpoint
from data import CHANNELS, FRAMES, IMAGE_SIZE, SEGMENTS, normalize
from model import build_model

CHECKPOINT = Path(__file__).parent / "runs/best.pt"
TOLERANCE = 1e-3  # of the exported probabilities against the model's own


class Classifier(nn.Module):
    """The model from its preprocessing to probabilities.

    #% if data.clips
    From clips of uint8 RGB frames [B, T, 3, H, W] to float [B, NUM_CLASSES].
    #% else
    From uint8 {{ data.kind }}images [B, {{ data.axis }}, H, W] to float [B, NUM_CLASSES].
    #% endif
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor) -> Tensor:
        #% if data.multi_label
        return self.model(normalize(inputs)).sigmoid()
        #% else
        return self.model(normalize(inputs)).softmax(1)
        #% endif


def main() -> None:
    parser = argparse.ArgumentParser(description="Export and check the model.")
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    #% if export.onnx
    parser.add_argument("--output", type=Path, help="default: model.onnx beside it")
    #% else
    parser.add_argument("--output", type=Path, help="default: model.pt2 beside it")
    #% endif
    #% if export.any_size
    #% if data.rectangle
    parser.add_argument(
        "--image-size", type=int, nargs=2, default=IMAGE_SIZE, help="height and width, in pixels"
    )
    #% else
    parser.add_argument("--image-size", type=int, default=IMAGE_SIZE, help="pixels")
    #% endif
    #% endif
    args = parser.parse_args()
    #% if export.onnx
    output = args.output or args.checkpoint.with_name("model.onnx")
    #% else
    output = args.output or args.checkpoint.with_name("model.pt2")
    #% endif
    output.parent.mkdir(parents=True, exist_ok=True)
    shape = {{ export.shape }}

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
    #% if export.onnx
    names = {"input_names": [{{ export.inputs }}], "output_names": ["probabilities"]}
    translated = torch.onnx.export(program, dynamo=True, verbose=False, **names)
    translated.model.metadata_props["classes"] = classes
    translated.save(output)
    #% else
    torch.export.save(program, output, extra_files={"classes.json": classes})
    #% endif

    # Check the saved file on another batch, of another size.
    inputs = torch.randint(256, (3, *shape), dtype=torch.uint8)
    expected = classifier(inputs)
    #% if export.onnx
    session = onnxruntime.InferenceSession(output)
    exported = torch.from_numpy(session.run(None, { {{ export.inputs }}: inputs.numpy()})[0])
    #% else
    exported = torch.export.load(output).module()(inputs)
    #% endif
    torch.testing.assert_close(exported, expected, rtol=0, atol=TOLERANCE)
    difference = (exported - expected).abs().max().item()
    print(f"{output}: agrees with the model within {difference:.1e}")


if __name__ == "__main__":
    main()
