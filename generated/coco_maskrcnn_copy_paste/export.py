"""Export a checkpoint as a file that needs no code: `python export.py`."""

import argparse
import io
import json
import warnings
from pathlib import Path

import onnx
import onnxruntime
import torch
from torch import Tensor, nn
from torchvision.ops import box_iou

import checkpoint
from annotations import CLASSES
from data import read_image
from model import build_model

CHECKPOINT = Path(__file__).parent / "runs/best.pt"
TOLERANCE = 0.01  # of the file's scores, and of the share of its masks' pixels
AGREEMENT = 0.5  # of objects, at least: chance picks among overlapping equals


class Detector(nn.Module):
    """The model from an image to the objects in it, the highest score first.

    From a uint8 RGB image [3, H, W] to boxes, float [N, 4]: x1, y1, x2, y2 in pixels;
    labels, int64 [N]: indices into CLASSES; scores, float [N]; masks, uint8 [N, H, W].
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        # As torchvision finds the size to resize to, but for when it is traced: then it
        # does so in float32, and of 375 x 500 pixels, say, makes one row too few.
        transform = self.model.transform
        sides = torch._shape_as_tensor(image)[1:].double()
        limits = torch.tensor([transform.min_size[-1], transform.max_size]).double()
        height, width = (sides * (limits / sides.sort().values).min()).long()
        transform.fixed_size = (width, height)
        objects = self.model([image / 255])[0]
        masks = (objects["masks"][:, 0] > 0.5).to(torch.uint8)
        return objects["boxes"], objects["labels"], objects["scores"], masks


def export(model: nn.Module) -> onnx.ModelProto:
    """The model with its preprocessing, for an image of any size."""
    image = torch.randint(256, (3, 480, 640), dtype=torch.uint8)
    axes = {
        "image": {1: "height", 2: "width"},
        "boxes": {0: "objects"},
        "labels": {0: "objects"},
        "scores": {0: "objects"},
        "masks": {0: "objects", 1: "height", 2: "width"},
    }
    file = io.BytesIO()
    with warnings.catch_warnings():
        # PyTorch's newer exporter cannot follow torchvision's detectors, whose course
        # depends on the boxes found; the older one can, and warns of its age.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Detector(model).eval(),
            (image,),
            file,
            input_names=["image"],
            output_names=list(axes)[1:],
            dynamic_axes=axes,
            dynamo=False,
        )
    exported = onnx.load_from_string(file.getvalue())
    onnx.helper.set_model_props(exported, {"classes": json.dumps(CLASSES)})
    return exported


def compare(expected: list[Tensor], found: list[Tensor]) -> str:
    """Say how the objects that the file finds agree with those of the model.

    Raises:
        SystemExit: they do not.
    """
    # A pixel wider, so that boxes of no area overlap too.
    wider = torch.tensor([-1.0, -1.0, 1.0, 1.0])
    same = box_iou(expected[0] + wider, found[0] + wider) > 0.5
    same &= expected[1][:, None] == found[1]
    same &= (expected[2][:, None] - found[2]).abs() < TOLERANCE
    again = same.any(1)
    total = max(same.shape)
    if again.sum() < AGREEMENT * total:
        raise SystemExit(
            f"the file finds {again.sum()} of {total} objects as the model"
        )
    if total == 0:
        return (
            "finds nothing, as the model does; check with an --image that has objects"
        )
    gaps = (expected[0][:, None] - found[0]).abs().amax(2)
    gaps, nearest = gaps.masked_fill(~same, torch.inf)[again].min(1)
    wrong = (expected[3][again] != found[3][nearest]).float().mean()
    if wrong > TOLERANCE:
        raise SystemExit(f"{wrong:.1%} of the file's mask pixels are not the model's")
    return (
        f"finds {again.sum()} of {total} objects as the model does, "
        f"their boxes within {gaps.max():.1e} pixels"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Export the model, and check the file."
    )
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--output", type=Path, help="default: model.onnx beside it")
    parser.add_argument("--image", type=Path, help="to check with; default: noise")
    args = parser.parse_args()
    output = args.output or args.checkpoint.with_name("model.onnx")
    image = torch.randint(256, (3, 360, 500), dtype=torch.uint8)
    if args.image:
        image = read_image(args.image)

    state = checkpoint.load(args.checkpoint)
    checkpoint.check_classes(args.checkpoint, state["classes"], CLASSES)
    model = build_model().eval()
    model.load_state_dict(state["model"])
    with torch.inference_mode():
        objects = model([image / 255])[0]
    expected = [objects["boxes"], objects["labels"], objects["scores"]]
    expected.append((objects["masks"][:, 0] > 0.5).to(torch.uint8))
    onnx.save(export(model), output)

    # What is in the file, on another image of another size.
    session = onnxruntime.InferenceSession(output)
    found = session.run(None, {"image": image.numpy()})
    print(f"{output}: {compare(expected, [torch.from_numpy(a) for a in found])}")


if __name__ == "__main__":
    main()
