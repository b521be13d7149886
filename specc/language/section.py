"""The common base of the language's sections."""

import json
from collections.abc import Callable, Iterator
from typing import Annotated, Any, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
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
        defer_build=True,  # the parts of a task are built once, with it
    )


def _printable(text: str) -> str:
    """Refuse what could break out of a line of generated code, shell or Markdown."""
    if not text:
        raise PydanticCustomError("text", "must not be empty")
    for character in text:
        if not character.isprintable():
            message = "must not contain the unprintable character {it}"
            raise PydanticCustomError("text", message, {"it": json.dumps(character)})
    return text


def sections(annotation: Any) -> Iterator[type[Section]]:
    """Yield all sections that a type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for argument in get_args(annotation):
        yield from sections(argument)


Text = Annotated[str, AfterValidator(_printable)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


def must_be(expected: str) -> WrapValidator:
    """Say in one sentence what is allowed, not what each part of a type has against a value."""

    def validate(value: Any, handler: Callable[[Any], Any]) -> Any:
        try:
            return handler(value)
        except ValidationError as error:
            raise PydanticCustomError("must_be", "must be {it}", {"it": expected}) from error

    return WrapValidator(validate)


Names = Annotated[
    Text | Annotated[list[Text], Field(min_length=1)], must_be("a name or a list of them")
]
# For a union of a table, tagged "=one", and a list of such tables, tagged "=more".
ONE_OR_MORE = Discriminator(lambda value: "=more" if isinstance(value, list) else "=one")


def variant(key: str, default: str | None = None) -> Discriminator:
    """Discriminate a union of sections by `key`, in the table or by default."""

    def chosen(value: Any) -> Any:
        table = isinstance(value, dict)
        return value.get(key, default) if table else getattr(value, key, None)

    return Discriminator(chosen)
