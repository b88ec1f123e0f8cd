"""What the three decoder families share: token ids, batches with shared query prefixes, passes and reads."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from ..api import Executed, Group, Prepared, Scored
from ..batching import run_batches
from ..checks import check_finite
from ..decoder_tokens import PairTokens, Sides, pair_tokens
from ..device import dtype_name, resolve_device, resolve_dtype
from ..errors import InputError
from ..hub import Resolved
from ..models.config import DecoderConfig, read_config
from ..models.decoder import Decoder, Read, decoder_shapes
from ..models.layout import Layout, as_index
from ..models.work import Work
from ..options import LoadOptions, TextOptions
from ..prompts import resolve_prompt
from ..settings import Setting
from ..spec import DEFAULT_LENGTH, ModelSpec
from ..tokenizer import Tokenizer
from ..weights import load_weights
from .lengths import check_ids

_TOKEN_BUDGET = {"cpu": 4096, "cuda": 32768}


@dataclass(frozen=True)
class Pass:
    """One way through the model: a compression, and what is read on the way."""

    ratio: int
    compress_layers: tuple[int, ...]
    reads: tuple[Read, ...]


class DecoderFamily:
    """A decoder on a device. Subclasses say which model types they run and which head scores a cutoff layer.

    Attributes:
        share_prefix: compute BOS and query once for all candidates of a query.
    """

    adapter: ClassVar[str]
    model_types: ClassVar[tuple[str, ...]]
    default_prompt: ClassVar[str]
    layer_heads: ClassVar[bool] = True
    compresses: ClassVar[bool] = False

    def __init__(self, spec: ModelSpec, files: Resolved, options: LoadOptions):
        config = read_config(files.config, str(files.folder / "config.json"))
        if not isinstance(config, DecoderConfig) or files.config["model_type"] not in self.model_types:
            raise InputError(
                f"{files.folder / 'config.json'}: model_type '{files.config['model_type']}' does not fit the family of "
                f"model '{spec.name}', which runs {', '.join(self.model_types)}"
            )
        if self.layer_heads != (config.start_layer is not None):
            heads = "one output head per layer" if self.layer_heads else "a vocabulary head"
            raise InputError(f"{files.folder / 'config.json'}: the family of model '{spec.name}' needs {heads}")
        device = resolve_device(options.device)
        dtype = resolve_dtype(options.dtype, device)
        self.spec, self.files, self.options, self.config = spec, files, options, config
        self.device, self.dtype = str(device), dtype_name(dtype)
        self.tokenizer = Tokenizer(files.folder)
        self.share_prefix = True
        self.token_budget = options.token_budget or _TOKEN_BUDGET.get(device.type, 4096)
        self.model = self._load(device, dtype)

    def _load(self, device: torch.device, dtype: torch.dtype) -> Decoder:
        shapes = decoder_shapes(self.config)
        tied = self.files.config.get("tie_word_embeddings", True)
        if self.config.start_layer is None and not tied:
            shapes["lm_head.weight"] = (self.config.vocab, self.config.hidden)

        def ignore(name: str) -> bool:
            # buffers that old checkpoints carry, and the second name of a tied matrix
            return name.endswith("rotary_emb.inv_freq") or (tied and name == "lm_head.weight")

        weights = load_weights(self.files.folder, shapes, dtype, device, ignore=ignore)
        model = Decoder(
            self.config,
            weights,
            attention_softcap=self.applies_softcap(),
            vocabulary_head=weights.get("lm_head.weight"),
        )
        model.pack()
        return model

    def applies_softcap(self) -> bool:
        """Whether the configured attention soft-capping is applied."""
        return True

    def head(self, layer: int) -> int:
        """Index of the output head that scores a cutoff layer asked for alone."""
        raise NotImplementedError

    def policies(self) -> dict[str, str]:
        """Choices of this family that can change a score."""
        return {}

    def bos(self, text: TextOptions) -> list[int]:
        """Ids that begin every sequence."""
        return [self.tokenizer.special_id("bos_token")]

    def text_options(self, text: TextOptions) -> TextOptions:
        """`text` with the model's defaults, and the prompt's text in place of its name."""
        prompt = text.prompt if text.prompt is not None else self.spec.prompt
        filled = TextOptions(
            prompt=resolve_prompt(self.default_prompt if prompt is None else prompt),
            max_length=text.max_length,
            query_max_length=text.query_max_length,
            truncation=text.truncation,
        )
        return filled.with_defaults(prompt=None, max_length=self.spec.max_length or DEFAULT_LENGTH)

    def identity(self, text: TextOptions) -> dict[str, Any]:
        """See `api.Reranker`."""
        text = self.text_options(text)
        return {
            "adapter": self.adapter,
            **self.files.identity,
            "dtype": self.dtype,
            "prompt": text.prompt,
            "max_length": text.max_length,
            "query_max_length": text.query_max_length,
            "truncation": text.truncation,
            **self.policies(),
        }

    def check(self, setting: Setting) -> list[str]:
        """See `api.Reranker`."""
        layers, depth = self.config.head_layers, self.cutoff(setting)
        if depth not in layers:
            asked = f"cutoff layer {depth}" if setting.cutoff_layer else f"the full depth ({depth})"
            step = f" in steps of {layers.step}" if layers.step > 1 else ""
            valid = f"{layers[0]} to {layers[-1]}{step}" if len(layers) > 1 else f"{layers[0]} only"
            raise InputError(f"setting {setting.name}: {asked} has no output head in {self.spec.name}; valid: {valid}")
        if setting.compress_layers and not self.compresses:
            raise InputError(f"setting {setting.name}: {self.spec.name} cannot compress tokens; only ratio 1 is valid")
        warnings = []
        if 0 in setting.compress_layers:
            warnings.append(f"setting {setting.name}: compress layer 0 has no effect (the released code skips it)")
        beyond = [layer for layer in setting.compress_layers if layer >= depth]
        if beyond:
            warnings.append(f"setting {setting.name}: compress layers {beyond} are never reached (cutoff {depth})")
        return warnings

    def cutoff(self, setting: Setting) -> int:
        """Layers that a setting runs."""
        return setting.cutoff_layer or self.config.layers

    def prepare(self, groups: Sequence[Group], text: TextOptions, sides: Sides | None = None) -> Prepared:
        """See `api.Reranker`; `sides` is what stands before query and passage."""
        start, text = time.perf_counter(), self.text_options(text)
        pairs = pair_tokens(self.tokenizer, groups, text, sides or Sides(), bos=self.bos(text))
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
            layer = self.cutoff(setting)
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
        executed = Executed()

        def forward(batch: list[int]) -> None:
            nonlocal executed
            ids, layout = _pack(pairs, batch, group_of, prefixes)
            work, row = Work(), 0
            device = self.model.embedding.device
            for one in passes:
                found = self.model.forward(
                    as_index(ids, device),
                    layout,
                    one.reads,
                    work,
                    ratio=one.ratio,
                    compress_layers=one.compress_layers,
                )
                scores[row : row + len(one.reads), batch] = found.cpu().numpy()
                row += len(one.reads)
            whole = sum(len(pairs[i].ids) for i in batch)
            executed += Executed(
                flops=work.flops,
                real_tokens=layout.rows * len(passes),
                shared_tokens=(whole - layout.rows) * len(passes),
            )

        def plan(items: list[int], budget: int) -> list[list[int]]:
            return plan_groups(items, [len(p.ids) for p in pairs], group_of, prefixes, budget)

        self.token_budget = run_batches([len(p.ids) for p in pairs], self.token_budget, forward, plan)
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
        if not self.share_prefix:
            return np.zeros(groups, dtype=np.int64)
        prefixes = np.full(groups, np.iinfo(np.int64).max)
        np.minimum.at(prefixes, group_of, [p.query for p in pairs])
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


def _pack(
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
