"""The JSON Schema of the language."""

import json
from typing import Any

from pydantic.json_schema import models_json_schema

from specc.spec.tasks import TASKS
from specc.versions import NEWEST


def schema_text() -> str:
    """JSON Schema (draft 2020-12) of a spec file, as editors use it.

    It does not say what is needed: a file may leave that to those that it extends, or that extend
    it. A build does.
    """
    tasks = list(dict.fromkeys(TASKS.values()))
    _, schema = models_json_schema([(task, "validation") for task in tasks])
    for section in schema["$defs"].values():
        section.pop("required", None)
    _any_instead_of_one(schema)
    for task in tasks:
        properties = schema["$defs"][task.__name__]["properties"]
        properties["extends"] = {
            "description": "Specs to start from, relative to this file; later ones win.",
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        }
        properties["version"] = {
            "description": "Of the language that this file is written in; by default the newest.",
            "enum": [*range(1, NEWEST + 1)],
        }
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["anyOf"] = [{"$ref": f"#/$defs/{task.__name__}"} for task in tasks]
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _any_instead_of_one(node: Any) -> None:
    """Where the key that chooses among sections is left out, more than one of them fits."""
    if isinstance(node, dict):
        if "oneOf" in node:
            node["anyOf"] = node.pop("oneOf")
        for value in node.values():
            _any_instead_of_one(value)
    elif isinstance(node, list):
        for value in node:
            _any_instead_of_one(value)
