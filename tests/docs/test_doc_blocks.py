"""Every block of README.md and docs/ says whether it is run, and every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from doc_blocks import ROOT, PageError, agrees, blocks, pages

PAGES = [*pages(), ROOT / "CONTRIBUTING.md"]
_LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_has_a_mark(page: Path) -> None:
    blocks(page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(page.read_text(encoding="utf-8")):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), f"{page.name}: {link}"
        if anchor:
            assert anchor in _anchors(target), f"{page.name}: {link}"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("```bash\nls\n```\n", "without a mark"),
        ("<!-- run: perhaps -->\n```bash\nls\n```\n", "is none of"),
        ("<!-- not run -->\n```bash\nls\n```\n", "is none of"),
        ("<!-- run: prints -->\n```bash\nls\n```\n", "needs a ```text block"),
        ("<!-- run -->\n```sh\nls\n```\n", "write ```bash"),
        ("- item\n\n  ```python\n  1\n  ```\n", "at the start of the line"),
    ],
)
def test_pages_that_are_refused(tmp_path: Path, text: str, fault: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    with pytest.raises(PageError, match=fault):
        blocks(page)


def test_blocks_of_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- run: prints -->\n```bash\necho a\n```\n\n```text\na\n```\n\n"
        "<!-- not run: needs a GPU -->\n```python\n1\n```\n",
        encoding="utf-8",
    )
    first, second = blocks(page)
    assert (first.code, first.output, first.runs, first.line) == ("echo a\n", "a\n", True, 2)
    assert (second.code, second.output, second.runs) == ("1\n", None, False)


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a  \nb", "a\nb\n", True),
        ("a\nb\n", "a\nc\n", False),
        ("a\n", "a\nb\n", False),
        ("took … s\n", "took 1.5 s\n", True),
        ("took … s\n", "took 1.5 ms\n", False),
        ("a\n…\nd\n", "a\nb\nc\nd\n", True),
        ("a\n…\n", "a\n", True),
        ("…\nd\n", "a\n", False),
        ("a.c\n", "abc\n", False),
    ],
)
def test_agrees(shown: str, printed: str, same: bool) -> None:
    assert agrees(shown, printed) is same


def _anchors(page: Path) -> set[str]:
    """Anchors of the headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
