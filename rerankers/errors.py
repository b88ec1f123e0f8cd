"""The two errors a user can meet; each is one line: what is wrong, where, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """Bad input: names the file, the line or the key, and what to do. Exit status 2.

    Attributes:
        unread: it is a `config.json` that no native reader obeys in full, so that transformers may run the model.
    """

    def __init__(self, message: str, *, unread: bool = False) -> None:
        super().__init__(message)
        self.unread = unread


class ScoreError(RuntimeError):
    """A model produced a score that cannot be used (NaN, infinity): names the pair and the layer. Exit status 2."""


def suggest(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the nearest known name, or the list of known names, or nothing."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; known: {', '.join(names)}" if names else ""


def one_line(err: BaseException | str, most: int = 200) -> str:
    """Return the message of a foreign error on one line, cut at `most` characters; its type where it has none."""
    text = " ".join(str(err).split()) or type(err).__name__
    return text if len(text) <= most else f"{text[: most - 3]}..."


@contextmanager
def refusing(subject: str, most: int = 200) -> Iterator[None]:
    """Turn whatever a library raises into InputError, `WHAT: its message` on one line, cut at `most` characters."""
    try:
        yield
    except (InputError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as err:  # a Rust library's panic is no Exception
        raise InputError(f"{subject}: {one_line(err, most)}") from err
