"""What adapters share that read query and passage together in one encoder: token ids, batches, scores."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ..api import Executed, Group, Prepared, Scored
from ..checkpoint.hub import Resolved
from ..models.heads import activation
from ..models.layout import as_index
from ..models.ops import Ops
from ..options import TextOptions
from ..settings import Setting
from ..tokenization.encoder_pairs import Pairs, build_pairs
from ..tokenization.lengths import check_ids
from ..tokenization.tokenizer import Tokenizer
from .base import Reranker
from .batching import run_batches
from .device import Placement
from .plans import PairPlan
from .score_checks import check_finite

BUDGET = {"cpu": 4096, "cuda": 65536}  # tokens per forward pass


class PairAdapter(Reranker):
    """A classifier of pairs on a device, as its plan states. Subclasses load it, and run one batch."""

    def __init__(self, plan: PairPlan, files: Resolved, tokenizer: Tokenizer, placement: Placement) -> None:
        self.plan, self.files, self.tokenizer = plan, files, tokenizer
        self.spec, self.shape = plan.spec, plan.shape
        self.activation = activation(plan.activation, files.root)
        self.device, self.dtype = str(placement.device), placement.precision.name
        self.token_budget = placement.budget(BUDGET)

    @abstractmethod
    def logits(self, pairs: Pairs, batch: Sequence[int], ops: Ops) -> tuple[torch.Tensor, int]:
        """Return float32 logits (len(batch),) of some pairs, and how many padding tokens were computed with them."""

    def identity(self, text: TextOptions) -> dict[str, Any]:
        """See `base.Reranker.identity`."""
        resolved = self.plan.text.resolve(text)
        return {
            "adapter": self.plan.adapter,
            **self.files.identity,
            "dtype": self.dtype,
            "max_length": resolved.max_length,
            "query_max_length": resolved.query_max_length if resolved.truncation == "class" else None,
            "truncation": resolved.truncation,
            **self.plan.recipe,
        }

    def prepare_distinct(self, groups: Sequence[Group], text: TextOptions) -> Pairs:
        """See `base.Reranker.prepare_distinct`."""
        prompted = [Group(self.plan.query_prompt + group.query, group.passages) for group in groups]
        return build_pairs(self.tokenizer, prompted, self.plan.text.resolve(text))

    @torch.inference_mode()
    def score_distinct(
        self, groups: Sequence[Group], settings: Sequence[Setting], text: TextOptions, prepared: Prepared
    ) -> Scored:
        """See `base.Reranker.score_distinct`."""
        pairs: Pairs = prepared.tokens
        start = time.perf_counter()
        lengths, ops, padded = [len(ids) for ids in pairs.ids], Ops(), 0
        check_ids(pairs.ids, self.plan.positions, self.plan.ids, self.files.root)
        values = torch.empty(len(lengths), dtype=torch.float32, device=self.device)

        def run(batch: list[int]) -> None:
            nonlocal padded
            logits, more = self.logits(pairs, batch, ops)
            values[as_index(np.array(batch), values.device)] = self.activation(logits)
            padded += more

        self.token_budget = run_batches(lengths, self.token_budget, run)
        scores = np.repeat(values.cpu().numpy()[None], len(settings), axis=0)
        seconds = {"tokenise": prepared.seconds, "forward": time.perf_counter() - start}
        texts = [(group.query, passage) for group in groups for passage in group.passages]
        layers = [self.shape.layers if self.shape else setting.name for setting in settings]
        check_finite(scores, layers, texts, self.dtype)
        return Scored(
            scores=scores,
            query_tokens=pairs.query_tokens,
            passage_tokens=pairs.passage_tokens,
            prompt_tokens=np.zeros(len(lengths), dtype=np.int32),
            truncated=pairs.truncated,
            executed=Executed(flops=ops.flops, real_tokens=sum(lengths), padded_tokens=padded, seconds=seconds),
        )
