"""A rerank server on this machine that answers in the shape of an API, and misbehaves when it is told to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from rerankbench.rerankers.served.api import Api, apis

KEY = "secret-key-of-the-test"


def overlap(query: str, document: str) -> float:
    """What the server scores by: words in common, and a little for the length, so that few are equal."""
    return len(set(query.lower().split()) & set(document.lower().split())) + len(document) / 10_000


@dataclass
class Reply:
    """What a request is answered with. `scored` are (place, score) of all documents, as a faultless server has them."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    scored: list[tuple[Any, Any]] | None = None
    cut: int | None = None  # bytes of the body that are sent
    wait: float = 0.0


# the number of the request, what it asks, and the scores; None: as it should be
Fault = Callable[[int, dict[str, Any], list[tuple[int, float]]], Reply | None]


class RerankServer:
    """Counts and keeps what it is asked."""

    def __init__(self, api: Api) -> None:
        self.api, self.fault = api, None
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.paths: list[str] = []
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                server.answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                return

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    fault: Fault | None

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        asked = json.loads(request.rfile.read(int(request.headers["Content-Length"])))
        with self.lock:
            number = len(self.asked)
            self.asked.append(asked)
            self.keys.append(request.headers.get("Authorization"))
            self.paths.append(request.path)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        query, documents = (asked[self.api.send[name]] for name in ("query", "documents"))
        scored = [(place, overlap(query, document)) for place, document in enumerate(documents)]
        scored.sort(key=lambda one: -one[1])
        reply = (self.fault and self.fault(number, asked, list(scored))) or Reply()
        time.sleep(reply.wait)
        body = self.shape(scored if reply.scored is None else reply.scored) if reply.body is None else reply.body
        with self.lock:
            self.at_once -= 1
        try:
            request.send_response(reply.status)
            for name, value in {"Content-Length": str(len(body)), **reply.headers}.items():
                request.send_header(name, value)
            request.end_headers()
            request.wfile.write(body[: reply.cut])
            if reply.cut is not None:
                request.close_connection = True
        except OSError:  # the client gave up
            request.close_connection = True

    def shape(self, scored: list[tuple[Any, Any]]) -> bytes:
        results = [{self.api.index: place, self.api.score: score} for place, score in scored]
        answer: Any = {self.api.results: results} if self.api.results else results
        if self.api.billed:
            node, *path = answer, *self.api.billed.split(".")
            for name in path[:-1]:
                node = node.setdefault(name, {})
            node[path[-1]] = 3
        return json.dumps(answer).encode()


@contextmanager
def rerank_server(api: str = "cohere") -> Iterator[RerankServer]:
    """A server that runs as long as the context."""
    server = RerankServer(apis()[api])
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        thread.join()
        server.http.server_close()
