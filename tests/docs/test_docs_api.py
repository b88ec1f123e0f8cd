"""docs/api.md is what the docstrings say."""

from __future__ import annotations

import importlib.util
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def _make_api():
    spec = importlib.util.spec_from_file_location("make_api", DOCS / "make_api.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date() -> None:
    text = (DOCS / "api.md").read_text(encoding="utf-8")
    assert text == _make_api().page(), "docs/api.md is out of date; run `make api`"


def test_everything_public_is_told() -> None:
    make_api = _make_api()
    text = (DOCS / "api.md").read_text(encoding="utf-8")
    for name in make_api.MODULES:
        public = make_api.members(importlib.import_module(name))
        assert public, name
        for member, thing in public:
            assert f"### {member}\n" in text
            assert thing.__doc__, f"{name}.{member} has no docstring"
