"""The options of a benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...rerankers.errors import InputError, suggest


@dataclass(frozen=True)
class Hardware:
    """Where every engine runs. `threads` 0 takes all cores."""

    device: str = "cpu"
    dtype: str = "float32"
    threads: int = 0


@dataclass(frozen=True)
class BenchOptions:
    """Names are those of configs/bench.yaml.

    Attributes:
        shape: of the model.
        setting: of the first engine.
        sweep: adds a run that reads every cutoff layer on the way.
        against: other settings of this engine.
        dtypes: others of this engine, under the first setting.
        peers: `PEER` or `PEER=PYTHON`.
        workload: what is scored, of `queries` queries; `candidates` 0 takes the workload's.
        passage_tokens: of every passage; 0 takes the workload's lengths.
        rounds: counted ones.
        rows: of each peer: `best` of its grid, as its vendor ships it (`default`), or `both`.
        token_budget: most tokens in one forward pass; 0 lets the engine choose.
        seed: of weights and texts.
        command: how to repeat it.
    """

    shape: str = "encoder-base"
    setting: str = "full"
    sweep: bool = False
    against: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    workload: str = "retrieval"
    queries: int = 1
    candidates: int = 0
    passage_tokens: int = 0
    rounds: int = 5
    rows: str = "both"
    token_budget: int = 0
    seed: int = 0
    command: str = ""


def named(table: dict[str, Any], name: str, kind: str) -> dict[str, Any]:
    """Return the entry of a table. Raises InputError for a name that is not in it."""
    if name not in table:
        raise InputError(f"{kind} '{name}' is unknown{suggest(name, table)}")
    return table[name]
