"""Encoder-decoders as rerankers: transformers runs the encoder over a prompt, and the decoder over its first token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..api import Group
from ..checkpoint.hub import Resolved
from ..errors import InputError
from ..options import TextOptions
from ..spec import ModelSpec
from ..tokenization.encoder_pairs import Pairs, distinct_ids
from ..tokenization.tokenizer import Tokenizer
from .device import Placement
from .plans import PairPlan
from .transformers_classifier import TransformersClassifier
from .transformers_models import load_class


def load_first_step(spec: ModelSpec, files: Resolved, dtype: torch.dtype, device: torch.device) -> Any:
    """Load an encoder-decoder on its device. Raises InputError when transformers cannot, or weights are missing."""
    return load_class(spec, files, dtype, "Seq2SeqLM").to(device).eval()


class FirstStep(torch.nn.Module):
    """The logits of some tokens at the first decoder step, float32 (pairs, tokens)."""

    def __init__(self, model: Any, rows: Sequence[int], where: str) -> None:
        super().__init__()
        self.model, self.rows, self.config = model, list(rows), model.config
        start = getattr(self.config, "decoder_start_token_id", None)
        if not isinstance(start, int) or start < 0:
            raise InputError(f"{where}: states no decoder_start_token_id, with which the decoder begins")
        self.start = start

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Run one step."""
        start = torch.full((len(input_ids), 1), self.start, device=input_ids.device)
        output = self.model(
            input_ids=input_ids, attention_mask=attention_mask, decoder_input_ids=start, use_cache=False
        )
        return output.logits[:, 0, self.rows].float()


@dataclass(frozen=True)
class PromptPairs(Pairs):
    """Pairs in prompts: one text each, of one type."""

    def types(self, index: int) -> list[int]:
        """See `Pairs.types`."""
        return [0] * len(self.ids[index])


class FirstStepReranker(TransformersClassifier):
    """The log-probability of the first of two tokens. What is executed is not counted."""

    def __init__(
        self, plan: PairPlan, files: Resolved, tokenizer: Tokenizer, placement: Placement, model: FirstStep
    ) -> None:
        super().__init__(plan, files, tokenizer, placement, model, _read_first)

    def prepare_distinct(self, groups: Sequence[Group], text: TextOptions) -> Pairs:
        """See `base.Reranker.prepare_distinct`; the query's part has as many tokens as the prompt up to its end."""
        prompt, template = self.plan.text.template, self.tokenizer.single_template()
        assert prompt is not None
        room = self.plan.text.resolve(text).max_length - template.special
        heads = distinct_ids(self.tokenizer, [prompt.of_query(group.query) for group in groups])
        pairs = [(group.query, passage) for group in groups for passage in group.passages]
        whole = self.tokenizer.ids([prompt.whole(query, passage, "") for query, passage in pairs])
        ids = [template.join(self.tokenizer.cut(own, room)) for own in whole]
        first = [min(len(heads[prompt.of_query(query)]), len(own)) for (query, _), own in zip(pairs, ids)]
        return PromptPairs(
            ids,
            template,
            np.array(first, dtype=np.int32),
            np.array([len(own) > room for own in whole], dtype=bool),
        )


def _read_first(logits: Tensor, mask: Tensor) -> Tensor:
    return logits.log_softmax(-1)[:, 0]
