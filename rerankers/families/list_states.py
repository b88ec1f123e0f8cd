"""Listwise rerankers that mark passages and query with tokens and compare the tokens' states (jina-reranker-v3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..architectures.llama import qwen3
from ..checkpoint.hub import Resolved
from ..checkpoint.sentence_transformers import StFolder
from ..errors import InputError
from ..family import Family
from ..options import LoadOptions, ResolvedText, TextOptions
from ..prompting.listwise import states_prompt
from ..spec import ModelSpec

if TYPE_CHECKING:
    from ..adapters.list_states import ListAdapter


class ListStates(Family):
    """A score depends on the query's whole list. FLOPs belong to lists, so those of a pair are not known."""

    name = "list-states"
    adapter = "list-states/1"
    score = "cosine of the states of marked tokens, in one pass over the query's list"
    architectures = {"qwen3": qwen3}

    def claims(self, raw: Mapping[str, Any], saved: StFolder) -> bool:
        """See `Family.claims`; by the published class."""
        return "JinaForRanking" in (raw.get("architectures") or ())

    def shape(self, raw: Mapping[str, Any], where: str = "config.json") -> None:
        """See `Family.shape`; the configuration is checked all the same."""
        self.config(raw, where)

    def resolve(self, spec: ModelSpec, text: TextOptions) -> ResolvedText:
        """See `Family.resolve`; limits are of a passage and of the query, each alone."""
        self.refuse_prompt(spec, text)
        if text.truncation or spec.truncation:
            raise InputError(f"model '{spec.name}': a list is cut in one way only; leave out truncation")
        prompt = states_prompt()
        length = text.max_length or spec.max_length or prompt.passage_length
        return ResolvedText("", length, text.query_max_length or prompt.query_length, self.truncation)

    def load(self, spec: ModelSpec, files: Resolved, options: LoadOptions) -> ListAdapter:
        """See `Family.load`."""
        from ..adapters.list_states import ListAdapter

        return ListAdapter(self, spec, files, options)
