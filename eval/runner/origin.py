"""The stored scores that cells are made from, and whether a cell agrees with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...rerankers.errors import InputError
from ...rerankers.settings import Setting
from ..experiment.schema import Experiment, RerankerEntry
from ..results import Cell, memo_of
from ..results.store import Block, PassScores, plan_blocks, plan_groups
from .inputs import Inputs, model_identity


@dataclass(frozen=True)
class Origin:
    """A group of scores and all its blocks, below a run's folder."""

    root: Path
    group: PassScores
    blocks: Sequence[Block]

    def missing(self, bind: Callable[[], object]) -> list[Block]:
        """Return blocks that are not stored, or cannot be proven.

        `bind` looks at the cells, which proves the blocks of an older release; it is called where there are such.
        """
        if memo_of(self.root).knows(self._name, self.group.files()):
            return []
        files = self.group.files()
        missing = [block for block in self.blocks if self.group.stored(block) is None]
        if any(self.group.is_unbound(block) for block in missing):
            bind()
            files = self.group.files()
            missing = [block for block in missing if self.group.stored(block) is None]
        if not missing:
            memo_of(self.root).add(self._name, files)
        return missing

    def remember(self) -> None:
        """Record that all blocks were proven just now."""
        memo_of(self.root).add(self._name, self.group.files())

    @property
    def _name(self) -> str:
        return f"{len(self.blocks)} blocks of {self.group.folder.relative_to(self.root).as_posix()}"

    def made(self, cell: Cell) -> bool:
        """Return whether the cell was made from these blocks as they are now.

        One of an older release does not state from which; then its ranking is compared, and where it agrees the blocks
        are bound to their group, as those of this release are.
        """
        if cell.manifest.blocks is not None:
            return cell.manifest.blocks == self.group.fingerprint(self.blocks)
        if not self._agrees(cell):
            return False
        self.group.bind(self.blocks)
        return True

    def _agrees(self, cell: Cell) -> bool:
        try:
            run = cell.run()
        except (InputError, OSError, ValueError, EOFError):
            return False
        pairs = 0
        for block in self.blocks:
            table = self.group.stored(block, unbound=True)
            if table is None:
                return False
            rows = zip(*(table[name].to_pylist() for name in ("query_id", "doc_id", cell.manifest.setting)))
            if any(np.float32(run.get(query, {}).get(doc, np.nan)) != np.float32(score) for query, doc, score in rows):
                return False
            pairs += len(table)
        return pairs == sum(map(len, run.values()))


def plan_origins(
    experiment: Experiment,
    entry: RerankerEntry,
    settings: Sequence[Setting],
    inputs: Inputs,
    out: Path,
    identity: Mapping[str, Any],
) -> list[Origin]:
    """Return the scores of a model on a dataset, stored or still to come, one for each forward pass."""
    base, root = model_identity(identity, inputs), out / "scores" / inputs.dataset.name / entry.label
    groups = plan_groups(root, base, settings, experiment.engine.block_queries)
    return [Origin(out, group, plan_blocks(inputs.candidates.run, group.block_queries)) for group in groups]
