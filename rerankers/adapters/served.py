"""A reranker behind a server: a query's documents become requests, and answers become scores."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Any

import numpy as np

from ..api import REMOTE, Executed, Group, Prepared, Requests, Scored
from ..errors import InputError, ScoreError
from ..options import TextOptions
from ..prompting.text_rules import TextRules
from ..served.api import Answer
from ..served.client import Client, Lost, Stopped
from ..served.options import Service, address
from ..settings import Setting
from ..spec import ModelSpec
from .full_depth import FullDepth
from .score_checks import check_given


class ServedAdapter(FullDepth):
    """Asks a server; nothing is computed here, so tokens and FLOPs are not counted."""

    device, dtype = REMOTE, "unstated"

    def __init__(self, adapter: str, spec: ModelSpec, text: TextRules, service: Service) -> None:
        where = f"model '{spec.name}'"
        self.adapter, self.spec, self.text, self.service, self.where = adapter, spec, text, service, where
        self.reads_lists = service.listwise
        self.api, url, key = address(service, where)
        self.client = Client(url, key, service)

    def identity(self, text: TextOptions) -> dict[str, Any]:
        """See `base.Reranker.identity`."""
        self.text.resolve(text)
        listwise = {"listwise": {"documents_per_request": self._count_most()}} if self.service.listwise else {}
        return {
            "adapter": self.adapter,
            "api": self.api.name,
            "model": self.spec.source,
            "version": self.spec.revision,
            "parameters": {**self.api.fixed, **self.service.parameters},
            **listwise,
        }

    def score_distinct(
        self, groups: Sequence[Group], settings: Sequence[Setting], text: TextOptions, prepared: Prepared
    ) -> Scored:
        """See `base.Reranker.score_distinct`. Raises InputError when the server refuses, ScoreError when it fails."""
        self.text.resolve(text)
        start = time.perf_counter()
        tasks = [(group.query, list(part)) for group in groups for part in self._split_documents(group.passages)]
        answers = self._request_all(tasks)
        seconds = time.perf_counter() - start
        with np.errstate(over="ignore"):
            scores = np.array([score for values, _ in answers for score in values], dtype=np.float64).astype(np.float32)
        pairs = [(group.query, passage) for group in groups for passage in group.passages]
        check_given(scores, pairs, self.client.url)
        none = np.zeros(len(pairs), dtype=np.int32)
        sent, billed = self.client.take(), [amount for _, amount in answers]
        return Scored(
            scores=np.repeat(scores[None], len(settings), axis=0),
            query_tokens=none,
            passage_tokens=none,
            prompt_tokens=none,
            truncated=none.astype(bool),
            executed=Executed(
                seconds={"forward": seconds},
                requests=Requests(
                    sent=sent.requests,
                    retried=sent.retried,
                    seconds=tuple(sent.seconds),
                    billed=sum(amount or 0.0 for amount in billed)
                    if any(amount is not None for amount in billed)
                    else None,
                    unit=self.api.unit,
                ),
            ),
        )

    def _request_all(self, tasks: Sequence[tuple[str, list[str]]]) -> list[tuple[list[float], float | None]]:
        """Return the answers in the order of the tasks. The first that fails for good, or Ctrl-C, ends the others."""
        self.client.stop.clear()

        def ask(task: tuple[str, list[str]]) -> tuple[list[float], float | None]:
            try:
                return self._score_documents(*task)
            except BaseException:
                self.client.stop.set()
                raise

        with ThreadPoolExecutor(self.service.concurrency) as pool:
            answers = [pool.submit(ask, task) for task in tasks]
            try:
                wait(answers, return_when=FIRST_EXCEPTION)
            finally:
                self.client.stop.set()
                pool.shutdown(cancel_futures=True)
        for answer in answers:
            fault = None if answer.cancelled() else answer.exception()
            if fault is not None and not isinstance(fault, Stopped):
                raise fault
        return [answer.result() for answer in answers]

    def _count_most(self) -> int:
        return self.service.documents_per_request or self.api.most

    def _split_documents(self, passages: Sequence[str]) -> list[Sequence[str]]:
        """Return a query's documents as they go out together. Raises InputError where a list would have to be split."""
        most = self._count_most()
        if self.service.listwise and len(passages) > most:
            raise InputError(
                f"{self.where}: is listwise and takes {most} documents at a time, a query has {len(passages)}; use a "
                "smaller first_stage.k"
            )
        return [passages[start : start + most] for start in range(0, len(passages), most)]

    def _score_documents(self, query: str, documents: list[str]) -> tuple[list[float], float | None]:
        """Return a score for every document, and what they cost.

        Documents that the server leaves out are requested again.
        """
        scores: dict[int, float] = {}
        costs: list[float | None] = []
        for _ in range(self.service.attempts):
            left = [number for number in range(len(documents)) if number not in scores]
            if not left:
                break
            answer = self._request(query, [documents[number] for number in left])
            costs.append(answer.billed)
            scores |= {left[number]: score for number, score in answer.scores.items()}
            if self.service.listwise and len(scores) < len(documents):
                scores = {}  # of part of a list they would be others
        if missing := len(documents) - len(scores):
            raise ScoreError(
                f"{self.client.url}: gave no score for {missing} of {len(documents)} documents of the query "
                f"'{query:.60}', however often it was requested; does it cut the results off?"
            )
        known = [cost for cost in costs if cost is not None]
        return [scores[number] for number in range(len(documents))], sum(known) if known else None

    def _request(self, query: str, documents: list[str]) -> Answer:
        def parse(body: Any) -> Answer:
            answer = self.api.parse(body, len(documents))
            if not answer.scores:
                raise Lost("an answer without results")
            return answer

        payload = self.api.payload(self.spec.source, query, documents, self.service.parameters)
        return self.client.post(payload, len(documents), parse)
