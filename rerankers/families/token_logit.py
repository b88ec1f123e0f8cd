"""Token-logit rerankers: what a causal language model says next, read from the logits of one or more tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..architectures.gemma import gemma, gemma2
from ..architectures.llama import llama, mistral, qwen2, qwen3
from ..errors import InputError
from ..flops import Shape
from ..options import LoadOptions
from ..spec import ModelSpec
from ..st_folder import StFolder
from .templated import TemplatedFamily

if TYPE_CHECKING:
    from ..adapters.decoder_adapter import DecoderAdapter
    from ..models.decoder import Head


class TokenLogit(TemplatedFamily):
    """Template, tokens and formula are the specification's (Qwen3-Reranker, mxbai-rerank-v2, zerank)."""

    name = "token-logit"
    adapter = "token-logit/1"
    score = "logits of the tokens that the specification names"
    architectures = {
        "llama": llama,
        "mistral": mistral,
        "qwen2": qwen2,
        "qwen3": qwen3,
        "gemma": gemma,
        "gemma2": gemma2,
    }
    spec_keys = ("template", "tokens", "formula", "scale")

    def claims(self, raw: Mapping[str, Any], saved: StFolder) -> bool:
        """See `Family.claims`; which tokens count has to be told."""
        return False

    def shape_of(
        self, spec: ModelSpec, raw: Mapping[str, Any], where: str = "config.json", options: LoadOptions | None = None
    ) -> Shape:
        """See `Family.shape_of`; a score needs as many rows of the head as there are tokens."""
        shape = super().shape_of(spec, raw, where, options)
        return replace(shape, head_needed=2 * raw["hidden_size"] * len(spec.tokens))

    def recipe(self, spec: ModelSpec) -> dict[str, Any]:
        """See `Family.recipe`."""
        told = {"tokens": list(spec.tokens), "formula": spec.formula, "scale": spec.scale}
        return {**super().recipe(spec), **told}

    def head(self, adapter: DecoderAdapter, layer: int) -> Head:
        """The vocabulary rows of the tokens. Raises InputError for a text that is not one token."""
        from ..models.decoder import Head

        spec = adapter.spec
        if not spec.tokens:
            raise InputError(f"model '{spec.name}': key 'tokens' is missing; the family {self.name} needs it")
        rows = []
        for token in spec.tokens:
            ids = [token] if isinstance(token, int) else adapter.tokenizer.ids([token])[0]
            if len(ids) != 1 or ids[0] >= adapter.config.vocab:
                raise InputError(f"model '{spec.name}': key 'tokens': {token!r:.40} is not one token of it: {ids}")
            rows += ids
        return Head(tuple(rows), spec.formula, spec.scale)
