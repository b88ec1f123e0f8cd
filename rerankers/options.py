"""What can be chosen when a model is loaded, and when text is turned into token ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Truncation = Literal["class", "snippet"]
HeadPolicy = Literal["released", "by_layer"]
SoftcapPolicy = Literal["released", "config"]
CutoffPolicy = Literal["trained", "logit_lens"]
Formula = Literal["row", "difference", "log_softmax"]
Task = Literal["answer", "contradiction", "same_question", "same_meaning"]
# the finite choices of LoadOptions, each with its default first
POLICIES = {
    "head_policy": get_args(HeadPolicy),
    "attention_softcap": get_args(SoftcapPolicy),
    "cutoffs": get_args(CutoffPolicy),
}


@dataclass(frozen=True)
class LoadOptions:
    """How a model is put on a device.

    Attributes:
        device: `auto` (CUDA if there is one, else CPU), or a torch device string. Provenance, not identity.
        dtype: `auto` (bfloat16 on CUDA, float32 on CPU), `float32`, `bfloat16`, `float16`, or, for native
            families, `int8` (CPUs) and `fp8` (GPUs): matrices of the layers in eight bits, the rest in bfloat16.
        head_policy: which output head scores a cutoff layer; see docs/footguns.md.
        attention_softcap: `released` leaves the configured attention soft-capping of the lightweight model out,
            as its published code does by default; `config` applies it.
        cutoffs: `trained`: only layers that have an output head of their own can be cutoffs; `logit_lens`: every layer
            can, scored by the last layer's norm and head, which nobody trained for it (the logit lens of
            nostalgebraist, 2020). For decoders with one head.
        token_budget: most tokens in one forward pass; None lets the engine choose. Provenance, not identity.
    """

    device: str = "auto"
    dtype: str = "auto"
    head_policy: HeadPolicy = "released"
    attention_softcap: SoftcapPolicy = "released"
    cutoffs: CutoffPolicy = "trained"
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
        task: what the dataset asks for; the model's wording for it is the prompt.
    """

    prompt: str | None = None
    max_length: int | None = None
    query_max_length: int | None = None
    truncation: Truncation | None = None
    task: Task = "answer"


@dataclass(frozen=True)
class ResolvedText:
    """`TextOptions` with the model's defaults and wording filled in (`Family.resolve`); nothing is open any more.

    Attributes:
        instruction: the text of the prompt; empty where a model has none.
        max_length, query_max_length: in tokens.
        truncation: as in `TextOptions`.
    """

    instruction: str
    max_length: int
    query_max_length: int
    truncation: Truncation
