"""First stage: candidates per query, from BM25, a dense retriever, a run file, lists on the hub, or several of them."""

from ..data import read_qrels
from .bm25 import bm25_candidates
from .candidates import Candidates
from .dense import dense_candidates
from .encode import LastEncoder
from .fusion import fused_candidates, fused_name
from .imported import imported_candidates, imported_name
from .listed import list_candidates, listed_candidates, load_lists
from .retrieve import retrieve
from .retriever import RetrieverSpec, list_retrievers, load_retriever
from .runs import read_run, run_writer, trec_order

__all__ = [
    "Candidates",
    "LastEncoder",
    "RetrieverSpec",
    "bm25_candidates",
    "dense_candidates",
    "fused_candidates",
    "fused_name",
    "imported_candidates",
    "imported_name",
    "list_candidates",
    "list_retrievers",
    "listed_candidates",
    "load_lists",
    "load_retriever",
    "read_qrels",
    "read_run",
    "retrieve",
    "run_writer",
    "trec_order",
]
