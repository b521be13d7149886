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

import checkpoint
from annotations import CLASSES, DATA_DIR
from data import build_eval_set, read_image
from evaluate import detect
from model import build_model

CHECKPOINT = Path(__file__).parent / "runs/best.pt"
CHECKED = 8  # validation images, from all over them, that the file is checked on
AGREEMENT = 0.9  # share of the objects, at least, that file and model find alike
SCORE_GAP = 0.01  # between the scores of an object, at most
BOX_GAP = 1.0  # pixels between the edges of its boxes, at most


class Detector(nn.Module):
    """The model from an image to the objects in it, the highest score first.

    From a uint8 RGB image [3, H, W] to boxes, float [N, 4]: x1, y1, x2, y2 in pixels;
    labels, int64 [N]: indices into CLASSES; and scores, float [N].
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        # As torchvision finds the size to resize to, but for when it is traced: then it
        # does so in float32, and e.g. of 375 x 500 pixels makes one row too few.
        transform = self.model.transform
        sides = torch._shape_as_tensor(image)[1:].double()
        limits = torch.tensor([transform.min_size[-1], transform.max_size]).double()
        height, width = (sides * (limits / sides.sort().values).min()).long()
        transform.fixed_size = (width, height)
        objects = self.model([image / 255])[0]
        return objects["boxes"], objects["labels"], objects["scores"]


def export(model: nn.Module) -> onnx.ModelProto:
    """Translate the model with its preprocessing, for an image of any size."""
    image = torch.randint(256, (3, 480, 640), dtype=torch.uint8)
    axes = {
        "image": {1: "height", 2: "width"},
        "boxes": {0: "objects"},
        "labels": {0: "objects"},
        "scores": {0: "objects"},
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


def pick_images(root: Path) -> list[Path]:
    """Pick CHECKED validation images, evenly spaced.

    Raises:
        SystemExit: if there are none here.
    """
    try:
        val_set = build_eval_set(root)
    except (OSError, ValueError) as error:
        message = f"no validation images: {error}; name others by --image"
        raise SystemExit(message) from error
    count = min(CHECKED, len(val_set))
    indices = torch.linspace(0, len(val_set) - 1, count).long().tolist()
    return [val_set.records[index].file for index in indices]


def count_alike(expected: dict[str, Tensor], exported: dict[str, Tensor]) -> int:
    """Count the objects in an image that the model and the file find alike."""
    gaps = (expected["boxes"][:, None] - exported["boxes"]).abs().amax(2)
    same = gaps <= BOX_GAP
    same &= expected["labels"][:, None] == exported["labels"]
    same &= (expected["scores"][:, None] - exported["scores"]).abs() <= SCORE_GAP
    return int(min(same.any(0).sum(), same.any(1).sum()))


def main() -> None:
    parser = argparse.ArgumentParser(description="Export and check the model.")
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--output", type=Path, help="default: model.onnx beside it")
    parser.add_argument("--data", type=Path, default=DATA_DIR)
    parser.add_argument("--image", type=Path, nargs="+", help="images to check it with")
    args = parser.parse_args()
    output = args.output or args.checkpoint.with_name("model.onnx")
    images = [read_image(path) for path in args.image or pick_images(args.data)]
    images.append(torch.full((3, 360, 500), 128, dtype=torch.uint8))  # without objects

    state = checkpoint.load(args.checkpoint)
    checkpoint.check_classes(args.checkpoint, state["classes"], CLASSES)
    model = build_model().eval()
    checkpoint.load_model(model, state["model"], args.checkpoint)
    expected = [detect(model, image / 255) for image in images]
    output.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(export(model), output)

    # Check the saved file on other images, of other sizes.
    session = onnxruntime.InferenceSession(output)
    names = [values.name for values in session.get_outputs()]
    alike = total = 0
    for image, objects in zip(images, expected, strict=True):
        arrays = session.run(names, {"image": image.numpy()})
        exported = dict(zip(names, map(torch.from_numpy, arrays), strict=True))
        alike += count_alike(objects, exported)
        total += max(len(objects["scores"]), len(exported["scores"]))
    if alike < AGREEMENT * total:
        message = f"finds only {alike} of {total} objects as the model does"
        raise SystemExit(f"{output}: {message}")
    if total == 0:
        message = "the model finds nothing in the images; name others by --image"
        raise SystemExit(f"{output}: not checked: {message}")
    print(f"{output}: finds {alike} of {total} objects as the model does")


if __name__ == "__main__":
    main()
