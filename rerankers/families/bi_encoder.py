"""Bi-encoders: cosine of the mean-pooled states of query and passage, each read alone (all-MiniLM-L6-v2).

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

from ..api import Executed, Group, Prepared, Scored
from ..batching import run_batches
from ..checks import check_finite
from ..device import dtype_name, resolve_device, resolve_dtype
from ..errors import InputError
from ..files import read_json
from ..hub import Resolved
from ..kept import KeptVectors
from ..models.config import EncoderConfig, read_config
from ..models.encoder import Encoder
from ..models.packed import Packed
from ..models.work import Work
from ..options import LoadOptions, TextOptions
from ..pairs import distinct_ids
from ..settings import Setting
from ..spec import ModelSpec
from ..tokenizer import Tokenizer
from .pair_family import BUDGET

KEPT_BYTES = 256 << 20
VERSION = 1  # part of every result's identity; raise it when a score changes


class BiEncoder:
    """A text encoder used as a reranker. A cutoff layer pools the states behind that layer."""

    def __init__(self, spec: ModelSpec, files: Resolved, options: LoadOptions) -> None:
        where = str(files.folder / "config.json")
        config = read_config(files.config, where)
        if not isinstance(config, EncoderConfig) or config.labels:
            raise InputError(f"{where}: family bi-encoder needs a BERT or XLM-RoBERTa encoder without a head")
        pooling = files.folder / "1_Pooling" / "config.json"
        if pooling.is_file() and not read_json(pooling).get("pooling_mode_mean_tokens"):
            raise InputError(f"{pooling}: family bi-encoder pools by the mean; this model does not")
        device = resolve_device(options.device)
        self.spec, self.config, self.files = spec, config, files
        self.encoder = Encoder.load(files.folder, config, resolve_dtype(options.dtype, device), device)
        self.encoder.pack()
        self.tokenizer = Tokenizer(files.folder)
        self.device, self.dtype = str(device), dtype_name(self.encoder.dtype)
        self.token_budget = options.token_budget or BUDGET.get(device.type, BUDGET["cpu"])
        self.kept = KeptVectors(KEPT_BYTES) if device.type == "cpu" else None

    def identity(self, text: TextOptions) -> dict[str, Any]:
        """See `api.Reranker.identity`."""
        query_limit, passage_limit = self._limits(text)
        return {
            "adapter": f"bi-encoder/{VERSION}",
            **self.files.identity,
            "dtype": self.dtype,
            "max_length": passage_limit,
            "query_max_length": query_limit,
        }

    def check(self, setting: Setting) -> list[str]:
        """See `api.Reranker.check`."""
        if setting.compress_layers:
            raise InputError(f"setting '{setting.name}': model '{self.spec.name}' cannot compress tokens")
        if (setting.cutoff_layer or 1) > self.config.layers:
            raise InputError(f"setting '{setting.name}': model '{self.spec.name}' has {self.config.layers} layers")
        return []

    def prepare(self, groups: Sequence[Group], text: TextOptions) -> Prepared:
        """See `api.Reranker.prepare`."""
        start = time.perf_counter()
        query_limit, passage_limit = self._limits(text)
        queries = self._cut_ids([group.query for group in groups], query_limit)
        passages = self._cut_ids([p for group in groups for p in group.passages], passage_limit)
        return Prepared((queries, passages), time.perf_counter() - start)

    @torch.inference_mode()
    def score(
        self, groups: Sequence[Group], settings: Sequence[Setting], text: TextOptions, prepared: Prepared | None = None
    ) -> Scored:
        """See `api.Reranker.score`. Every distinct text is encoded once, for all cutoff layers in one pass."""
        for setting in settings:
            self.check(setting)
        prepared = prepared or self.prepare(groups, text)
        (queries, query_cut), (passages, passage_cut) = prepared.tokens
        start = time.perf_counter()
        pairs = [(group.query, passage) for group in groups for passage in group.passages]
        distinct = list(dict.fromkeys([*queries.values(), *passages.values()]))
        place = {ids: number for number, ids in enumerate(distinct)}
        work, device = Work(), self.encoder.device
        layers = sorted({setting.cutoff_layer or self.config.layers for setting in settings})
        vectors, entered = self._encode(distinct, layers, work)
        left = torch.tensor([place[queries[q]] for q, _ in pairs], dtype=torch.int64, device=device)
        right = torch.tensor([place[passages[p]] for _, p in pairs], dtype=torch.int64, device=device)
        cosine: dict[int, np.ndarray] = {}
        for layer, x in zip(layers, vectors):
            unit = F.normalize(x, dim=-1)
            cosine[layer] = work.matmul(unit[left].unsqueeze(1), unit[right].unsqueeze(2)).flatten().cpu().numpy()
        order = [setting.cutoff_layer or self.config.layers for setting in settings]
        scores = np.stack([cosine[layer] for layer in order])
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
                flops=work.flops,
                real_tokens=entered,
                shared_tokens=int(query_tokens.sum() + passage_tokens.sum()) - entered,
                seconds=seconds,
            ),
        )

    def _encode(self, texts: Sequence[tuple[int, ...]], layers: Sequence[int], work: Work) -> tuple[torch.Tensor, int]:
        """Vectors (layers, texts, hidden) in float32, and how many tokens had to be encoded."""
        found = torch.empty(len(layers), len(texts), self.config.hidden, device=self.encoder.device)
        new = []
        for i, ids in enumerate(texts):
            known = self.kept.get((ids, *layers)) if self.kept else None
            if known is None:
                new.append(i)
            else:
                found[:, i] = known

        def run(batch: list[int]) -> None:
            some = [texts[new[i]] for i in batch]
            types = [[0] * len(ids) for ids in some] if self.config.token_types > 1 else None
            means = self.encoder.means(Packed.of(some, types, self.encoder.device), layers, work)
            rows = torch.tensor([new[i] for i in batch], device=self.encoder.device)
            found[:, rows] = torch.stack([means[layer] for layer in layers])

        lengths = [len(texts[i]) for i in new]
        if self.kept is None:
            self.token_budget = run_batches(lengths, self.token_budget, run)
        else:
            for i, place in enumerate(new):
                run([i])
                self.kept.put((texts[place], *layers), found[:, place].clone())
        return found, sum(lengths)

    def _limits(self, text: TextOptions) -> tuple[int, int]:
        """Most tokens of a query and of a passage, special ones included; a query is not shorter by default."""
        passage = text.max_length or self.spec.max_length
        return text.query_max_length or passage, passage

    def _cut_ids(self, texts: Sequence[str], limit: int) -> tuple[dict[str, tuple[int, ...]], set[str]]:
        """Ids with `[CLS]` and `[SEP]` by text, and the texts that lost tokens."""
        before, _, after = self.tokenizer.pair_template()
        room = max(0, limit - len(before) - len(after))
        found = distinct_ids(self.tokenizer, texts)
        cut = {text for text, ids in found.items() if len(ids) > room}
        return {text: (*before, *ids[:room], *after) for text, ids in found.items()}, cut
