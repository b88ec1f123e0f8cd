"""What surrounds query and passage before a decoder reads them: a value, given by the family or the specification."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

# all-MiniLM-L6-v2's WordPiece makes 1.30 tokens of a word in XQuAD's English paragraphs (SciFact's abstracts: 1.56)
TOKENS_PER_WORD = 1.3
_MARKER = re.compile(r"<\|[^|<>]*\|>")
_PLACE = re.compile(r"\{(query|passage|instruction)\}")


@dataclass(frozen=True)
class PromptTemplate:
    """Pieces of a prompt; each is tokenised by itself, in this order, after the ids that begin a sequence.

    Attributes:
        before: come before the query and are never cut.
        query, passage: contain `{query}` and `{passage}`; cut to their limits.
        between: is between them; what is cut off the passage may take it along.
        after: come after the pair and are never cut; `{instruction}`, here or in any other piece, is the wording of
            the task.
        bare_query: replaces `query` where there is no instruction; None: an instruction is needed.
        joined: query, between and passage are tokenised as one text, which is cut at its end.
        joined_tail: the pieces after the pair are part of that text; where it is cut, they are put back, as
            sentence-transformers does.
        limit: what the length limit bounds: `sequence` all tokens, `pair` those from the query to the passage,
            `released` as FlagEmbedding's classes do it, or its card (`TextOptions.truncation`).
        passage_first: the piece with the passage comes before that with the query; only where they are joined.
        special_tokens: those that the tokenizer begins a text with begin the sequence.
        query_characters, passage_characters: most characters of a text, before anything else; None: any number.
        stripped: white space around query and passage is taken off.
    """

    before: tuple[str, ...] = ()
    query: str = "A: {query}"
    between: str = "\n"
    passage: str = "B: {passage}"
    after: tuple[str, ...] = ("\n", "{instruction}")
    bare_query: str | None = None
    joined: bool = False
    joined_tail: bool = False
    passage_first: bool = False
    limit: Literal["released", "pair", "sequence"] = "released"
    special_tokens: bool = True
    query_characters: int | None = None
    passage_characters: int | None = None
    stripped: bool = False

    @property
    def instructed(self) -> bool:
        """Whether an instruction has a place."""
        pieces = (*self.before, self.query, self.between, self.passage, *self.after)
        return any("{instruction}" in piece for piece in pieces)

    def of_query(self, text: str, instruction: str = "") -> str:
        """Return the piece with the query, filled in."""
        piece = self.query if self.bare_query is None or instruction else self.bare_query
        return filled(piece, query=self._trim(text, self.query_characters), instruction=instruction)

    def of_passage(self, text: str, instruction: str = "") -> str:
        """Return the piece with the passage, filled in."""
        return filled(self.passage, passage=self._trim(text, self.passage_characters), instruction=instruction)

    def shortens(self, query: str, passage: str) -> bool:
        """Return whether one of them has more characters than count."""
        limits = ((query, self.query_characters), (passage, self.passage_characters))
        return any(most is not None and len(text) > most for text, most in limits)

    def _trim(self, text: str, most: int | None) -> str:
        return text[:most].strip() if self.stripped else text[:most]

    def separator(self, instruction: str) -> str:
        """Return what is between query and passage, filled in."""
        return filled(self.between, instruction=instruction)

    def opening(self, instruction: str) -> str:
        """Return what the piece with the passage begins with, before the passage."""
        return filled(self.passage.partition("{passage}")[0], instruction=instruction)

    def head(self, instruction: str) -> tuple[str, ...]:
        """Return the pieces before the pair, filled in."""
        return tuple(filled(piece, instruction=instruction) for piece in self.before)

    def tail(self, instruction: str) -> tuple[str, ...]:
        """Return the pieces after the pair, filled in."""
        return tuple(filled(piece, instruction=instruction) for piece in self.after)

    def pair(self, query: str, passage: str, instruction: str) -> str:
        """Return query, passage and what is between them as one text."""
        pieces = [self.of_query(query, instruction), self.of_passage(passage, instruction)]
        return self.separator(instruction).join(pieces[::-1] if self.passage_first else pieces)

    def whole(self, query: str, passage: str, instruction: str) -> str:
        """Return the prompt as one text."""
        return "".join((*self.head(instruction), self.pair(query, passage, instruction), *self.tail(instruction)))

    def own_tokens(self, instruction: str) -> int:
        """Return how many tokens surround the pair, estimated from words: for plans, where no tokenizer is at hand.

        What is beside the texts in their own pieces counts but for FlagEmbedding's `A: ` and `B: `, which plans
        take with the texts.
        """
        pieces = [*self.head(instruction), *self.tail(instruction)]
        if self.limit != "released":
            pieces.append(self.pair("", "", instruction))
        return sum(_estimate_tokens(piece) for piece in pieces)


def _estimate_tokens(piece: str) -> int:
    """Return tokens of a text: a marker such as `<|im_end|>` is one, a text without words too."""
    rest, markers = _MARKER.subn(" ", piece)
    words = len(rest.split())
    return markers + round(words * TOKENS_PER_WORD) if words or markers else 1


def filled(piece: str, **values: str) -> str:
    """Return the piece with its placeholders filled; a value is text, even where it looks like a placeholder."""
    return _PLACE.sub(lambda match: values.get(match[1], match[0]), piece)
