"""From a source to a typed spec, or to everything that is wrong with its keys and values."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from specc.language.section import Section, sections
from specc.language.spec import Spec
from specc.source.diagnostics import choices, nearest, show
from specc.source.keys import Key, dotted
from specc.source.problems import Problems
from specc.source.read import Source
from specc.source.versions import RENAMES

Languages = Mapping[str, type[Spec]]

# The keys that choose among the sections of a union.
TAGS = {"data": "format", "optim": "name", "schedule": "name"}

# A stand-in for a required value that is missing or invalid, so that the rest can be checked.
STAND_INS: dict[str, Any] = {
    "model": {"name": "?"},
    "name": "?",
    "root": "?",
    "source": "?",
    "train": {"list": "?", "csv": "?", "json": "?", "images": "?"},
    "list": "?",
    "csv": "?",
    "json": "?",
    "images": "?",
    "short": 800,
    "long": 1333,
    "milestones": [1],
    "step_size": 1,
    "weights": "?",
    "match": "*",
    "epoch": 1,
    "freeze": "none",
    "clips": 1,
}

# The counterparts, in one task, of another task's keys.
INSTEAD = {
    "num_classes": "classes are counted; name them in data.classes, or leave it out",
    "image_size": "write e.g. resize = { short = 800, long = 1333 }",
    "resize": "write image_size",
}

# The demands of pydantic's error types, in words.
EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text in quotes",
    "bool_type": "true or false",
    "list_type": "a list",
    "model_type": "a table",
    "model_attributes_type": "a table",
}
BOUNDS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}


def parse(source: Source, languages: Languages, problems: Problems) -> Spec | None:
    """Check `source` against the language of its task; what is wrong goes to `problems`.

    Args:
        languages: of all tasks, by their names.

    Wrong values are left out then, so that the rest of the spec can be checked as well. The
    answer is None where the task, and so the language, is unknown.
    """
    name = source.tree.get("task")
    task = languages.get(name) if isinstance(name, str) else None
    if task is None:
        missing = f"missing; write task = {choices(languages)}"
        problems.add(("task",), missing if name is None else _must_be(languages, name))
        return None
    tree = deepcopy(source.tree)
    formats = {
        "format": task.usual_format,
        "data": {"format": task.usual_format, "root": "?"},
    }
    stood_in: set[Key] = set()
    while True:
        try:
            return task.model_validate(tree)
        except ValidationError as error:
            details = error.errors(include_url=False)
        keys = [_written(detail, tree) for detail in details]
        for key, detail in zip(keys, details, strict=True):
            # A key may be unknown only because another one chose the wrong section.
            tag = (key[0], TAGS.get(str(key[0]), ""))
            problems.add(key, _message(key, detail, tree, languages), tag)
        for key, detail in zip(keys, details, strict=True):
            needed = detail["type"] in ("missing", "union_tag_not_found")
            if needed and key in stood_in:  # what stood in for it was refused
                _mend(tree, key[:-1], None)
            elif _mend(tree, key, STAND_INS | formats if needed else None):
                stood_in.add(key)
        problems.left_out(keys)


def _written(detail: ErrorDetails, tree: dict[str, Any]) -> Key:
    """Return the key as a user writes it: pydantic's location less the tags of unions."""
    key: list[str | int] = []
    node: Any = tree
    for part in detail["loc"]:
        if part in node if isinstance(node, dict) else isinstance(part, int):
            key.append(part)
            node = node[part]
    if detail["type"] == "missing":
        key.append(detail["loc"][-1])
    elif detail["type"].startswith("union_tag") and isinstance(node, dict):
        key.append(TAGS[str(key[0])])
    return tuple(key)


def _mend(tree: dict[str, Any], key: Key, stand_ins: dict[str, Any] | None) -> bool:
    """Put a stand-in for a missing value; drop an invalid one, or the list it is in.

    Returns whether something stands in for it.
    """
    node: Any = tree
    for part in key:
        if isinstance(node, dict):
            table, name = node, part
            node = node.get(str(part))
        elif isinstance(node, list):
            node = node[int(part)]
    if stand_ins and name == key[-1] and name not in table:
        table[name] = deepcopy(stand_ins[str(name)])
        return True
    table.pop(name, None)
    return False


