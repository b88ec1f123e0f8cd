"""One HTML file from the parts: template, style and script, and data that cannot break out of their place."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ..chart import drawing

TEMPLATES = Path(__file__).parent / "templates"
_ESCAPES = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"})


def write_page(template: str, scripts: Sequence[str], context: Mapping[str, Any], data: Any) -> str:
    """The page. Every value of `context` is escaped; the content security policy allows its one script by hash."""
    script = "\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in scripts)
    return (
        drawing.environment(TEMPLATES)
        .get_template(template)
        .render(
            **context,
            style=Markup(drawing.style() + (TEMPLATES / "style.css").read_text(encoding="utf-8")),
            script=Markup(script),
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            data=embedded(data),
        )
    )


def embedded(value: Any) -> Markup:
    """JSON for a `<script type="application/json">`: nothing in it can end the element."""
    return Markup(json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_ESCAPES))
