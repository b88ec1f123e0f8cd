"""The site is built without a warning, its links lead somewhere, and the API has every public name."""

from __future__ import annotations

import importlib
import inspect
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
API = re.findall(r"^::: (rerankbench[\w.]*)$", (ROOT / "docs" / "api.md").read_text("utf-8"), re.MULTILINE)


class Page(HTMLParser):
    """Links, and the places that can be linked to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.anchors |= {value for key in ("id", "name") if (value := given.get(key))}
        self.links += [value for key in ("href", "src") if tag != "form" and (value := given.get(key))]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for module in ("zensical", "mkdocstrings", "mkdocstrings_handlers.python"):
        pytest.importorskip(module, reason="the group `docs` builds the site")
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(ROOT / "mkdocs.yml", folder)
    for command in ([str(ROOT / ".ci" / "site.py"), str(folder / "build")], ["-m", "zensical", "build", "--strict"]):
        done = subprocess.run([sys.executable, *command], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


@pytest.mark.slow
def test_every_link_leads_somewhere(site: Path) -> None:
    pages = {path: Page(path) for path in site.rglob("*.html")}
    assert len(pages) > 20
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or path.name == "404.html":
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            anchored = not parts.fragment or target not in pages or unquote(parts.fragment) in pages[target].anchors
            if not target.is_file() or not anchored:
                broken.append(f"{path.relative_to(site)}: {link}")
    assert broken == []


@pytest.mark.slow
def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    loaded = re.compile(r'<(?:script|img|link|iframe)[^>]* (?:src|href)="(?:https?:)?//[^"]+"')
    assert {hit for path in site.rglob("*.html") for hit in loaded.findall(path.read_text(encoding="utf-8"))} == set()


@pytest.mark.slow
def test_the_api_has_every_public_name(site: Path) -> None:
    anchors = Page(site / "api.html").anchors
    assert len(API) > 5
    for name in API:
        module = importlib.import_module(name)
        things = {n: getattr(module, n) for n in getattr(module, "__all__", ())}
        public = [n for n, thing in things.items() if inspect.isclass(thing) or inspect.isfunction(thing)]
        assert [n for n in public if f"{name}.{n}" not in anchors] == [], name
