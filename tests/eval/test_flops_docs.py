"""Every figure of docs/flops.md is what its command prints."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from rerankbench.eval.cli.flops import count
from rerankbench.rerankers.settings import Setting

PAGE = (Path(__file__).parents[2] / "docs" / "flops.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```console\n\$ (.+)\n((?:.*\n)*?)```", PAGE)
LENGTHS = re.findall(r"\| (\d+) \| (\d+) \| ([\d.]+) %", PAGE)


def test_the_page_has_commands_and_lengths() -> None:
    assert (len(BLOCKS), len(LENGTHS)) == (3, 7)


@pytest.mark.parametrize(("command", "output"), BLOCKS)
def test_commands_print_what_the_page_shows(command: str, output: str) -> None:
    program, *arguments = shlex.split(command)
    runner = ["-c", "from rerankbench.eval.cli import main; main()"] if program == "rerankbench" else []
    found = subprocess.run([sys.executable, *runner, *arguments], capture_output=True, text=True, check=True)
    assert found.stdout == output


@pytest.mark.parametrize(("query", "passage", "saved"), LENGTHS)
def test_saved_shares_of_the_page(query: str, passage: str, saved: str) -> None:
    report = count("bge-reranker-v2.5-gemma2-lightweight", Setting.parse("L25-r2@8"), int(query), int(passage), 14)
    assert f"{report['saved']:.1%}" == f"{saved}%"


def test_arithmetic_of_the_page() -> None:
    """Each `expression` = value in integers holds."""
    checked = 0
    for expression, value in re.findall(r"`([\d,·+()² ]+)`\s*= ([\d,]{4,})", PAGE):
        python = expression.replace(",", "").replace("·", "*").replace("²", "**2")
        assert eval(python) == int(value.replace(",", "").rstrip(".")), expression
        checked += 1
    assert checked == 5
