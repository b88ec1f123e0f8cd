"""Decoders on a device: token ids, batches with shared query prefixes, passes and reads."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..api import Executed, Group, Prepared, Scored
from ..checkpoint.hub import Resolved
from ..checkpoint.weights import load_weights
from ..errors import InputError
from ..models.decoder import Decoder, Readout, decoder_shapes, with_own_head
from ..models.layout import Layout, as_index
from ..models.ops import Ops
from ..options import TextOptions
from ..prompting.template import PromptTemplate
from ..settings import Setting
from ..spec import ModelSpec
from ..tokenization.decoder_pairs import PairTokens, pair_tokens
from ..tokenization.lengths import check_ids
from ..tokenization.tokenizer import Tokenizer
from .base import Reranker
from .batching import run_batches
from .device import Placement
from .plans import DecoderPlan
from .score_checks import check_finite

if TYPE_CHECKING:
    from typing_extensions import Self

_TOKEN_BUDGET = {"cpu": 4096, "cuda": 32768}


@dataclass(frozen=True)
class Pass:
    """One forward pass: a compression, and the readouts (layer and output rows) taken on the way."""

    ratio: int
    compress_layers: tuple[int, ...]
    readouts: tuple[Readout, ...]


class DecoderAdapter(Reranker):
    """A decoder on a device, scored as its plan states.

    Args:
        plan: everything about the model but its weights.
        files: where the weights are.
        tokenizer: of the same folder.
        placement: device, precision and token budget.
        make_plan: makes the plan of this model under a specification with other options.

    Attributes:
        share_prefix: compute BOS and query once for all candidates of a query.
    """

    def __init__(
        self,
        plan: DecoderPlan,
        files: Resolved,
        tokenizer: Tokenizer,
        placement: Placement,
        make_plan: Callable[[ModelSpec], DecoderPlan],
    ) -> None:
        self.files, self.tokenizer, self._make_plan = files, tokenizer, make_plan
        self.device, self.dtype = str(placement.device), placement.precision.name
        self.share_prefix = True
        self.token_budget = placement.budget(_TOKEN_BUDGET)
        self._bind(plan, _load_decoder(plan, files, placement))

    def _bind(self, plan: DecoderPlan, model: Decoder) -> None:
        """Set plan and model; `with_options` does so on a copy that shares the weights."""
        self.plan, self.spec, self.config, self.shape = plan, plan.spec, plan.config, plan.shape
        self.model = model

    def with_options(self, **chosen: Any) -> Self:
        """See `base.Reranker.with_options`."""
        plan, other = self._make_plan(self.spec.with_options(**chosen)), copy.copy(self)
        other._bind(plan, self.model.with_softcap(plan.softcap))
        return other

    def identity(self, text: TextOptions) -> dict[str, Any]:
        """See `base.Reranker.identity`."""
        resolved = self.plan.text.resolve(text)
        return {
            "adapter": self.plan.adapter,
            **self.files.identity,
            "dtype": self.dtype,
            "prompt": resolved.instruction,
            "max_length": resolved.max_length,
            "query_max_length": resolved.query_max_length,
            "truncation": resolved.truncation,
            **self.plan.recipe,
        }

    def check(self, setting: Setting) -> list[str]:
        """See `base.Reranker.check`."""
        try:
            self.plan.shape.check(setting)
        except InputError as err:
            raise InputError(f"model '{self.spec.name}': {err}") from err
        return _list_warnings(setting, self.plan)

    def prepare_distinct(
        self, groups: Sequence[Group], text: TextOptions, template: PromptTemplate | None = None
    ) -> list[PairTokens]:
        """See `base.Reranker.prepare_distinct`; `template` replaces the plan's, for texts that have instructions."""
        resolved, template = self.plan.text.resolve(text), template or self.plan.text.template
        begin = self.plan.begin.get(resolved.truncation)
        if begin is None:
            raise InputError(f"{self.tokenizer.folder}: the tokenizer has no bos_token, which begins a sequence")
        assert template is not None, "a decoder has a template"
        return pair_tokens(self.tokenizer, groups, resolved, template, begin=list(begin))

    def score_distinct(
        self, groups: Sequence[Group], settings: Sequence[Setting], text: TextOptions, prepared: Prepared
    ) -> Scored:
        """See `base.Reranker.score_distinct`."""
        readouts: dict[tuple[int, tuple[int, ...]], list[Readout]] = {}  # by compression
        places = []  # of each setting: its compression, and the number of its readout there
        for setting in settings:
            pass_readouts = readouts.setdefault(setting.compression, [])
            places.append((setting.compression, len(pass_readouts)))
            layer = setting.cutoff_layer or self.config.layers
            pass_readouts.append(Readout(layer, self.plan.rows[layer]))
        passes = [Pass(*compression, tuple(of_pass)) for compression, of_pass in readouts.items()]
        scored = self.run(groups, passes, prepared)
        offsets = dict(zip(readouts, np.cumsum([0, *map(len, readouts.values())])))
        # compressions may alternate in `settings`: put the rows of scores into their order
        scored.scores = scored.scores[[offsets[compression] + number for compression, number in places]]
        return scored

    def run(self, groups: Sequence[Group], passes: Sequence[Pass], prepared: Prepared) -> Scored:
        """Return scores of every pair for every readout, shape (readouts of all passes in order, pairs)."""
        start, pairs = time.perf_counter(), prepared.tokens
        check_ids([pair.ids for pair in pairs], self.config.max_positions, self.config.vocab, self.files.root)
        group_of = np.repeat(np.arange(len(groups)), [len(group.passages) for group in groups])
        prefixes = self._count_prefixes(pairs, group_of, len(groups))
        scores = np.empty((sum(len(p.readouts) for p in passes), len(pairs)), dtype=np.float32)
        executed, pending = Executed(), []

        def forward(batch: list[int]) -> None:
            nonlocal executed
            ids, layout = _pack(pairs, batch, group_of, prefixes)
            ops, logits = Ops(), []
            device = self.model.embedding.device
            for pass_ in passes:
                compression = {"ratio": pass_.ratio, "compress_layers": pass_.compress_layers}
                logits.append(self.model.forward(as_index(ids, device), layout, pass_.readouts, ops, **compression))
            pending.append((batch, torch.cat(logits)))  # read at the end: the next batch need not wait for a GPU
            unshared = sum(len(pairs[i].ids) for i in batch)
            executed += Executed(
                flops=ops.flops,
                real_tokens=layout.rows * len(passes),
                shared_tokens=(unshared - layout.rows) * len(passes),
            )

        def split(items: list[int], budget: int) -> list[list[int]]:
            return plan_batches(items, [len(p.ids) for p in pairs], group_of, prefixes, budget)

        self.token_budget = run_batches([len(p.ids) for p in pairs], self.token_budget, forward, split)
        for batch, logits in pending:
            scores[:, batch] = logits.cpu().numpy()
        texts = [(group.query, passage) for group in groups for passage in group.passages]
        check_finite(scores, [readout.layer for pass_ in passes for readout in pass_.readouts], texts, self.dtype)
        executed.seconds = {"tokenise": prepared.seconds, "forward": time.perf_counter() - start}
        return Scored(
            scores=scores,
            query_tokens=np.array([p.query for p in pairs], dtype=np.int32),
            passage_tokens=np.array([p.passage for p in pairs], dtype=np.int32),
            prompt_tokens=np.array([p.prompt for p in pairs], dtype=np.int32),
            truncated=np.array([p.truncated for p in pairs], dtype=bool),
            executed=executed,
        )

    def _count_prefixes(self, pairs: Sequence[PairTokens], group_of: np.ndarray, groups: int) -> np.ndarray:
        """Return the length of each group's shared prefix, shape (groups,): the shortest query part of its pairs.

        Query parts of a group agree that far, and a token of each pair stays its own. The entry of a group without
        pairs is never read.
        """
        if not self.share_prefix or self.config.bidirectional:
            return np.zeros(groups, dtype=np.int64)
        prefixes = np.full(groups, np.iinfo(np.int64).max)
        np.minimum.at(prefixes, group_of, [min(p.query, len(p.ids) - 1) for p in pairs])
        return prefixes


