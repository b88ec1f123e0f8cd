"""Decoders on a device: token ids, batches with shared query prefixes, passes and reads."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

import numpy as np
import torch

from ..api import Executed, Group, Prepared, Scored
from ..checkpoint.hub import Resolved
from ..checkpoint.weights import load_weights
from ..errors import InputError
from ..flops import Shape
from ..models.config import DecoderConfig
from ..models.decoder import Decoder, Head, Read, decoder_shapes, with_own_head
from ..models.layout import Layout, as_index
from ..models.work import Work
from ..options import LoadOptions, ResolvedText, TextOptions
from ..prompting.template import PromptTemplate
from ..settings import Setting
from ..spec import ModelSpec
from ..tokenization.decoder_pairs import PairTokens, pair_tokens
from ..tokenization.lengths import check_ids
from ..tokenization.tokenizer import Tokenizer
from .batching import run_batches
from .device import Precision, resolve_device, resolve_precision
from .predict import Faces
from .score_checks import check_finite

_TOKEN_BUDGET = {"cpu": 4096, "cuda": 32768}


@dataclass(frozen=True)
class Pass:
    """One way through the model: a compression, and what is read on the way."""

    ratio: int
    compress_layers: tuple[int, ...]
    reads: tuple[Read, ...]


class _Rules(Protocol):
    """What a family of decoders is asked; see `families/decoder.py`."""

    adapter: ClassVar[str]

    def config(self, raw: Mapping[str, Any], where: str = ...) -> DecoderConfig: ...
    def shape_of(
        self, spec: ModelSpec, raw: Mapping[str, Any], where: str = ..., options: LoadOptions | None = ...
    ) -> Shape: ...
    def template_of(self, spec: ModelSpec) -> PromptTemplate: ...
    def recipe(self, spec: ModelSpec) -> dict[str, Any]: ...
    def resolve(self, spec: ModelSpec, text: TextOptions) -> ResolvedText: ...
    def head(self, adapter: DecoderAdapter, layer: int) -> Head: ...
    def begin(self, adapter: DecoderAdapter, text: ResolvedText) -> list[int]: ...
    def applies_softcap(self, options: LoadOptions) -> bool: ...
    def policies(self, options: LoadOptions) -> dict[str, str]: ...
    def warnings(self, setting: Setting, layers: int) -> list[str]: ...


class DecoderAdapter(Faces):
    """A decoder on a device, scored as its family says.

    Attributes:
        share_prefix: compute BOS and query once for all candidates of a query.
    """

    def __init__(self, family: _Rules, spec: ModelSpec, files: Resolved, options: LoadOptions):
        where = str(files.folder / "config.json")
        self.family, self.spec, self.files, self.options = family, spec, files, options
        self.config = family.config(files.config, where)
        self.shape = family.shape_of(spec, files.config, where, options)
        device = resolve_device(options.device)
        precision = resolve_precision(options.dtype, device)
        self.device, self.dtype = str(device), precision.name
        self.tokenizer = Tokenizer(files.folder)
        self.share_prefix = True
        self.token_budget = options.token_budget or _TOKEN_BUDGET.get(device.type, 4096)
        self.model = self._load(device, precision)

    def _load(self, device: torch.device, precision: Precision) -> Decoder:
        self.config = with_own_head(self.config, self.files.folder)
        tied, pooled = self.config.tied, self.config.bidirectional

        def ignore(name: str) -> bool:
            # buffers that old checkpoints carry, the second name of a tied matrix, and what no causal model reads
            unread = (tied and name == "lm_head.weight") or (not pooled and name == "score.weight")
            return unread or name.endswith("rotary_emb.inv_freq")

        weights = load_weights(self.files.folder, decoder_shapes(self.config), precision.dtype, device, ignore=ignore)
        model = Decoder(self.config, weights, attention_softcap=self.family.applies_softcap(self.options))
        model.block(precision.arrange)
        return model

    def under(self, options: LoadOptions) -> DecoderAdapter:
        """The same weights with the policies of other options."""
        other = copy.copy(self)
        policies = {"head_policy": options.head_policy, "attention_softcap": options.attention_softcap}
        other.options = replace(self.options, **policies)
        other.model = self.model.with_softcap(self.family.applies_softcap(options))
        return other

    def head(self, layer: int) -> Head:
        """What scores a cutoff layer asked for alone."""
        return self.family.head(self, layer)

    def identity(self, text: TextOptions) -> dict[str, Any]:
        """See `api.Reranker`."""
        resolved = self.family.resolve(self.spec, text)
        return {
            "adapter": self.family.adapter,
            **self.files.identity,
            "dtype": self.dtype,
            "prompt": resolved.instruction,
            "max_length": resolved.max_length,
            "query_max_length": resolved.query_max_length,
            "truncation": resolved.truncation,
            **self.family.recipe(self.spec),
            **self.family.policies(self.options),
        }

    def check(self, setting: Setting) -> list[str]:
        """See `api.Reranker`."""
        try:
            self.shape.check(setting)
        except InputError as err:
            raise InputError(f"model '{self.spec.name}': {err}") from err
        return self.family.warnings(setting, self.config.layers)

    def prepare(self, groups: Sequence[Group], text: TextOptions, template: PromptTemplate | None = None) -> Prepared:
        """See `api.Reranker`; `template` stands in for the family's."""
        start, resolved = time.perf_counter(), self.family.resolve(self.spec, text)
        begin = self.family.begin(self, resolved)
        own = template or self.family.template_of(self.spec)
        pairs = pair_tokens(self.tokenizer, groups, resolved, own, begin=begin)
        return Prepared(pairs, time.perf_counter() - start)

    def score(
        self, groups: Sequence[Group], settings: Sequence[Setting], text: TextOptions, prepared: Prepared | None = None
    ) -> Scored:
        """See `api.Reranker`."""
        reads: dict[tuple[int, tuple[int, ...]], list[Read]] = {}
        places = []
        for setting in settings:
            self.check(setting)
            of_pass = reads.setdefault(setting.compression, [])
            places.append((setting.compression, len(of_pass)))
            layer = setting.cutoff_layer or self.config.layers
            of_pass.append(Read(layer, self.head(layer)))
        passes = [Pass(*key, tuple(of_pass)) for key, of_pass in reads.items()]
        scored = self.run(groups, passes, prepared or self.prepare(groups, text))
        first = dict(zip(reads, np.cumsum([0, *map(len, reads.values())])))
        scored.scores = scored.scores[[first[key] + i for key, i in places]]
        return scored

    def run(self, groups: Sequence[Group], passes: Sequence[Pass], prepared: Prepared) -> Scored:
        """Scores of every pair for every read, shape (reads of all passes in order, pairs)."""
        start, pairs = time.perf_counter(), prepared.tokens
        check_ids([pair.ids for pair in pairs], self.config.max_positions, self.config.vocab, self.files.root)
        group_of = np.repeat(np.arange(len(groups)), [len(group.passages) for group in groups])
        prefixes = self._prefixes(pairs, group_of, len(groups))
        scores = np.empty((sum(len(p.reads) for p in passes), len(pairs)), dtype=np.float32)
        executed, done = Executed(), []

        def forward(batch: list[int]) -> None:
            nonlocal executed
            ids, layout = _join(pairs, batch, group_of, prefixes)
            work, found = Work(), []
            device = self.model.embedding.device
            for one in passes:
                more = {"ratio": one.ratio, "compress_layers": one.compress_layers}
                found.append(self.model.forward(as_index(ids, device), layout, one.reads, work, **more))
            done.append((batch, torch.cat(found)))  # read at the end: the next batch need not wait for a GPU
            whole = sum(len(pairs[i].ids) for i in batch)
            executed += Executed(
                flops=work.flops,
                real_tokens=layout.rows * len(passes),
                shared_tokens=(whole - layout.rows) * len(passes),
            )

        def plan(items: list[int], budget: int) -> list[list[int]]:
            return plan_groups(items, [len(p.ids) for p in pairs], group_of, prefixes, budget)

        self.token_budget = run_batches([len(p.ids) for p in pairs], self.token_budget, forward, plan)
        for batch, found in done:
            scores[:, batch] = found.cpu().numpy()
        texts = [(group.query, passage) for group in groups for passage in group.passages]
        check_finite(scores, [read.layer for one in passes for read in one.reads], texts, self.dtype)
        executed.seconds = {"tokenise": prepared.seconds, "forward": time.perf_counter() - start}
        return Scored(
            scores=scores,
            query_tokens=np.array([p.query for p in pairs], dtype=np.int32),
            passage_tokens=np.array([p.passage for p in pairs], dtype=np.int32),
            prompt_tokens=np.array([p.prompt for p in pairs], dtype=np.int32),
            truncated=np.array([p.truncated for p in pairs], dtype=bool),
            executed=executed,
        )

    def _prefixes(self, pairs: Sequence[PairTokens], group_of: np.ndarray, groups: int) -> np.ndarray:
        """Tokens that all candidates of each group begin with, within the query part; shape (groups,)."""
        if not self.share_prefix or self.config.bidirectional:
            return np.zeros(groups, dtype=np.int64)
        prefixes = np.full(groups, np.iinfo(np.int64).max)
        # at least one token of a pair is its own
        np.minimum.at(prefixes, group_of, [min(p.query, len(p.ids) - 1) for p in pairs])
        return prefixes


