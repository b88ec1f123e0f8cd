"""A text encoder as a reranker: similarity of the vectors of query and passage, each read alone.

Pooling, what follows it, the similarity and the prompts are those of a sentence-transformers folder; without one the
states are mean-pooled and the score is the cosine.

On a CPU every text is encoded by itself: its vector is then the same to the last bit whatever else is scored, so it
may be kept for the next query that has the text among its candidates.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ..api import Executed, Group, Prepared, Scored, report_share
from ..checkpoint.hub import Resolved
from ..errors import InputError
from ..models.encoder import Encoder
from ..models.heads import PooledHead
from ..models.layout import as_index
from ..models.ops import Ops
from ..models.packed import Packed
from ..options import TextOptions
from ..settings import Setting
from ..spec import DEFAULT_LENGTH
from ..tokenization.encoder_pairs import distinct_ids
from ..tokenization.lengths import check_ids
from ..tokenization.tokenizer import Tokenizer
from .base import Reranker
from .batching import run_batches
from .device import Placement
from .pair_classifier import BUDGET
from .plans import TextPlan
from .score_checks import check_finite
from .vector_cache import VectorCache

CACHE_BYTES = 256 << 20


class TextEncoder(Reranker):
    """A text encoder used as a reranker. A cutoff layer pools the states after that layer."""

    def __init__(
        self,
        plan: TextPlan,
        files: Resolved,
        tokenizer: Tokenizer,
        placement: Placement,
        encoder: Encoder,
        head: PooledHead,
    ) -> None:
        self.plan, self.files, self.saved, self.tokenizer = plan, files, files.saved, tokenizer
        self.spec, self.config, self.shape = plan.spec, plan.config, plan.shape
        self.template = tokenizer.single_template()
        self.encoder, self.head = encoder, head
        self.encoder.convert_matrices(placement.precision.arrange)
        self.device, self.dtype = str(placement.device), placement.precision.name
        self.token_budget = placement.budget(BUDGET)
        self.cache = VectorCache(CACHE_BYTES) if placement.device.type == "cpu" else None

    def identity(self, text: TextOptions) -> dict[str, Any]:
        """See `base.Reranker.identity`."""
        query_limit, passage_limit = self._resolve_limits(text)
        return {
            "adapter": self.plan.adapter,
            **self.files.identity,
            "dtype": self.dtype,
            "max_length": passage_limit,
            "query_max_length": query_limit,
        }

    def check(self, setting: Setting) -> list[str]:
        """See `base.Reranker.check`."""
        if setting.compress_layers:
            raise InputError(f"setting '{setting.name}': model '{self.spec.name}' cannot compress tokens")
        if (setting.cutoff_layer or 1) > self.config.layers:
            raise InputError(f"setting '{setting.name}': model '{self.spec.name}' has {self.config.layers} layers")
        return []

    def prepare_distinct(self, groups: Sequence[Group], text: TextOptions) -> Any:
        """See `base.Reranker.prepare_distinct`."""
        query_limit, passage_limit = self._resolve_limits(text)
        saved = self.saved  # its `encode_query` and `encode_document` take these prompts
        queries = self._cut_ids([group.query for group in groups], query_limit, saved.prompt("query"))
        texts = [p for group in groups for p in group.passages]
        passages = self._cut_ids(texts, passage_limit, saved.prompt("document"))
        return queries, passages

    @torch.inference_mode()
    def score_distinct(
        self, groups: Sequence[Group], settings: Sequence[Setting], text: TextOptions, prepared: Prepared
    ) -> Scored:
        """See `base.Reranker.score_distinct`. Every distinct text is encoded once, for all cutoffs in one pass."""
        (queries, query_cut), (passages, passage_cut) = prepared.tokens
        start = time.perf_counter()
        pairs = [(group.query, passage) for group in groups for passage in group.passages]
        distinct = list(dict.fromkeys([*queries.values(), *passages.values()]))
        row_of = {ids: number for number, ids in enumerate(distinct)}
        ops, device = Ops(), self.encoder.device
        layers = sorted({setting.cutoff_layer or self.config.layers for setting in settings})
        vectors, entered = self._encode(distinct, layers, ops)
        left = as_index(np.array([row_of[queries[q]] for q, _ in pairs]), device)
        right = as_index(np.array([row_of[passages[p]] for _, p in pairs]), device)
        similar = {
            layer: _compare(self.saved.similarity, x, left, right, ops).cpu().numpy()
            for layer, x in zip(layers, vectors)
        }
        order = [setting.cutoff_layer or self.config.layers for setting in settings]
        scores = np.stack([similar[layer] for layer in order])
        seconds = {"tokenise": prepared.seconds, "forward": time.perf_counter() - start}
        check_finite(scores, order, pairs, self.dtype)
        query_tokens = np.array([len(queries[q]) for q, _ in pairs], dtype=np.int32)
        passage_tokens = np.array([len(passages[p]) for _, p in pairs], dtype=np.int32)
        return Scored(
            scores=scores,
            query_tokens=query_tokens,
            passage_tokens=passage_tokens,
            prompt_tokens=np.zeros(len(pairs), dtype=np.int32),
            truncated=np.array([q in query_cut or p in passage_cut for q, p in pairs], dtype=bool),
            executed=Executed(
                flops=ops.flops,
                real_tokens=entered,
                shared_tokens=int(query_tokens.sum() + passage_tokens.sum()) - entered,
                seconds=seconds,
            ),
        )

    def _encode(self, texts: Sequence[tuple[int, ...]], layers: Sequence[int], ops: Ops) -> tuple[torch.Tensor, int]:
        """Return vectors (layers, texts, width) in float32, and how many tokens had to be encoded."""
        vectors = torch.empty(len(layers), len(texts), self.plan.width, device=self.encoder.device)
        new = []
        for i, ids in enumerate(texts):
            known = self.cache.get((ids, *layers)) if self.cache else None
            if known is None:
                new.append(i)
            else:
                vectors[:, i] = known

        def run(batch: list[int]) -> None:
            in_batch = [texts[new[i]] for i in batch]
            around = self.template.special
            types = [self.template.types(len(ids) - around) for ids in in_batch] if self.tokenizer.has_types else None
            packed = Packed.of(in_batch, types, self.encoder.device)
            pooled = self.encoder.vectors(packed, layers, self.head.pool, ops)
            rows = as_index(np.array([new[i] for i in batch]), self.encoder.device)
            vectors[:, rows] = torch.stack(
                [self.head.apply(pooled[layer], ops)[:, : self.plan.width] for layer in layers]
            )

        lengths = [len(texts[i]) for i in new]
        check_ids([texts[i] for i in new], self.config.positions, self.config.vocab, self.files.root)
        if self.cache is None:
            self.token_budget = run_batches(lengths, self.token_budget, run)
        else:
            done, total = 0, sum(lengths)
            for i, number in enumerate(new):
                run([i])
                done += lengths[i]
                report_share(done / total)
                self.cache.put((texts[number], *layers), vectors[:, number].clone())
        return vectors, sum(lengths)

    def _resolve_limits(self, text: TextOptions) -> tuple[int, int]:
        """Return the limits of a query and of a passage, special tokens included; a query is not shorter by default."""
        self.plan.text.resolve(text)
        saved = self.saved
        passage = text.max_length or saved.document_length or self.spec.max_length
        query = text.query_max_length or text.max_length or saved.query_length or self.spec.max_length
        return query or DEFAULT_LENGTH, passage or DEFAULT_LENGTH

    def _cut_ids(self, texts: Sequence[str], limit: int, prompt: str) -> tuple[dict[str, tuple[int, ...]], set[str]]:
        """Return ids with `[CLS]` and `[SEP]` by text, and the texts that lost tokens."""
        room = limit - self.template.special
        ids_of = distinct_ids(self.tokenizer, [prompt + text for text in texts])
        ids_of = {text: ids_of[prompt + text] for text in texts}
        cut = {text for text, ids in ids_of.items() if len(ids) > room}
        return {text: tuple(self.template.join(self.tokenizer.cut(ids, room))) for text, ids in ids_of.items()}, cut


def _compare(kind: str, x: torch.Tensor, left: torch.Tensor, right: torch.Tensor, ops: Ops) -> torch.Tensor:
    """Return float32 similarities (pairs,) of the rows `left` and `right` of x; distances count negative."""
    if kind in ("cosine", "dot"):
        x = F.normalize(x, dim=-1) if kind == "cosine" else x
        return ops.matmul(x[left].unsqueeze(1), x[right].unsqueeze(2)).flatten()
    apart = x[left] - x[right]
    return -(apart.abs().sum(-1) if kind == "manhattan" else apart.square().sum(-1).sqrt())
