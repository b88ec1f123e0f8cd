"""The code blocks of README.md and docs/, and the marks that say which of them are run.

The line before a block is a comment that readers do not see:

    <!-- run -->              it must exit with status 0
    <!-- run: prints -->      and print what the ```text block behind it shows
    <!-- run: fails -->       it must exit with another status; the ```text block shows stderr
    <!-- not run: REASON -->  it needs a GPU, the network, ...

In a ```text block `…` stands for anything within a line, and for any lines when it is alone on one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MARKS = ("run", "run: prints", "run: fails")
_LANGUAGES = ("bash", "python")
_OTHER_NAMES = ("sh", "shell", "zsh", "console", "py")
_FENCE = re.compile(r"^(?P<indent>\s*)```(?P<language>\w*)\s*$")
_MARK = re.compile(r"^<!-- (?P<mark>(?:not )?run\b.*?) -->$")


class PageError(ValueError):
    """A page that cannot be understood: names the page, the line and what to do."""


@dataclass(frozen=True)
class Block:
    """One bash or python block.

    Attributes:
        page: path from the root of the repository.
        line: of the opening fence, from 1.
        mark: one of `MARKS`, or `not run: REASON`.
        output: what the ```text block behind it shows; None without one.
    """

    page: str
    line: int
    language: str
    code: str
    mark: str
    output: str | None

    @property
    def runs(self) -> bool:
        """Whether it is executed."""
        return self.mark in MARKS


def pages() -> list[Path]:
    """README.md first, then docs/ by name."""
    readme = ROOT / "README.md"
    return [*([readme] if readme.is_file() else []), *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """The bash and python blocks of a page. Raises PageError for a block without a mark or with one that is none."""
    name = str(page.relative_to(ROOT)) if page.is_relative_to(ROOT) else str(page)
    fences = list(_fences(page.read_text(encoding="utf-8"), name))
    found = []
    for (line, language, code, mark), behind in zip(fences, [*fences[1:], None]):
        if language not in _LANGUAGES:
            continue
        where = f"{name}, line {line}"
        if mark is None:
            raise PageError(f"{where}: {language} block without a mark; write <!-- run --> in the line before it")
        if mark not in MARKS and not re.fullmatch(r"not run: .{5,}", mark):
            raise PageError(f"{where}: mark '{mark}' is none of {', '.join(MARKS)}, not run: REASON")
        output = behind[2] if behind and behind[1] == "text" else None
        if mark in MARKS[1:] and output is None:
            raise PageError(f"{where}: '{mark}' needs a ```text block behind it")
        found.append(Block(name, line, language, code, mark, output))
    return found


def agrees(shown: str, printed: str) -> bool:
    """Whether a page's text stands for what was printed."""
    pattern = ""
    for line in shown.rstrip().splitlines():
        if line.strip() == "…":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*".join(re.escape(part) for part in line.rstrip().split("…")) + "\n"
    lines = (line.rstrip() for line in printed.rstrip().splitlines())
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in lines)) is not None


def _fences(text: str, page: str) -> Iterator[tuple[int, str, str, str | None]]:
    """(line, language, code, mark) of every fenced block."""
    start, language, mark, before = 0, "", None, ""
    code: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        fence = _FENCE.match(line)
        if not start and fence:
            start, language, code = number, fence["language"], []
            mark = found["mark"] if (found := _MARK.match(before)) else None
            if language in _OTHER_NAMES or (language in _LANGUAGES and fence["indent"]):
                raise PageError(f"{page}, line {number}: write ```bash or ```python at the start of the line")
        elif start and fence and not fence["language"]:
            yield start, language, "".join(f"{line}\n" for line in code), mark
            start = 0
        elif start:
            code.append(line)
        before = line
