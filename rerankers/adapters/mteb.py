"""mteb's cross-encoder protocol: its loaders of queries and passages, and the metadata that it needs of a model."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..options import TextOptions

if TYPE_CHECKING:
    from .base import Reranker

# arguments of `CrossEncoderProtocol.predict` (mteb a905523, mteb/models/models_protocols.py) about what is evaluated
_CONTEXT = ("task_metadata", "hf_split", "hf_subset", "prompt_type")


def pairs_of(pairs: Any, options: dict[str, Any]) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    """Return the pairs of two loaders, and the options that are left. Batches hold texts under the key `text`."""
    if pairs is not None or options.get("inputs2") is None:
        raise InputError("predict: give pairs, or inputs1 and inputs2")
    queries, passages = (
        [text for batch in options[name] for text in _read_texts(batch, name)] for name in ("inputs1", "inputs2")
    )
    if len(queries) != len(passages):
        raise InputError(f"predict: {len(queries)} queries and {len(passages)} passages; pairs need as many of both")
    left = {name: value for name, value in options.items() if name not in (*_CONTEXT, "inputs1", "inputs2")}
    return list(zip(queries, passages)), left


def _read_texts(batch: Any, name: str) -> list[str]:
    if "text" not in batch:
        raise InputError(f"predict: {name} holds {', '.join(batch)} and no text; rerankers here read text only")
    return batch["text"]


def model_meta(reranker: Reranker) -> Any:
    """Return mteb's ModelMeta: name and revision, by which mteb stores results; licence, size and length where known.

    Without a commit of the hub the revision is a hash of the identity, so that results of two models are never mixed.
    """
    from mteb.models import ModelMeta  # pyright: ignore[reportMissingImports]

    spec = reranker.spec
    identity = json.dumps(reranker.identity(TextOptions()), sort_keys=True)
    known = {
        "name": spec.source if spec.revision else f"rerankbench/{spec.name}",
        "revision": spec.revision or hashlib.sha256(identity.encode()).hexdigest()[:40],
        "n_parameters": spec.parameters,
        "max_tokens": spec.max_length,
    }
    return ModelMeta.create_empty(overwrites=known).model_copy(update={"model_type": ["cross-encoder"]})
