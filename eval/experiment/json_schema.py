"""The JSON Schema of experiments, for editors that complete and check YAML."""

from __future__ import annotations

import json

from .schema import Experiment

TITLE = "An experiment of rerankbench"


def schema_text() -> str:
    """Return the schema as it is in configs/experiment.schema.json, ending in a newline."""
    schema = Experiment.model_json_schema()
    schema["required"] = [key for key in schema["required"] if key != "name"]  # the file's name replaces it
    content = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": TITLE}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
