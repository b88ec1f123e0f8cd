"""What families of decoders share whose template is told by the specification."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..checkpoint.hub import Resolved
from ..errors import InputError
from ..options import LoadOptions, ResolvedText, TextOptions
from ..prompting.template import PromptTemplate
from ..prompting.template_yaml import read_template, written
from ..spec import ModelSpec
from ..tokenization.lengths import with_length
from .decoder import DecoderFamily

if TYPE_CHECKING:
    from ..adapters.decoder import DecoderAdapter


class TemplatedFamily(DecoderFamily):
    """A decoder with the template of its specification."""

    layer_heads = False
    spec_keys = ("template",)

    def template_of(self, spec: ModelSpec) -> PromptTemplate:
        """See `Family.template_of`."""
        if spec.template is None:
            raise InputError(f"model '{spec.name}': key 'template' is missing; the family {self.name} needs it")
        return read_template(spec.template, f"model '{spec.name}': key 'template'")

    def resolve(self, spec: ModelSpec, text: TextOptions) -> ResolvedText:
        """See `Family.resolve`; the template says how a pair is cut."""
        if asked := text.truncation or spec.truncation:
            raise InputError(
                f"model '{spec.name}': its template says how a pair is cut; leave out truncation '{asked}'"
            )
        if text.query_max_length is not None and self.template_of(spec).joined:
            raise InputError(
                f"model '{spec.name}': query and passage are cut as one text; leave out query_max_length "
                f"{text.query_max_length}"
            )
        return super().resolve(spec, text)

    def load(self, spec: ModelSpec, files: Resolved, options: LoadOptions) -> DecoderAdapter:
        """See `Family.load`; a length that the specification leaves out is the folder's or the model's own."""
        adapter = super().load(self.complete(spec, files), files, options)
        adapter.spec = with_length(adapter.spec, files.saved, adapter.tokenizer, adapter.config.max_positions, 0)
        return adapter

    def recipe(self, spec: ModelSpec) -> dict[str, Any]:
        """See `Family.recipe`."""
        return {"template": written(self.template_of(spec))}

    def begin(self, adapter: DecoderAdapter, text: ResolvedText) -> list[int]:
        """What the tokenizer puts before a text, where the template asks for it."""
        if not self.template_of(adapter.spec).special_tokens:
            return []
        before, after = adapter.tokenizer.single_template().parts
        if after:
            raise InputError(
                f"{adapter.tokenizer.folder}: the tokenizer ends texts with special tokens, which no score reads"
            )
        return before
