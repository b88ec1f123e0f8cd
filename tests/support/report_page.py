"""A report read as a browser would, and texts that try to do harm in it."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

from report_cells import MemoryDataset, dataset

HOSTILE = '</script><script>window.broken = 1</script><img src=x onerror="window.broken = 1">'


class Page(HTMLParser):
    """Collects elements with their attributes, the text, and the content of scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.scripts: list[str] = []
        self._open = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open == "script":
            self.scripts[-1] += data
        elif self._open != "style":
            self.text += data

    def data(self) -> Any:
        return json.loads(self.scripts[-1])


def hostile_dataset() -> MemoryDataset:
    data = dataset(f"{HOSTILE}שלום")
    data.queries = {q: f"{HOSTILE} ما هي عاصمة {i}" for i, q in enumerate(data.queries)}
    data.documents = {doc: f"{HOSTILE} passage שלום {doc}" for doc in data.documents}
    return data
