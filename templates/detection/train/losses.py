def mean_losses(
    window: list[tuple[Tensor, Tensor]], names: list[str], samples: Samples
) -> dict[str, float]:
    """The mean of each loss of some steps, and of their sum, over all processes.

    Of each step there are the losses, as `names` says, and the indices of its samples.

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
