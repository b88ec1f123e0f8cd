"""The report of `rerankbench verify` as text."""

from __future__ import annotations

from ..text.aligned import listing
from ..text.units import size
from .verify import Row, Verification

_VERDICT = {True: "met", False: "OFF", None: "-"}


def to_text(report: Verification) -> str:
    """Return published, found, difference and verdict; then what the model is made of, and what it took."""
    rows = [_format_row(row) for row in report.rows]
    head = ("QUERY", "PASSAGE", "SETTING", "PUBLISHED", "FOUND", "DIFFERENCE", "ALLOWED", "VERDICT")
    groups = [row.policies for row in report.rows] if report.default else None
    text = listing(head, rows, right=(3, 4, 5, 6), groups=groups)
    checks = [(c.what, c.expected, _VERDICT[c.met], c.found) for c in report.checks]
    text += "\n" + listing(("CHECKED", "EXPECTED", "VERDICT", "FOUND"), checks)
    text += (
        f"\n{report.model} on {report.device} in {report.dtype}: {report.pairs_per_second:,.1f} pairs/s, "
        f"at most {size(report.peak_bytes)} in use\n"
    )
    sources = dict.fromkeys(row.source for row in report.rows)
    return text + "".join(f"source: {source}\n" for source in sources) + _conclude(report)


def _format_row(row: Row) -> tuple[str, ...]:
    numbers = (f"{row.published:.4f}", f"{row.found:.4f}", f"{row.difference:+.4f}", f"{row.allowed:g}")
    return (_shorten(row.query), _shorten(row.passage), row.setting, *numbers, _VERDICT[row.met])


def _shorten(text: str) -> str:
    return text if len(text) <= 24 else text[:21] + "..."


def _conclude(report: Verification) -> str:
    if report.passed:
        beside = f"; so do {'; '.join(report.others)}" if report.others else ""
        under = f" under {report.default}" if report.default else ""
        return f"scores as published{under}{beside}\n"
    if report.meets(report.default):
        return "scores as published, but a check is off: see above\n"
    if report.others:
        return (
            f"does NOT score as published as asked; it does under {'; '.join(report.others)}: set that in experiments\n"
        )
    return "does NOT score as published: check revision, dtype, and the token ids above before anything is run\n"
