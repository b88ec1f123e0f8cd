"""What a benchmark runs: a model by the name of its shape, and a checkpoint of it with random weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from ...configs import CONFIGS, read
from ...rerankers import ModelSpec, load_spec
from ...rerankers.checkpoint.hub import Resolved
from ...rerankers.random_weights import write_random_weights
from ...rerankers.registry import family_of, find_spec
from .checkpoint import write_tokenizer
from .options import named


def spec_of(shape: str) -> ModelSpec:
    """Return the specification, with its whole config.json, of a shape of configs/bench.yaml or of a model folder.

    Raises InputError for another name.
    """
    if Path(shape).is_dir():
        return replace(find_spec(shape), config=Resolved(shape, Path(shape)).config)
    entry = named(read(CONFIGS / "bench.yaml")["shapes"], shape, "shape")
    spec = load_spec(entry["model"])
    return replace(spec, config={**spec.config, **entry.get("config", {})})


def write_checkpoint(folder: Path, spec: ModelSpec, dtype: str, seed: int = 0) -> None:
    """Write a new folder with the specification's config.json, the bench's tokenizer and random weights in a dtype."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(spec.config), encoding="utf-8")
    write_tokenizer(folder, encoder=not family_of(spec).prompted, vocab=spec.config["vocab_size"])
    stored = {"int8": "float32", "fp8": "bfloat16"}.get(dtype, dtype)
    write_random_weights(folder, family=spec.family, dtype=stored, seed=seed)
