"""A list read by one encoder whose sequences see a marked state of each other, as lightning-ir runs a Set-Encoder.

Its code fills a list that is shorter than `depth` up with states drawn at random where the checkpoint says so
(`sample_missing_docs`). Nothing is drawn here: a shorter list is read as that code reads it without that key.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from ..api import Executed, Group, Prepared, Scored
from ..checkpoint.hub import Resolved
from ..errors import InputError
from ..models.layout import as_index
from ..models.list_encoder import ListEncoder
from ..models.ops import Ops
from ..models.packed import Packed
from ..options import ResolvedText, TextOptions
from ..settings import Setting
from ..tokenization.lengths import check_ids
from ..tokenization.tokenizer import Tokenizer
from .device import Placement
from .full_depth import FullDepth
from .plans import SetPlan
from .score_checks import check_finite

log = logging.getLogger("rerankbench")


@dataclass(frozen=True)
class SetList:
    """One query's list as token ids.

    Attributes:
        ids: with special tokens, one per passage.
        types: token types of them.
        query_tokens: ids of each pair's first part, special tokens among them.
        truncated: whether a text lost tokens.
    """

    ids: list[list[int]]
    types: list[list[int]]
    query_tokens: int
    truncated: list[bool]


class SetReranker(FullDepth):
    """An encoder that reads a query's whole list at once; the list's order changes nothing."""

    reads_lists = True

    def __init__(self, plan: SetPlan, files: Resolved, tokenizer: Tokenizer, placement: Placement) -> None:
        self.plan, self.spec, self.files, self.config = plan, plan.spec, files, plan.config
        self.device, self.dtype = str(placement.device), placement.precision.name
        self.tokenizer, self.template = tokenizer, tokenizer.pair_template()
        if len(self.template.parts[0]) <= self.config.mark:
            raise InputError(f"{files.root}: add_extra_token, and the tokenizer puts no token for it before the query")
        self.encoder = ListEncoder.load(files.folder, self.config.body, placement.precision.dtype, placement.device)
        self.encoder.mark = self.config.mark
        self.encoder.convert_matrices(placement.precision.arrange)

    def identity(self, text: TextOptions) -> dict[str, Any]:
        """See `base.Reranker.identity`; `listwise` states how a list is read."""
        resolved = self.plan.text.resolve(text)
        return {
            "adapter": self.plan.adapter,
            **self.files.identity,
            "dtype": self.dtype,
            "max_length": resolved.max_length,
            "query_max_length": resolved.query_max_length,
            "listwise": {"order": "none", "depth": self.config.depth, "missing": "left out"},
        }

    def prepare_distinct(self, groups: Sequence[Group], text: TextOptions) -> list[SetList]:
        """See `base.Reranker.prepare_distinct`."""
        resolved = self.plan.text.resolve(text)
        return [self._tokenise(group, resolved) for group in groups if group.passages]

    def score_distinct(
        self, groups: Sequence[Group], settings: Sequence[Setting], text: TextOptions, prepared: Prepared
    ) -> Scored:
        """See `base.Reranker.score_distinct`. A score depends on its group's passages."""
        start, ops = time.perf_counter(), Ops()
        lists: list[SetList] = prepared.tokens
        for one in lists:
            self._check_depth(len(one.ids))
        rows = [self._score_list(one, ops) for one in lists]
        scores = np.repeat(np.concatenate([np.empty(0, np.float32), *rows])[None], len(settings), axis=0)
        texts = [(group.query, passage) for group in groups for passage in group.passages]
        check_finite(scores, [self.config.body.layers] * len(settings), texts, self.dtype)
        lengths = np.array([len(ids) for one in lists for ids in one.ids], dtype=np.int32)
        query = np.array([one.query_tokens for one in lists for _ in one.ids], dtype=np.int32)
        seconds = {"tokenise": prepared.seconds, "forward": time.perf_counter() - start}
        return Scored(
            scores=scores,
            query_tokens=query,
            passage_tokens=lengths - query,
            prompt_tokens=np.zeros(len(lengths), dtype=np.int32),
            truncated=np.array([cut for one in lists for cut in one.truncated], dtype=np.bool_),
            executed=Executed(flops=ops.flops, real_tokens=int(lengths.sum()), seconds=seconds),
        )

    def _check_depth(self, passages: int) -> None:
        if passages > self.config.depth:
            raise InputError(
                f"model '{self.spec.name}': reads lists of {self.config.depth} passages at most (key depth), "
                f"not {passages}"
            )
        if passages < self.config.depth and self.config.full:
            _ = self._warned

    @cached_property
    def _warned(self) -> bool:
        log.warning(
            "%s: a list has fewer than %d passages; the publisher's code then adds states drawn at random "
            "(sample_missing_docs), which are left out here",
            self.spec.name,
            self.config.depth,
        )
        return True

    def _tokenise(self, group: Group, text: ResolvedText) -> SetList:
        (query, cut), *passages = self._cut([group.query], text.query_max_length) + self._cut(
            group.passages, text.max_length
        )
        template = self.template
        return SetList(
            ids=[template.join(query, ids) for ids, _ in passages],
            types=[template.types(len(query), len(ids)) for ids, _ in passages],
            query_tokens=len(query) + len(template.parts[0]) + len(template.parts[1]),
            truncated=[cut or lost for _, lost in passages],
        )

    def _cut(self, texts: Sequence[str], limit: int) -> list[tuple[list[int], bool]]:
        """Cut as published: ids up to the limit are decoded, and what came of that is tokenised again."""
        whole = self.tokenizer.ids(texts)
        decode = self.tokenizer.backend.decode
        again = [decode(self.tokenizer.cut(ids, limit), skip_special_tokens=False) for ids in whole]
        return [(ids, len(own) > limit) for ids, own in zip(self.tokenizer.ids(again), whole)]

    @torch.inference_mode()
    def _score_list(self, one: SetList, ops: Ops) -> np.ndarray:
        body = self.config.body
        check_ids(one.ids, body.positions, body.vocab, self.files.root)
        order = sorted(range(len(one.ids)), key=lambda i: len(one.ids[i]))
        ids, types = [one.ids[i] for i in order], [one.types[i] for i in order]  # whatever the tokenizer's class yields
        packed = Packed.of(ids, types, self.encoder.device)
        scores = torch.empty(len(order), dtype=torch.float32, device=self.encoder.device)
        scores[as_index(np.array(order), scores.device)] = self.encoder.scores(packed, ops)[:, 0]
        return scores.cpu().numpy()
