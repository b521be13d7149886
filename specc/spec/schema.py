"""The JSON Schema of the language."""

import json

from specc.spec.classification import Classification


def schema_text() -> str:
    """JSON Schema (draft 2020-12) of a spec file, as editors use it."""
    schema = Classification.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    paths = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
    schema["properties"]["extends"] = {
        "description": "Specs to start from, relative to this file; later ones win.",
        **paths,
    }
    # A spec may leave to the ones that it extends what is required in the end.
    del schema["required"]
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
