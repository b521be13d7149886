#% if loss.focal
#% if loss.class_weights
def focal_loss(logits: Tensor, targets: Tensor, class_weights: Tensor) -> Tensor:
    """Compute the mean focal loss (arXiv 1708.02002): easy samples count less.

    Logits are [B, NUM_CLASSES], targets int64 [B], weights of classes [NUM_CLASSES].
    """
    losses = F.cross_entropy(logits, targets, reduction="none")
    weights = class_weights[targets] * (1 - torch.exp(-losses)) ** FOCAL_GAMMA
    return (weights * losses).mean()
#% else
def focal_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Compute the mean focal loss (arXiv 1708.02002): easy samples count less.

    Logits are [B, NUM_CLASSES], targets int64 [B].
    """
    losses = F.cross_entropy(logits, targets, reduction="none")
    return ((1 - torch.exp(-losses)) ** FOCAL_GAMMA * losses).mean()
#% endif


#% endif
def mean_loss(window: list[tuple[Tensor, Tensor]], samples: Samples) -> float:
    """Average the losses of some steps, (loss, its samples) each, over all processes.

    Raises:
        FloatingPointError: if a loss is not finite; names the samples of its batch.
    """
    losses = torch.stack([loss for loss, _ in window])
    for step in (~losses.isfinite()).nonzero().flatten().tolist():
        names = ", ".join(map(samples.name, window[step][1].tolist()))
        raise FloatingPointError(f"the loss is {losses[step]:g} on {names}")
    total = losses.mean()
    dist.all_reduce(total)
    return total.item() / dist.get_world_size()
