def mean_losses(
    window: list[tuple[Tensor, Tensor]], names: list[str], samples: Samples
) -> dict[str, float]:
    """Average each loss, and their sum, over some steps and all processes.

    Args:
        window: of each step the losses, in the order of `names`, and its samples.

    Raises:
        FloatingPointError: if a loss is not finite; names the samples of its batch.
    """
    losses = torch.stack([values for values, _ in window])  # [steps, losses]
    for step, loss in (~losses.isfinite()).nonzero().tolist():
        images = ", ".join(map(samples.name, window[step][1].tolist()))
        value = losses[step, loss]
        raise FloatingPointError(f"{names[loss]} is {value:g} on {images}")
    means = losses.mean(0)
    dist.all_reduce(means)
    means /= dist.get_world_size()
    return dict(zip(["loss", *names], [means.sum().item(), *means.tolist()], strict=True))
