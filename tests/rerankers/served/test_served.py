"""Served rerankers against a server that misbehaves: nothing is lost, mixed up, or told that must not be."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rerank_server import KEY, Reply, RerankServer, overlap, rerank_server
from rerankbench.rerankers import (
    Group,
    InputError,
    LoadOptions,
    ModelSpec,
    ScoreError,
    Setting,
    TextOptions,
    load,
    load_spec,
)
from rerankbench.rerankers.served.api import apis

GROUPS = [
    Group("what is a panda", [f"a panda is bear number {i} of the river" for i in range(7)] + ["a train to basel"]),
    Group("train to basel", ["a train to basel", "bread and butter", "the train"]),
]
EXPECTED = np.array([overlap(g.query, p) for g in GROUPS for p in g.passages], dtype=np.float32)


@pytest.fixture
def server() -> Iterator[RerankServer]:
    with rerank_server() as one:
        yield one


class Clock(threading.Event):
    """Waits nothing, and remembers for how long it was asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout or 0.0)
        return self.is_set()


def spec(server: RerankServer, **more: Any) -> ModelSpec:
    served = {"api": server.api.name, "url": server.url, "concurrency": 1, **more}
    return ModelSpec("served", "served", "rerank-model-1", revision="2026-11-26", options={"server": served})


def asked(server: RerankServer, clock: Clock | None = None, **more: Any) -> Any:
    model: Any = load(spec(server, **more))
    model.client.stop = clock or Clock()
    return model.score(GROUPS, [Setting()], TextOptions())


@pytest.mark.parametrize("api", apis())
def test_every_shape_gives_the_servers_scores(api: str) -> None:
    with rerank_server(api) as server:
        found = asked(server, parameters={"custom": 1}, documents_per_request=5)
        np.testing.assert_array_equal(found.scores[0], EXPECTED)
        assert [len(one[server.api.send["documents"]]) for one in server.asked] == [5, 3, 3]
        assert server.paths[0] == server.api.path
        for one in server.asked:
            assert one["custom"] == 1
            assert {name: one[name] for name in server.api.fixed} == dict(server.api.fixed)
            if "cut" in server.api.send:
                assert one[server.api.send["cut"]] == len(one[server.api.send["documents"]])
            if "model" in server.api.send:
                assert one[server.api.send["model"]] == "rerank-model-1"
    requests = found.executed.requests
    assert (requests.sent, requests.retried, len(requests.seconds)) == (3, 0, 3)
    assert (requests.billed, requests.unit) == ((9.0, server.api.unit) if server.api.billed else (None, None))
    assert not found.query_tokens.any()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Reply(429), "status 429"),
        (Reply(500, body=b"<html>\noops</html>"), "status 500 (<html> oops</html>)"),
        (Reply(503), "status 503"),
        (Reply(cut=30), "the connection broke off"),
        (Reply(body=b'{"results": [{"index": 0'), "the answer is no JSON, or was cut off"),
        (Reply(body=b""), "the answer is no JSON, or was cut off"),
        (Reply(scored=[]), "an answer without results"),
        (Reply(wait=0.4), "no answer in time"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_goes_by_is_tried_again(
    server: RerankServer, caplog: pytest.LogCaptureFixture, fault: Reply, message: str
) -> None:
    server.fault = lambda number, *_: fault if number in (0, 2) else None
    clock = Clock()
    with caplog.at_level(logging.WARNING, "rerankbench"):
        found = asked(server, clock, timeout=0.15)
    np.testing.assert_array_equal(found.scores[0], EXPECTED)
    assert (found.executed.requests.sent, found.executed.requests.retried) == (4, 2)
    assert message in caplog.text
    assert len(clock.waited) == 2
    assert all(0.5 <= seconds <= 1.0 for seconds in clock.waited)


def test_waits_grow_and_end(server: RerankServer) -> None:
    server.fault = lambda *_: Reply(500, body=b"")
    clock = Clock()
    with pytest.raises(ScoreError, match="status 500; given up after 5 tries; the same command tries again"):
        asked(server, clock, attempts=5)
    assert len(clock.waited) == 4
    for attempt, seconds in enumerate(clock.waited, 1):
        assert 0.5 * 0.5 * 2**attempt <= seconds <= 0.5 * 2**attempt


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_obeyed(server: RerankServer, form: str) -> None:
    when = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=31), usegmt=True)
    headers = {"Retry-After": "30" if form == "seconds" else when}
    server.fault = lambda number, *_: Reply(429, headers) if number == 0 else None
    clock = Clock()
    np.testing.assert_array_equal(asked(server, clock).scores[0], EXPECTED)
    assert any(28 < seconds <= 32 for seconds in clock.waited)


