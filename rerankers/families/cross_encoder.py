"""Cross-encoders: XLM-RoBERTa and BERT sequence classifiers with one output (bge-reranker-base, -large, -v2-m3)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ..api import Executed, Group, Prepared, Scored
from ..batching import run_batches
from ..checks import check_finite
from ..device import dtype_name, resolve_device, resolve_dtype
from ..errors import InputError
from ..hub import Resolved
from ..models.config import EncoderConfig, read_config
from ..models.encoder import Encoder
from ..models.packed import Packed
from ..models.work import Work
from ..options import LoadOptions, TextOptions
from ..pairs import build_pairs
from ..settings import Setting
from ..spec import ModelSpec
from ..tokenizer import Tokenizer

VERSION = 1  # part of every result's identity; raise it when a score changes
BUDGET = {"cpu": 4096, "cuda": 65536}  # tokens per forward pass


class CrossEncoder:
    """A sequence classifier that reads query and passage together; only the full depth has a head."""

    def __init__(self, spec: ModelSpec, files: Resolved, options: LoadOptions) -> None:
        where = str(files.folder / "config.json")
        config = read_config(files.config, where)
        if not isinstance(config, EncoderConfig) or config.labels != 1:
            raise InputError(f"{where}: family cross-encoder needs a BERT or XLM-RoBERTa classifier with one output")
        device = resolve_device(options.device)
        self.spec, self.config, self.files = spec, config, files
        self.encoder = Encoder.load(files.folder, config, resolve_dtype(options.dtype, device), device)
        self.encoder.pack()
        self.tokenizer = Tokenizer(files.folder)
        self.device, self.dtype = str(device), dtype_name(self.encoder.dtype)
        self.token_budget = options.token_budget or BUDGET.get(device.type, 4096)

    def identity(self, text: TextOptions) -> dict[str, Any]:
        """See `api.Reranker.identity`."""
        text = self._filled(text)
        return {
            "adapter": f"cross-encoder/{VERSION}",
            **self.files.identity,
            "dtype": self.dtype,
            "max_length": text.max_length,
            "query_max_length": text.query_max_length if text.truncation == "class" else None,
            "truncation": text.truncation,
        }

    def check(self, setting: Setting) -> list[str]:
        """See `api.Reranker.check`."""
        if setting.compress_layers:
            raise InputError(f"setting '{setting.name}': model '{self.spec.name}' cannot compress tokens")
        if setting.cutoff_layer not in (None, self.config.layers):
            raise InputError(
                f"setting '{setting.name}': model '{self.spec.name}' has a head behind layer {self.config.layers} only"
            )
        return []

    def prepare(self, groups: Sequence[Group], text: TextOptions) -> Prepared:
        """See `api.Reranker.prepare`."""
        start = time.perf_counter()
        pairs = build_pairs(self.tokenizer, groups, self._filled(text))
        return Prepared(pairs, time.perf_counter() - start)

    @torch.inference_mode()
    def score(
        self, groups: Sequence[Group], settings: Sequence[Setting], text: TextOptions, prepared: Prepared | None = None
    ) -> Scored:
        """See `api.Reranker.score`."""
        for setting in settings:
            self.check(setting)
        prepared = prepared or self.prepare(groups, text)
        pairs = prepared.tokens
        lengths = [len(ids) for ids in pairs.ids]
        start = time.perf_counter()

        work, device = Work(), self.encoder.device
        found = torch.empty(len(lengths), dtype=torch.float32, device=device)
        segments = self.config.position_offset == 0  # BERT tells the two texts apart by token type

        def run(batch: list[int]) -> None:
            types = [pairs.types(i) for i in batch] if segments else None
            packed = Packed.of([pairs.ids[i] for i in batch], types, device)
            found[torch.tensor(batch, device=device)] = self.encoder.scores(packed, work)[:, 0]

        self.token_budget = run_batches(lengths, self.token_budget, run)
        scores = np.repeat(found.cpu().numpy()[None], len(settings), axis=0)
        seconds = {"tokenise": prepared.seconds, "forward": time.perf_counter() - start}
        texts = [(group.query, passage) for group in groups for passage in group.passages]
        check_finite(scores, [self.config.layers] * len(settings), texts, self.dtype)
        return Scored(
            scores=scores,
            query_tokens=pairs.query_tokens,
            passage_tokens=pairs.passage_tokens,
            prompt_tokens=np.zeros(len(lengths), dtype=np.int32),
            truncated=pairs.truncated,
            executed=Executed(flops=work.flops, real_tokens=sum(lengths), seconds=seconds),
        )

    def _filled(self, text: TextOptions) -> TextOptions:
        return text.with_defaults(prompt=None, max_length=self.spec.max_length)