def _message(key: Key, detail: ErrorDetails, tree: dict[str, Any], languages: Languages) -> str:
    task = languages[tree["task"]]
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    if kind.startswith("union_tag") and isinstance(value, dict):
        kinds = sections(task.model_fields[str(key[0])].annotation)
        tags = [tag for it in kinds if _is_variant(it) for tag in _tags(it)]
        written = key[-1] in value
        missing = f"missing; write {key[-1]} = {choices(tags)}"
        return _must_be(tags, value[key[-1]]) if written else missing
    if kind.startswith("union_tag"):
        return f"must be a table, not {show(value)}; write [{dotted(key)}]"
    if kind in EXPECTED:
        return f"must be {EXPECTED[kind]}, not {show(value)}"
    match kind:
        case "extra_forbidden":
            return _unknown_key(key, tree, languages)
        case "missing":
            field = _section(key[:-1], tree, task).model_fields[str(key[-1])]
            missing = f"missing; write [{key[0]}]" if len(key) == 1 else "missing"
            return f"{missing}. {' '.join((field.description or '').split())}"
        case "literal_error" if "'" not in context["expected"]:  # numbers
            return f"must be {context['expected']}, not {show(value)}"
        case "literal_error":
            return _must_be(_listed(context["expected"]), value)
        case "greater_than" | "greater_than_equal" | "less_than" | "less_than_equal":
            ((operator, bound),) = context.items()
            return f"must be {BOUNDS[operator]} {bound:.15g}, not {show(value)}"
        case "too_short":
            return f"must have {context['min_length']} or more values, not {show(value)}"
        case "text":
            return detail["msg"]
    return f"{detail['msg']}, not {show(value)}"


def _unknown_key(key: Key, tree: dict[str, Any], languages: Languages) -> str:
    """Say what to write instead, or where such a key belongs."""
    task = languages[tree["task"]]
    name, parent = str(key[-1]), key[:-1]
    section = _section(parent, tree, task)
    if renamed := [it for it in RENAMES if it.old == key]:
        return f"{renamed[-1]}; `specc migrate` rewrites a spec"
    if len(parent) == 1:
        for inner, field in section.model_fields.items():
            if any(name in it.model_fields for it in sections(field.annotation)):
                return f"unknown key; did you mean {parent[0]}.{inner}.{name}?"
        siblings = filter(_is_variant, sections(task.model_fields[str(parent[0])].annotation))
        if tags := [tag for it in siblings if name in it.model_fields for tag in _tags(it)]:
            tag = TAGS[str(parent[0])]
            chosen = tree[str(parent[0])].get(tag, _tags(section)[0])
            return f'only for {tag} = {choices(tags)}, not for "{chosen}"'
    others = [other for other, language in languages.items() if language is not task]
    if tasks := [other for other in others if _has(languages[other], key)]:
        hint = f"; {INSTEAD[name]}" if name in INSTEAD else ""
        return f'only for task = {choices(tasks)}, not for "{tree["task"]}"{hint}'
    if hint := nearest(name, section.model_fields):
        return f"unknown key{hint}"
    for other, field in task.model_fields.items():
        if len(parent) < 2 and any(name in it.model_fields for it in sections(field.annotation)):
            return f"unknown key; did you mean {other}.{name}?"
    return f"unknown key; allowed are {', '.join(section.model_fields)}"


def _has(task: type[Section], key: Key) -> bool:
    """Return whether the language of `task` has such a key, in any kind of section."""
    found = [task]
    for part in key[:-1]:
        fields = [it.model_fields[part] for it in found if part in it.model_fields]
        found = [it for field in fields for it in sections(field.annotation)]
    return any(key[-1] in it.model_fields for it in found)


def _section(key: Key, tree: dict[str, Any], task: type[Section]) -> type[Section]:
    """Return the class of the table at `key`."""
    section, node = task, tree
    for part in key:
        node = node[part]  # type: ignore[index]  # lists have whole numbers
        if isinstance(part, str):
            found = list(sections(section.model_fields[part].annotation))
            named = node.get(TAGS.get(part, "")) if isinstance(node, dict) else None
            chosen = [s for s in found if _is_variant(s) and named in _tags(s)]
            section = (chosen or found)[0]
    return section


def _is_variant(section: type[Section]) -> bool:
    """Return whether a key of this section chooses it among others."""
    return any(
        get_args(section.model_fields[tag].annotation)
        for tag in set(TAGS.values())
        if tag in section.model_fields
    )


def _tags(section: type[Section]) -> list[str]:
    """Return the values of the key that choose this section of a union."""
    field = section.model_fields.get("format") or section.model_fields["name"]
    return [str(value) for value in get_args(field.annotation)]


def _listed(text: str) -> list[str]:
    """Return the names in pydantic's `'a', 'b' or 'c'`."""
    return [part.strip("' ") for part in text.replace(" or ", ",").split(",")]


def _must_be(allowed: Iterable[str], value: Any) -> str:
    hint = nearest(value, allowed) if isinstance(value, str) else ""
    return f"must be {choices(allowed)}, not {show(value)}{hint}"
