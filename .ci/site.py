"""Pages of the site: those of docs/, and what they link to elsewhere in the repository, with links as they are there.

    python .ci/site.py [FOLDER]     # writes pages/ and docstrings/ there (build/), for zensical (`make site`)

Notebooks become pages, and the sources stand by the names that they install under, for mkdocstrings, which reads and
does not import them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUTSIDE = "repository/"  # on the site, before the path of a file that is not in docs/
_LINK = re.compile(r"\]\((?![a-z]+:|#|/)([^)\s#]+)(#[^)\s]*)?\)")
_CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def main(to: Path) -> None:
    """Write both folders anew."""
    write_sources(to / "docstrings" / "rerankbench")
    shutil.rmtree(to / "pages", ignore_errors=True)
    places = place_of_each()
    for path, place in places.items():
        target = to / "pages" / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix == ".md":
            target.write_text(with_links(text_of(path), path, places), encoding="utf-8")
        else:
            shutil.copyfile(path, target)


def write_sources(to: Path) -> None:
    """Copy the sources."""
    shutil.rmtree(to, ignore_errors=True)
    for folder, below in (("rerankbench", ""), ("eval", "eval"), ("rerankers", "rerankers"), ("configs", "configs")):
        for source in (ROOT / folder).rglob("*.py"):
            copy = to / below / source.relative_to(ROOT / folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)


def place_of_each() -> dict[Path, str]:
    """Return the files of the site and their places on it: all of docs/, and whatever their pages lead to."""
    waiting = [path for path in sorted((ROOT / "docs").rglob("*")) if path.is_file()]
    places: dict[Path, str] = {}
    while waiting:
        path = waiting.pop(0)
        if path in places:
            continue
        name = path.relative_to(ROOT).as_posix()
        place = name.removeprefix("docs/") if name.startswith("docs/") else f"{OUTSIDE}{name}"
        places[path] = f"{place.removesuffix('.ipynb')}.md" if path.suffix == ".ipynb" else place
        if path.suffix in (".md", ".ipynb"):
            for link, _ in _LINK.findall(_CODE.sub("", text_of(path))):
                target = Path(os.path.normpath(path.parent / link))
                waiting += [target] if target.is_file() and target.is_relative_to(ROOT) else []
    return places


def text_of(path: Path) -> str:
    """Return a page as Markdown; of a notebook, its cells and what they print."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    parts = []
    for cell in json.loads(text)["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        printed = "".join(
            "".join(output.get("text") or output.get("data", {}).get("text/plain", ()))
            for output in cell.get("outputs", ())
        )
        parts += [f"```text\n{printed.rstrip()}\n```"] if printed.strip() else []
    return "\n\n".join(parts) + "\n"


def with_links(text: str, path: Path, places: dict[Path, str]) -> str:
    """Return a page with its links as they are on the site; those in code stay."""

    def moved(link: re.Match[str]) -> str:
        place = places.get(Path(os.path.normpath(path.parent / link[1])))
        here = Path(places[path]).parent
        return link[0] if place is None else f"]({os.path.relpath(place, here)}{link[2] or ''})"

    pieces, end = [], 0
    for code in _CODE.finditer(text):
        pieces += [_LINK.sub(moved, text[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*pieces, _LINK.sub(moved, text[end:])])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build")
