"""Rerankers whose unit is a query's list of candidates: windows that slide over it, and generators that order a window.

Such a score depends on the whole list: its passages, their order and their number. The identity of a result
therefore has window, stride, order and depth, beside the version.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args

from .api import Requests
from .custom import CustomReranker
from .errors import InputError, ScoreError
from .prompting.listwise import Messages, PermutationPrompt, permutation_prompt
from .served.client import Client
from .served.options import Service, checked_url
from .served.secrets import read_key

log = logging.getLogger("rerankbench")

Order = Literal["given", "reversed"]
Generate = Callable[[Messages], str]
_NUMBER = re.compile(r"[0-9]+")


class ListReranker(CustomReranker):
    """Orders a list by a window that slides from its end to its top; subclasses order one window.

    Attributes:
        window: passages that are ordered at a time.
        stride: by how many passages the window moves; less than `window`, so that good ones are carried upwards.
        order: in which the list is read first: as the first stage gave it, or reversed.
        depth: candidates that take part; those after them keep their order. None: all.
    """

    window: int = 20
    stride: int = 10
    order: Order = "given"
    depth: int | None = None

    def arrange(self, query: str, passages: Sequence[str]) -> Sequence[int]:
        """Return the places of a window's passages, best first; each place once."""
        raise NotImplementedError

    @property
    def listwise(self) -> dict[str, Any]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Part of the identity."""
        return {"window": self.window, "stride": self.stride, "order": self.order, "depth": self.depth}

    def score(self, query: str, passages: Sequence[str]) -> list[int]:
        """Return how many candidates each one is above: the first of n has n - 1."""
        ranking = self.sort(query, passages)
        scores = [0] * len(passages)
        for rank, number in enumerate(ranking):
            scores[number] = len(ranking) - 1 - rank
        return scores

    def sort(self, query: str, passages: Sequence[str]) -> list[int]:
        """Return places of the passages, best first.

        The last window reaches the top, whatever the stride leaves (the published sliding window of RankGPT then stops
        short). Raises ScoreError when a window does not come back whole.
        """
        self._check()
        depth = len(passages) if self.depth is None else min(self.depth, len(passages))
        ranking = list(range(depth))
        if self.order == "reversed":
            ranking.reverse()
        stop = depth
        while stop > 0:
            start = max(0, stop - self.window)
            window = ranking[start:stop]
            order = list(self.arrange(query, [passages[number] for number in window])) if len(window) > 1 else [0]
            if sorted(order) != list(range(len(window))):
                raise ScoreError(f"{type(self).__name__}: {order!r:.60} is no order of {len(window)} passages")
            ranking[start:stop] = [window[i] for i in order]
            stop = stop - self.stride if start else 0
        return ranking + list(range(depth, len(passages)))

    def _check(self) -> None:
        if self.order not in get_args(Order):
            raise InputError(f"order '{self.order}' is unknown; known: {', '.join(get_args(Order))}")
        if not self.window > 1 or not 0 < self.stride <= self.window:
            raise InputError(
                f"window {self.window}, stride {self.stride}: a window has 2 passages or more, "
                "and a stride is at most the window"
            )
        if self.depth is not None and self.depth < 1:
            raise InputError(f"depth {self.depth}: must be at least 1")


class SlidingWindow(ListReranker):
    """A generator that writes the order of a window, such as `[2] > [1]`, as RankGPT prompts for it.

    Args:
        generate: from chat messages to the text of the answer: any callable, or a `ChatModel`.
        version: see `CustomReranker`: it identifies the generator's weights and settings.
        window, stride, order, depth: see `ListReranker`; None takes RankGPT's 20 and 10.
        prompt: texts of the chat; None takes RankGPT's.

    Passages that an answer leaves out follow in the order that they had, as in the published code; `incomplete` counts
    such answers.
    """

    def __init__(
        self,
        generate: Generate,
        version: str,
        *,
        window: int | None = None,
        stride: int | None = None,
        order: Order = "given",
        depth: int | None = None,
        prompt: PermutationPrompt | None = None,
    ) -> None:
        self.generate, self.version = generate, version
        self.prompt = prompt or permutation_prompt()
        self.window, self.stride = window or self.prompt.window, stride or self.prompt.stride
        self.order, self.depth = order, depth
        self.concurrency = getattr(generate, "concurrency", 1)
        self.stop = getattr(generate, "stop", None)
        self.name = getattr(generate, "name", None)
        self.incomplete = 0
        self._lock = threading.Lock()
        self._check()

    @property
    def listwise(self) -> dict[str, Any]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Part of the identity: with the texts of the chat, and the generator's own identity."""
        chat = self.prompt.chat("{query}", ["{passage}", "{passage}"])
        generator = getattr(self.generate, "identity", None)
        return {**super().listwise, "words": self.prompt.words, "chat": chat, "generator": generator}

    def arrange(self, query: str, passages: Sequence[str]) -> list[int]:
        """See `ListReranker.arrange`."""
        answer = self.generate(self.prompt.chat(query, passages))
        if not isinstance(answer, str):
            raise ScoreError(f"the generator gave {type(answer).__name__}, expected a text")
        order = parse_order(answer, len(passages))
        if len(order) < len(passages):
            with self._lock:
                self.incomplete += 1
            log.warning("%d of %d passages are in the answer '%.60s'", len(order), len(passages), answer)
        return order + [number for number in range(len(passages)) if number not in order]

    def requests(self) -> Requests | None:
        """See `CustomReranker.requests`."""
        return getattr(self.generate, "requests", lambda: None)()


