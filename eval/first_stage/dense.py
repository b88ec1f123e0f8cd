"""Dense retrieval: a corpus is encoded once, queries are compared with all of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...rerankers.storage.cache import cache_folder
from ...rerankers.storage.digests import hash_json
from ..data import Dataset
from .candidates import Candidates, depth, kept_candidates
from .embeddings import BLOCK, EmbeddingStore
from .encode import Encoder, SentenceEncoder, compute_dtype, resolve_device, weights_identity
from .retriever import RetrieverSpec
from .runs import Run
from .search import search

MakeEncoder = Callable[[RetrieverSpec, str], Encoder]


def dense_candidates(
    spec: RetrieverSpec,
    dataset: Dataset,
    k: int,
    folder: Path,
    *,
    device: str = "auto",
    embeddings: Path | None = None,
    make_encoder: MakeEncoder = SentenceEncoder,
    progress: bool | None = None,
) -> Candidates:
    """Return top-k by inner product, reused from `folder` when they are there.

    The vectors of the corpus are kept below `embeddings` (default: `$RERANKBENCH_CACHE/embeddings`) and shared by all
    experiments with the same retriever and dataset; an interrupted encoding is continued.
    Raises InputError for a dataset that the retriever has no task for, and when the model cannot be loaded.
    """
    device = resolve_device(device)
    query_format = spec.query_format(dataset.name, dataset.policy)
    passages = {
        "retriever": spec.name,
        **weights_identity(spec),
        "pooling": spec.pooling,
        "normalise": spec.normalise,
        "dtype": compute_dtype(spec, device),
        "stored_as": spec.stored_as,
        "passage_template": spec.passage_template,
        "passage_max_length": spec.passage_max_length,
        **({"tokenizer": spec.tokenizer.model_dump()} if spec.tokenizer else {}),
        "join": dataset.policy.join,
    }
    source = {**passages, "query_template": query_format, "query_max_length": spec.query_max_length}

    def compute() -> Run:
        encoder = make_encoder(spec, device)
        identity = {**passages, "dataset": dataset.name, "checksum": dataset.checksum}
        root = embeddings or cache_folder() / "embeddings"
        store = EmbeddingStore(root / _name(spec, dataset, identity), identity, len(dataset))
        store.drop_damaged()
        if not store.complete:
            corpus = ((doc, spec.passage_template.replace("{passage}", text)) for doc, text in dataset.corpus())
            block = BLOCK * getattr(encoder, "workers", 1)
            title = f"encode {dataset.name}"
            store.fill(corpus, encoder, spec.stored_as, title=title, block=block, progress=progress)
        texts = [query_format.replace("{query}", text) for text in dataset.queries.values()]
        queries = np.asarray(encoder.encode(texts, queries=True), dtype=np.float32)
        title = f"search {dataset.name}"
        rankings = search(queries, store, depth(dataset, k), device=device, title=title, progress=progress)
        return dict(zip(dataset.queries, rankings, strict=True))

    return kept_candidates(dataset, k, folder, source, compute)


def _name(spec: RetrieverSpec, dataset: Dataset, identity: dict[str, Any]) -> str:
    return f"{re.sub(r'[^A-Za-z0-9_.-]', '-', dataset.name)}-{spec.name}-{hash_json(identity)[:12]}"
