"""What all sections of the language have in common."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    WrapValidator,
)
from pydantic_core import PydanticCustomError


class Section(BaseModel):
    """A table of the spec. Unknown keys are errors, and `"1"` is not 1."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


def _printable(text: str) -> str:
    """Refuse what could break out of a line of generated code, shell or Markdown."""
    if not text or not text.isprintable():
        raise PydanticCustomError("text", "must be text without control characters")
    return text


Text = Annotated[str, AfterValidator(_printable)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Channels = Annotated[tuple[float, float, float], Field(strict=False)]  # TOML has lists only


def one_of(expected: str) -> WrapValidator:
    """For a union: say once what is allowed, not what each member has against the value."""

    def validate(value: Any, handler: Callable[[Any], Any]) -> Any:
        try:
            return handler(value)
        except ValidationError as error:
            raise PydanticCustomError("one_of", "must be {it}", {"it": expected}) from error

    return WrapValidator(validate)
