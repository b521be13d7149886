"""How batches are made."""

from collections.abc import Sequence

from specc.problems import Problems
from specc.spec.tasks import Spec


def check_batch(spec: Spec, pairs: Sequence[str], problems: Problems) -> None:
    """A batch is divided among the GPUs that the spec names, if it names any.

    Args:
        pairs: the keys of [data] for which each GPU's share is taken in pairs.
    """
    gpus = (spec.launch.gpus or 1) * spec.launch.nodes
    size, parts, of = spec.train.batch_size, gpus, "GPUs"
    others = [("launch", "gpus"), ("launch", "nodes")]
    if pairs:
        parts, of = 2 * gpus, "GPUs in pairs of images, which mixup and cutmix blend"
        others += [("data", name) for name in pairs]
    if size % parts:
        below = size - size % parts
        sizes = " or ".join(str(n) for n in (below, below + parts) if n)
        among = f"among {gpus} {of}" if gpus > 1 else "into pairs, which mixup and cutmix blend"
        message = f"{size} cannot be divided {among}; write {sizes}"
        problems.add(("train", "batch_size"), message, *others)
