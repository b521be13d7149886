"""`[train]`: the training loop."""

from typing import Annotated

from pydantic import Field

from specc.spec.section import Count, Section


class Train(Section):
    batch_size: Count = 64
    """Samples of a step over all GPUs together, so that 1 GPU and 8 train the same recipe."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Decides the new head's weights, the order of samples and their augmentation."""
    workers: Annotated[int, Field(ge=0)] = 4
    """Processes that read images, for each GPU."""
    log_every: Count = 50
    """Steps between two log lines."""
    checkpoint_every: Count = 1000
    """Steps between two checkpoints inside an epoch; every epoch ends with one as well."""
    deterministic: bool = True
    """Whether the same run gives the same bits, at some cost in speed on GPUs."""
    sync_bn: bool = True
    """Whether trained batch norms take their statistics over all GPUs, as one GPU would."""
