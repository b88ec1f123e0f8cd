"""What families of decoders share whose template is an option of the specification."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from ..adapters.plans import DecoderPlan
from ..checkpoint.hub import Resolved
from ..errors import InputError
from ..options import Truncation
from ..prompting.template import PromptTemplate
from ..prompting.template_yaml import read_template, written
from ..prompting.text_rules import TextRules
from ..spec import ModelSpec
from .decoder import DecoderFamily, DecoderOptions, LogitLens

if TYPE_CHECKING:
    from ..tokenization.tokenizer import Tokenizer


class TemplatedOptions(DecoderOptions, LogitLens):
    """The template beside the wording."""

    template: str | dict[str, Any] | None = Field(
        default=None, description="what surrounds a pair: a name in configs/templates.yaml, or its keys and values"
    )

    @field_validator("template")
    @classmethod
    def _readable(cls, template: Any) -> Any:
        if template is not None:
            read_template(template, "template")
        return template


class TemplatedFamily(DecoderFamily):
    """A decoder with the template of its specification."""

    options = TemplatedOptions
    layer_heads = False

    def template_of(self, spec: ModelSpec) -> PromptTemplate:
        """See `DecoderFamily.template_of`."""
        template = self.choose(spec).template
        if template is None:
            raise InputError(f"model '{spec.name}': key 'template' is missing; the family {self.name} needs it")
        return read_template(template, f"model '{spec.name}': key 'template'")

    def text_rules(self, spec: ModelSpec) -> TextRules:
        """See `Family.text_rules`; the template decides how a pair is cut."""
        rules = super().text_rules(spec)
        refused = {"truncation": "its template decides how a pair is cut"}
        if rules.template and rules.template.joined:
            refused["query_max_length"] = "query and passage are cut as one text"
        return replace(rules, refused=refused)

    def plan(self, spec: ModelSpec, files: Resolved, tokenizer: Tokenizer) -> DecoderPlan:
        """See `DecoderFamily.plan`; a length that the specification leaves out is the folder's or the model's own."""
        from ..tokenization.lengths import with_length

        config = self.config(files.config, str(files.folder / "config.json"))
        return super().plan(with_length(spec, files.saved, tokenizer, config.max_positions, 0), files, tokenizer)

    def recipe(self, spec: ModelSpec) -> dict[str, Any]:
        """See `DecoderFamily.recipe`."""
        return {"template": written(self.template_of(spec)), **super().recipe(spec)}

    def begin(self, spec: ModelSpec, tokenizer: Tokenizer) -> dict[Truncation, tuple[int, ...]]:
        """Return what the tokenizer puts before a text, where the template asks for it."""
        if not self.template_of(spec).special_tokens:
            return {"class": ()}
        before, after = tokenizer.single_template().parts
        if after:
            raise InputError(f"{tokenizer.folder}: the tokenizer ends texts with special tokens, which no score reads")
        return {"class": tuple(before)}
