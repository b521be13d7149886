"""`[train]`: the training loop."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from specc.language.section import Count, Section, must_be

NotNegative = Annotated[float, Field(ge=0)]


class Focal(Section):
    """Focal loss (arXiv 1708.02002): what is easy counts less."""

    name: Literal["focal"]
    """The loss."""
    gamma: NotNegative = 2.0
    """How much less; 0 is cross entropy."""


class Training(Section):
    batch_size: Count = 64
    """Samples of a step over all GPUs together, so that 1 GPU and 8 train the same recipe."""
    max_batch_per_gpu: Count | None = None
    """Samples that a GPU has room for; a larger share of a batch is taken in parts, and the
    gradients are added up."""
    amp: Literal["bf16", "fp16", "off"] = "off"
    """Automatic mixed precision: `"fp16"` scales the loss, `"bf16"` has no need of it."""
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Decay, for each step, of an exponential moving average of the model, which is then what is
    evaluated and saved as the best. In the first steps it is (1 + step) / (10 + step), if that is
    less."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Decides the new head's weights, the order of samples and their augmentation."""
    workers: Annotated[int, Field(ge=0)] = 4
    """Processes that read images, for each GPU."""
    log_every: Count = 50
    """Steps between two log lines."""
    checkpoint_every: Count | None = None
    """Epochs between two checkpoints that are kept beside the best and the last."""
    keep: Count | None = None
    """How many of these are kept, the latest; by default all."""
    checkpoint_steps: Count = 1000
    """Steps between two writings of the last checkpoint inside an epoch, which also ends with
    one."""
    early_stop: Count | None = None
    """Evaluations in a row without a better one after which training ends."""
    deterministic: bool = True
    """Whether the same run gives the same bits, at some cost in speed on GPUs."""
    sync_bn: bool = True
    """Whether trained batch norms take their statistics over all GPUs, as one GPU would."""


class TrainClasses(Training):
    loss: Annotated[
        Annotated[Literal["cross-entropy", "focal"], Tag("name")] | Annotated[Focal, Tag("table")],
        Discriminator(lambda v: "table" if isinstance(v, dict | Focal) else "name"),
    ] = "cross-entropy"
    """The loss: `"cross-entropy"` (with `data.multi_label`, of each class by itself), `"focal"`, or
    a table with the latter's `gamma`."""
    class_weights: Annotated[
        Literal["balanced"] | list[NotNegative] | None,
        must_be('"balanced" or a list of numbers, one for each class'),
    ] = None
    """What a sample of each class counts in the loss, as in PyTorch's CrossEntropyLoss, which
    divides by the sum of a batch's weights; `"balanced"` takes weights of mean 1 over the samples,
    the rarer a class the larger. With `data.multi_label`: what a class counts where it is
    there, as often as it is not if `"balanced"`."""
    compile: bool = False
    """Whether torch.compile makes the model faster, after some minutes."""


class Train(TrainClasses):
    channels_last: bool = False
    """Whether tensors lie in memory as tensor cores like them; pays with `amp` on GPUs."""


class TrainClips(TrainClasses):
    batch_size: Count = 32
    """Videos of a step over all GPUs together, so that 1 GPU and 8 train the same recipe."""


class TrainBoxes(Training):
    batch_size: Count = 16
    """Images of a step over all GPUs together, so that 1 GPU and 8 train the same recipe."""
    group_by_shape: bool = True
    """Whether a batch is of wide images only or of tall ones, where possible: of different shapes
    it is mostly border. Of no use where the model's images have one size."""
