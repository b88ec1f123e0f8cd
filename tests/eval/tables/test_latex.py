"""LaTeX tables in a real TeX: they compile, and nothing is wider than the line."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from rerankbench.eval.results import FIRST_STAGE, Cell
from rerankbench.eval.tables import render
from table_cells import make_cell

TEX = shutil.which("pdflatex")
needs_tex = pytest.mark.skipif(TEX is None, reason="no pdflatex on this machine: install texlive-latex-recommended")
DOCUMENT = r"""\documentclass{article}
\usepackage{booktabs,graphicx}
\begin{document}
%s
\end{document}
"""


def grid(variants: int, datasets: int) -> list[Cell]:
    cells = [make_cell(f"beir/data_set-{d}", 0.3, "bm25", FIRST_STAGE) for d in range(datasets)]
    return cells + [
        make_cell(f"beir/data_set-{d}", 0.4 + (v * 7 + d) % 50 / 100, f"model_{v}", "L12-r2@8", flops=10**11 * (v + 1))
        for v in range(variants)
        for d in range(datasets)
    ]


HOSTILE = [
    make_cell(r"a\b&c%d$e#f_g{h}~^<>|[x]*–°−×†‡§¶ é", 0.5, r"m\input{/etc/passwd}", "L3", partial={"limit": 3}),
    make_cell(
        r"a\b&c%d$e#f_g{h}~^<>|[x]*–°−×†‡§¶ é",
        0.4,
        "plain",
        "L4",
        provenance={"model": {"trained_on": "not disclosed"}},
    ),
]


@needs_tex
@pytest.mark.parametrize(
    "cells",
    [grid(1, 3), grid(12, 5), grid(6, 18), grid(40, 33), HOSTILE],
    ids=["small", "wide", "long", "large", "hostile"],
)
def test_it_compiles_and_fits_the_line(cells: list[Cell], tmp_path: Path) -> None:
    (tmp_path / "table.tex").write_text(DOCUMENT % render(cells, format="latex"), encoding="utf-8")
    done = subprocess.run(
        [str(TEX), "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "table.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
    )
    assert done.returncode == 0, done.stdout[-1500:]
    log = (tmp_path / "table.log").read_text(encoding="latin-1")
    assert not re.findall(r"Overfull \\hbox \(([0-9.]+)pt", log)
    assert (tmp_path / "table.pdf").is_file()


def test_the_narrower_way_round_is_taken_where_a_page_is_too_narrow() -> None:
    assert r"\begin{tabular}{lrr}" in render(grid(1, 30), format="latex")  # datasets down
    assert r"\begin{tabular}{l" + "r" * 8 + "}" in render(grid(20, 4), format="latex")  # variants down
    assert r"\begin{tabular}{l" + "r" * 21 + "}" in render(grid(20, 4), format="latex", layout="beir")


def test_other_scripts_are_told() -> None:
    assert render([make_cell("数据", 0.5)], format="latex").startswith("% has letters beyond Latin")
    assert "beyond Latin" not in render(HOSTILE, format="latex")
