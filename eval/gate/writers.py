"""A report as text, Markdown, JUnit XML, GitHub annotations and JSON. Each writer returns a string."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from xml.etree import ElementTree as ET

from ..text.aligned import listing
from ..text.sanitize import clean
from ..text.sanitize import to_json as json_text
from .check import CellCheck, GateReport, Status

_MARKS = {"OK": "✅", "NEW": "🆕", "DRIFT": "🟡"}


def to_text(report: GateReport) -> str:
    """A table for the terminal, then what was found, then one line of summary."""
    rows = [("status", "cell", "metric", "accepted", "now", "change", "p (Holm)")]
    rows += [(cell.status, f"{cell.key}", *figures) for cell in report.cells for figures in _figures(cell)]
    lines = listing(rows[0], rows[1:], keys=3).rstrip("\n").split("\n")
    for heading, texts in _told(report):
        lines += ["", heading, *(f"  {text}" for text in texts)]
    remarks = [f"{_cells(n)}: {text}" for text, n in _remarks(report).items()]
    return "\n".join([*lines, *([""] if remarks else []), *remarks, "", summary(report)])


def to_markdown(report: GateReport) -> str:
    """For a GitHub step summary or a comment: verdict, what was found, then all figures; what is OK is folded."""
    lines = [f"### Regression check: {'passed ✅' if report.passed else 'failed ❌'}", "", summary(report), ""]
    fine = [cell for cell in report.cells if cell.status == "OK"]
    if moved := [cell for cell in report.cells if cell.status != "OK"]:
        lines += [*_markdown_table(moved), ""]
    for heading, texts in _told(report):
        lines += [f"- {_escape_markdown(heading)}", *(f"  - {_escape_markdown(text)}" for text in texts)]
    lines += [f"- {_cells(n)}: {_escape_markdown(text)}" for text, n in _remarks(report).items()]
    if fine:
        lines += [
            "",
            f"<details><summary>{_cells(len(fine))} OK</summary>",
            "",
            *_markdown_table(fine),
            "",
            "</details>",
        ]
    return "\n".join(lines) + "\n"


def _markdown_table(cells: Sequence[CellCheck]) -> list[str]:
    lines = ["| | cell | metric | accepted | now | change | p (Holm) |", "|---|---|---|---:|---:|---:|---:|"]
    for cell in cells:
        mark = f"{_MARKS.get(cell.status, '❌')} {cell.status}"
        lines += ["| " + " | ".join((mark, _code(cell.key), *figures)) + " |" for figures in _figures(cell)]
    return lines


def to_junit(report: GateReport) -> str:
    """One test case per cell; DRIFT and NEW pass, with their findings as output."""
    failures = sum(cell.failed for cell in report.cells)
    suite = ET.Element("testsuite", name="rerankbench check", tests=str(len(report.cells)), failures=str(failures))
    for cell in report.cells:
        case = ET.SubElement(suite, "testcase", classname="rerankbench.check", name=clean(cell.key))
        text = clean("\n".join(f.text for f in cell.findings))
        if cell.failed:
            ET.SubElement(case, "failure", type=cell.status, message=clean(_first(cell))).text = text
        elif text:
            ET.SubElement(case, "system-out").text = f"{cell.status}\n{text}"
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def to_annotations(report: GateReport) -> str:
    """GitHub workflow commands: an error per failed cell, a warning per drift, a notice per new cell."""
    lines = []
    for cell in report.cells:
        command = "error" if cell.failed else {"DRIFT": "warning", "NEW": "notice"}.get(cell.status)
        if command:
            text = "\n".join(f.text for f in cell.findings)
            title = _escape_command(f"{cell.status} {cell.key}").replace(":", "%3A").replace(",", "%2C")
            lines.append(f"::{command} title={title}::{_escape_command(text)}\n")
    return "".join(lines)


def to_json(report: GateReport) -> str:
    """Everything, NaN as null."""
    cells = [{**asdict(cell), "failed": cell.failed} for cell in report.cells]
    body = {"passed": report.passed, "policy": report.policy.model_dump(mode="json"), "cells": cells}
    return json_text(_finite(body), indent=1)


def summary(report: GateReport) -> str:
    """`failed: 1 FAIL, 3 OK (judge: significance, alpha 0.05, Holm over 4 tests, or a drop beyond 0.2)`."""
    counts = Counter(cell.status for cell in report.cells)
    statuses = ", ".join(f"{n} {status}" for status, n in sorted(counts.items()))
    verdict = "passed" if report.passed else "failed"
    return f"{verdict}: {statuses} (judge: {report.policy.judge}, {_rule(report)})"


def _rule(report: GateReport) -> str:
    policy = report.policy
    if policy.judge == "significance":
        tests = sum(m.p_holm is not None for cell in report.cells for m in cell.metrics)
        return f"alpha {policy.alpha:g}, Holm over {tests} tests, or a drop beyond {policy.max_drop:g}"
    own = sum(any(m.tolerance != policy.tolerance for m in cell.metrics) for cell in report.cells)
    but = f", {_cells(own)} with a tolerance of {'its' if own == 1 else 'their'} own" if own else ""
    return f"a query's drop beyond {policy.query_tolerance:g} or a mean's beyond {policy.tolerance:g} fails{but}"


def _figures(cell: CellCheck) -> Sequence[tuple[str, str, str, str, str]]:
    if not cell.metrics:
        return [("", "", "", "", "")]
    return [
        (
            m.metric,
            f"{m.before:.4f}",
            f"{m.after:.4f}",
            f"{m.delta:+.4f}",
            "" if m.p_holm is None else f"{m.p_holm:.2g}",
        )
        for m in cell.metrics
    ]


def _told(report: GateReport) -> list[tuple[str, tuple[str, ...]]]:
    """`STATUS cell` and its findings; cells of one status with the same findings stand together."""
    groups: dict[tuple[Status, tuple[str, ...]], list[str]] = {}
    for cell in report.cells:
        if texts := tuple(f.text for f in cell.findings if f.level != "OK"):
            groups.setdefault((cell.status, texts), []).append(cell.key)
    return [(f"{status} {_named(keys)}", texts) for (status, texts), keys in groups.items()]


def _named(keys: list[str]) -> str:
    return keys[0] if len(keys) == 1 else f"{len(keys)} cells: {', '.join(keys[:3])}{', …' if len(keys) > 3 else ''}"


def _remarks(report: GateReport) -> Counter[str]:
    """Remarks that fail nothing, often the same for many cells, each with its number of cells."""
    return Counter(f.text for cell in report.cells for f in cell.findings if f.level == "OK")


def _cells(n: int) -> str:
    return "1 cell" if n == 1 else f"{n} cells"


def _first(cell: CellCheck) -> str:
    return next((f.text for f in cell.findings if f.level == "FAIL"), cell.status)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value


def _escape_markdown(text: str) -> str:
    text = clean(" ".join(text.split()))
    for char, written in (("\\", "\\\\"), ("&", "&amp;"), ("<", "&lt;"), ("|", "\\|"), ("`", "\\`"), ("](", "]\\(")):
        text = text.replace(char, written)
    return text


def _code(text: str) -> str:
    plain = clean(" ".join(text.split())).replace("`", "'").replace("|", "\\|")
    return f"`{plain}`"


def _escape_command(text: str) -> str:
    return clean(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
