"""From a source to a typed spec, or to everything that is wrong with its keys and values."""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from specc.diagnostics import choices, nearest, show
from specc.problems import Problems
from specc.source import Key, Source
from specc.spec.classification import Classification
from specc.spec.section import Section

TASKS: dict[str, type[Classification]] = {"classification": Classification}

# The keys that choose among the sections of a union.
TAGS = {"data": "format", "optim": "name", "schedule": "name"}

# What pydantic's error types ask for, in words.
EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text in quotes",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "dict_type": "a table",
}
BOUNDS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}


def parse(source: Source, problems: Problems) -> Classification | None:
    """Check `source` against the language of its task.

    What is wrong goes to `problems`. Wrong values are then left out, so that the rest of the
    spec can be checked as well; the answer is None where too little remains.
    """
    task = source.tree.get("task")
    if task is None:
        problems.add(("task",), f"missing; write task = {choices(TASKS)}")
        return None
    if task not in TASKS:
        problems.add(("task",), _unknown(task, TASKS))
        return None
    try:
        return TASKS[task].model_validate(source.tree)
    except ValidationError as error:
        details = error.errors(include_url=False)
    tree = deepcopy(source.tree)
    keys = [_written(detail, source.tree) for detail in details]
    for key, detail in zip(keys, details, strict=True):
        problems.add(key, _message(key, detail, source.tree, TASKS[task]))
        _remove(tree, key)
    problems.left_out(keys)
    try:
        return TASKS[task].model_validate(tree)
    except ValidationError:
        return None


def _written(detail: ErrorDetails, tree: dict[str, Any]) -> Key:
    """The key as a user writes it: pydantic's location less the tags of unions."""
    key: list[str | int] = []
    node: Any = tree
    for part in detail["loc"]:
        if part in node if isinstance(node, dict) else isinstance(node, list):
            key.append(part)
            node = node[part]
    if detail["type"] == "missing":
        key.append(detail["loc"][-1])
    elif detail["type"].startswith("union_tag") and isinstance(node, dict):
        key.append(TAGS[str(key[0])])
    return tuple(key)


def _remove(tree: Any, key: Key) -> None:
    for part in key[:-1]:
        tree = tree[part]
    if isinstance(tree, dict):
        tree.pop(key[-1], None)


def _message(key: Key, detail: ErrorDetails, tree: dict[str, Any], task: type[Section]) -> str:
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    if kind in EXPECTED:
        return f"must be {EXPECTED[kind]}, not {show(value)}"
    match kind:
        case "extra_forbidden":
            return _unknown_key(key, tree, task)
        case "missing":
            field = _section(key[:-1], tree, task).model_fields[str(key[-1])]
            return f"missing. {' '.join((field.description or '').split())}"
        case "union_tag_invalid":
            return _unknown(context["tag"], _listed(context["expected_tags"]))
        case "union_tag_not_found":
            sections = _sections(task.model_fields[str(key[0])].annotation)
            return f"missing; write {choices(_tag(section) for section in sections)}"
        case "literal_error":
            return _unknown(value, _listed(context["expected"]))
        case "greater_than" | "greater_than_equal" | "less_than" | "less_than_equal":
            ((operator, bound),) = context.items()
            return f"must be {BOUNDS[operator]} {bound:g}, not {show(value)}"
        case "too_short":
            return f"must have {context['min_length']} or more values, not {show(value)}"
        case "too_long":
            return f"must have {context['max_length']} values, not {show(value)}"
    return f"{detail['msg']}, not {show(value)}"


def _unknown_key(key: Key, tree: dict[str, Any], task: type[Section]) -> str:
    """What to write instead, or which kind of section has such a key."""
    name, parent = str(key[-1]), key[:-1]
    section = _section(parent, tree, task)
    if len(parent) == 1:
        for sibling in _sections(task.model_fields[str(parent[0])].annotation):
            if name in sibling.model_fields:
                tag = f'{TAGS[str(parent[0])]} = "{_tag(sibling)}"'
                return f"only {tag} has this key, not {choices([_tag(section)])}"
    allowed = [field for field in section.model_fields if not parent or field != "name"]
    return "unknown key" + (nearest(name, allowed) or f"; allowed are {', '.join(allowed)}")


def _section(key: Key, tree: dict[str, Any], task: type[Section]) -> type[Section]:
    """The class of the table at `key`."""
    section, node = task, tree
    for part in key:
        node = node[part]  # type: ignore[index]  # lists have whole numbers
        if isinstance(part, str):
            sections = list(_sections(section.model_fields[part].annotation))
            named = node.get(TAGS.get(part, "")) if isinstance(node, dict) else None
            chosen = [s for s in sections if len(sections) > 1 and _tag(s) == named]
            section = (chosen or sections)[0]
    return section


def _sections(annotation: Any) -> Iterator[type[Section]]:
    """All sections that a type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for argument in get_args(annotation):
        yield from _sections(argument)


def _tag(section: type[Section]) -> str:
    """The value of the key that chooses this section of a union."""
    field = section.model_fields.get("format") or section.model_fields["name"]
    return str(get_args(field.annotation)[0])


def _listed(text: str) -> list[str]:
    """The names in pydantic's `'a', 'b' or 'c'`."""
    return [part.strip("' ") for part in text.replace(" or ", ",").split(",")]


def _unknown(value: Any, allowed: Iterable[str]) -> str:
    allowed = list(allowed)
    return f"{show(value)} is unknown{nearest(str(value), allowed)}; allowed: {choices(allowed)}"
