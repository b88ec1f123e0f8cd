"""Candidates by the name of a retriever: BM25, or one of `configs/retrievers/`."""

from __future__ import annotations

from pathlib import Path

from ..data import Dataset
from .bm25 import DEFAULT, Bm25Options, bm25_candidates
from .candidates import Candidates
from .dense import MakeEncoder, dense_candidates
from .encode import SentenceEncoder
from .retriever import BM25, load_retriever


def retrieve(
    retriever: str,
    dataset: Dataset,
    k: int,
    folder: Path,
    *,
    bm25: Bm25Options = DEFAULT,
    device: str = "auto",
    make_encoder: MakeEncoder = SentenceEncoder,
    progress: bool | None = None,
) -> Candidates:
    """Return candidates by the retriever of that name (or YAML file), reused from `folder` when they are there.

    `bm25` is for BM25 alone. `device` encodes and searches, with what `make_encoder` loads; BM25 needs neither.
    `progress` None shows bars on a terminal only.
    Raises InputError for an unknown name.
    """
    if retriever == BM25:
        return bm25_candidates(dataset, k, folder, bm25, progress=progress)
    spec = load_retriever(retriever)
    return dense_candidates(spec, dataset, k, folder, device=device, make_encoder=make_encoder, progress=progress)
