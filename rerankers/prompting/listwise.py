"""The texts around a query's list, from configs/listwise.yaml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from ...configs import CONFIGS, read

Messages = list[dict[str, str]]


@dataclass(frozen=True)
class StatesPrompt:
    """A prompt in which a token after each passage and one after the query mark where states are read."""

    source: str
    passage_token: str
    query_token: str
    window: int
    passage_length: int
    query_length: int
    before: str
    passage: str
    after: str

    def text(self, query: str, passages: Sequence[str]) -> str:
        """Return the whole prompt; the two tokens cannot come from the texts."""
        query, *own = (self._without_tokens(text) for text in (query, *passages))
        whole = [self.before.format(count=len(own), query=query)]
        for number, passage in enumerate(own):
            whole.append(self.passage.format(number=number, passage=passage, token=self.passage_token))
        return "".join([*whole, self.after.format(query=query, token=self.query_token)])

    def _without_tokens(self, text: str) -> str:
        return text.replace(self.query_token, "").replace(self.passage_token, "")


@dataclass(frozen=True)
class PermutationPrompt:
    """A chat that prompts for the order of a window's passages."""

    source: str
    window: int
    stride: int
    words: int
    messages: Sequence[Mapping[str, str]]
    each: Sequence[Mapping[str, str]]
    last: Sequence[Mapping[str, str]]

    def chat(self, query: str, passages: Sequence[str]) -> Messages:
        """Return the messages; passages are numbered from 1 and cut to `words` words."""
        count = len(passages)
        chat = [_fill(message, count=count, query=query) for message in self.messages]
        for number, passage in enumerate(passages, 1):
            short = " ".join(passage.split()[: self.words])
            chat += [_fill(message, number=number, passage=short) for message in self.each]
        return chat + [_fill(message, count=count, query=query) for message in self.last]


def _fill(message: Mapping[str, str], **values: str | int) -> dict[str, str]:
    return {"role": message["role"], "content": message["content"].format(**values)}


@cache
def states_prompt() -> StatesPrompt:
    """Return the prompt of jina-reranker-v3."""
    return StatesPrompt(**read(CONFIGS / "listwise.yaml")["states"])


@cache
def permutation_prompt() -> PermutationPrompt:
    """Return the prompt of RankGPT."""
    return PermutationPrompt(**read(CONFIGS / "listwise.yaml")["permutation"])
