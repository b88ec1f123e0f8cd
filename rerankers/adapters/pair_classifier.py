"""What adapters share that read query and passage together in one encoder: token ids, batches, scores."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ..api import Executed, Group, Prepared, Scored
from ..checkpoint.hub import Resolved
from ..errors import InputError
from ..family import Family
from ..flops import Shape
from ..models.heads import activation
from ..models.layout import as_index
from ..models.work import Work
from ..options import LoadOptions, TextOptions
from ..settings import Setting
from ..spec import ModelSpec
from ..tokenization.encoder_pairs import Pairs, build_pairs
from ..tokenization.lengths import check_ids, with_length
from ..tokenization.tokenizer import Tokenizer
from .batching import run_batches
from .predict import Faces
from .score_checks import check_finite

BUDGET = {"cpu": 4096, "cuda": 65536}  # tokens per forward pass


class PairAdapter(Faces):
    """A classifier of pairs on a device. Subclasses load it, and run one batch.

    Attributes:
        activation: what sentence-transformers saved as the function on a logit; the logit itself where it saved none.
        positions: most tokens of a pair that the model can tell apart; None: any number.
        rows: of its table of word embeddings; None: unknown.
    """

    shape: Shape | None = None

    def __init__(
        self,
        family: Family,
        spec: ModelSpec,
        files: Resolved,
        options: LoadOptions,
        *,
        device: torch.device,
        dtype: str,
    ) -> None:
        saved = files.saved
        if saved.kind == "SentenceTransformer":
            raise InputError(f"{files.root}: a text encoder of sentence-transformers, not a classifier of pairs")
        if saved.chat is not None:
            raise InputError(
                f"{files.root}: texts in a chat template ('message') are not supported for model_type "
                f"'{files.config.get('model_type')}'"
            )
        self.family, self.spec, self.files, self.saved = family, spec, files, saved
        self.tokenizer = Tokenizer(files.folder, lower_case=saved.lower_case)
        self.query_prompt = saved.prompt(saved.default_prompt) if saved.default_prompt else ""
        self.activation = activation(saved.activation, files.root)
        self.positions: int | None = None
        self.rows: int | None = None
        self.device, self.dtype = str(device), dtype
        self.token_budget = options.token_budget or BUDGET.get(device.type, BUDGET["cpu"])

    def hold(self, positions: int | None, rows: int | None) -> None:
        """State how many positions and word embeddings the model has; the default length follows.

        A cross-encoder that sentence-transformers saved is cut as that library cuts, the longer text first.
        """
        self.positions, self.rows = positions, rows
        special = self.tokenizer.pair_template().special
        spec = with_length(self.spec, self.saved, self.tokenizer, positions, special)
        cut = spec.truncation or ("snippet" if self.saved.kind == "CrossEncoder" else None)
        self.spec = replace(spec, truncation=cut)

    def logits(self, pairs: Pairs, batch: Sequence[int], work: Work) -> tuple[torch.Tensor, int]:
        """Float32 logits (len(batch),) of some pairs, and how many padding tokens were computed with them."""
        raise NotImplementedError

    def check(self, setting: Setting) -> list[str]:
        """See `api.Reranker.check`."""
        raise NotImplementedError

    def identity(self, text: TextOptions) -> dict[str, Any]:
        """See `api.Reranker.identity`."""
        resolved = self.family.resolve(self.spec, text)
        return {
            "adapter": self.family.adapter,
            **self.files.identity,
            "dtype": self.dtype,
            "max_length": resolved.max_length,
            "query_max_length": resolved.query_max_length if resolved.truncation == "class" else None,
            "truncation": resolved.truncation,
        }

    def prepare(self, groups: Sequence[Group], text: TextOptions) -> Prepared:
        """See `api.Reranker.prepare`."""
        start = time.perf_counter()
        asked = [Group(self.query_prompt + group.query, group.passages) for group in groups]
        pairs = build_pairs(self.tokenizer, asked, self.family.resolve(self.spec, text))
        return Prepared(pairs, time.perf_counter() - start)

    @torch.inference_mode()
    def score(
        self, groups: Sequence[Group], settings: Sequence[Setting], text: TextOptions, prepared: Prepared | None = None
    ) -> Scored:
        """See `api.Reranker.score`."""
        for setting in settings:
            self.check(setting)
        prepared = prepared or self.prepare(groups, text)
        pairs: Pairs = prepared.tokens
        start = time.perf_counter()
        lengths, work, padded = [len(ids) for ids in pairs.ids], Work(), 0
        check_ids(pairs.ids, self.positions, self.rows, self.files.root)
        found = torch.empty(len(lengths), dtype=torch.float32, device=self.device)

        def run(batch: list[int]) -> None:
            nonlocal padded
            logits, more = self.logits(pairs, batch, work)
            found[as_index(np.array(batch), found.device)] = self.activation(logits)
            padded += more

        self.token_budget = run_batches(lengths, self.token_budget, run)
        scores = np.repeat(found.cpu().numpy()[None], len(settings), axis=0)
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
            executed=Executed(flops=work.flops, real_tokens=sum(lengths), padded_tokens=padded, seconds=seconds),
        )
