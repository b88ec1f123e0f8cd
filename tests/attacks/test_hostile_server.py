"""A server cannot hold a run, fill the memory, or have the key printed."""

from __future__ import annotations

import gzip
import json
import signal
import socket
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from attack import cli, command
from rerank_server import Reply, RerankServer, rerank_server

KEY = "sk-Se/cret+01234=56789"


@pytest.fixture
def server() -> Iterator[RerankServer]:
    with rerank_server("infinity") as running:
        yield running


def arguments(folder: Path, url: str, **service: Any) -> list[object]:
    """A run of one query that asks `url`."""
    asked = {"api": "infinity", "url": url, "key": "ATTACK_KEY", "attempts": 1, "timeout": 1, **service}
    model = {"family": "served", "source": "toy", "revision": "1", "server": asked}
    (folder / "toy.yaml").write_text(json.dumps(model))
    stage = {"retriever": "bm25", "k": 3}
    body = {"name": "e", "datasets": ["builtin/en"], "first_stage": stage, "rerankers": [{"model": "toy.yaml"}]}
    (folder / "e.yaml").write_text(json.dumps(body))
    return ["run", "e.yaml", "--out", "o", "--limit", 1]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ATTACK_KEY", KEY)
    return lambda url, **service: cli(*arguments(tmp_path, url, **service))


