"""Keys: taken from the environment, and in no message, however a server writes them back."""

from __future__ import annotations

import html
import os
import re
from urllib.parse import unquote, unquote_plus

from ..errors import InputError, one_line

_ROUNDS = 3  # of decoding: a text in JSON in a URL
_UNICODE = re.compile(r"\\+u([0-9a-fA-F]{4})|\\+x([0-9a-fA-F]{2})")
_SHOWN = 4_000  # characters of a server's words that are looked at for one line
HIDDEN = "(its words contain the key and are not shown)"


def read_key(variable: str | None, where: str) -> str | None:
    """Read the key in an environment variable; None without one.

    Raises InputError when the variable is empty, or contains what no header takes: a line end, a blank, a letter beyond
    ASCII. The key itself is not shown.
    """
    if variable is None:
        return None
    if not (value := os.environ.get(variable, "").strip()):
        raise InputError(f"{where}: needs a key; put it into the environment variable {variable}")
    if not all("!" <= char <= "~" for char in value):
        raise InputError(
            f"{where}: the environment variable {variable} contains a line end, a blank or a letter that no key has; "
            "set it to the key alone"
        )
    return value


def holds(text: str, key: str | None) -> bool:
    """Return whether a key is in a text: plain, escaped as in JSON or HTML, or encoded as in a URL, in any mixture."""
    if not key:
        return False
    wanted = key.casefold()
    forms = {text}
    for _ in range(_ROUNDS):
        if any(wanted in form.casefold() for form in forms):
            return True
        forms = {decoded for form in forms for decoded in (_unescape(form), html.unescape(form), unquote(form))}
    forms |= {unquote_plus(form) for form in forms}
    return any(wanted in form.casefold() for form in forms)


def shown(text: str, key: str | None) -> str:
    """Return a server's or a library's words on one line, the key as `***`; none of them where it is disguised."""
    text = text.replace(key, "***") if key else text
    if holds(text, key):
        return HIDDEN
    return one_line(text[:_SHOWN]) if text[:_SHOWN].strip() else ""


def _unescape(text: str) -> str:
    """Return JSON's escapes undone, also those of a text that was escaped twice."""
    text = _UNICODE.sub(lambda match: chr(int(match[1] or match[2], 16)), text)
    return re.sub(r"\\+(.)", r"\1", text)
