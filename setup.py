"""What pyproject.toml cannot say: packages below mapped names, and links that hold outside of the repository."""

from __future__ import annotations

import os
import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent
FOLDERS = ("configs", "eval", "rerankers")  # of the top, installed below `rerankbench`; see package-dir
_RELATIVE = re.compile(r"\]\((?![a-z]+:|#)([^)\s]+)\)")
_PAGES = {"Documentation": "blob/main/docs/README.md", "Changelog": "blob/main/CHANGELOG.md", "Issues": "issues"}


def packages() -> list[str]:
    """Every folder with an `__init__.py`, by the name that it has when it is installed."""
    inner = [(folder, name) for folder in FOLDERS for name in ("", *find_packages(str(HERE / folder)))]
    return ["rerankbench", *sorted(".".join(filter(None, ("rerankbench", *names))) for names in inner)]


def repository() -> str | None:
    """Where the sources are published: RERANKBENCH_REPOSITORY, or what GitHub says while it builds; None elsewhere."""
    if address := os.environ.get("RERANKBENCH_REPOSITORY"):
        return address.rstrip("/")
    name = os.environ.get("GITHUB_REPOSITORY")
    return f"{os.environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{name}" if name else None


def readme(address: str | None) -> str:
    """README.md; its links into the repository are absolute where the address is known."""
    text = (HERE / "README.md").read_text(encoding="utf-8")
    if address is None:
        return text

    def absolute(link: re.Match[str]) -> str:
        kind = "raw" if link[1].endswith((".png", ".svg")) else "blob"
        return f"]({address}/{kind}/main/{link[1]})"

    return _RELATIVE.sub(absolute, text)


if __name__ == "__main__":
    here = repository()
    setup(
        packages=packages(),
        long_description=readme(here),
        long_description_content_type="text/markdown",
        project_urls={} if here is None else {"Source": here, **{k: f"{here}/{v}" for k, v in _PAGES.items()}},
    )