@contextmanager
def dripping(first: bytes, drop: bytes, every: float = 0.2) -> Iterator[str]:
    """A server that sends `first`, then a drop at a time for ever."""
    over = threading.Event()

    def drip(taken: socket.socket) -> None:
        with taken, suppress(OSError):
            taken.recv(1 << 16)
            taken.sendall(first)
            while not over.wait(every):
                taken.sendall(drop)

    def accept(listening: socket.socket) -> None:
        with ThreadPoolExecutor() as pool:
            while not over.is_set():
                with suppress(TimeoutError):
                    pool.submit(drip, listening.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.1)
        thread = threading.Thread(target=accept, args=(listening,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            over.set()
            thread.join()


DRIPS = {
    "body": (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
    "line": (b"HTTP/1.1 200 ", b"O"),
    "nothing": (b"", b""),
}


@pytest.mark.parametrize("kind", DRIPS)
def test_a_timeout_bounds_the_whole_request(kind: str, ask: Callable[..., Any]) -> None:
    with dripping(*DRIPS[kind]) as url:
        start = time.monotonic()
        ask(url).refused(url, "no answer in time", "given up after 1 tries")
        assert time.monotonic() - start < 10


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_that_waits(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTACK_KEY", KEY)
    with dripping(*DRIPS["body"]) as url:
        words = arguments(tmp_path, url, timeout=600)
        process = subprocess.Popen(command(*words), cwd=tmp_path, stderr=subprocess.PIPE)
        try:
            for _ in range(600):
                if any(c.status == "ESTABLISHED" for c in psutil.Process(process.pid).net_connections()):
                    break
                time.sleep(0.05)
            process.send_signal(number)
            _, told = process.communicate(timeout=10)
        finally:
            process.kill()
    assert process.returncode == 128 + number
    assert told.decode().splitlines()[-1].endswith("the same command continues where it stopped")
    assert (tmp_path / "o" / "cells" / "builtin" / "en").is_dir(), "what was stored is kept"


@pytest.mark.parametrize("key", ["x7\nb", "x7\r\nX-Evil: 1", "x7 y", "schlüssel", "x7\x7f", "x7\u2028a", "x7\x01b"])
def test_a_key_that_no_header_takes_is_refused_before_any_request(
    key: str, ask: Callable[..., Any], server: RerankServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATTACK_KEY", key)
    outcome = ask(server.url)
    outcome.refused("ATTACK_KEY")
    assert key not in outcome.err
    assert not server.asked


def disguises() -> dict[str, str]:
    """The key as servers write it back."""
    escaped = "".join(f"\\u{ord(char):04x}" for char in KEY)
    return {
        "as it is": KEY,
        "in JSON": json.dumps(KEY).replace("/", "\\/"),
        "letter by letter": escaped,
        "twice": json.dumps(json.dumps(KEY).replace("/", "\\/")),
        "as in a URL": urllib.parse.quote(KEY, safe=""),
        "all of it as in a URL": "".join(f"%{ord(char):02x}" for char in KEY),
        "as in HTML": KEY.replace("/", "&#x2F;").replace("=", "&#61;"),
        "in capitals": KEY.upper(),
    }


@pytest.mark.parametrize("disguise", disguises())
@pytest.mark.parametrize("place", ["401", "503", "score", "index", "results", "long", "encoding", "after"])
def test_the_key_is_in_no_message(place: str, disguise: str, ask: Callable[..., Any], server: RerankServer) -> None:
    form = disguises()[disguise]
    told = f'{{"error": "your key {form} is bad"}}'.encode()
    text = json.dumps(form) if disguise in ("as it is", "as in a URL", "as in HTML", "in capitals") else f'"{form}"'
    bodies = {
        "score": f'{{"results": [{{"index": 0, "relevance_score": {text}}}]}}',
        "index": f'{{"results": [{{"index": {text}, "relevance_score": 1}}]}}',
        "results": f'{{"results": [{{{text}: 1}}]}}',
        "long": f'{{"results": [{{"index": "{"x" * 20}{form}", "relevance_score": 1}}]}}',
    }
    reply = {
        "401": Reply(401, body=told),
        "503": Reply(503, body=told),
        "encoding": Reply(headers={"Content-Encoding": urllib.parse.quote(form)}, body=b"{}"),
        "after": Reply(429, headers={"Retry-After": urllib.parse.quote(form)}, body=told),
    }.get(place) or Reply(body=bodies[place].encode())
    server.fault = lambda *_: reply
    outcome = ask(server.url, attempts=1)
    outcome.refused(server.url)
    for shown in {KEY, *disguises().values()}:
        assert shown.casefold() not in outcome.err.casefold()
    assert "sk-Se".casefold() not in outcome.err.casefold()


def bomb(megabytes: int) -> bytes:
    return gzip.compress(b" " * (megabytes << 20))


@pytest.mark.parametrize("status", [200, 400, 503])
def test_answers_have_a_most(status: int, ask: Callable[..., Any], server: RerankServer) -> None:
    packed = bomb(256)
    server.fault = lambda *_: Reply(status, headers={"Content-Encoding": "gzip"}, body=packed)
    before = psutil.Process().memory_info().rss
    ask(server.url, timeout=30).refused(server.url, "bytes" if status == 200 else str(status))
    assert psutil.Process().memory_info().rss - before < 100 << 20


def test_plain_answers_have_a_most(ask: Callable[..., Any], server: RerankServer) -> None:
    server.fault = lambda *_: Reply(body=b" " * (8 << 20))
    ask(server.url, timeout=30).refused("bytes", "3 documents")


@pytest.mark.parametrize(
    ("result", "word"),
    [
        ('{"index": 0, "relevance_score": 1%s}' % ("0" * 400), "no number"),
        ('{"index": 0, "relevance_score": -1%s}' % ("0" * 4000), "no number"),
        (", ".join(f'{{"index": {i}, "relevance_score": 1e400}}' for i in range(3)), "score inf"),
        ('{"index": 1%s, "relevance_score": 1}' % ("0" * 400), "none of 3 documents"),
        (", ".join(['{"index": 0, "relevance_score": 1}'] * 1000), "1000 results for 3 documents"),
        ("[" * 500_000, "no JSON"),
        ("9" * 5000, "no JSON"),
    ],
)
def test_numbers_and_lists_that_are_too_long(
    result: str, word: str, ask: Callable[..., Any], server: RerankServer
) -> None:
    server.fault = lambda *_: Reply(body=f'{{"results": [{result}]}}'.encode())
    ask(server.url).refused(server.url, word)


DATE = "Fri, 31 Dec 99999 23:59:59 GMT"


@pytest.mark.parametrize("after", [DATE, DATE.replace("99999", "9" * 30), "1e400", "nan", "-1e999", "9" * 400, "soon"])
def test_a_retry_after_beyond_all_dates(after: str, ask: Callable[..., Any], server: RerankServer) -> None:
    server.fault = lambda *_: Reply(429, headers={"Retry-After": after})
    start = time.monotonic()
    ask(server.url, attempts=2).refused(server.url, "status 429")
    assert time.monotonic() - start < 10


def test_an_answer_of_ordinary_size_is_taken_packed_or_not(ask: Callable[..., Any], server: RerankServer) -> None:
    ask(server.url, timeout=20).well()
    server.fault = lambda number, asked, scored: Reply(
        headers={"Content-Encoding": "gzip"}, body=gzip.compress(server.shape(scored))
    )
    ask(server.url, timeout=20).well()