def test_a_server_that_wants_too_much_patience_is_left(server: RerankServer) -> None:
    server.fault = lambda *_: Reply(429, {"Retry-After": "86400"})
    with pytest.raises(ScoreError, match=r"given up after 1 tries \(it requests a wait of 86400 s\)"):
        asked(server)
    assert len(server.asked) == 1


def test_the_pace_is_kept(server: RerankServer) -> None:
    clock = Clock()
    asked(server, clock, requests_per_minute=60, documents_per_request=2)
    assert len(server.asked) == 6
    assert len(clock.waited) == 5
    assert clock.waited == sorted(clock.waited)  # nobody waited in truth, so that the turns pile up
    assert 4 < clock.waited[-1] <= 5


def test_requests_run_at_the_same_time(server: RerankServer) -> None:
    server.fault = lambda *_: Reply(wait=0.1)
    found = asked(server, concurrency=3, documents_per_request=2)
    assert server.most_at_once == 3
    np.testing.assert_array_equal(found.scores[0], EXPECTED)


def test_order_does_not_matter_and_cut_results_are_asked_for_again(server: RerankServer) -> None:
    server.fault = lambda number, body, scored: Reply(scored=scored[::-1][:2])
    found = asked(server)
    np.testing.assert_array_equal(found.scores[0], EXPECTED)
    assert [len(one["documents"]) for one in server.asked] == [8, 6, 4, 2, 3, 1]


def test_a_document_that_is_never_scored_is_told(server: RerankServer) -> None:
    server.fault = lambda number, body, scored: Reply(
        scored=[one for one in scored if "basel" not in body["documents"][one[0]]] or scored[:0]
    )
    with pytest.raises(ScoreError, match=r"given up after 2 tries|gave no score for 1 of 8 documents"):
        asked(server, attempts=2)


@pytest.mark.parametrize(
    ("scored", "message"),
    [
        ([(0, float("nan")), *[(i, 1.0) for i in range(1, 8)]], "gave the score nan for pair 0"),
        ([(0, 1.0), (0, 2.0)], "index 0 comes twice"),
        ([(8, 1.0)], "index 8 in the answer is none of 8 documents"),
        ([(-1, 1.0)], "index -1"),
        ([("0", 1.0)], "index '0'"),
        ([(True, 1.0)], "index True"),
        ([(0, "0.5")], "relevance_score '0.5' in the answer is no number"),
        ([(0, None)], "relevance_score None"),
    ],
)
def test_answers_that_make_no_sense_are_refused(server: RerankServer, scored: Any, message: str) -> None:
    server.fault = lambda number, *_: Reply(scored=scored) if number == 0 else None
    with pytest.raises(ScoreError, match=message) as told:
        asked(server)
    assert server.url in str(told.value)


def test_an_answer_of_another_shape_is_refused(server: RerankServer) -> None:
    server.fault = lambda *_: Reply(body=b'{"data": []}')
    with pytest.raises(ScoreError, match="the answer has no list 'results'"):
        asked(server)


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(400, body=b'{"message": "too many documents"}'), "status 400: .*too many documents"),
        (Reply(401), "status 401; the server refuses the key$"),
        (Reply(302, {"Location": "http://127.0.0.1:1/elsewhere"}), "status 302; it points elsewhere"),
        (Reply(404), "status 404"),
    ],
)
def test_refusals_are_not_tried_again(server: RerankServer, monkeypatch: Any, reply: Reply, message: str) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    reply = replace(reply, body=reply.body or b"")
    server.fault = lambda *_: reply
    with pytest.raises(InputError, match=message):
        asked(server, key="MY_KEY")
    assert len(server.asked) == 1


def test_no_server_there() -> None:
    with rerank_server() as server:
        gone = spec(server, attempts=2)
    model: Any = load(gone)
    model.client.stop = Clock()
    with pytest.raises(ScoreError, match="no server answers there; given up after 2 tries"):
        model.score(GROUPS, [Setting()], TextOptions())


