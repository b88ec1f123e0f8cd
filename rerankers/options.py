"""What can be chosen when a model is loaded, and when text is turned into token ids."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Truncation = Literal["class", "snippet"]
HeadPolicy = Literal["released", "by_layer"]
SoftcapPolicy = Literal["released", "config"]


@dataclass(frozen=True)
class LoadOptions:
    """How a model is put on a device.

    Attributes:
        device: `auto` (CUDA if there is one, else CPU), or a torch device string. Provenance, not identity.
        dtype: `auto` (bfloat16 on CUDA, float32 on CPU), `float32`, `bfloat16` or `float16`.
        head_policy: which output head scores a cutoff layer; see docs/footguns.md.
        attention_softcap: `released` leaves the configured attention soft-capping of the lightweight model out,
            as its published code does by default; `config` applies it.
        token_budget: most tokens in one forward pass; None lets the engine choose. Provenance, not identity.
    """

    device: str = "auto"
    dtype: str = "auto"
    head_policy: HeadPolicy = "released"
    attention_softcap: SoftcapPolicy = "released"
    token_budget: int | None = None


@dataclass(frozen=True)
class TextOptions:
    """How a pair of texts becomes token ids. All of it is part of a result's identity.

    Attributes:
        prompt: the name of a prompt in configs/prompts.yaml or a free text; None takes the model's default.
            Only the decoder families use one.
        max_length: None takes the model's default.
        query_max_length: None is three quarters of `max_length`.
        truncation: `class` as FlagEmbedding's classes do it, `snippet` as the card's plain-transformers code.
    """

    prompt: str | None = None
    max_length: int | None = None
    query_max_length: int | None = None
    truncation: Truncation = "class"

    def with_defaults(self, *, prompt: str | None, max_length: int) -> TextOptions:
        """A copy with the model's defaults where nothing was chosen."""
        length = self.max_length or max_length
        return replace(
            self,
            prompt=self.prompt if self.prompt is not None else prompt,
            max_length=length,
            query_max_length=self.query_max_length or length * 3 // 4,
        )
