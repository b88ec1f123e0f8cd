"""Forty variants on 33 datasets: made-up cells of the size of a large comparison, and how fast their pages open.

python tests/support/big_board.py FOLDER     writes report.html and leaderboard.html there and times Chromium
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from time import perf_counter

from report_cells import dataset, write, write_first_stage
from rerankbench.eval.report import render
from rerankbench.eval.report.leaderboard import leaderboard
from rerankbench.eval.results import Cell, load_cells

MODELS, SETTINGS, DATASETS, QUERIES = 5, 8, 33, 40


def big_board(root: Path, queries: int = QUERIES) -> list[Cell]:
    """1,353 cells: 33 first stages and 5 models with 8 settings on each dataset."""
    for number in range(DATASETS):
        data = dataset(f"set{number:02d}", queries=queries, documents=12)
        write_first_stage(root, data)
        for model in range(MODELS):
            for layer in range(1, SETTINGS + 1):
                strength = 0.15 + 0.05 * layer + 0.03 * model
                write(root, data, f"model-{model}", f"L{layer}", strength=strength, flops=layer * (model + 1) * 10**9)
    return load_cells([root])


def pages(cells: list[Cell], folder: Path, queries: int = QUERIES) -> dict[str, Path]:
    """The report and the leaderboard of some cells."""
    found = {"report": folder / "report.html", "leaderboard": folder / "leaderboard.html"}
    report = render(cells, load=lambda name: dataset(name, queries=queries, documents=12))
    found["report"].write_text(report, encoding="utf-8")
    found["leaderboard"].write_text(leaderboard(cells), encoding="utf-8")
    return found


def main(folder: Path) -> None:
    """Print size and time until each page answers."""
    from playwright.sync_api import sync_playwright

    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / "run", ignore_errors=True)
    found = pages(big_board(folder / "run"), folder)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--headless=new", "--no-sandbox"])
        for name, path in found.items():
            times = []
            for _ in range(5):
                page = browser.new_page()
                start = perf_counter()
                page.goto(path.as_uri())
                page.locator("#theme").wait_for()
                times.append(perf_counter() - start)
                page.close()
            print(f"{name}: {path.stat().st_size / 1e6:.2f} MB, opens in {sorted(times)[2]:.2f} s (median of 5)")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
