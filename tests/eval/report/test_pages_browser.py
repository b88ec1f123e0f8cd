"""The newer parts of the report, the leaderboard and the trend in Chromium.

At 1280 and 400 pixels, without script, by keyboard, on paper, and at the size of a large comparison.
"""

from __future__ import annotations

import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from big_board import big_board, pages
from gate_cells import FakeCell, some_scores
from replay_run import QUERIES, replay_run
from report_cells import dataset, write, write_first_stage
from report_page import HOSTILE
from rerankbench.eval.gate.baseline import accept
from rerankbench.eval.gate.baseline import write as write_baseline
from rerankbench.eval.gate.snapshot import snapshots
from rerankbench.eval.report import render
from rerankbench.eval.report.leaderboard import leaderboard
from rerankbench.eval.report.trend import trend
from rerankbench.eval.results import load_cells

pytestmark = pytest.mark.slow
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 400, "height": 800}


@pytest.fixture(scope="module")
def report_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pages")
    replay_run(root)
    path = root / "report.html"
    path.write_text(render(load_cells([root / "run"]), load=None), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def board_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("board")
    for name in ("tea", "salt"):
        data = dataset(name, queries=20)
        write_first_stage(root, data)
        write(root, data, "bge-reranker-v2-m3", flops=4_000, strength=0.8)
        write(root, data, "all-minilm-l6-v2", flops=100, strength=0.4)
        write(root, data, "mine", flops=3_000, strength=1.2)
    path = root / "leaderboard.html"
    path.write_text(leaderboard(load_cells([root])), encoding="utf-8")
    return path


def shown(page: Any) -> list[str]:
    return page.locator("#board tbody tr:not([hidden]) th").all_inner_texts()


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["1280", "400"])
def test_depth_charts_and_all_queries(open_report: Any, report_file: Path, viewport: dict[str, int]) -> None:
    opened = open_report(report_file, viewport=viewport)
    page = opened.page
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    assert "If only the score counts" in page.inner_text("#choose")
    drawn = page.locator("#depth svg.wide" if viewport is DESK else "#depth svg.narrow").first
    assert drawn.is_visible()
    assert drawn.locator(".dot").count() == 9  # three settings at three depths
    assert page.locator("#depth .multiples svg").count() == 1
    assert f"{QUERIES} of {QUERIES} queries" in page.inner_text("#query-count")
    page.locator("#query-search").fill("q07")
    assert page.locator("#query-table tbody tr").count() == 1
    page.locator("#query-search").fill("")
    page.locator("#query-kind").select_option("lost")
    changes = page.locator("#query-table tbody td:last-child").all_inner_texts()
    assert all(text.startswith("\N{MINUS SIGN}") for text in changes)
    page.locator("#query-kind").select_option("")
    page.locator("#query-table thead button", has_text="change").press("Enter")
    page.locator("#query-more").click()
    assert page.locator("#query-table tbody tr").count() == QUERIES
    assert opened.complaints == []


def test_wide_screens_are_used(open_report: Any, report_file: Path) -> None:
    page = open_report(report_file, viewport={"width": 2000, "height": 1200}).page
    left, right = page.locator("#frontier").bounding_box(), page.locator("#depth").bounding_box()
    assert right["x"] > left["x"] + left["width"]
    assert abs(right["y"] - left["y"]) < 5
    assert right["x"] + right["width"] > 1800


def test_without_script_everything_but_the_filters_is_there(
    open_report: Any, report_file: Path, board_file: Path
) -> None:
    page = open_report(report_file, java_script_enabled=False).page
    assert page.locator("#depth svg.wide").is_visible()
    assert page.locator("#query-controls").is_hidden()
    assert "JavaScript" in page.inner_text("#every-query")
    board = open_report(board_file, java_script_enabled=False).page
    assert len(shown(board)) == 4
    assert board.locator("#board-controls").is_hidden()


def test_on_paper_there_are_no_controls(open_report: Any, report_file: Path, board_file: Path) -> None:
    for file, there in ((report_file, "#depth svg.wide"), (board_file, "#board")):
        page = open_report(file).page
        page.emulate_media(media="print")
        assert page.locator(there).is_visible()
        assert not page.locator(".controls").first.is_visible()
        assert len(page.pdf()) > 10_000


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["1280", "400"])
def test_leaderboard_filters_sorts_and_links(open_report: Any, board_file: Path, viewport: dict[str, int]) -> None:
    opened = open_report(board_file, viewport=viewport)
    page = opened.page
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    best_first = shown(page)
    assert best_first[0] == "mine full"
    page.locator("[data-filter=license]").select_option("apache-2.0")
    assert set(shown(page)) == {"bge-reranker-v2-m3 full", "all-minilm-l6-v2 full"}
    page.locator("[data-filter=size]").fill("100")
    assert shown(page) == ["all-minilm-l6-v2 full"]
    page.locator("button[type=reset]").press("Enter")
    page.locator("#board thead button", has_text="FLOPs per query").press("Enter")
    page.locator("#board thead button", has_text="FLOPs per query").press("Enter")
    page.locator("[data-filter=search]").fill("full")
    page.wait_for_timeout(50)
    cheap_first = shown(page)
    assert cheap_first == ["all-minilm-l6-v2 full", "mine full", "bge-reranker-v2-m3 full"]
    link = page.evaluate("location.hash")
    again = open_report(board_file, anchor=link, viewport=viewport)
    assert shown(again.page) == cheap_first
    assert opened.complaints == again.complaints == []


def test_leaderboard_is_inert(open_report: Any, tmp_path: Path) -> None:
    data = dataset("tea", queries=8)
    write_first_stage(tmp_path, data)
    write(tmp_path, data, HOSTILE.replace("/", "|"), flops=5)
    path = tmp_path / "board.html"
    path.write_text(leaderboard(load_cells([tmp_path])), encoding="utf-8")
    opened = open_report(path)
    assert opened.page.evaluate("window.broken") is None
    assert opened.page.locator("img").count() == 0
    assert opened.complaints == []


def test_trend_of_a_baseline(open_report: Any, tmp_path: Path) -> None:
    repository = tmp_path / "repo"
    repository.mkdir()

    def git(*arguments: str) -> None:
        author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", "-C", str(repository), *author, *arguments], check=True, capture_output=True)

    git("init", "--quiet")
    for number, signal in enumerate((1, 5)):
        folder = tmp_path / f"run{number}"
        FakeCell(some_scores(signal=signal)).write(folder)
        found = snapshots(folder, ("nDCG@10",))
        write_baseline(repository / "base.json", accept(None, found, reason="step", today=date(2026, 1, number + 1)))
        git("add", "base.json")
        git("commit", "--quiet", "-m", f"step {number} <b>bold</b>")
    path = tmp_path / "trend.html"
    path.write_text(trend(repository / "base.json"), encoding="utf-8")
    opened = open_report(path, viewport=PHONE)
    page = opened.page
    assert page.locator("#versions tbody tr").count() == 2
    assert "step 1 <b>bold</b>" in page.inner_text("#versions")
    assert page.locator("#cells tbody tr").first.locator("circle").count() == 2
    assert page.locator("#cells tbody td").nth(1).inner_text().startswith("+")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert opened.complaints == []


def test_forty_variants_on_33_datasets_stay_small(open_report: Any, tmp_path: Path) -> None:
    found = pages(big_board(tmp_path / "run", queries=8), tmp_path, queries=8)
    for path in found.values():
        assert path.stat().st_size < 5_000_000
        opened = open_report(path)
        opened.page.locator("#theme").wait_for()
        assert opened.complaints == []
