"""What surrounds query and passage before a decoder reads them: a value, told by the family."""

from __future__ import annotations

from dataclasses import dataclass

# all-MiniLM-L6-v2's WordPiece makes 1.30 tokens of a word in XQuAD's English paragraphs (SciFact's abstracts: 1.56)
TOKENS_PER_WORD = 1.3


@dataclass(frozen=True)
class PromptTemplate:
    """Pieces of a prompt; each is tokenised by itself, in this order, after the ids that begin a sequence.

    Attributes:
        query, passage: hold `{query}` and `{passage}`; cut to their limits.
        between: stands between them; what is cut off the passage may take it along.
        after: stand after the pair and are never cut; `{instruction}` is the wording of the task.
    """

    query: str = "A: {query}"
    between: str = "\n"
    passage: str = "B: {passage}"
    after: tuple[str, ...] = ("\n", "{instruction}")

    def of_query(self, text: str) -> str:
        """The first piece, filled in."""
        return self.query.replace("{query}", text)

    def of_passage(self, text: str) -> str:
        """The piece with the passage, filled in."""
        return self.passage.replace("{passage}", text)

    def tail(self, instruction: str) -> tuple[str, ...]:
        """The pieces after the pair, filled in."""
        return tuple(piece.replace("{instruction}", instruction) for piece in self.after)

    def tail_tokens(self, instruction: str) -> int:
        """How many tokens stand after the pair, estimated from words: for plans, where no tokenizer is at hand."""
        words = [len(piece.split()) for piece in self.tail(instruction)]
        return sum(round(count * TOKENS_PER_WORD) if count else 1 for count in words)
