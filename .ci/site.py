"""Hook of mkdocs: files that pages link to are on the site, and mkdocstrings finds the sources by their names."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files, InclusionLevel

ROOT = Path(__file__).resolve().parent.parent
OUTSIDE = "repository/"  # on the site, before the path of a file that is not in docs/
_LINK = re.compile(r"\]\((?![a-z]+:|#|/)([^)\s#]+)(#[^)\s]*)?\)")
_CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def on_startup(**_: Any) -> None:
    """The sources by the names that they install under, for mkdocstrings, which reads and does not import them."""
    to = ROOT / "build" / "docstrings" / "rerankbench"
    shutil.rmtree(to, ignore_errors=True)
    for folder, below in (("rerankbench", ""), ("eval", "eval"), ("rerankers", "rerankers"), ("configs", "configs")):
        for source in (ROOT / folder).rglob("*.py"):
            copy = to / below / source.relative_to(ROOT / folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)


def on_files(files: Files, *, config: Any) -> Files:
    """Adds what pages in docs/, and the pages added, link to outside of docs/."""
    waiting = [file.src_uri for file in files.documentation_pages()]
    while waiting:
        uri = waiting.pop()
        text = _path_of(uri).read_text(encoding="utf-8")
        for link, _ in _LINK.findall(_CODE.sub("", text)):
            target = _target(uri, link)
            if target.startswith(OUTSIDE) and _path_of(target).is_file() and files.get_file_from_path(target) is None:
                added = File.generated(config, target, abs_src_path=str(_path_of(target)))
                added.inclusion = InclusionLevel.NOT_IN_NAV
                files.append(added)
                waiting += [target] if target.endswith(".md") else []
    return files


def on_page_markdown(markdown: str, *, page: Any, files: Files, **_: Any) -> str:
    """Links as they are on the site."""
    uri = page.file.src_uri

    def moved(link: re.Match[str]) -> str:
        target = _target(uri, link[1])
        known = files.get_file_from_path(target) is not None
        return f"]({os.path.relpath(target, Path(uri).parent)}{link[2] or ''})" if known else link[0]

    pieces, end = [], 0
    for code in _CODE.finditer(markdown):
        pieces += [_LINK.sub(moved, markdown[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*pieces, _LINK.sub(moved, markdown[end:])])


def _path_of(uri: str) -> Path:
    """The file in the repository behind a page or file of the site."""
    return ROOT / uri.removeprefix(OUTSIDE) if uri.startswith(OUTSIDE) else ROOT / "docs" / uri


def _target(uri: str, link: str) -> str:
    """What a link of a page means, as a place on the site."""
    here = _path_of(uri).relative_to(ROOT).parent
    path = os.path.normpath(here / link).replace(os.sep, "/")
    return path.removeprefix("docs/") if path.startswith("docs/") else f"{OUTSIDE}{path}"
