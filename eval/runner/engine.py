"""Who executes a block. The runner plans, stores and judges; an engine only turns blocks into scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ...rerankers.api import Group as QueryGroup
from ...rerankers.api import Reranker, Scored
from ...rerankers.options import TextOptions
from ...rerankers.settings import Setting
from ..data import Dataset
from .store import Block


class Engine(Protocol):
    """Executes blocks, in any order; the scores of a block do not depend on that order."""

    def run_blocks(self, blocks: Iterable[Block]) -> Iterator[tuple[Block, Scored]]:
        """Each block with its scores, as soon as it is done."""
        ...


@dataclass(frozen=True)
class LocalEngine:
    """Executes in this process, one block after the other."""

    reranker: Reranker
    dataset: Dataset
    settings: Sequence[Setting]
    text: TextOptions

    def run_blocks(self, blocks: Iterable[Block]) -> Iterator[tuple[Block, Scored]]:
        """Each block with its scores, in order."""
        for block in blocks:
            groups = [
                QueryGroup(self.dataset.queries[query], self.dataset.texts(docs)) for query, docs in block.candidates
            ]
            yield block, self.reranker.score(groups, self.settings, self.text)
