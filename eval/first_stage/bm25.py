"""BM25 with bm25s: Lucene's variant, its index built from a stream of documents."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ...rerankers.errors import InputError
from ..data import Dataset
from .candidates import Candidates, depth, kept_candidates
from .compact import CompactRun, Lazy
from .runs import Run
from .tokens import Stopwords, Tokenizer


@dataclass(frozen=True)
class Bm25Options:
    """How BM25 weighs words and what a word is.

    Attributes:
        k1, b: Anserini's defaults, which BEIR's published BM25 figures use. bm25s's own are 1.5 and 0.75.
        stemmer, stopwords: as in `tokens.Tokenizer`.
    """

    k1: float = 0.9
    b: float = 0.4
    stemmer: str | None = None
    stopwords: Stopwords | None = None


DEFAULT = Bm25Options()
_LEFT_OUT = -1  # number of a stopword


def bm25_candidates(
    dataset: Dataset, k: int, folder: Path, options: Bm25Options = DEFAULT, *, progress: bool | None = None
) -> Candidates:
    """Return top-k by BM25 over title and text, reused from `folder` when they are there.

    Documents without any word of the query are no candidates, so there may be fewer than k. Same scores are in
    TREC order. `progress` None shows bars on a terminal only.

    Memory: no text is held. While the index is built, 4 bytes per token and about 25 per distinct (document, word)
    pair (measured); then 8 per pair, and for each query in turn 4 per document.
    """
    tokenizer = Tokenizer(dataset.policy.language, options.stemmer, options.stopwords)
    source = {
        "retriever": "bm25",
        "method": "lucene",
        "k1": options.k1,
        "b": options.b,
        "join": dataset.policy.join,
        "tokenizer": tokenizer.description,
        "bm25s": version("bm25s"),
    }
    kept = kept_candidates(dataset, k, folder, source, lambda: _retrieve(dataset, k, options, tokenizer, progress))
    return replace(kept, warnings=(*kept.warnings, *filter(None, [tokenizer.warning])))


def _retrieve(dataset: Dataset, k: int, options: Bm25Options, tokenizer: Tokenizer, progress: bool | None) -> Run:
    import bm25s

    quiet = None if progress is None else not progress
    corpus = _Tokens(tokenizer)
    ids = _Ids()
    with tqdm(total=len(dataset), desc=f"read {dataset.name}", unit=" docs", disable=quiet, delay=1) as bar:
        for doc, text in dataset.corpus():
            ids.append(doc)
            corpus.append(text)
            bar.update()
    corpus.close()
    if not corpus.vocab:
        raise InputError(f"{dataset.name}: no document has a word that BM25 could find")
    index = bm25s.BM25(k1=options.k1, b=options.b, method="lucene", csc_backend="scipy")
    index.index(corpus, create_empty_token=False, show_progress=False)
    queries = tqdm(dataset.queries.items(), desc=f"bm25 {dataset.name}", unit=" queries", disable=quiet, delay=1)

    def rankings() -> Iterator[tuple[str, list[tuple[str, float]]]]:
        for query, text in queries:
            words = index.get_tokens_ids(tokenizer(text))
            if words:
                top = top_with_ties(index.get_scores_from_ids(words), depth(dataset, k))
                yield query, [(ids[i], float(score)) for i, score in top]

    return Lazy(CompactRun.of(rankings()))


def top_with_ties(scores: np.ndarray, k: int) -> Iterator[tuple[int, np.float32]]:
    """Yield (index, score) of the k highest positive scores and of all that tie with the last of them, in any order."""
    (rows,) = np.nonzero(scores > 0)
    if len(rows) > k:
        values = scores[rows]
        rows = rows[values >= np.partition(values, -k)[-k]]
    return zip(rows.tolist(), scores[rows], strict=True)


class _Tokens:
    """The corpus as bm25s takes it (`vocab`, and `ids` by document), in one flat array of 4-byte numbers."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.vocab: dict[str, int] = {}
        self._tokenizer, self._known = tokenizer, _Numbers(self._number)
        self._flat = array("i")
        self._ends = array("q", [0])

    @property
    def ids(self) -> _Tokens:
        return self

    def append(self, text: str) -> None:
        words = self._tokenizer.words(text)
        self._flat.extend([number for number in map(self._known.__getitem__, words) if number != _LEFT_OUT])
        self._ends.append(len(self._flat))

    def close(self) -> None:
        """Stop: nothing more comes."""
        self._known.clear()

    def _number(self, word: str) -> int:
        match = self._tokenizer.match(word)
        return _LEFT_OUT if match is None else self.vocab.setdefault(match, len(self.vocab))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __iter__(self) -> Iterator[array[int]]:
        return (self._flat[start:end] for start, end in pairwise(self._ends))


class _Numbers(dict[str, int]):
    """The number of each word as it is written: found once, since stemming takes longer than all else."""

    def __init__(self, find: Callable[[str], int]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, word: str) -> int:
        self[word] = number = self._find(word)
        return number


class _Ids:
    """Document ids by position, without a Python object for each."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ends = array("q", [0])

    def append(self, doc: str) -> None:
        self._bytes += doc.encode()
        self._ends.append(len(self._bytes))

    def __getitem__(self, i: int) -> str:
        return self._bytes[self._ends[i] : self._ends[i + 1]].decode()
