"""Queries with their passages, and pairs gathered into them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .errors import InputError

Pair = Sequence[str]


@dataclass(frozen=True)
class Group:
    """One query and its candidate passages. Keeping them together lets decoders share the query's prefix.

    Raises InputError for anything but a text and a list of texts.
    """

    query: str
    passages: Sequence[str]

    def __post_init__(self) -> None:
        check_texts(self.query, self.passages, "Group")


def gather(pairs: Sequence[Pair] | Pair) -> tuple[list[Group], list[int]]:
    """Gather pairs, or one pair, by query; return groups, and for every pair its index among the gathered ones.

    Raises InputError for what is no pair of two texts.
    """
    if isinstance(pairs, str):
        raise InputError(f"expected a list of (query, passage) pairs, found the text '{pairs:.60}'")
    listed: list[Any] = list(pairs)
    if len(listed) == 2 and all(isinstance(text, str) for text in listed):
        listed = [listed]
    members: dict[str, list[tuple[int, str]]] = {}
    for i, pair in enumerate(listed):
        whole = not isinstance(pair, str) and len(pair) == 2
        if not (whole and all(isinstance(text, str) for text in pair)):
            raise InputError(f"pair {i}: expected [query, passage], found {pair!r:.60}")
        members.setdefault(pair[0], []).append((i, pair[1]))
    indices = [0] * len(listed)
    for index, i in enumerate(i for numbered in members.values() for i, _ in numbered):
        indices[i] = index
    return [Group(query, [passage for _, passage in numbered]) for query, numbered in members.items()], indices


def check_texts(query: Any, passages: Any, called: str) -> None:
    """Raise InputError unless there are a text and a list of texts."""
    if not isinstance(query, str):
        raise InputError(f"{called}: the query is {type(query).__name__}, expected a text")
    if isinstance(passages, str | bytes):
        raise InputError(f"{called}: expected a list of passages, found one text; write [text]")
    for i, passage in enumerate(passages):
        if not isinstance(passage, str):
            raise InputError(f"{called}: passage {i} is {type(passage).__name__}, expected a text")
