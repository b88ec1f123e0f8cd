"""Token-logit rerankers: the next token of a causal language model, read from the logits of one or more tokens."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

from pydantic import Field, model_validator

from ..architectures.gemma import gemma, gemma2, gemma3
from ..architectures.llama import llama, mistral, qwen2, qwen3
from ..checkpoint.hub import Resolved
from ..checkpoint.logit_score import scoring_tokens
from ..checkpoint.sentence_transformers import StFolder
from ..errors import InputError
from ..family import FamilyOptions
from ..flops import Shape
from ..models.config import DecoderConfig
from ..models.output_rows import Formula, OutputRows
from ..options import Task
from ..prompting.chat_template import read_chat_template
from ..prompting.template_yaml import written
from ..spec import ModelSpec
from .templated import TemplatedFamily, TemplatedOptions

if TYPE_CHECKING:
    from ..tokenization.tokenizer import Tokenizer

# how many tokens each formula reads
_COUNTS = {"row": range(1, 2), "difference": range(2, 3), "log_softmax": range(2, 1 << 16)}


class TokenLogitOptions(TemplatedOptions):
    """Which tokens score, and how."""

    tokens: list[str | int] = Field(
        default=[], description="texts or ids of the tokens whose logits score, the one for a match first"
    )
    formula: Formula = Field(default="row", description="how a score is made of these logits")
    scale: float = Field(default=1.0, description="factor on that")
    activation: str | None = Field(
        default=None, description="the function on that, a name in torch.nn as sentence-transformers writes it"
    )

    @model_validator(mode="after")
    def _fits(self) -> TokenLogitOptions:
        for token in self.tokens:
            if token == "" or (isinstance(token, int) and token < 0):
                raise ValueError(f"tokens: expected texts or ids of tokens, found {token!r}")
        needed = _COUNTS[self.formula]
        if self.tokens and len(self.tokens) not in needed:
            least = f"{needed[0]} or more" if len(needed) > 1 else needed[0]
            raise ValueError(f"tokens: formula {self.formula} reads {least}, found {len(self.tokens)}")
        if not 0 < abs(self.scale) < math.inf:
            raise ValueError(f"scale: expected a number other than 0, found {self.scale}")
        return self


class TokenLogit(TemplatedFamily):
    """Template, tokens and formula are the specification's (Qwen3-Reranker, mxbai-rerank-v2, zerank)."""

    name = "token-logit"
    adapter = "token-logit/2"
    score = "logits of the tokens that the specification names"
    options = TokenLogitOptions
    architectures = {
        "llama": llama,
        "mistral": mistral,
        "qwen2": qwen2,
        "qwen3": qwen3,
        "gemma": gemma,
        "gemma2": gemma2,
        "gemma3_text": gemma3,
    }

    def claims(self, raw: Mapping[str, Any], saved: StFolder) -> bool:
        """See `Family.claims`; which tokens count has to be written, as sentence-transformers does by `LogitScore`."""
        return raw.get("model_type") in self.architectures and saved.kind == "CrossEncoder" and saved.chat is not None

    def complete(self, spec: ModelSpec, files: Resolved) -> ModelSpec:
        """See `Family.complete`: what sentence-transformers saved of a cross-encoder with a chat template."""
        options = self.choose(spec)
        if options.template is not None or options.tokens or files.saved.chat is None:
            return spec
        saved, root = files.saved, files.root
        for key in ("lower_case", "query_length", "document_length"):
            if getattr(saved, key):
                raise InputError(f"{root}: {key} {getattr(saved, key)!r} beside a chat template is not supported")
        config = self.config(files.config, str(files.folder / "config.json"))
        tokens = scoring_tokens(saved.modules, config.vocab, root)
        template = read_chat_template(files.folder, saved.chat == "structured", config.max_positions)
        prompt = saved.prompt(saved.default_prompt) if saved.default_prompt else ""
        return spec.with_options(
            template=written(template),
            tokens=list(tokens),
            formula="difference" if len(tokens) > 1 else "row",
            activation=saved.activation,
            wording=options.wording or (dict.fromkeys(get_args(Task), prompt) if prompt else {}),
        )

    def shape(self, raw: Mapping[str, Any], where: str = "config.json", options: FamilyOptions | None = None) -> Shape:
        """See `Family.shape`; a score needs as many rows of the head as there are tokens."""
        shape, tokens = super().shape(raw, where, options), getattr(options, "tokens", ())
        return replace(shape, head_needed=2 * raw["hidden_size"] * (len(tokens) or 1))

    def recipe(self, spec: ModelSpec) -> dict[str, Any]:
        """See `DecoderFamily.recipe`."""
        options = self.choose(spec)
        scored = {"tokens": list(options.tokens), "formula": options.formula, "scale": options.scale}
        activation = {} if options.activation is None else {"activation": options.activation}
        return {**super().recipe(spec), **scored, **activation}

    def rows(self, layer: int, spec: ModelSpec, config: DecoderConfig, tokenizer: Tokenizer) -> OutputRows:
        """Return the vocabulary rows of the tokens. Raises InputError for a text that is not one token."""
        from ..models.heads import activation

        options = self.choose(spec)
        activation(options.activation, f"model '{spec.name}'")  # before any score is made
        if not options.tokens:
            raise InputError(f"model '{spec.name}': key 'tokens' is missing; the family {self.name} needs it")
        rows = []
        for token in options.tokens:
            ids = [token] if isinstance(token, int) else tokenizer.ids([token])[0]
            if len(ids) != 1 or ids[0] >= config.vocab:
                raise InputError(f"model '{spec.name}': key 'tokens': {token!r:.40} is not one token of it: {ids}")
            rows += ids
        return OutputRows(tuple(rows), options.formula, options.scale, options.activation)
