"""A decoder that reads a query's whole list at once: states of marked tokens, through a projector, compared by cosine.

A list longer than a pass is read in blocks; the query's vector is then the mean of the blocks' own, each weighted by
the likeness of its best passage, as the published code of jina-reranker-v3 does it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ..api import Executed, Group, Prepared, Scored
from ..checkpoint.hub import Resolved
from ..checkpoint.weights import load_weights
from ..errors import InputError
from ..models.decoder import Decoder, decoder_shapes
from ..models.layout import Layout, as_index
from ..models.ops import Ops
from ..options import ResolvedText, TextOptions
from ..prompting.listwise import states_prompt
from ..settings import Setting
from ..tokenization.lengths import check_ids
from ..tokenization.tokenizer import Tokenizer
from .device import Placement
from .full_depth import FullDepth
from .plans import ListPlan
from .score_checks import check_finite

_WIDTH = 512  # of the vectors that are compared: `projector_dim` of the published class
_FIRST, _SECOND = "projector.0.weight", "projector.2.weight"


@dataclass(frozen=True)
class _List:
    """What came of one query's list; arrays have one entry per passage.

    The tokens of query and prompt count with the first passage of each block.
    """

    scores: np.ndarray
    query_tokens: np.ndarray
    passage_tokens: np.ndarray
    prompt_tokens: np.ndarray
    truncated: np.ndarray


class ListAdapter(FullDepth):
    """A listwise model on a device."""

    reads_lists = True

    def __init__(self, plan: ListPlan, files: Resolved, tokenizer: Tokenizer, placement: Placement) -> None:
        self.plan, self.spec, self.files, self.config = plan, plan.spec, files, plan.config
        self.device, self.dtype = str(placement.device), placement.precision.name
        device, precision = placement.device, placement.precision
        self.prompt, self.tokenizer = states_prompt(), tokenizer
        self.marks = tuple(self._find_mark(token) for token in (self.prompt.passage_token, self.prompt.query_token))
        self.positions = files.config.get("max_position_embeddings")
        self.room = self.tokenizer.max_length or self.positions or 1 << 30
        hidden = self.config.hidden
        projector = {_FIRST: (hidden // 2, hidden), _SECOND: (_WIDTH, hidden // 2)}
        body = {name: shape for name, shape in decoder_shapes(self.config).items() if name != "lm_head.weight"}
        weights = load_weights(
            files.folder, {**body, **projector}, precision.dtype, device, ignore=lambda name: name == "lm_head.weight"
        )
        self.projector = [weights.pop(name).float() for name in projector]
        self.model = Decoder(self.config, weights)
        self.model.convert_matrices(precision.arrange)

    def identity(self, text: TextOptions) -> dict[str, Any]:
        """See `base.Reranker.identity`; `listwise` states how a list is read."""
        resolved, window = self.plan.text.resolve(text), self.prompt.window
        return {
            "adapter": self.plan.adapter,
            **self.files.identity,
            "dtype": self.dtype,
            "max_length": resolved.max_length,
            "query_max_length": resolved.query_max_length,
            "listwise": {"window": window, "stride": window, "order": "given", "depth": None, "room": self.room},
        }

    def score_distinct(
        self, groups: Sequence[Group], settings: Sequence[Setting], text: TextOptions, prepared: Prepared
    ) -> Scored:
        """See `base.Reranker.score_distinct`. A score depends on its group: the passages and their order."""
        resolved = self.plan.text.resolve(text)
        start, ops = time.perf_counter(), Ops()
        lists = [self._score_list(group, resolved, ops) for group in groups if group.passages]

        def joined(name: str, kind: type[np.generic]) -> np.ndarray:
            return np.concatenate([np.empty(0), *(getattr(of_list, name) for of_list in lists)]).astype(kind)

        scores = np.repeat(joined("scores", np.float32)[None], len(settings), axis=0)
        texts = [(group.query, passage) for group in groups for passage in group.passages]
        check_finite(scores, [self.config.layers] * len(settings), texts, self.dtype)
        tokens = {name: joined(name, np.int32) for name in ("query_tokens", "passage_tokens", "prompt_tokens")}
        real = int(sum(counts.sum() for counts in tokens.values()))
        seconds = {"forward": time.perf_counter() - start}
        return Scored(
            scores=scores,
            **tokens,
            truncated=joined("truncated", np.bool_),
            executed=Executed(flops=ops.flops, real_tokens=real, seconds=seconds),
        )

    def _find_mark(self, token: str) -> int:
        (ids,) = self.tokenizer.ids([token])
        if len(ids) != 1:
            raise InputError(f"{self.files.folder}: the tokenizer has no token {token}, which marks what is compared")
        return ids[0]

    def _score_list(self, group: Group, text: ResolvedText, ops: Ops) -> _List:
        whole = self.tokenizer.ids([group.query, *group.passages])
        limits = [text.query_max_length, *[text.max_length] * len(group.passages)]
        query, *passages = (
            self._shorten(own, ids, limit) for own, ids, limit in zip((group.query, *group.passages), whole, limits)
        )
        lengths = np.array([min(len(ids), limit) for ids, limit in zip(whole, limits)])
        cut = np.array([len(ids) for ids in whole]) > lengths
        of_query, of_prompt = np.zeros(len(passages)), np.zeros(len(passages))
        vectors, queries, weights = [], [], []
        for first, stop in self._split_passages(lengths[1:], int(lengths[0]), text.max_length):
            states, own, tokens = self._run_prompt(query, passages[first:stop], ops)
            vectors.append(states)
            queries.append(own)
            weights.append(((1 + _compute_cosine(own, states)) / 2).max())
            of_query[first] = 2 * lengths[0]
            of_prompt[first] = tokens - 2 * lengths[0] - lengths[1 + first : 1 + stop].sum()
        scores = _compute_cosine(np.average(queries, axis=0, weights=weights), np.concatenate(vectors))
        return _List(scores, of_query, lengths[1:], of_prompt, cut[1:] | cut[0])

    def _shorten(self, text: str, ids: list[int], limit: int) -> str:
        """Shorten as published: a text that reaches its limit is what its ids are decoded to."""
        cut = self.tokenizer.cut(ids, limit)
        return text if len(cut) < limit else self.tokenizer.backend.decode(cut, skip_special_tokens=False)

    def _split_passages(self, lengths: np.ndarray, query: int, limit: int) -> list[tuple[int, int]]:
        """Return [first, stop) of the passages of each pass: `window` at most, as many as fit into the room."""
        blocks, first, left = [], 0, self.room - 2 * query
        for number, length in enumerate(lengths.tolist()):
            left -= length
            if number + 1 - first >= self.prompt.window or left <= limit:
                blocks.append((first, number + 1))
                first, left = number + 1, self.room - 2 * query
        return blocks + ([(first, len(lengths))] if first < len(lengths) else [])

    @torch.inference_mode()
    def _run_prompt(self, query: str, passages: Sequence[str], ops: Ops) -> tuple[np.ndarray, np.ndarray, int]:
        """Return vectors (passages, 512) and (512,) of one prompt, float64, and its number of tokens."""
        (ids,) = self.tokenizer.ids([self.prompt.text(query, passages)])
        check_ids([ids], self.positions, self.config.vocab, self.files.root)
        tokens = np.array(ids)
        positions = [np.flatnonzero(tokens == mark) for mark in self.marks]
        device = self.model.embedding.device
        layout = Layout([0], [0], [len(ids)], [(0, 0)])
        at = as_index(np.concatenate(positions), device)
        states = self.model.states(as_index(tokens, device), layout, at, ops)
        vectors = ops.linear(F.relu(ops.linear(states, self.projector[0])), self.projector[1])
        last = vectors.cpu().numpy().astype(np.float64)
        return last[:-1], last[-1], len(ids)


def _compute_cosine(query: np.ndarray, passages: np.ndarray) -> np.ndarray:
    """Return the cosine of a vector with each of several, shape (passages,)."""
    return passages @ query / (np.linalg.norm(query) * np.linalg.norm(passages, axis=1))
