"""Seconds in which the truth of masks is encoded for COCO's tools: from polygons, and from pixels.

    python benchmarks/masks.py [ROUNDS]

Images are as cameras make them, 3000 x 4000 pixels with 40 objects of 60 corners each. The
functions are a generated project's: `encode_shapes` encodes polygons themselves; `read_masks` draws
them, and `encode` encodes what was drawn, as is done with what a model finds. Both have to give the
same masks. They run in turn, so that a machine whose speed drifts treats all alike. Prints for each
the median over the rounds, for two images.
"""

import statistics
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from faster_coco_eval.core import mask as rle

GENERATED = Path(__file__).parents[1] / "generated"
HEIGHT, WIDTH, OBJECTS, CORNERS = 3000, 4000, 40, 60


def draw_record(seed: int) -> SimpleNamespace:
    """Make up an image's objects: stars of many corners, all over it."""
    random = np.random.default_rng(seed)
    shapes = []
    for _ in range(OBJECTS):
        center = random.uniform((400, 400), (WIDTH - 400, HEIGHT - 400))
        angles = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
        radius = random.uniform(60, 400) * random.uniform(0.7, 1, CORNERS)
        corners = center + radius[:, None] * np.stack((np.cos(angles), np.sin(angles)), 1)
        shapes.append([corners.ravel().tolist()])
    return SimpleNamespace(file=f"{seed}.jpg", height=HEIGHT, width=WIDTH, shapes=shapes)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    sys.path.insert(0, str(GENERATED / "coco_maskrcnn_copy_paste"))
    from annotations import encode_shapes, read_masks
    from evaluate import encode

    torch.set_num_threads(1)
    records = [draw_record(seed) for seed in (0, 1)]
    for record in records:
        pairs = zip(encode_shapes(record), encode(read_masks(record)), strict=True)
        assert all(np.array_equal(rle.decode(one), rle.decode(two)) for one, two in pairs)
    ways = {
        "from polygons": encode_shapes,
        "drawn, then encoded": lambda record: encode(read_masks(record)),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            for record in records:
                way(record)
            times[name].append(time.perf_counter() - start)
    for name, spent in times.items():
        print(f"{name:20} {statistics.median(spent):8.4f} s")


if __name__ == "__main__":
    main()
