"""One server called over HTTP: paced, retried, timed."""

from __future__ import annotations

import json
import logging
import math
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import urllib3

from ..errors import InputError, ScoreError
from .exchange import Exchange, Reply, TimedOut, TooLarge, UnknownEncoding, make_pool
from .options import Service
from .secrets import HIDDEN, holds, shown

log = logging.getLogger("rerankbench")

_AGAIN = {408, 409, 425, 429, 500, 502, 503, 504, 529}
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 60.0  # seconds: doubled from try to try, of which at least half is waited
_PATIENCE = 3600.0  # seconds: a server that wants more is not waited for
_LONGEST_ASKED = 1e9  # seconds, of a `Retry-After`
_ANSWER = 1 << 20  # bytes that an answer may have, besides 1 KiB for each document
_ECHO = 6  # and so often the bytes of the request: some send the documents back, each letter escaped
Parsed = TypeVar("Parsed")


class Lost(Exception):
    """A request that may succeed when it is tried again. `wait`: what the server requests, in seconds."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait


class Stopped(Exception):
    """Another request failed for good, so this one is not sent."""


@dataclass
class Sent:
    """How many requests went out, how many of them were repetitions, and the seconds that each answer took."""

    requests: int
    retried: int
    seconds: list[float]


class Client:
    """A server and the patience with it. May be used by several threads.

    Args:
        url: of the request.
        key: sent as bearer token; never shown.
        service: time-outs, attempts, pace.

    Attributes:
        stop: once it is set nothing more is sent, what is on its way is given up, and who waits wakes up.
    """

    def __init__(self, url: str, key: str | None, service: Service) -> None:
        self.url, self._key, self.service = url, key, service
        self.stop = threading.Event()
        self._pool = make_pool(service.concurrency, service.timeout)
        self._lock = threading.Lock()
        self._earliest = 0.0
        self.sent = Sent(0, 0, [])

    def take(self) -> Sent:
        """Return what was sent since the last call."""
        with self._lock:
            sent, self.sent = self.sent, Sent(0, 0, [])
        return sent

    def post(self, payload: dict[str, Any], documents: int, parse: Callable[[Any], Parsed]) -> Parsed:
        """Return the parsed answer about so many documents; `parse` may raise Lost where a retry may complete it.

        Raises InputError when the server refuses the request, ScoreError when it is given up, Stopped after `stop`.
        """
        why, requested, attempt = "", None, 0
        body = json.dumps(payload, ensure_ascii=False).encode(errors="replace")
        for attempt in range(1, self.service.attempts + 1):
            self._wait_turn()
            if self.stop.is_set():
                raise Stopped
            try:
                return self._try_once(body, documents, attempt, parse)
            except Lost as lost:
                why, requested = str(lost), lost.wait
            if attempt == self.service.attempts or (requested or 0) > _PATIENCE:
                break
            # not urllib3's Retry: it sleeps where no signal ends it, and cannot make the other requests wait, too
            wait = max(requested or 0.0, min(_LONGEST_WAIT, _FIRST_WAIT * 2**attempt) * random.uniform(0.5, 1.0))
            log.warning("%s: %s; tried again in %.1f s", self.url, why, wait)
            if requested is not None:
                self._delay_all(wait)
            else:
                self._sleep(wait)
        more = f" (it requests a wait of {requested:.0f} s)" if requested and requested > _PATIENCE else ""
        raise ScoreError(f"{self.url}: {why}; given up after {attempt} tries{more}; the same command tries again")

    def _try_once(self, body: bytes, documents: int, attempt: int, parse: Callable[[Any], Parsed]) -> Parsed:
        start = time.perf_counter()
        with self._lock:
            self.sent.requests += 1
            self.sent.retried += attempt > 1
        reply = self._exchange(body, documents)
        words = reply.body.decode("utf-8", "replace")
        if reply.status in _AGAIN:
            message = shown(words, self._key)
            raise Lost(f"status {reply.status}{f' ({message})' if message else ''}", _read_retry_after(reply.headers))
        if reply.status != 200:
            raise InputError(f"{self.url}: {self._describe_refusal(reply.status, shown(words, self._key))}")
        try:
            answer = json.loads(reply.body)
        except (ValueError, RecursionError) as err:
            raise Lost("the answer is no JSON, or was cut off") from err
        try:
            parsed = parse(answer)
        except ScoreError as err:
            if holds(words, self._key):  # it may be in any field, and so in the message
                raise ScoreError(f"{self.url}: the answer cannot be used {HIDDEN}") from None
            raise ScoreError(f"{self.url}: {err}") from err
        with self._lock:
            self.sent.seconds.append(time.perf_counter() - start)
        return parsed

    def _exchange(self, body: bytes, documents: int) -> Reply:
        """Return a reply that is in time. Raises Lost or Stopped, InputError for an answer that no reranker gives."""
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": "rerankbench",
            **({"Authorization": f"Bearer {self._key}"} if self._key else {}),
        }
        most = _ANSWER + 1024 * documents + _ECHO * len(body)
        try:
            reply = Exchange(self._pool, self.url, body, headers, most).wait(self.service.timeout, self.stop)
        except TimedOut:
            raise Lost(f"no answer in time ({self.service.timeout:g} s)") from None
        except TooLarge:
            raise InputError(
                f"{self.url}: the answer has more than {most:,} bytes, which scores of {documents} documents never have"
            ) from None
        except UnknownEncoding as err:
            raise InputError(
                f"{self.url}: the answer is compressed as '{shown(str(err), self._key)}', which was not requested"
            ) from None
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as err:
            raise Lost(shown(_describe_error(err), self._key)) from None
        if reply is None:
            raise Stopped
        return reply

    def _describe_refusal(self, status: int, message: str) -> str:
        refusal = f"status {status}{f': {message}' if message else ''}"
        if status in (401, 403):
            return f"{refusal}; the server refuses the key" + ("" if self._key else " (none was sent)")
        if 300 <= status < 400:
            return f"{refusal}; it points elsewhere, which is not followed: write that address as `url`"
        return refusal

    def _wait_turn(self) -> None:
        """Wait until the pace, and any wait that the server requested, let the next request go."""
        gap = 60.0 / self.service.requests_per_minute if self.service.requests_per_minute else 0.0
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._earliest)
            self._earliest = turn + gap
        if turn > now:
            self._sleep(turn - now)

    def _sleep(self, seconds: float) -> None:
        if self.stop.wait(seconds):
            raise Stopped

    def _delay_all(self, seconds: float) -> None:
        """Make all requests wait, not only the one that was turned away."""
        with self._lock:
            self._earliest = max(self._earliest, time.monotonic() + seconds)


def _read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Read the seconds of `Retry-After`, given as a number or as a date; None for what is neither."""
    stated = headers.get("Retry-After")
    if stated is None:
        return None
    try:
        seconds = float(stated)
    except ValueError:
        try:
            when = parsedate_to_datetime(stated)
            seconds = (when - datetime.now(timezone.utc if when.tzinfo else None)).total_seconds()
        except (ValueError, OverflowError, TypeError, IndexError):  # a year beyond those of a date
            return None
    return None if math.isnan(seconds) else min(max(0.0, seconds), _LONGEST_ASKED)


def _describe_error(err: BaseException) -> str:
    """Return what an error of urllib3 means, in a few words."""
    kinds = {
        urllib3.exceptions.NameResolutionError: "the server's name is unknown",
        urllib3.exceptions.NewConnectionError: "no server answers there",
        urllib3.exceptions.TimeoutError: "no answer in time",
        urllib3.exceptions.ProtocolError: "the connection broke off",
    }
    texts = [words for kind, words in kinds.items() if isinstance(err, kind)]
    return texts[0] if texts else f"{type(err).__name__}: {err}"
