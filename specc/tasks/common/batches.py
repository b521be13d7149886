"""The checks of batch sizes."""

from collections.abc import Sequence

from specc.language.spec import Spec
from specc.source.problems import Problems
from specc.tasks.common.plan import ModelPlan


def check_batch(spec: Spec, pairs: Sequence[str], problems: Problems) -> None:
    """Return a batch is divided among the GPUs that the spec names, if it names any.

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


def check_norm(spec: Spec, model: ModelPlan, problems: Problems) -> None:
    """Report batch norms that would see a single sample at once, of which PyTorch raises.

    For models whose last batch norms may see one pixel of each sample. On several GPUs,
    sync_bn takes the samples of all.
    """
    gpus = (spec.launch.gpus or 1) * spec.launch.nodes
    share = spec.train.batch_size // gpus
    parts = -(-share // (spec.train.max_batch_per_gpu or share or 1))
    together = gpus if model.sync_batch_norm else 1
    if not share or not model.trains_batch_norm or share // parts * together > 1:
        return
    key, reason = ("train", "batch_size"), str(spec.train.batch_size)
    if gpus > 1:
        reason += f" on {gpus} GPUs"
    if share > 1:
        key, reason = ("train", "max_batch_per_gpu"), f"{spec.train.max_batch_per_gpu} at a time"
        reason += f" of a GPU's {share}"
    message = (
        f"{reason} leaves batch norm the statistics of a single sample; write more, or "
        'model.batch_norm = "eval"'
    )
    others = [("launch", "gpus"), ("launch", "nodes"), ("train", "batch_size")]
    problems.add(key, message, *others, ("train", "sync_bn"), ("model", "batch_norm"))
