"""Any other sequence classifier with one output, run by transformers, each pair scored as if it were alone."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..checkpoint.hub import Resolved
from ..models.ops import Ops
from ..settings import Setting
from ..tokenization.encoder_pairs import Pairs
from ..tokenization.tokenizer import Tokenizer
from .device import Placement
from .full_depth import check_full_depth
from .padding_probe import BatchingProbe, Sequences, Side, probe_ids
from .pair_classifier import PairAdapter
from .plans import PairPlan
from .transformers_models import ReadScores, text_config

_PROBES = ((2, 3), (3, 2), (2, 9), (7, 40))  # tokens of the made-up pairs that show how batches may look


def _list_arguments(model: Any) -> set[str]:
    """Return names of what the model's forward pass takes; one that only hands its arguments on takes all."""
    parameters = inspect.signature(model.forward).parameters
    hands_on = any(p.kind is p.VAR_KEYWORD for p in parameters.values()) and "attention_mask" not in parameters
    return {*parameters, *(("attention_mask", "token_type_ids") if hands_on else ())}


class TransformersClassifier(PairAdapter):
    """Adapter of `AutoModelForSequenceClassification`. What is executed is not counted."""

    def __init__(
        self, plan: PairPlan, files: Resolved, tokenizer: Tokenizer, placement: Placement, model: Any, read: ReadScores
    ) -> None:
        super().__init__(plan, files, tokenizer, placement)
        self.model, self.read = model, read
        takes = _list_arguments(self.model)
        self.takes = [
            name
            for name in ("attention_mask", "token_type_ids")
            if name in takes and (self.tokenizer.has_types or name != "token_type_ids")
        ]
        self.more = {"logits_to_keep": 1} if files.saved.task == "text-generation" and "logits_to_keep" in takes else {}
        self.pad_id = self._find_pad_id()
        self.probe = BatchingProbe(
            self._forward, placement.precision.dtype, lambda ids: repr(tokenizer.backend.decode(ids)[:80])
        )
        with torch.inference_mode():
            self.probe.choose_mode(self._make_probes(), self.spec.name, self._allow_batches)

    def check(self, setting: Setting) -> list[str]:
        """See `base.Reranker.check`."""
        return check_full_depth(self.spec, setting)

    def logits(self, pairs: Pairs, batch: Sequence[int], ops: Ops) -> tuple[Tensor, int]:
        """See `PairAdapter.logits`; what is padded and where, the probe decided."""
        scores, padded = self.probe.scores([(pairs.ids[i], pairs.types(i)) for i in batch])
        return scores.to(self.device), padded

    def _forward(self, pairs: Sequences, side: Side) -> Tensor:
        """Return float32 logits (n,) of pairs padded to the longest on one side."""
        lengths = [len(ids) for ids, _ in pairs]
        longest = max(lengths)
        ids = torch.full((len(pairs), longest), self.pad_id)
        mask, types = torch.zeros_like(ids), torch.zeros_like(ids)
        for row, ((own, kinds), length) in enumerate(zip(pairs, lengths)):
            span = slice(longest - length, longest) if side == "left" else slice(0, length)
            ids[row, span] = torch.tensor(own)
            types[row, span] = torch.tensor(kinds)
            mask[row, span] = 1
        inputs = {"attention_mask": mask, "token_type_ids": types}
        inputs = {"input_ids": ids, **{name: inputs[name] for name in self.takes}}
        output = self.model(**{name: value.to(self.device) for name, value in inputs.items()}, **self.more)
        return self.read(output, mask.to(self.device))

    def _find_pad_id(self) -> int:
        """Return the id of padding tokens.

        A decoder finds its last token by its own configured id, so that one counts.
        """
        config = text_config(self.model)
        own = getattr(config, "pad_token_id", None)
        return own if isinstance(own, int) and own >= 0 else self.tokenizer.special.get("pad_token", 0)

    def _allow_batches(self) -> None:
        """Set a padding id: without one transformers refuses batches of a decoder.

        With one that no token has it reads the last token of every row, as it does of a row alone.
        """
        config = text_config(self.model)
        if getattr(config, "pad_token_id", None) is None:
            config.pad_token_id = -1

    def _make_probes(self) -> Sequences:
        """Return pairs of made-up texts with their special tokens."""
        template, config = self.tokenizer.pair_template(), text_config(self.model)
        named = [getattr(config, name, None) for name in dir(config) if name.endswith("_token_id")]
        apart = self.tokenizer.all_special | {i for i in named if isinstance(i, int)}
        known = min(self.tokenizer.backend.get_vocab_size(), self.plan.ids or 1 << 30)
        words = [i for i in range(known) if i not in apart] or [0]
        longest = (self.plan.positions or 1 << 30) - template.special
        probes = [pair for pair in _PROBES if sum(pair) <= longest] or [(1, 1)]
        texts = probe_ids(words, probes)
        return [(template.join(*pair), template.types(*map(len, pair))) for pair in texts]
