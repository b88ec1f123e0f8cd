"""What a sequence may be: its length as specified, as the folder states and as the model allows, and its ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..checkpoint.sentence_transformers import StFolder
from ..errors import InputError
from ..spec import DEFAULT_LENGTH, ModelSpec
from .tokenizer import Tokenizer


def with_length(
    spec: ModelSpec, saved: StFolder, tokenizer: Tokenizer, positions: int | None, special: int
) -> ModelSpec:
    """Return the specification with its default length filled in.

    It is the specification's own, else the folder's `max_seq_length`, else the tokenizer's `model_max_length`, else the
    model's number of positions, else 512; the folder's and the tokenizer's are cut to the model's positions.
    Raises InputError when the specification has more positions than the model has, or the length leaves no room
    beside the `special` tokens of the template.
    """
    if spec.max_length is not None:
        if positions is not None and spec.max_length > positions:
            raise InputError(
                f"model '{spec.name}': max_length {spec.max_length} exceeds the model's {positions} positions"
            )
        return spec
    stated = saved.max_length or tokenizer.max_length or positions or DEFAULT_LENGTH
    length = min(stated, positions or stated)
    if length <= special + 1:
        raise InputError(f"model '{spec.name}': its own length of {length} tokens leaves no room for texts")
    return replace(spec, max_length=length)


def check_ids(sequences: Iterable[Sequence[int]], positions: int | None, rows: int | None, where: object) -> None:
    """Raise InputError for a sequence longer than the model's positions or empty, or an id beyond its vocabulary.

    Args:
        sequences: token ids.
        positions: most tokens of a sequence; None: any number.
        rows: of the table of word embeddings; None: unknown.
        where: the model folder, for the message.
    """
    for number, ids in enumerate(sequences):
        if not ids:
            raise InputError(
                f"{where}: pair {number} has no token: query and passage are empty, and the tokenizer adds none; leave "
                "the passage out, or give it a text"
            )
        if positions is not None and len(ids) > positions:
            raise InputError(
                f"a sequence of {len(ids)} tokens exceeds the model's {positions} positions; use max_length "
                f"{positions} or less, and a smaller query_max_length if a query alone fills it"
            )
        if rows is not None and ids and max(ids) >= rows:
            raise InputError(
                f"{where}: the tokenizer yields id {max(ids)}, but vocab_size in config.json is {rows}; the two do not "
                "belong together"
            )
