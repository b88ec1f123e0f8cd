"""Token-logit rerankers: what a causal language model says next, read from the logits of one or more tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

from ..architectures.gemma import gemma, gemma2, gemma3
from ..architectures.llama import llama, mistral, qwen2, qwen3
from ..checkpoint.hub import Resolved
from ..checkpoint.logit_score import scoring_tokens
from ..checkpoint.sentence_transformers import StFolder
from ..errors import InputError
from ..flops import Shape
from ..options import LoadOptions, Task
from ..prompting.chat_template import read_chat_template
from ..prompting.template_yaml import written
from ..spec import ModelSpec
from .templated import TemplatedFamily

if TYPE_CHECKING:
    from ..adapters.decoder import DecoderAdapter
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
        "gemma3_text": gemma3,
    }
    spec_keys = ("template", "tokens", "formula", "scale", "activation")

    def claims(self, raw: Mapping[str, Any], saved: StFolder) -> bool:
        """See `Family.claims`; which tokens count has to be told, as sentence-transformers does by `LogitScore`."""
        return raw.get("model_type") in self.architectures and saved.kind == "CrossEncoder" and saved.chat is not None

    def complete(self, spec: ModelSpec, files: Resolved) -> ModelSpec:
        """See `Family.complete`: what sentence-transformers saved of a cross-encoder with a chat template."""
        if spec.template is not None or spec.tokens or files.saved.chat is None:
            return spec
        saved, root = files.saved, files.root
        for key in ("lower_case", "query_length", "document_length"):
            if getattr(saved, key):
                raise InputError(f"{root}: {key} {getattr(saved, key)!r} beside a chat template is not supported")
        tokens = scoring_tokens(saved.modules, self.config(files.config, str(files.folder / "config.json")).vocab, root)
        template = read_chat_template(files.folder, saved.chat == "structured")
        prompt = saved.prompt(saved.default_prompt) if saved.default_prompt else ""
        return replace(
            spec,
            template=written(template),
            tokens=list(tokens),
            formula="difference" if len(tokens) > 1 else "row",
            activation=saved.activation,
            wording=spec.wording or (dict.fromkeys(get_args(Task), prompt) if prompt else {}),
        )

    def shape_of(
        self, spec: ModelSpec, raw: Mapping[str, Any], where: str = "config.json", options: LoadOptions | None = None
    ) -> Shape:
        """See `Family.shape_of`; a score needs as many rows of the head as there are tokens."""
        shape = super().shape_of(spec, raw, where, options)
        return replace(shape, head_needed=2 * raw["hidden_size"] * (len(spec.tokens) or 1))

    def recipe(self, spec: ModelSpec) -> dict[str, Any]:
        """See `Family.recipe`."""
        told = {"tokens": list(spec.tokens), "formula": spec.formula, "scale": spec.scale}
        after = {} if spec.activation is None else {"activation": spec.activation}
        return {**super().recipe(spec), **told, **after}

    def head(self, adapter: DecoderAdapter, layer: int) -> Head:
        """The vocabulary rows of the tokens. Raises InputError for a text that is not one token."""
        from ..models.decoder import Head
        from ..models.heads import activation

        spec = adapter.spec
        activation(spec.activation, f"model '{spec.name}'")  # before any score is made
        if not spec.tokens:
            raise InputError(f"model '{spec.name}': key 'tokens' is missing; the family {self.name} needs it")
        rows = []
        for token in spec.tokens:
            ids = [token] if isinstance(token, int) else adapter.tokenizer.ids([token])[0]
            if len(ids) != 1 or ids[0] >= adapter.config.vocab:
                raise InputError(f"model '{spec.name}': key 'tokens': {token!r:.40} is not one token of it: {ids}")
            rows += ids
        return Head(tuple(rows), spec.formula, spec.scale, spec.activation)
