"""A real browser for the pages: Chromium, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Opened:
    """A page and whatever the browser complained about."""

    page: Any
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (dependency group test)")
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: install Debian's chromium")
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield running
        running.close()


@pytest.fixture
def open_report(browser: Any) -> Iterator[Any]:
    """Opens a file; every request but that for the file itself is refused and noted."""
    contexts = []

    def go(path: Path, *, anchor: str = "", **options: Any) -> Opened:
        context = browser.new_context(**{"color_scheme": "light", **options})
        contexts.append(context)
        opened = Opened(context.new_page())
        url = path.as_uri()

        def only_the_file(route: Any) -> None:
            if route.request.url == url:
                route.continue_()
            else:
                opened.complaints.append(f"asked for {route.request.url}")
                route.abort()

        opened.page.route("**/*", only_the_file)
        opened.page.on(
            "console", lambda m: opened.complaints.append(m.text) if m.type in ("error", "warning") else None
        )
        opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        opened.page.goto(url + anchor)
        return opened

    yield go
    for context in contexts:
        context.close()
