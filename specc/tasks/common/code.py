"""Pieces of Python that a plan is made of. Whatever is not one of them is written as a literal."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from black.const import DEFAULT_LINE_LENGTH


class Name(str):
    """A name or an expression of ours, never a user's string: `MOMENTUM`, `model.parameters()`."""


@dataclass(frozen=True)
class Call:
    """A call: `function(*arguments, **options)`. The names of options have to be ours as well."""

    function: str
    arguments: tuple[Any, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Setting:
    """A constant at the top of a file."""

    name: str
    value: Any
    comment: str = ""


def joined(lists: Iterable[Name | Call]) -> Name:
    """Return the expression of a list of all that several lists have."""
    return Name(f"[{', '.join(f'*{python(it)}' for it in lists)}]")


def python(value: Any) -> str:
    """Return the Python source of a value.

    Raises:
        TypeError: if it is neither a piece of code nor a plain value.
    """
    match value:
        case Name():
            return str(value)
        case Call():
            arguments = [python(argument) for argument in value.arguments]
            arguments += [f"{name}={python(option)}" for name, option in value.options.items()]
            return f"{value.function}({', '.join(arguments)})"
        case Setting():
            line = f"{value.name} = {python(value.value)}"
            if not value.comment:
                return line
            beside = f"{line}  # {value.comment}"
            return beside if len(beside) <= DEFAULT_LINE_LENGTH else f"# {value.comment}\n{line}"
        case dict():
            items = [f"{python(key)}: {python(item)}" for key, item in value.items()]
            return f"{{{', '.join(items)}}}"
        case list():
            return f"[{', '.join(map(python, value))}]"
        case tuple():
            return f"({', '.join(map(python, value))}{',' if len(value) == 1 else ''})"
        case str():
            literal = repr(value)
            return literal if '"' in literal else f'"{literal[1:-1]}"'  # as black has it
        case bool() | int() | float() | None:
            return repr(value)
    raise TypeError(f"{value!r} cannot become Python source")