def _load_decoder(plan: DecoderPlan, files: Resolved, placement: Placement) -> Decoder:
    device, precision = placement.device, placement.precision
    config = with_own_head(plan.config, files.folder)
    tied, pooled = config.tied, config.bidirectional

    def ignore(name: str) -> bool:
        # buffers that old checkpoints carry, the second name of a tied matrix, and what no causal model reads
        unread = (tied and name == "lm_head.weight") or (not pooled and name == "score.weight")
        return unread or name.endswith("rotary_emb.inv_freq")

    weights = load_weights(files.folder, decoder_shapes(config), precision.dtype, device, ignore=ignore)
    model = Decoder(config, weights, capped=plan.softcap)
    model.convert_matrices(precision.arrange)
    return model


def _list_warnings(setting: Setting, plan: DecoderPlan) -> list[str]:
    """Return warnings: what of a setting has no effect, or uses a head that was not trained for its layer."""
    layers, warnings = plan.config.layers, []
    depth = setting.cutoff_layer or layers
    if depth in plan.untrained:
        warnings.append(f"setting {setting.name}: untrained: the head of layer {layers} on layer {depth} (logit lens)")
    if 0 in setting.compress_layers:
        warnings.append(f"setting {setting.name}: compress layer 0 has no effect (the released code skips it)")
    if beyond := [layer for layer in setting.compress_layers if layer >= depth]:
        warnings.append(f"setting {setting.name}: compress layers {beyond} are never reached (cutoff {depth})")
    return warnings


def plan_batches(
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
    room, current_group = -1, None
    for i in sorted(items, key=lambda i: (-longest[group_of[i]], group_of[i], -lengths[i], i)):
        shared = prefixes[group_of[i]] if group_of[i] == current_group else 0
        if lengths[i] - shared > room:
            batches.append([])
            room, shared = budget, 0
        batches[-1].append(i)
        room -= lengths[i] - shared
        current_group = group_of[i]
    return batches


def _pack(
    pairs: Sequence[PairTokens], batch: Sequence[int], group_of: np.ndarray, prefixes: np.ndarray
) -> tuple[np.ndarray, Layout]:
    """Return ids, shape (tokens,), and layout of a batch sorted by group: shared prefixes, then what is each pair's."""
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
