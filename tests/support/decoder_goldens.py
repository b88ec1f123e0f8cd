"""The tiny checkpoints and what the reference implementation gives for them; see parity/README.md."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from rerankbench.rerankers.api import Group
from rerankbench.rerankers.registry import load, load_spec

PARITY = Path(__file__).resolve().parents[1] / "rerankers" / "parity"
MODELS = ("gemma-s1", "minicpm-layerwise-s1", "gemma2-lightweight-s1")
# registered names of the newer ones, whose goldens are those of transformers itself
NEWER = {
    "qwen3-s1": "qwen3-reranker-0.6b",
    "mxbai-s1": "mxbai-rerank-base-v2",
    "nemotron-s1": "llama-nemotron-rerank-1b-v2",
}
TOLERANCE = {"gemma-s1": 3e-4, "minicpm-layerwise-s1": 3e-4, "gemma2-lightweight-s1": 5e-4}


def read(path: str) -> Any:
    return json.loads((PARITY / path).read_text(encoding="utf-8"))


@cache
def pairs(name: str = "main") -> list[tuple[str, str]]:
    return [(query, passage) for query, passage in read("pairs.json")[name]]


def cases(kind: str) -> list[dict[str, Any]]:
    """All golden cases of the decoder models, `kind` is `class` or `snippet`."""
    found = [case for model in MODELS for case in read(f"{model}/goldens.json")["cases"]]
    return [case for case in found if (case["api"] == "snippet") == (kind == "snippet")]


@cache
def model(name: str, **options: str) -> Any:
    spec = replace(load_spec(NEWER[name]), source=str(PARITY / name), revision=None) if name in NEWER else None
    return load(spec or str(PARITY / name), **{"device": "cpu", "dtype": "float32", **options})


def groups(chosen: list[tuple[str, str]]) -> list[Group]:
    """One group per pair."""
    return [Group(query, [passage]) for query, passage in chosen]
