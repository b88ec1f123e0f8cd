"""Set-wise rerankers: passages of a list are read side by side, and see one state of each other (webis/set-encoder)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..adapters.plans import SetPlan
from ..architectures.set_encoder import SetConfig, set_encoder
from ..checkpoint.hub import Resolved
from ..checkpoint.sentence_transformers import StFolder
from ..family import Family, FamilyOptions
from ..models.config import model_type
from ..options import LoadOptions
from ..prompting.text_rules import TextRules
from ..spec import ModelSpec

if TYPE_CHECKING:
    from ..adapters.set_encoder import SetReranker


class SetEncoder(Family):
    """A score depends on the query's whole list. FLOPs belong to lists, so those of a pair are not known."""

    name = "set-encoder"
    adapter = "set-encoder/1"
    score = "linear layer on the first token, in one pass over the query's list"
    architectures = {"set-encoder": set_encoder}

    def claims(self, raw: Mapping[str, Any], saved: StFolder) -> bool:
        """See `Family.claims`; lightning-ir names the type."""
        return model_type(raw) in self.architectures

    def shape(self, raw: Mapping[str, Any], where: str = "config.json", options: FamilyOptions | None = None) -> None:
        """See `Family.shape`; the configuration is checked all the same."""
        self.config(raw, where)

    def text_rules(self, spec: ModelSpec) -> TextRules:
        """See `Family.text_rules`; limits are of a passage and of the query, each alone."""
        refused = {"truncation": "each text is cut by itself, in one way"}
        return replace(super().text_rules(spec), refused=refused)

    def load(self, spec: ModelSpec, files: Resolved, options: LoadOptions) -> SetReranker:
        """See `Family.load`; the limits of texts are the checkpoint's own."""
        from ..adapters.device import Placement
        from ..adapters.set_encoder import SetReranker
        from ..tokenization.tokenizer import Tokenizer

        config: SetConfig = self.config(files.config, str(files.folder / "config.json"))
        tokenizer, most = Tokenizer(files.folder), config.body.positions
        spec = replace(spec, max_length=spec.max_length or config.passage_length or most)
        text = replace(self.text_rules(spec), query_max_length=config.query_length or most)
        return SetReranker(SetPlan(self.adapter, spec, text, config), files, tokenizer, Placement.of(options))
