"""Bring the parts of README.md that follow from other files up to date, and specs/schema.json.

    python tools/readme.py            write them
    python tools/readme.py --check    exit with 1 if they are not up to date

In README.md such a part stands between `<!-- from: SOURCE -->` and `<!-- end -->`, where SOURCE
is a file of the repository, or a task for the reference of all its keys.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from specc.language.schema import schema_text
from specc.language.section import Section, sections
from specc.tasks import LANGUAGES

README = Path("README.md")
SCHEMA = Path("specs/schema.json")
PART = re.compile(r"(<!-- from: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
WORDS = {int: "whole number", float: "number", bool: "true or false", str: "text"}


def readme(text: str) -> str:
    """Return the README with its parts made anew."""
    return PART.sub(lambda match: match[1] + part(match[2]) + match[3], text)


def part(source: str) -> str:
    if source in LANGUAGES:
        return "\n".join(reference(LANGUAGES[source])) + "\n"
    path = Path(source)
    return f"```{path.suffix[1:].replace('py', 'python')}\n{path.read_text()}```\n"


def reference(task: type[Section]) -> Iterator[str]:
    """Yield a heading and a table of keys for each section of a task's language."""
    plain = {
        name: field
        for name, field in task.model_fields.items()
        if not any(sections(field.annotation))
    }
    yield from table(plain)
    told = told_before(task)
    for name, field in task.model_fields.items():
        if (kinds := [*sections(field.annotation)]) and name not in told:
            yield from section_reference(name, kinds)
    if told:
        yield f"\n{', '.join(f'`[{name}]`' for name in told)}: as for the tasks above."


def told_before(task: type[Section]) -> list[str]:
    """Return the sections that are the same in a task before this one."""
    tasks = list(dict.fromkeys(LANGUAGES.values()))
    before = [it.model_fields for it in tasks[: tasks.index(task)]]  # type: ignore[arg-type]
    return [
        name
        for name, field in task.model_fields.items()
        if any(sections(field.annotation))
        and any(name in it and it[name].annotation == field.annotation for it in before)
    ]


def section_reference(name: str, kinds: list[type[Section]]) -> Iterator[str]:
    """Yield the keys that all kinds of a section have, then each kind's, then tables in it."""
    first, *others = kinds
    shared = {
        key: field
        for key, field in first.model_fields.items()
        if all(same(field, other.model_fields.get(key)) for other in others)
    }
    yield f"\n#### `[{name}]`\n"
    yield from table(shared)
    for kind_of in kinds if others else []:
        own = {key: it for key, it in kind_of.model_fields.items() if key not in shared}
        key = "format" if "format" in own else "name"
        values = [f'`"{value}"`' for value in get_args(own.pop(key).annotation)]
        yield f"\n`[{name}]` with `{key}` = {', '.join(values)}: {words(kind_of.__doc__)}\n"
        if own:
            yield from table(own)
    inner: dict[type[Section], dict[str, None]] = {}  # and the keys whose values they are
    for kind_of in kinds:
        for key, field in kind_of.model_fields.items():
            for section in sections(field.annotation):
                inner.setdefault(section, {})[f"`{key}`"] = None
    for section, keys in inner.items():
        meaning = f": {words(section.__doc__)}" if section.__doc__ else ""
        yield f"\n{' and '.join(keys)} in `[{name}]`, as a table{meaning}\n"
        yield from table(section.model_fields)


def words(text: str | None) -> str:
    return " ".join((text or "").split())


def same(field: FieldInfo, other: FieldInfo | None) -> bool:
    """Return whether two kinds of a section share a key."""
    return (
        other is not None
        and field.description == other.description
        and (field.default == other.default)
        and field.annotation == other.annotation
    )


def table(fields: dict[str, FieldInfo]) -> Iterator[str]:
    yield "| key | value | default | meaning |"
    yield "|---|---|---|---|"
    for name, field in fields.items():
        meaning = words(field.description)
        yield f"| `{name}` | {kind(field.annotation)} | {default(field)} | {meaning} |"


def default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "needed"
    told = field.default is not None and not isinstance(field.default, Section)
    return f"`{json.dumps(field.default)}`" if told else ""


def kind(annotation: Any) -> str:
    """Return a type in words."""
    arguments = [a for a in get_args(annotation) if a is not type(None)]
    if annotation in WORDS:
        return WORDS[annotation]
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return "table"
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{json.dumps(argument)}`" for argument in arguments)
    if get_origin(annotation) is list:
        return f"list of {kind(arguments[0])}s"
    if get_origin(annotation) is dict:
        return "table"
    if get_origin(annotation) is tuple:
        return f"list of {len(arguments)} numbers"
    if hasattr(annotation, "__metadata__"):
        return kind(arguments[0])
    return " or ".join(dict.fromkeys(map(kind, arguments)))


def main() -> None:
    files = {README: readme(README.read_text()), SCHEMA: schema_text(LANGUAGES)}
    stale = [path for path, text in files.items() if path.read_text() != text]
    print(*(f"{path} is not up to date" for path in stale), sep="\n")
    if "--check" in sys.argv:
        sys.exit(1 if stale else 0)
    for path in stale:
        path.write_text(files[path], encoding="utf-8")


if __name__ == "__main__":
    main()
