"""The JSON Schema of the language."""

import json
from typing import Any

from specc.spec.classification import Classification


def schema_text() -> str:
    """JSON Schema (draft 2020-12) of a spec file, as editors use it.

    It does not say what is needed: a file may leave that to those that it extends, or that extend
    it. A build does.
    """
    schema = Classification.model_json_schema()
    for section in (schema, *schema["$defs"].values()):
        section.pop("required", None)
    _any_instead_of_one(schema)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["properties"]["extends"] = {
        "description": "Specs to start from, relative to this file; later ones win.",
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
    }
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
