"""The JSON Schema of the language."""

import json
from typing import Any

from pydantic.json_schema import models_json_schema

from specc.language.parse import TAGS, Languages
from specc.source.versions import NEWEST


def schema_text(languages: Languages) -> str:
    """Return the JSON Schema (draft 2020-12) of a spec file, as editors use it.

    It does not say what is needed: a file may leave that to those that it extends, or that extend
    it. A build does.
    """
    tasks = list(dict.fromkeys(languages.values()))
    _, schema = models_json_schema([(task, "validation") for task in tasks])
    sections = schema["$defs"]
    for section in sections.values():
        section.pop("required", None)
        section["properties"] = {
            key: _one_or_more(value) for key, value in section.get("properties", {}).items()
        }
    for task in tasks:
        properties = sections[task.__name__]["properties"]
        for name, tag in TAGS.items():
            references = properties[name].pop("oneOf", None) or properties[name].pop("anyOf")
            properties[name] |= _chosen(tag, [_name(it) for it in references], sections)
        properties["extends"] = {
            "description": "Specs to start from, relative to this file; later ones win.",
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        }
        properties["version"] = {
            "description": "Of the language that this file is written in; by default the newest.",
            "enum": [*range(1, NEWEST + 1)],
        }
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema |= _chosen("task", [task.__name__ for task in tasks], sections)
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _chosen(tag: str, names: list[str], sections: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a table that is one of several sections, as its key `tag` says.

    `if` and `then` rather than `anyOf`, so that a mistake is one error, at its own key. Where the
    tag is left out, as it may stand in a file that this one extends, each key may have what one of
    the sections allows.
    """
    keys: dict[str, list[str]] = {}  # and where each is described, in one section or several
    for name in names:
        for key, value in sections[name]["properties"].items():
            others = [sections[it]["properties"][key] for it in keys.setdefault(key, [])]
            if value not in others:
                keys[key].append(name)
    values = [value for name in names for value in _values(sections[name]["properties"][tag])]
    cases: list[dict[str, Any]] = [
        {
            "if": {
                "type": "object",
                "properties": {tag: {"enum": _values(sections[name]["properties"][tag])}},
                "required": [tag],
            },
            "then": {"$ref": f"#/$defs/{name}"},
        }
        for name in names
    ]
    any_of_them = {
        key: {"anyOf": [{"$ref": f"#/$defs/{name}/properties/{key}"} for name in found]}
        for key, found in keys.items()
    }
    cases.append(
        {
            "if": {"type": "object", "not": {"required": [tag]}},
            "then": {"properties": any_of_them, "additionalProperties": False},
        }
    )
    # All keys once more without their types: editors complete from these.
    described = {
        key: {"description": sections[found[0]]["properties"][key]["description"]}
        for key, found in keys.items()
    }
    described[tag]["enum"] = values
    return {"type": "object", "properties": described, "allOf": cases}


def _one_or_more(field: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a key with `if` for a list of tables or a table, if that is its kind.

    So a mistake is at its own key, as in `_chosen`.
    """
    first, *others = field.get("anyOf", [field])  # or null, where the key may be left out
    match first:
        case {"oneOf": [table, {"items": item} as several]} if item == table:
            one = {"anyOf": [table, *others]} if others else table
        case _:
            return field
    choice = {"if": {"type": "array"}, "then": several, "else": one}
    return {key: it for key, it in field.items() if key not in ("anyOf", "oneOf")} | choice


def _values(field: dict[str, Any]) -> list[str]:
    """Return the values of a key that chooses a section."""
    return field["enum"] if "enum" in field else [field["const"]]


def _name(reference: dict[str, str]) -> str:
    return reference["$ref"].rpartition("/")[2]
