"""First stage: candidates per query, from BM25, a dense retriever or a run file."""

from ..data import read_qrels
from .bm25 import bm25_candidates
from .candidates import Candidates
from .imported import imported_candidates
from .retrieve import retrieve
from .runs import read_run, trec_order, write_run

__all__ = [
    "Candidates",
    "bm25_candidates",
    "imported_candidates",
    "read_qrels",
    "read_run",
    "retrieve",
    "trec_order",
    "write_run",
]