def test_the_key_is_sent_and_shown_to_nobody(
    server: RerankServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MY_KEY", f" {KEY}\n")
    server.fault = lambda number, *_: Reply(500 if number == 0 else 400, body=f"your key {KEY} is bad".encode())
    model: Any = load(spec(server, key="MY_KEY"))
    model.client.stop = Clock()
    with caplog.at_level(logging.DEBUG), pytest.raises(InputError, match=r"your key \*\*\* is bad") as told:
        model.score(GROUPS, [Setting()], TextOptions())
    assert server.keys == [f"Bearer {KEY}"] * 2
    for shown in (caplog.text, str(told.value), json.dumps(model.identity(TextOptions())), repr(model.spec)):
        assert KEY not in shown


def test_identity_is_what_can_change_a_score(server: RerankServer) -> None:
    identity = load(spec(server)).identity(TextOptions())
    assert identity == {
        "adapter": "served/1",
        "api": "cohere",
        "model": "rerank-model-1",
        "version": "2026-11-26",
        "parameters": {},
    }
    more = {"concurrency": 9, "timeout": 1.5, "attempts": 2, "documents_per_request": 3, "requests_per_minute": 10}
    assert load(spec(server, **more)).identity(TextOptions()) == identity
    assert load(spec(server, parameters={"max_tokens_per_doc": 99})).identity(TextOptions()) != identity
    assert load(spec(server, listwise=True)).identity(TextOptions())["listwise"] == {"documents_per_request": 1000}


def test_a_list_is_never_split(server: RerankServer) -> None:
    with pytest.raises(InputError, match="is listwise and takes 5 documents at a time, a query has 8"):
        asked(server, listwise=True, documents_per_request=5)
    server.fault = lambda number, body, scored: Reply(scored=scored[:2]) if number == 0 else None
    np.testing.assert_array_equal(asked(server, listwise=True).scores[0], EXPECTED)
    assert [len(one["documents"]) for one in server.asked] == [8, 8, 3]


@pytest.mark.parametrize(
    ("served", "message"),
    [
        ({}, "key 'server.api' is missing"),
        ({"api": "coher"}, "api 'coher' is unknown; did you mean 'cohere'"),
        ({"api": "tei"}, "key 'server.url' is missing"),
        ({"api": "cohere", "url": "localhost:80"}, "expected an address such as"),
        ({"api": "cohere", "url": "http://user:secret@host"}, "only host, port and path may be in it"),
        ({"api": "cohere", "url": "http://host/?key=secret"}, "only host, port and path may be in it"),
        ({"api": "cohere", "url": "http://host", "key": "sk-12-secret"}, "not the key itself"),
        ({"api": "cohere", "url": "http://host", "key": "NO_SUCH_KEY"}, "the environment variable NO_SUCH_KEY"),
        ({"api": "cohere", "url": "http://host", "concurency": 2}, "'server.concurency'; did you mean 'concurrency'"),
        ({"api": "cohere", "url": "http://host", "timeout": 0}, "key 'server.timeout': expected a number above 0"),
        ({"api": "cohere", "url": "http://host", "attempts": 1.5}, "key 'server.attempts'"),
        ({"api": "cohere", "url": "http://host", "parameters": [1]}, "key 'server.parameters'"),
        ({"api": "cohere", "url": "http://host", "listwise": "yes"}, "key 'server.listwise'"),
    ],
)
def test_faults_of_a_specification(served: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as told:
        load(ModelSpec("mine", "served", "m", revision="1", options={"server": served}))
    assert "secret" not in str(told.value)


def test_keys_that_would_be_ignored_are_refused(server: RerankServer) -> None:
    whole = spec(server)
    for more, message in (
        ({"revision": None}, "needs a `revision`"),
        ({"max_length": 64}, "key 'max_length' has no effect on a server"),
        ({"family": "cross-encoder"}, "server: unknown key"),
        ({"options": {**whole.options, "wording": {"answer": "x"}}}, "wording: unknown key"),
    ):
        with pytest.raises(InputError, match=message):
            load(replace(whole, **more))
    with pytest.raises(InputError, match="a server chooses its own dtype"):
        load(whole, LoadOptions(dtype="float16"))
    with pytest.raises(InputError, match="a server cuts its texts itself; leave out max_length"):
        load(whole).score(GROUPS, [Setting()], TextOptions(max_length=9))


def test_a_yaml_file_says_it_all(server: RerankServer, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        f"family: served\nsource: rerank-model-1\nrevision: '1'\nserver: {{api: cohere, url: {server.url}}}\n"
    )
    assert load_spec(str(file)).options["server"] == {"api": "cohere", "url": server.url}
    model = load(str(file))
    assert model.rank("train to basel", ["hi", "a train to basel"], top_k=1)[0]["corpus_id"] == 1
    with pytest.raises(InputError, match="full depth only"):
        model.predict([("a", "b")], setting="L3")


def test_shapes_have_sources() -> None:
    for api in apis().values():
        assert len(api.source) > 20
        assert api.most > 0
        assert {"query", "documents"} <= set(api.send)