def plan_groups(
    items: Sequence[int], lengths: Sequence[int], group_of: np.ndarray, prefixes: np.ndarray, budget: int
) -> list[list[int]]:
    """Split pairs into batches of at most `budget` packed tokens that keep the candidates of a query together.

    Groups come by their longest pair, longest first, and the pairs of a group likewise, so that equal lengths are
    neighbours. A group may be split; its prefix then counts in each batch.
    """
    longest: dict[int, int] = {}
    for i in items:
        longest[group_of[i]] = max(longest.get(group_of[i], 0), lengths[i])
    batches: list[list[int]] = []
    room, present = -1, None
    for i in sorted(items, key=lambda i: (-longest[group_of[i]], group_of[i], -lengths[i], i)):
        shared = prefixes[group_of[i]] if group_of[i] == present else 0
        if lengths[i] - shared > room:
            batches.append([])
            room, shared = budget, 0
        batches[-1].append(i)
        room -= lengths[i] - shared
        present = group_of[i]
    return batches


def _join(
    pairs: Sequence[PairTokens], batch: Sequence[int], group_of: np.ndarray, prefixes: np.ndarray
) -> tuple[np.ndarray, Layout]:
    """Ids (rows,) and layout of a batch whose pairs are sorted by group."""
    ids: list[int] = []
    suffixes: list[int] = []
    groups: dict[int, int] = {}  # group -> its place in this batch
    layout_groups, lengths, passages = [], [], []
    for i in batch:
        pair, prefix = pairs[i], int(prefixes[group_of[i]])
        if group_of[i] not in groups:
            groups[group_of[i]] = len(groups)
            ids += pair.ids[:prefix]
        suffixes += pair.ids[prefix:]
        layout_groups.append(groups[group_of[i]])
        lengths.append(len(pair.ids) - prefix)
        passages.append((pair.query - prefix, pair.query - prefix + pair.passage))
    layout = Layout([int(prefixes[group]) for group in groups], layout_groups, lengths, passages)
    return np.array(ids + suffixes, dtype=np.int64), layout