def parse_order(answer: str, passages: int) -> list[int]:
    """Parse an answer that names passages by their numbers from 1 into indices: each once, other numbers left out.

    Every run of digits counts, whatever is around it (RankGPT's `clean_response` and `remove_duplicate`).
    """
    named = [int(number) - 1 for number in _NUMBER.findall(answer) if len(number) < 10]
    return [index for index in dict.fromkeys(named) if 0 <= index < passages]


class ChatModel:
    """A chat model behind a server that serves OpenAI's `/v1/chat/completions` (vLLM, llama.cpp, the publishers).

    Args:
        url: host and port of the server.
        model: its name there.
        key: the environment variable with the key; None sends none.
        service: patience and pace; see `served.options.Service`. `parameters` are sent with every request and part of
            the identity; the temperature is 0 unless they set it.
    """

    def __init__(self, url: str, model: str, key: str | None = None, *, service: Service | None = None) -> None:
        self.service = service or Service(api="chat")
        where = f"chat model '{model}'"
        self._client = Client(checked_url(url, where) + "/v1/chat/completions", read_key(key, where), self.service)
        self.name = model.rpartition("/")[2]
        self.identity: Mapping[str, Any] = {"model": model, "temperature": 0, **self.service.parameters}
        self.concurrency = self.service.concurrency
        self.stop = self._client.stop
        self._billed = 0.0
        self._lock = threading.Lock()

    def __call__(self, messages: Messages) -> str:
        """Return the answer. Raises InputError when the server refuses, ScoreError when it fails for good."""
        return self._client.post({**self.identity, "messages": messages}, 1, self._text)

    def requests(self) -> Requests | None:
        """Return the requests since the last call; tokens are those that the server counts as used."""
        sent = self._client.take()
        with self._lock:
            billed, self._billed = self._billed, 0.0
        return Requests(sent.requests, sent.retried, tuple(sent.seconds), billed or None, "tokens")

    def _text(self, body: Any) -> str:
        try:
            text = body["choices"][0]["message"]["content"]
            used = body.get("usage") or {}
        except (KeyError, IndexError, TypeError, AttributeError) as err:
            raise ScoreError("the answer has no choices[0].message.content") from err
        if not isinstance(text, str):
            raise ScoreError(f"the message of the answer is {type(text).__name__}, expected a text")
        total = used.get("total_tokens") if isinstance(used, dict) else None
        if isinstance(total, int | float) and not isinstance(total, bool) and 0 <= total < 1e15:
            with self._lock:
                self._billed += total
        return text
