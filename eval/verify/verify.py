"""Runs the golden pairs of a model and compares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from time import perf_counter
from typing import Any

from ...rerankers import Reranker
from ...rerankers.api import Group
from ...rerankers.checkpoint.hub import resolve
from ...rerankers.errors import InputError
from ...rerankers.options import LoadOptions, TextOptions
from ...rerankers.registry import family_of, load
from ...rerankers.settings import Setting
from ...rerankers.spec import ModelSpec
from ...rerankers.token_ids import card_ids, token_ids
from ..hardware.peak import device_name, peak_memory
from .golden import Golden

_TIMED_PAIRS, _TIMED_WORDS = 32, 100


@dataclass(frozen=True)
class Row:
    """One pair under one combination of policies (empty where the family has none)."""

    query: str
    passage: str
    setting: str
    policies: str
    published: float
    found: float
    allowed: float
    source: str

    @property
    def difference(self) -> float:
        """Found minus published."""
        return self.found - self.published

    @property
    def met(self) -> bool:
        """Whether the difference is within what is allowed."""
        return abs(self.difference) <= self.allowed


@dataclass(frozen=True)
class Check:
    """Anything else that was compared; `met` None was only looked at."""

    what: str
    expected: str
    found: str
    met: bool | None


@dataclass(frozen=True)
class Verification:
    """Rows of the requested options come first."""

    model: str
    device: str
    dtype: str
    rows: tuple[Row, ...]
    checks: tuple[Check, ...]
    peak_bytes: int
    pairs_per_second: float

    @property
    def default(self) -> str:
        """The requested policies."""
        return self.rows[0].policies

    def meets(self, policies: str) -> bool:
        """Return whether all pairs score as published under some policies."""
        return all(row.met for row in self.rows if row.policies == policies)

    @property
    def passed(self) -> bool:
        """All pairs under the requested policies, and all checks."""
        return self.meets(self.default) and all(check.met is not False for check in self.checks)

    @property
    def others(self) -> list[str]:
        """Other policies under which all pairs score as published."""
        return [p for p in dict.fromkeys(row.policies for row in self.rows) if p != self.default and self.meets(p)]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        rows = [{**asdict(row), "difference": row.difference, "met": row.met} for row in self.rows]
        return {**asdict(self), "rows": rows, "passed": self.passed, "others": self.others}


def verify(
    spec: ModelSpec, golden: Golden, options: LoadOptions, opener: Callable[..., Reranker] = load
) -> Verification:
    """Load a model once, score its golden pairs under every policy that its family has, and check what it is made of.

    `options.dtype` `auto` is the published precision on CUDA and float32 on a CPU. Raises InputError when the model
    cannot be loaded or run.
    """
    if golden.name not in (spec.name, spec.source):
        raise InputError(f"golden '{golden.name}' is of another model than '{spec.name}'; name its file with --golden")
    reranker = opener(spec, _with_dtype(options, golden))
    rows = [
        row
        for policies in family_of(spec).choose(spec).combinations()
        for row in _compare_pairs(reranker.with_options(**policies) if policies else reranker, policies, golden)
    ]
    return Verification(
        model=spec.name,
        device=f"{reranker.device} ({device_name(reranker.device)})",
        dtype=reranker.dtype,
        rows=tuple(rows),
        checks=tuple(_check_config(reranker, spec, golden)),
        pairs_per_second=_measure_speed(reranker, golden),
        peak_bytes=peak_memory(reranker.device),
    )


def _with_dtype(options: LoadOptions, golden: Golden) -> LoadOptions:
    if options.dtype != "auto":
        return options
    import torch

    cuda = options.device.startswith("cuda") or (options.device == "auto" and torch.cuda.is_available())
    return replace(options, dtype=golden.dtype if cuda else "float32")


def _compare_pairs(reranker: Reranker, policies: Mapping[str, str], golden: Golden) -> list[Row]:
    name = ", ".join(f"{key}: {value}" for key, value in policies.items())
    allowed = getattr(golden.tolerance, reranker.dtype)
    rows = []
    for pair in golden.pairs:
        groups = [Group(pair.query, [pair.passage])]
        score = float(reranker.score(groups, [Setting.parse(pair.setting)], TextOptions()).scores[0, 0])
        source = pair.source or golden.source.title
        rows.append(Row(pair.query, pair.passage, pair.setting, name, pair.score, score, allowed, source))
    return rows


def _check_config(reranker: Reranker, spec: ModelSpec, golden: Golden) -> list[Check]:
    checks = []
    if (shape := reranker.shape) is not None:
        checks += [
            _check_equal("layers", golden.layers, shape.layers),
            _check_equal("heads", golden.heads, len(shape.cutoffs)),
        ]
    config = resolve(spec.source, spec.revision).config
    for key, expected in golden.config.items():
        stated = config.get(key)
        shown = "not there" if stated is None else str(stated)
        checks.append(Check(f"config.json {key}", str(expected), shown, None) if expected is None
                      else Check(f"config.json {key}", str(expected), shown, stated == expected))  # fmt: skip
    return [*checks, *_check_ids(reranker, golden)]


def _check_equal(name: str, expected: int, measured: int) -> Check:
    return Check(name, str(expected), str(measured), expected == measured)


def _check_ids(reranker: Reranker, golden: Golden) -> list[Check]:
    """Check fed ids against those of the source where it has them, and against transformers' tokenizer."""
    fed = token_ids(reranker, [Group(pair.query, [pair.passage]) for pair in golden.pairs], TextOptions())
    if fed is None:
        return [Check("token ids", "", "query and passage are fed apart; not checked", None)]
    expected = card_ids(reranker.spec, [(pair.query, pair.passage) for pair in golden.pairs])
    checks = [_check_same_ids("token ids, as transformers' tokenizer", expected, fed)]
    both = [(list(pair.ids), ids) for pair, ids in zip(golden.pairs, fed) if pair.ids is not None]
    if both:
        checks.append(_check_same_ids("token ids, as the source fed them", [a for a, _ in both], [b for _, b in both]))
    return checks


def _check_same_ids(name: str, expected: Sequence[Sequence[int]], measured: Sequence[Sequence[int]]) -> Check:
    for i, (golden, fed) in enumerate(zip(expected, measured)):
        if list(golden) != list(fed):
            return Check(name, f"pair {i}: {_shorten(golden)}", _shorten(fed), False)
    total = f"{sum(map(len, measured))} ids of {len(measured)} pairs"
    return Check(name, total, f"{total}; the first: {_shorten(measured[0])}", True)


def _shorten(ids: Sequence[int]) -> str:
    shown = " ".join(map(str, ids[:12]))
    return shown if len(ids) <= 12 else f"{shown} ... {ids[-1]}"


def _measure_speed(reranker: Reranker, golden: Golden) -> float:
    """Return pairs per second over passages of a hundred words, after the golden pairs warmed everything up."""
    pair = golden.pairs[0]
    passages = [" ".join([f"{pair.passage or pair.query} {i}"] + ["words"] * _TIMED_WORDS) for i in range(_TIMED_PAIRS)]
    start = perf_counter()
    reranker.score([Group(pair.query, passages)], [Setting.parse(pair.setting)], TextOptions())
    return _TIMED_PAIRS / (perf_counter() - start)
