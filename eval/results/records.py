"""One cell: what a (dataset, variant) scored, with everything needed to trace the number. Read by every table.

On disk a cell is a folder `DIR/cells/<dataset>/<model>/<setting>/` with

- `manifest.json`: a `Manifest`; what the cells of a run have in common lies in `contexts/` (see `contexts.py`);
- `per_query.parquet`: one row per judged query, see `PER_QUERY_COLUMNS`, then one column per metric;
- `run.trec.gz`: the run in TREC order.

The first stage is a cell too, with the setting `first-stage`; it also has

- `qrels.trec.gz`: the qrels, so that whatever the run can answer later needs no dataset.
"""

from __future__ import annotations

import gzip
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from ...rerankers.errors import InputError
from ...rerankers.storage.atomic import replacing
from ...rerankers.validate import read_json, validated
from ..data import read_qrels
from .contexts import read_context
from .parquet import read_table

if TYPE_CHECKING:
    import pandas as pd

MANIFEST_VERSION = 3
_READABLE = (2, 3)  # a manifest of version 2 has its context itself
_MOST_BYTES = 1 << 26  # of a manifest
_LINE = 1 << 16  # bytes of a line of a run
SCHEMA_VERSION = 1  # of an identity's content
FIRST_STAGE = "first-stage"
QRELS = "qrels.trec.gz"
PER_QUERY_COLUMNS = ("query_id", "candidates", "judged", "truncated", "tied", "nan", "tokens", "flops_reference")


Count = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Counts(_Record):
    """How much was scored. `missing` judged queries had no candidates and count 0 in every mean.

    `truncated` is None where the reranker does not count tokens.
    """

    queries: Count
    missing: Count = 0
    pairs: Count
    truncated: Count | None = 0
    tied: Count = 0
    nan: Count = 0


class Flops(_Record):
    """FLOPs over all pairs of the cell, 2 per multiply-add (docs/flops.md). None is "not measured".

    `saved` compares `reference` with the same model at full depth, uncompressed, on the same pairs;
    `saved_naive` is layers x tokens, the way the card counts.
    """

    reference: Count
    useful: Count | None = None
    executed: Count | None = None
    full: Count
    saved: float
    saved_naive: float | None = None


class Tokens(_Record):
    """Tokens over all pairs of the cell."""

    query: Count
    passage: Count
    prompt: Count = 0
    padded: Count | None = None
    shared: Count | None = None


class ServerUsage(_Record):
    """The requests to a server over all blocks of a pass. `p50_seconds`, `p95_seconds`: of the answers.

    `billed` is the cost that the server states, in `unit`; None where it states none.
    """

    requests: Count
    retried: Count = 0
    requests_per_second: Amount | None = None
    p50_seconds: Amount | None = None
    p95_seconds: Amount | None = None
    billed: Amount | None = None
    unit: str | None = None


