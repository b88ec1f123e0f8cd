"""Listwise rerankers that mark passages and query with tokens and compare the tokens' states (jina-reranker-v3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..adapters.plans import ListPlan
from ..architectures.llama import qwen3
from ..checkpoint.hub import Resolved
from ..checkpoint.sentence_transformers import StFolder
from ..family import Family, FamilyOptions
from ..options import LoadOptions
from ..prompting.listwise import states_prompt
from ..prompting.text_rules import TextRules
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

    def shape(self, raw: Mapping[str, Any], where: str = "config.json", options: FamilyOptions | None = None) -> None:
        """See `Family.shape`; the configuration is checked all the same."""
        self.config(raw, where)

    def text_rules(self, spec: ModelSpec) -> TextRules:
        """See `Family.text_rules`; limits are of a passage and of the query, each alone."""
        prompt = states_prompt()
        return TextRules(
            spec.name,
            max_length=spec.max_length or prompt.passage_length,
            query_max_length=prompt.query_length,
            refused={"truncation": "a list is cut in one way only"},
        )

    def load(self, spec: ModelSpec, files: Resolved, options: LoadOptions) -> ListAdapter:
        """See `Family.load`."""
        from ..adapters.device import Placement
        from ..adapters.list_states import ListAdapter
        from ..tokenization.tokenizer import Tokenizer

        config = self.config(files.config, str(files.folder / "config.json"))
        plan = ListPlan(self.adapter, spec, self.text_rules(spec), config)
        return ListAdapter(plan, files, Tokenizer(files.folder), Placement.of(options))
