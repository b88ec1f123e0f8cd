"""What goes out is inert: terminals, CI, spreadsheets, XML, Markdown."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from attack import cli
from conftest import Trial
from gate_cells import FakeCell, some_scores
from hypothesis import given
from hypothesis import strategies as st
from rerankbench.eval.tables import render
from rerankbench.eval.text.sanitize import SanitizedStream, clean, without_commands
from table_cells import make_cell

HOSTILE = [
    "\x1b[2J",
    "\x9b31m",
    "a\u202eb",
    "\u2066x",
    "::error::x",
    "##[error]x",
    "\x07",
    "\r::set-env x",
    "\ufeff",
    "\x00",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_errors_and_logs(fresh: Trial, text: str) -> None:
    done = cli("run", f"nothing{text}")
    done.refused()
    cli("table", f"{text}").refused()
    assert not [line for line in done.err.splitlines() if line.startswith(("::", "##["))]


@given(st.text())
def test_clean_text_is_inert_and_stays_so(text: str) -> None:
    safe = clean(text)
    assert clean(safe) == safe
    assert all(char in "\n\t" or ord(char) >= 32 for char in safe)
    safe.encode()
    ET.fromstring(f"<a>{safe.replace('&', '&amp;').replace('<', '&lt;')}</a>")


@given(st.text(alphabet=":#[ \n\tax"))
def test_no_line_is_a_command(text: str) -> None:
    lines = without_commands(text).splitlines()
    assert not [line for line in lines if line.strip().startswith("::") or "##[" in line]


def test_a_stream_of_few_characters() -> None:
    raw = io.BytesIO()
    stream = SanitizedStream(io.TextIOWrapper(raw, encoding="ascii"))
    stream.write("ä→\x1b\n")
    stream.flush()
    assert raw.getvalue() == b"\\xe4\\u2192\\x1b\n"


@pytest.mark.parametrize("start", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "\tx"])
def test_cells_of_csv_are_no_formulas(start: str) -> None:
    text = render([make_cell("a", 0.5, model=start, root=Path(start))], format="csv")
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert any(cell == f"'{start}" for cell in cells)
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "\t"))]


@pytest.mark.parametrize("text", ["a\x1b[31m", "a\x01\ufffe", "a\u202e`|<img src=x>](http://x)", "a\n::error::x"])
def test_everything_the_gate_writes(tmp_path: Path, text: str) -> None:
    cell = FakeCell(some_scores(8, 10))
    cell.write(tmp_path / "run")
    parts = {**cell.parts, "model": {**cell.parts["model"], "prompt": text}}
    cell.but(parts=parts).write(tmp_path / "other")
    baseline, junit, markdown = tmp_path / "b.json", tmp_path / "j.xml", tmp_path / "m.md"
    cli("accept", "--run", tmp_path / "run", "--baseline", baseline, "--reason", text).well()
    done = cli(
        "check",
        "--run",
        tmp_path / "other",
        "--baseline",
        baseline,
        "--junit",
        junit,
        "--markdown",
        markdown,
        "--github",
        "--policy",
        "identity=refuse",
    )
    assert done.status == 1
    ET.parse(junit)
    written = markdown.read_text()
    for out in (written, done.out, done.err, junit.read_text()):
        assert all(char in "\n\t" or (char.isprintable() and char not in "\u202e\ufffe") for char in out), out
    assert "<img" not in written
    assert "](http" not in written
    assert [line[:8] for line in done.err.splitlines()] == ["::error "]
    assert not [line for line in done.out.splitlines() if line.startswith("::")]
