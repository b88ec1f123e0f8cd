"""First stage: candidates per query, from BM25, a dense retriever or a run file."""

from ..data import read_qrels
from .bm25 import bm25_candidates
from .candidates import Candidates
from .dense import dense_candidates
from .encode import LastEncoder
from .imported import imported_candidates, imported_name
from .retrieve import retrieve
from .retriever import RetrieverSpec, list_retrievers, load_retriever
from .runs import read_run, run_writer, trec_order

__all__ = [
    "Candidates",
    "LastEncoder",
    "RetrieverSpec",
    "bm25_candidates",
    "dense_candidates",
    "imported_candidates",
    "imported_name",
    "list_retrievers",
    "load_retriever",
    "read_qrels",
    "read_run",
    "retrieve",
    "run_writer",
    "trec_order",
]
