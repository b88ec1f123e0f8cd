"""The figures of docs/flops.md that stand outside of its commands; tests/docs/run_blocks.py runs those."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rerankbench.eval.plan.pair import count_pair
from rerankbench.rerankers.settings import Setting

PAGE = (Path(__file__).parents[2] / "docs" / "flops.md").read_text(encoding="utf-8")
LENGTHS = re.findall(r"\| (\d+) \| (\d+) \| ([\d.]+) %", PAGE)


def test_the_page_has_lengths() -> None:
    assert len(LENGTHS) == 7


@pytest.mark.parametrize(("query", "passage", "saved"), LENGTHS)
def test_saved_shares_of_the_page(query: str, passage: str, saved: str) -> None:
    report = count_pair(
        "bge-reranker-v2.5-gemma2-lightweight", Setting.parse("L25-r2@8"), (int(query), int(passage), 14)
    )
    assert f"{report['saved']:.1%}" == f"{saved}%"


def test_arithmetic_of_the_page() -> None:
    """Each `expression` = value in integers holds."""
    checked = 0
    for expression, value in re.findall(r"`([\d,·+()² ]+)`\s*= ([\d,]{4,})", PAGE):
        python = expression.replace(",", "").replace("·", "*").replace("²", "**2")
        assert eval(python) == int(value.replace(",", "").rstrip(".")), expression
        checked += 1
    assert checked == 5
