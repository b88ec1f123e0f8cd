"""Generators that order windows: RankGPT's own functions as oracle, any list comes back whole, and chats over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from checkpoints import PARITY
from hypothesis import given, settings
from hypothesis import strategies as st
from rerank_server import KEY
from rerankbench.rerankers import Group, InputError, ScoreError, Setting, TextOptions, load
from rerankbench.rerankers.listwise import ChatModel, ListReranker, SlidingWindow, parse_order
from rerankbench.rerankers.served.options import Service

CASES = json.loads((PARITY / "rankgpt.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{len(case['passages'])}-{case['window']}-{case['stride']}")
def test_orders_are_those_of_rankgpt(case: dict[str, Any]) -> None:
    answers, chats = iter(case["answers"]), []

    def generate(messages: list[dict[str, str]]) -> str:
        chats.append(messages)
        return next(answers)

    ranker = SlidingWindow(generate, "1", window=case["window"], stride=case["stride"])
    assert ranker.sort(case["query"], case["passages"]) == case["order"]
    assert len(chats) == len(case["answers"])
    if case["first_chat"]:
        assert chats[0] == case["first_chat"]


def test_incomplete_answers_are_counted() -> None:
    ranker = SlidingWindow(lambda messages: "[2]", "1")
    assert ranker.sort("q", ["a", "b", "c"]) == [1, 0, 2]
    assert ranker.incomplete == 1


@pytest.mark.parametrize(
    ("answer", "order"),
    [
        ("[2] > [1] > [3]", [1, 0, 2]),
        ("2,3 , 1.", [1, 2, 0]),
        ("[3] > [3] > [9] > [0]", [2]),
        ("Passage 1 is best", [0]),
        ("I cannot do that", []),
        ("[12]", []),
        ("²³ 1", [0]),
        ("9" * 5000, []),
    ],
)
def test_answers_are_read_as_rankgpt_reads_them(answer: str, order: list[int]) -> None:
    assert parse_order(answer, 3) == order


class ByNumber(ListReranker):
    """Orders a window by the numbers that its passages are."""

    version = "1"

    def __init__(self, window: int, stride: int, order: Any = "given", depth: int | None = None) -> None:
        self.window, self.stride, self.order, self.depth = window, stride, order, depth

    def arrange(self, query: str, passages: Sequence[str]) -> list[int]:
        return sorted(range(len(passages)), key=lambda i: -int(passages[i]))


@settings(max_examples=60, deadline=None)
@given(
    numbers=st.lists(st.integers(0, 99), unique=True, max_size=15),
    window=st.integers(2, 9),
    stride=st.integers(1, 9),
    depth=st.none() | st.integers(1, 20),
    order=st.sampled_from(["given", "reversed"]),
)
def test_any_list_comes_back_whole_with_its_best_on_top(
    numbers: list[int], window: int, stride: int, depth: int | None, order: str
) -> None:
    ranker = ByNumber(window, min(stride, window), order, depth)
    passages = [str(number) for number in numbers]
    places = ranker.sort("q", passages)
    assert sorted(places) == list(range(len(numbers)))
    taking_part = len(numbers) if depth is None else min(depth, len(numbers))
    assert places[taking_part:] == list(range(taking_part, len(numbers)))
    if stride < window and taking_part:  # windows overlap, so the best is carried to the top
        assert numbers[places[0]] == max(numbers[:taking_part])
    scores = ranker.score("q", passages)
    assert sorted(range(len(numbers)), key=lambda i: -scores[i]) == places


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"window": 1, "stride": 1}, "window 1, stride 1"),
        ({"window": 4, "stride": 5}, "window 4, stride 5"),
        ({"order": "shuffled"}, "order 'shuffled' is unknown; known: given, reversed"),
        ({"depth": 0}, "depth 0: must be at least 1"),
    ],
)
def test_windows_that_make_no_sense_are_refused(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SlidingWindow(lambda messages: "", "1", **kwargs)


@pytest.mark.parametrize("order", [[0, 0], [1], [0, 2], [0, 1, 2]])
def test_a_window_that_does_not_come_back_whole_is_refused(order: list[int]) -> None:
    class Wrong(ByNumber):
        def arrange(self, query: str, passages: Sequence[str]) -> list[int]:
            return order

    with pytest.raises(ScoreError, match="is no order of 2 passages"):
        load(Wrong(2, 1)).score([Group("q", ["1", "2"])], [Setting()], TextOptions())


def test_the_identity_holds_window_stride_order_and_depth() -> None:
    def identity(**kwargs: Any) -> Any:
        return load(SlidingWindow(lambda messages: "", "7", **kwargs)).identity(TextOptions())

    first = identity()
    how = first["listwise"]
    assert (how["window"], how["stride"], how["order"], how["depth"], how["words"]) == (20, 10, "given", None, 300)
    assert first["version"] == "7"
    others = ({"window": 10}, {"stride": 5}, {"order": "reversed"}, {"depth": 50})
    assert all(identity(**other) != first for other in others)
    assert json.loads(json.dumps(first)) == first


class ChatServer:
    """Answers every window in reverse, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.body: Any = None
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.asked.append({**asked, "path": self.path})
                server.keys.append(self.headers.get("Authorization"))
                count = sum(one["role"] == "user" and one["content"].startswith("[") for one in asked["messages"])
                text = " > ".join(f"[{number}]" for number in range(count, 0, -1))
                answer = {
                    "choices": [{"message": {"role": "assistant", "content": text}}],
                    "usage": {"total_tokens": 7},
                }
                body = json.dumps(answer if server.body is None else server.body).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                return

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def chat() -> Iterator[ChatServer]:
    server = ChatServer()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.http.shutdown()
    thread.join()
    server.http.server_close()


def test_a_chat_model_behind_a_server(chat: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_KEY", KEY)
    service = Service(api="chat", concurrency=2, parameters={"seed": 3})
    model = ChatModel(chat.url, "org/chat-1", "CHAT_KEY", service=service)
    reranker = load(SlidingWindow(model, "2026-11", window=3, stride=2))
    groups = [Group("q", ["a", "b", "c"]), Group("r", ["d", "e"])]
    found = reranker.score(groups, [Setting()], TextOptions())
    assert found.scores[0].tolist() == [0, 1, 2, 0, 1]
    assert {(one["path"], one["model"], one["temperature"], one["seed"]) for one in chat.asked} == {
        ("/v1/chat/completions", "org/chat-1", 0, 3)
    }
    assert chat.keys == [f"Bearer {KEY}"] * 2
    requests = found.executed.requests
    assert requests is not None
    assert (requests.sent, requests.billed, requests.unit) == (2, 14.0, "tokens")
    identity = reranker.identity(TextOptions())
    assert identity["listwise"]["generator"] == {"model": "org/chat-1", "temperature": 0, "seed": 3}
    assert KEY not in json.dumps(identity)
    assert reranker.spec.name == "chat-1"


@pytest.mark.parametrize("body", [{}, {"choices": []}, [1], {"choices": [{"message": {"content": None}}]}])
def test_answers_without_a_text_are_refused(chat: ChatServer, body: Any) -> None:
    chat.body = body
    reranker = load(SlidingWindow(ChatModel(chat.url, "m"), "1"))
    with pytest.raises(ScoreError, match=r"no choices\[0\]\.message\.content|expected a text"):
        reranker.score([Group("q", ["a", "b"])], [Setting()], TextOptions())
