"""Name the class of images: `python predict.py photo.jpg more/*.png`."""

import argparse
from pathlib import Path

import torch

import checkpoint
from data import draw, eval_transform, normalize, read_image
from model import build_model

CHECKPOINT = Path(__file__).parent / "runs/best.pt"
TOPK = 3  # classes to print for an image


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description="Name the class of images.")
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--draw", type=Path, help="picture to draw the answers on")
    args = parser.parse_args()

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    state = checkpoint.load(args.checkpoint)
    model = build_model().to(device).eval()
    model.load_state_dict(state["model"])
    images, titles = [], []
    for path in args.images:
        image = eval_transform(read_image(path))
        logits = model(normalize(image.to(device)).unsqueeze(0))
        top = logits.softmax(1)[0].topk(TOPK)
        found = [
            f"{state['classes'][label]} {probability:.1%}"
            for probability, label in zip(*(t.tolist() for t in top), strict=True)
        ]
        print(f"{path}: {', '.join(found)}")
        images.append(image)
        titles.append(found[0])
    if args.draw:
        draw(images, titles).savefig(args.draw)


if __name__ == "__main__":
    main()
