"""Export a checkpoint as a file that needs no code: `python export.py`."""

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim

import checkpoint
from data import IMAGE_SIZE, normalize
from model import build_model

CHECKPOINT = Path(__file__).parent / "runs/best.pt"
TOLERANCE = 1e-4  # of the exported probabilities against the model's own


class Classifier(nn.Module):
    """The model between its preprocessing and softmax.

    From uint8 RGB images [B, 3, IMAGE_SIZE, IMAGE_SIZE] to float [B, NUM_CLASSES].
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return self.model(normalize(images)).softmax(1)


def main() -> None:
    parser = argparse.ArgumentParser(description="Export with torch.export, and check.")
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--output", type=Path, help="default: model.pt2 beside it")
    args = parser.parse_args()
    output = args.output or args.checkpoint.with_name("model.pt2")

    model = build_model()
    model.load_state_dict(checkpoint.load(args.checkpoint)["model"])
    classifier = Classifier(model).eval()
    images = torch.randint(256, (2, 3, IMAGE_SIZE, IMAGE_SIZE), dtype=torch.uint8)
    shapes = ({0: Dim("batch", min=1)},)
    program = torch.export.export(classifier, (images,), dynamic_shapes=shapes)
    torch.export.save(program, output)

    images = torch.randint(256, (3, 3, IMAGE_SIZE, IMAGE_SIZE), dtype=torch.uint8)
    exported = torch.export.load(output).module()(images)
    torch.testing.assert_close(exported, classifier(images), rtol=0, atol=TOLERANCE)
    print(f"{output}: agrees with the model within {TOLERANCE}")


if __name__ == "__main__":
    main()
