"""A text encoder whose vectors of tokens are compared: MaxSim of a query and a passage, each read alone.

Texts share a forward pass only where they have as many tokens, so that no text is padded; on a CPU each is encoded by
itself, its vectors are then the same to the last bit whatever else is scored, and are kept for the next query that has
the text among its candidates.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
import torch
from tokenizers import AddedToken
from torch import Tensor

from ..api import Executed, Group, Prepared, Scored
from ..checkpoint.hub import Resolved
from ..checkpoint.sentence_transformers import Module
from ..checkpoint.token_vectors import MASK
from ..errors import InputError
from ..flops import reference
from ..models.heads import PooledHead, read_head
from ..models.ops import Ops
from ..options import TextOptions
from ..settings import Setting
from ..spec import DEFAULT_LENGTH
from ..tokenization.encoder_pairs import distinct_ids
from ..tokenization.lengths import check_ids
from ..tokenization.tokenizer import Tokenizer
from .device import Placement
from .full_depth import FullDepth
from .pair_classifier import BUDGET
from .plans import TokensPlan
from .score_checks import check_finite
from .text_encoder import CACHE_BYTES
from .vector_cache import VectorCache

NO_MATCH = -1e6  # of a passage without any token to compare, as sentence-transformers has it


def read_projection(modules: Sequence[Module], hidden: int, device: torch.device) -> PooledHead:
    """Read the modules that run on each token's state, weights loaded.

    Raises InputError for one that reads something else.
    """
    listed = [Module("Pooling", modules[0].folder if modules else None, {"pooling_mode": "mean"})]  # type: ignore[arg-type]
    for module in modules:
        if module.kind == MASK:
            continue
        source = module.config.get("module_input_name", "token_embeddings")
        if source != "token_embeddings" or module.config.get("module_output_name", source) != source:
            raise InputError(
                f"{module.where}: module {module.kind} reads or writes another value than token_embeddings"
            )
        names = ("module_input_name", "module_output_name")
        listed.append(replace(module, config={k: v for k, v in module.config.items() if k not in names}))
    return read_head(listed, hidden, device)


@dataclass(frozen=True)
class Text:
    """One text as the encoder reads it.

    Attributes:
        ids: with special tokens, and those that fill up a query.
        seen: of these, how many from the first on the others attend to.
        compared: places of the tokens whose vectors count.
        cut: whether the text lost tokens.
    """

    ids: tuple[int, ...]
    seen: int
    compared: tuple[int, ...]
    cut: bool


class TokenVectorReranker(FullDepth):
    """An encoder used as a reranker by MaxSim."""

    def __init__(
        self,
        plan: TokensPlan,
        files: Resolved,
        tokenizer: Tokenizer,
        placement: Placement,
        model: Any,
        head: PooledHead,
    ) -> None:
        self.plan, self.files, self.tokenizer, self.model, self.head = plan, files, tokenizer, model, head
        self.spec, self.shape, self.vectors = plan.spec, plan.shape, plan.vectors
        self.device, self.dtype = str(placement.device), placement.precision.name
        self.token_budget = placement.budget(BUDGET)
        _register_markers(tokenizer, self.vectors.markers)
        self.template = tokenizer.single_template()
        unknown = tokenizer.special.get("unk_token") if self.vectors.skips_unknown else None
        numbers = (_find_id(tokenizer, word) for word in self.vectors.skipped)
        self.skipped = {unknown if number is None else number for number in numbers} - {None}
        self.filler = self._find_filler()
        self.takes_types = tokenizer.has_types and "token_type_ids" in inspect.signature(model.forward).parameters
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

    def prepare_distinct(self, groups: Sequence[Group], text: TextOptions) -> Any:
        """See `base.Reranker.prepare_distinct`."""
        query_limit, passage_limit = self._resolve_limits(text)
        before_query, before_passage = self.vectors.prompts
        queries = self._read_texts([group.query for group in groups], before_query, query_limit, query=True)
        passages = [passage for group in groups for passage in group.passages]
        return queries, self._read_texts(passages, before_passage, passage_limit, query=False)

    @torch.inference_mode()
    def score_distinct(
        self, groups: Sequence[Group], settings: Sequence[Setting], text: TextOptions, prepared: Prepared
    ) -> Scored:
        """See `base.Reranker.score_distinct`. Every distinct text is encoded once."""
        queries, passages = prepared.tokens
        start = time.perf_counter()
        pairs = [(group.query, passage) for group in groups for passage in group.passages]
        texts = list(dict.fromkeys([*queries.values(), *passages.values()]))
        encoded, entered = self._encode(texts)
        values = [self._match(encoded[queries[q]], encoded[passages[p]]) for q, p in pairs]
        scores = np.repeat(np.array([values], dtype=np.float32), len(settings), axis=0)
        seconds = {"tokenise": prepared.seconds, "forward": time.perf_counter() - start}
        check_finite(scores, [setting.name for setting in settings], pairs, self.dtype)
        query_tokens = np.array([len(queries[q].ids) for q, _ in pairs], dtype=np.int32)
        compared = np.array([len(passages[p].compared) for _, p in pairs], dtype=np.int32)
        whole = np.array([len(passages[p].ids) for _, p in pairs], dtype=np.int32)
        tokens = sum(len(text.ids) for text in entered)
        return Scored(
            scores=scores,
            query_tokens=query_tokens,
            passage_tokens=compared,
            prompt_tokens=whole - compared,
            truncated=np.array([queries[q].cut or passages[p].cut for q, p in pairs], dtype=bool),
            executed=Executed(
                flops=self._count(entered, query_tokens, compared),
                real_tokens=tokens,
                shared_tokens=int(query_tokens.sum() + whole.sum()) - tokens,
                seconds=seconds,
            ),
        )

    def _count(self, entered: Sequence[Text], query_tokens: np.ndarray, compared: np.ndarray) -> int:
        """Return FLOPs of encoding some texts and of all products; 0 where the encoder's are not known."""
        if self.shape is None:
            return 0
        lengths = np.array([len(text.ids) for text in entered], dtype=np.int64)
        # two texts without a product cost what both cost alone
        alone = reference(replace(self.shape, across=0), Setting(), lengths, 0, 0)
        products = self.shape.across * (query_tokens.astype(np.int64) * compared).sum()
        return int(alone.sum()) - len(entered) * self.shape.head_per_pair // 2 + int(products)

    def _encode(self, texts: Sequence[Text]) -> tuple[dict[Text, Tensor], list[Text]]:
        """Return the compared vectors of each text (tokens, width) in float32, and the texts that had to be encoded."""
        known = {text: self.cache.get(text) for text in texts} if self.cache else {}
        encoded = {text: kept for text, kept in known.items() if kept is not None}
        new = [text for text in texts if text not in encoded]
        check_ids([text.ids for text in new], self.plan.positions, None, self.files.root)
        for _, part in groupby(sorted(new, key=lambda text: len(text.ids)), key=lambda text: len(text.ids)):
            alike = list(part)
            most = 1 if self.cache else max(1, self.token_budget // len(alike[0].ids))
            for i in range(0, len(alike), most):
                batch = alike[i : i + most]
                encoded |= dict(zip(batch, self._run(batch)))
        if self.cache:
            for text in new:
                self.cache.put(text, encoded[text])
        return encoded, new

    def _run(self, batch: Sequence[Text]) -> list[Tensor]:
        """Return vectors of texts with one number of tokens."""
        ids = torch.tensor([text.ids for text in batch])
        mask = torch.zeros_like(ids)
        for row, text in zip(mask, batch):
            row[: text.seen] = 1
        inputs = {"input_ids": ids, "attention_mask": mask}
        if self.takes_types:
            inputs["token_type_ids"] = torch.tensor([self._types(len(text.ids)) for text in batch])
        states = self.model(**{name: value.to(self.device) for name, value in inputs.items()}).last_hidden_state
        rows = [states[i, list(text.compared)].float() for i, text in enumerate(batch)]
        made = self.head.apply(torch.cat(rows), Ops())
        if self.vectors.normalised:
            made = torch.nn.functional.normalize(made, dim=-1)
        return list(made.split([len(row) for row in rows]))

    def _match(self, query: Tensor, passage: Tensor) -> float:
        """Return MaxSim."""
        if not len(passage):
            score = NO_MATCH
        else:
            score = float((query @ passage.T).max(dim=1).values.sum())
        return score / len(query) if self.vectors.mean else score

    def _read_texts(self, texts: Sequence[str], prompt: str, limit: int, *, query: bool) -> dict[str, Text]:
        """Return texts as the encoder reads them, by text."""
        ids_of = distinct_ids(self.tokenizer, [prompt + text for text in texts])
        return {text: self._read_text(ids_of[prompt + text], limit, query) for text in dict.fromkeys(texts)}

    def _read_text(self, own: list[int], limit: int, query: bool) -> Text:
        room = limit - self.template.special
        ids = self.template.join(self.tokenizer.cut(own, room))
        seen, expansion = len(ids), self.vectors.expansion
        if query and expansion is not None and (missing := expansion.length - seen) > 0:
            ids = [*ids, *[self.filler] * missing]
            seen = len(ids) if expansion.attend else seen
        compared = [i for i, number in enumerate(ids) if query or number not in self.skipped]
        return Text(tuple(ids), seen, tuple(compared), len(own) > room)

    def _types(self, length: int) -> list[int]:
        """Return token types of a text; those of tokens that fill it up are 0."""
        return [*self.template.types(length - self.template.special)][:length]

    def _resolve_limits(self, text: TextOptions) -> tuple[int, int]:
        """Return the limits of a query and of a passage, special tokens included."""
        self.plan.text.resolve(text)
        own, expansion = self.spec.max_length or DEFAULT_LENGTH, self.vectors.expansion
        passage = text.max_length or self.vectors.document_length or own
        if expansion is not None and expansion.fixed:
            if text.query_max_length is not None:
                raise InputError(
                    f"model '{self.spec.name}': its queries always have {expansion.length} tokens; leave out "
                    f"query_max_length {text.query_max_length}"
                )
            return expansion.length, passage
        query = text.query_max_length or text.max_length or self.vectors.query_length or own
        return max(query, expansion.length) if expansion is not None else query, passage

    def _find_filler(self) -> int:
        """Return the id of the token that fills up queries."""
        expansion = self.vectors.expansion
        if expansion is None:
            return 0
        names = [expansion.token] if expansion.token else self._list_fillers()
        for name in names:
            if name and (number := self.tokenizer.backend.token_to_id(name)) is not None:
                return number
        raise InputError(f"{self.files.root}: no token to fill up queries with: {', '.join(map(str, names))}")

    def _list_fillers(self) -> list[str]:
        special = self.tokenizer.special
        numbers = [special[name] for name in ("mask_token", "eos_token") if name in special]
        return [self.tokenizer.backend.id_to_token(number) for number in numbers]


def _find_id(tokenizer: Tokenizer, word: str) -> int | None:
    """Return the id of a word that is one token; None for one that the vocabulary lacks."""
    return tokenizer.backend.token_to_id(word)


def _register_markers(tokenizer: Tokenizer, markers: Sequence[str]) -> None:
    """Let a marker before texts be one token, where the vocabulary has it, as sentence-transformers does."""
    vocabulary = tokenizer.backend.get_vocab()
    for marker in markers:
        if not marker.split():
            continue
        known = next((name for name in (marker, marker.split(None, 1)[0]) if name in vocabulary), None)
        if known is not None and tokenizer.backend.encode(known, add_special_tokens=False).tokens != [known]:
            tokenizer.backend.add_special_tokens([AddedToken(known, normalized=False, special=True)])
