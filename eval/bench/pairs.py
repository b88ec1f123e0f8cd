"""Generated pairs with the lengths of retrieval: lognormal passages, several candidates per query, seeded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WORDS = 20_000


@dataclass(frozen=True)
class Workload:
    """What is scored.

    Attributes:
        queries, candidates: so many queries with so many passages each.
        query_tokens: words of every query; the bench's tokenizers make one token of a word.
        passage_mean: mean number of words of a passage.
        sigma: sigma of the underlying normal distribution; the mean stays `passage_mean`.
        longest: longer passages are cut to so many words.
    """

    queries: int = 1
    candidates: int = 50
    query_tokens: int = 20
    passage_mean: float = 150.0
    sigma: float = 0.6
    longest: int = 450
    seed: int = 0

    @property
    def pairs(self) -> int:
        """Number of pairs."""
        return self.queries * self.candidates


def word(number: int) -> str:
    """Return the word of a number; every one is a single token of the bench's tokenizers."""
    return f"w{number}"


def make_groups(workload: Workload) -> list[tuple[str, list[str]]]:
    """Make (query, passages) per query; the same for the same workload."""
    random = np.random.default_rng(workload.seed)
    # mean of a lognormal is exp(mu + sigma^2 / 2)
    mu = np.log(workload.passage_mean) - workload.sigma**2 / 2

    def text(length: int) -> str:
        return " ".join(word(n) for n in random.integers(0, WORDS, length))

    groups = []
    for _ in range(workload.queries):
        lengths = np.clip(random.lognormal(mu, workload.sigma, workload.candidates), 5, workload.longest).astype(int)
        groups.append((text(workload.query_tokens), [text(n) for n in lengths]))
    return groups
