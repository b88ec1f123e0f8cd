"""What can be chosen when a model is loaded, and when text is turned into token ids.

What one family alone offers (an output head, a template) is in that family's file; see `family.FamilyOptions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Truncation = Literal["class", "snippet"]
Task = Literal["answer", "contradiction", "same_question", "same_meaning"]


@dataclass(frozen=True)
class LoadOptions:
    """How a model is put on a device.

    Attributes:
        device: `auto` (CUDA if there is one, else CPU), or a torch device string. Provenance, not identity.
        dtype: `auto` (bfloat16 on CUDA, float32 on CPU), `float32`, `bfloat16`, `float16`, or, for native
            families, `int8` (CPUs) and `fp8` (GPUs): matrices of the layers in eight bits, the rest in bfloat16.
        token_budget: most tokens in one forward pass; None lets the engine choose. Provenance, not identity.
    """

    device: str = "auto"
    dtype: str = "auto"
    token_budget: int | None = None


@dataclass(frozen=True)
class TextOptions:
    """How a pair of texts becomes token ids. All of it is part of a result's identity.

    Attributes:
        prompt: the name of a prompt in configs/prompts.yaml or a free text, before the model's own wording for the
            task. Only the decoder families use one.
        max_length: None takes the model's default.
        query_max_length: None is three quarters of `max_length`.
        truncation: `class` as FlagEmbedding's classes do it, `snippet` as the card's plain-transformers code; None is
            the model's default.
        task: the dataset's; the model's wording for it is the prompt.
    """

    prompt: str | None = None
    max_length: int | None = None
    query_max_length: int | None = None
    truncation: Truncation | None = None
    task: Task = "answer"


@dataclass(frozen=True)
class ResolvedText:
    """`TextOptions` with the model's defaults and wording filled in (`TextRules.resolve`); nothing is open any more.

    Attributes:
        instruction: the text of the prompt; empty where a model has none.
        max_length, query_max_length: in tokens.
        truncation: as in `TextOptions`.
    """

    instruction: str
    max_length: int
    query_max_length: int
    truncation: Truncation
