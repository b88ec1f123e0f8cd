"""How long a sequence may be: what was asked for, what the folder says, and what the model can hold."""

from __future__ import annotations

from dataclasses import replace

from ..errors import InputError
from ..spec import DEFAULT_LENGTH, ModelSpec
from ..st_folder import StFolder
from ..tokenizer import Tokenizer


def with_length(spec: ModelSpec, saved: StFolder, tokenizer: Tokenizer, positions: int | None) -> ModelSpec:
    """The specification with its default length filled in.

    It is the specification's own, else the folder's `max_seq_length`, else the tokenizer's `model_max_length`, else the
    model's number of positions, else 512; the folder's and the tokenizer's are cut to the model's positions.
    Raises InputError when the specification asks for more positions than the model has.
    """
    if spec.max_length is not None:
        if positions is not None and spec.max_length > positions:
            raise InputError(
                f"model '{spec.name}': max_length {spec.max_length} exceeds the model's {positions} positions"
            )
        return spec
    stated = saved.max_length or tokenizer.max_length or positions or DEFAULT_LENGTH
    return replace(spec, max_length=min(stated, positions or stated))


def check_longest(longest: int, positions: int | None) -> None:
    """Raise InputError when a sequence is longer than the model's positions."""
    if positions is not None and longest > positions:
        raise InputError(
            f"a sequence of {longest} tokens exceeds the model's {positions} positions; use max_length {positions} or "
            "less, and a smaller query_max_length if a query alone fills it"
        )