class Cost(_Record):
    """Wall seconds by phase and what follows from them; None is "not measured".

    A pass may serve several variants: `pass_settings` names them, and the figures are the whole pass's. `asked` is
    there where a server scored. `energy_joules` is of the whole device or package between the first block and the last.
    """

    load_seconds: Amount | None = None
    tokenise_seconds: Amount | None = None
    forward_seconds: Amount | None = None
    store_seconds: Amount | None = None
    pairs_per_second: Amount | None = None
    tflops: Amount | None = None
    peak_tflops: Amount | None = None
    share_of_peak: Amount | None = None
    peak_memory_bytes: Count | None = None
    energy_joules: Amount | None = None
    pass_settings: tuple[str, ...] = ()
    asked: ServerUsage | None = None

    @model_serializer(mode="wrap")
    def _plain(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave `asked` out where there was no server, so that the proof of older manifests holds."""
        content = handler(self)
        return content if self.asked is not None else {k: v for k, v in content.items() if k != "asked"}


class Manifest(_Record):
    """Everything about one cell. `identity` is the SHA-256 of the canonical JSON of `identity_parts`.

    `partial` states why a cell is not of its whole dataset: `{"limit": 10}` or `{"sample": 50, "seed": 0}`;
    None when it is whole. `metrics` are means over judged queries, as fractions; `intervals` are the 95 % bootstrap
    intervals of those means over queries, where the queries are a sample. `context` names what the cell has in common
    with others, `blocks` is the hash of the stored scores that it was made from.
    """

    schema_version: int = MANIFEST_VERSION
    experiment: str
    dataset: str
    group: str | None = None
    model: str
    setting: str
    identity: str
    identity_parts: dict[str, Any]
    partial: dict[str, Any] | None = None
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]] = Field(default_factory=dict)
    counts: Counts
    flops: Flops | None = None
    tokens: Tokens | None = None
    cost: Cost = Field(default_factory=Cost)
    warnings: tuple[str, ...] = ()
    provenance: dict[str, Any] = Field(default_factory=dict)
    context: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    blocks: str | None = None
    files: dict[str, str] = Field(default_factory=dict)
    proof: str = ""

    @model_serializer(mode="wrap")
    def _plain(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what older manifests lack, so that their proof holds."""
        content = handler(self)
        return {k: v for k, v in content.items() if v is not None or k not in ("context", "blocks")}


@dataclass(frozen=True)
class Cell:
    """A manifest and the folder it was read from.

    `computed` has the values by query of metrics that were judged after the run; their means are in the manifest.
    """

    path: Path
    manifest: Manifest
    computed: Mapping[str, Mapping[str, float]] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        m = self.manifest
        values = ", ".join(f"{name} {value:.4f}" for name, value in list(m.metrics.items())[:1])
        return f"<Cell {m.dataset} {m.model} {m.setting}: {values}>"

    @property
    def root(self) -> Path:
        """The run's folder: the one with `cells/<dataset>/<model>/<setting>`."""
        return self.path.parents[self.manifest.dataset.count("/") + 3]

    @property
    def source(self) -> str:
        """What the experiment called the dataset: its name, or the path of a folder."""
        experiment = self.provenance.get("experiment")
        listed = experiment.get("datasets", ()) if isinstance(experiment, dict) else ()
        name = self.manifest.dataset
        return next((str(given) for given in listed if given == name or Path(str(given)).name == name), name)

    @property
    def provenance(self) -> Mapping[str, Any]:
        """All that is known of how it came about: what it has in common with others, and what is its own."""
        m = self.manifest
        return m.provenance if m.context is None else {**read_context(self.root, m.context), **m.provenance}

    def per_query(self) -> pd.DataFrame:
        """Return one row per judged query, sorted by query id."""
        table = self.table().to_pandas(ignore_metadata=True)
        for name, values in self.computed.items():
            table[name] = [values[query] for query in table["query_id"]]
        return table

    def table(self) -> pa.Table:
        """Return the same as it is stored, read without pandas, whose import takes long (`read_table` imports it)."""
        path = self.path / "per_query.parquet"
        return read_table(path, self.manifest.counts.queries, path)

    def run(self, only: Container[str] | None = None) -> dict[str, dict[str, float]]:
        """Return the run: query id -> document id -> score; of some queries, or of all."""
        run: dict[str, dict[str, float]] = {}
        for number, line in enumerate(read_packed(self.path / "run.trec.gz")):
            if number == self.manifest.counts.pairs:
                raise InputError(f"{self.path / 'run.trec.gz'}: has more lines than the manifest counts pairs")
            query, _, doc, _, score, _ = line.split(maxsplit=5)  # the tag may have blanks
            if only is None or query in only:
                run.setdefault(query, {})[doc] = float(score)
        return run

    def qrels(self) -> dict[str, dict[str, int]] | None:
        """Return the qrels stored with a first stage; None where the cell has none."""
        return read_qrels(self.path / QRELS) if QRELS in self.manifest.files else None


def write_qrels(folder: Path, qrels: Mapping[str, Mapping[str, int]]) -> None:
    """Store qrels in TREC's four columns, by query and document. The same qrels give the same bytes."""
    lines = (f"{q} 0 {doc} {grade}\n" for q, grades in sorted(qrels.items()) for doc, grade in sorted(grades.items()))
    with replacing(folder / QRELS) as raw, gzip.GzipFile("", "wb", mtime=0, fileobj=raw) as packed:
        for line in lines:
            packed.write(line.encode())


def cell_path(root: Path, dataset: str, model: str, setting: str) -> Path:
    """Return a cell's folder below a run's folder; see `proof.check_place`."""
    return root / "cells" / dataset / model / setting


def read_packed(path: Path) -> Iterator[str]:
    """Read the lines of a gz file. Raises InputError for one that is longer than any of a run."""
    with gzip.open(path, "rb") as lines:
        while line := lines.readline(_LINE):
            if len(line) == _LINE:
                raise InputError(f"{path}: a line has more bytes than can be meant; is it a bomb?")
            yield line.decode()


def load_manifest(path: Path, proven: bool = False) -> Manifest:
    """Load one manifest; one that was proven as it is needs fewer checks.

    Raises InputError naming the file and the key.
    """
    if proven:
        try:
            return Manifest.model_validate_json(path.read_bytes())
        except (OSError, ValueError):  # it was touched since; the checks report how
            pass
    raw = read_json(path, _MOST_BYTES)
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if version not in _READABLE:
        raise InputError(
            f"{path}: schema_version {version}, this release reads {_READABLE[0]} to {MANIFEST_VERSION}; run it again"
        )
    return validated(Manifest, raw, str(path))
