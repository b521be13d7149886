"""`[evaluate]`: what is measured on the validation data."""

from typing import Annotated

from pydantic import Field

from specc.spec.section import Count, Section


class Evaluate(Section):
    batch_size: Count = 64
    """Images of a step, for each GPU; changes the speed only."""
    topk: Annotated[list[Count], Field(min_length=1)] | None = None
    """The k of the top-k accuracies; by default 1, and 5 where there are more classes."""
