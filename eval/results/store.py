"""Scores on disk. What one forward pass yields for one block of queries is one file, written atomically.

    scores/<dataset>/<model>/<group>/group.json          which settings, of what, in blocks of how many queries
                                     block-00000.parquet  the scores: the same bytes however often a run was killed
                                     block-00000.json     what it cost: differs from run to run

A block counts as stored when its parquet file is there, and its note states its group and bytes. Nothing
that varies between runs goes into it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa

from ...rerankers.api import Scored
from ...rerankers.errors import InputError, ScoreError
from ...rerankers.settings import Setting
from ...rerankers.storage.atomic import replacing, write_whole
from .identity import digest
from .parquet import read_table, write_table
from .sealed import read_sealed, seal_json

Candidates = Mapping[str, Sequence[tuple[str, float]]]

_LONGEST_NOTE = 1 << 26  # bytes
_TOKENS = ("query_tokens", "passage_tokens", "prompt_tokens")


@dataclass(frozen=True)
class Block:
    """Consecutive queries and their candidates: the unit that is executed and stored.

    Attributes:
        index: its number.
        queries: their ids.
        pairs: number of pairs.
        run: has the candidates of these queries, and of others; read when they are needed, and not cached.
    """

    index: int
    queries: tuple[str, ...]
    pairs: int
    run: Candidates = field(repr=False, compare=False)

    @property
    def candidates(self) -> list[tuple[str, tuple[str, ...]]]:
        """(query id, document ids in the first stage's order)."""
        return [(query, tuple(doc for doc, _ in self.run[query])) for query in self.queries]

    @property
    def name(self) -> str:
        """For people: its number, first and last query."""
        return f"block {self.index} (queries {self.queries[0]} to {self.queries[-1]})"


def plan_blocks(candidates: Candidates, queries_per_block: int) -> list[Block]:
    """Return queries by id, so many to a block. Depends on nothing that differs between machines or engines."""
    queries = sorted(candidates)
    blocks: list[Block] = []
    for start in range(0, len(queries), queries_per_block):
        chunk = tuple(queries[start : start + queries_per_block])
        blocks.append(Block(len(blocks), chunk, sum(len(candidates[query]) for query in chunk), candidates))
    return blocks


@dataclass(frozen=True)
class PassScores:
    """Settings that share a forward pass, and the folder with their scores.

    `base` is everything that identifies the scores, except the setting.
    """

    folder: Path
    base: Mapping[str, Any]
    settings: tuple[Setting, ...]
    block_queries: int

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that names the group."""
        return digest(_describe_group(self.base, [setting.name for setting in self.settings], self.block_queries))

    @classmethod
    def make(cls, root: Path, base: dict[str, Any], settings: Sequence[Setting], block_queries: int) -> PassScores:
        """Make a new group below `root`; its folder is named by its content and appears with the first block."""
        content = _describe_group(base, [setting.name for setting in settings], block_queries)
        return cls(root / digest(content)[:16], base, tuple(settings), block_queries)

    @classmethod
    def read(cls, folder: Path) -> PassScores | None:
        """Read the group in a folder; None when its description is absent, unreadable, or not the one that names it."""
        if not (folder / "group.json").is_file():
            return None
        try:
            if (folder / "group.json").stat().st_size > _LONGEST_NOTE:
                return None
            raw = json.loads((folder / "group.json").read_bytes())
            settings = tuple(Setting.parse(name) for name in raw["settings"])
            group = cls.make(folder.parent, raw["base"], settings, int(raw["block_queries"]))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        return group if group.folder == folder else None

    def path(self, block: Block) -> Path:
        """Return the file of a block's scores."""
        return self.folder / f"block-{block.index:05d}.parquet"

    def open(self) -> None:
        """Make the folder and its description, and remove what a killed run left half-written."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for leftover in self.folder.glob("*.tmp"):
            leftover.unlink()
        content = _describe_group(self.base, [setting.name for setting in self.settings], self.block_queries)
        text, path = json.dumps(content, indent=1, sort_keys=True), self.folder / "group.json"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write_whole(path, text)

    def write(self, block: Block, scored: Scored, cost: dict[str, Any]) -> None:
        """Store a block. `cost` gets the time that storing took. Raises ScoreError for NaN or infinity."""
        start = perf_counter()
        if not np.isfinite(scored.scores).all():
            raise ScoreError(f"{self.path(block)}: not stored, its scores contain NaN or infinity")
        query_ids, doc_ids = _list_ids(block)
        scores = {s.name: row for s, row in zip(self.settings, scored.scores, strict=True)}
        lengths = {name: getattr(scored, name) for name in (*_TOKENS, "truncated")}
        sink = pa.BufferOutputStream()
        write_table(self._make_table(query_ids, doc_ids, {**scores, **lengths}), sink)
        path = self.path(block)
        with replacing(path) as file:
            file.write(sink.getvalue())
            # the cost goes first: once the scores are there, the block is complete
            cost["seconds"]["store"] = perf_counter() - start
            self._write_note(block, {"cost": cost, "scores": hashlib.sha256(sink.getvalue()).hexdigest()})

    def _write_note(self, block: Block, content: dict[str, Any]) -> None:
        write_whole(self.path(block).with_suffix(".json"), seal_json({**content, "group": self.digest}))

    @property
    def _schema(self) -> pa.Schema:
        kinds = {**{s.name: pa.float32() for s in self.settings}, **dict.fromkeys(_TOKENS, pa.int32())}
        return pa.schema({"query_id": pa.string(), "doc_id": pa.string(), **kinds, "truncated": pa.bool_()}.items())

    def _make_table(self, query_ids: list[str], doc_ids: list[str], columns: Mapping[str, Any]) -> pa.Table:
        values = {"query_id": query_ids, "doc_id": doc_ids, **columns}
        return pa.table(
            [pa.array(values[name], kind) for name, kind in zip(self._schema.names, self._schema.types)], self._schema
        )

    def stored(self, block: Block, unbound: bool = False) -> pa.Table | None:
        """Return a stored block; None when it is not there, or cannot be proven: then it is scored again.

        Proven: the bytes are those that were written, in this group, of these pairs, with the columns and types of
        these settings, finite scores and token counts from 0. `unbound` takes notes of older releases, which name no
        group: the caller has other proof.
        """
        path, note = self.path(block), self._read_note(block, unbound)
        if note is None or not path.is_file():
            return None
        try:
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() != note["scores"]:
                return None
            table = read_table(pa.BufferReader(content), block.pairs, path)
            query_ids, doc_ids = _list_ids(block)
            if table["query_id"].to_pylist() != query_ids or table["doc_id"].to_pylist() != doc_ids:
                return None
        except (OSError, pa.ArrowException, KeyError, InputError):
            return None
        return table if table.schema.equals(self._schema) and _is_usable(table, self.settings) else None

    def cost(self, block: Block) -> dict[str, Any] | None:
        """Return what a stored block cost; None when that was lost."""
        note = self._read_note(block)
        return note and note["cost"]

    def bind(self, blocks: Sequence[Block]) -> None:
        """Write the group into the notes of some blocks of an older release, once they are proven otherwise."""
        for block in filter(self.is_unbound, blocks):
            if (note := self._read_note(block, unbound=True)) is not None:
                self._write_note(block, note)

    def is_unbound(self, block: Block) -> bool:
        """Return whether its note is one of an older release and names no group."""
        note = self._read_note(block, unbound=True)
        return note is not None and "group" not in note

    def fingerprint(self, blocks: Sequence[Block]) -> str | None:
        """Return the hash of all scores of a group, which its cells have; None where blocks are missing."""
        notes = [self._read_note(block) for block in blocks]
        return digest({"blocks": [note["scores"] for note in notes if note]}) if all(notes) else None

    def files(self) -> list[os.stat_result]:
        """Return the state of everything that is stored, by name."""
        try:
            with os.scandir(self.folder) as entries:
                return [entry.stat(follow_symlinks=False) for entry in sorted(entries, key=lambda entry: entry.name)]
        except OSError:
            return []

    def _read_note(self, block: Block, unbound: bool = False) -> dict[str, Any] | None:
        note = read_sealed(self.path(block).with_suffix(".json"), _LONGEST_NOTE)
        if note is None:
            return None
        return note if note.get("group") == self.digest or (unbound and "group" not in note) else None


def _is_usable(table: pa.Table, settings: Sequence[Setting]) -> bool:
    columns = [*(setting.name for setting in settings), *_TOKENS]
    if any(table[name].null_count for name in columns):
        return False
    # by dlpack: to_numpy would import pandas
    numbers = {name: [np.from_dlpack(chunk) for chunk in table[name].chunks if len(chunk)] for name in columns}
    finite = all(np.isfinite(chunk).all() for setting in settings for chunk in numbers[setting.name])
    return finite and all((chunk >= 0).all() for name in _TOKENS for chunk in numbers[name])


def _describe_group(base: Mapping[str, Any], settings: Sequence[str], block_queries: int) -> dict[str, Any]:
    return {"base": dict(base), "settings": list(settings), "block_queries": block_queries}


def _list_ids(block: Block) -> tuple[list[str], list[str]]:
    """Return query and document of every pair."""
    candidates = block.candidates
    return [query for query, docs in candidates for _ in docs], [doc for _, docs in candidates for doc in docs]


def plan_groups(root: Path, base: dict[str, Any], wanted: Sequence[Setting], block_queries: int) -> list[PassScores]:
    """Return groups that cover the wanted settings: those on disk with the same `base`, then new ones, one per pass.

    A group on disk comes with all of its settings, wanted or not, so that completing it gives the same bytes.
    """
    missing = list(wanted)
    groups: list[PassScores] = []
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        group = PassScores.read(folder)
        if group is not None and digest(dict(group.base)) == digest(base) and set(group.settings) & set(missing):
            groups.append(group)
            missing = [setting for setting in missing if setting not in group.settings]
    passes: dict[Any, list[Setting]] = {}
    for setting in missing:
        passes.setdefault(setting.compression, []).append(setting)
    return groups + [PassScores.make(root, base, sorted(s, key=_depth), block_queries) for s in passes.values()]


def _depth(setting: Setting) -> float:
    return float("inf") if setting.cutoff_layer is None else setting.cutoff_layer
