"""Names that become folders, columns and words of run files: one kind of name everywhere."""

from __future__ import annotations

import re
import unicodedata

from ..errors import InputError

_LONGEST = 100  # bytes: file systems take 255, and names are put together
_MARKS = "._+-"
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE | re.DOTALL)


def check_name(name: str) -> str:
    """Return the name itself.

    Raises InputError for one that could leave its folder or that some system or format refuses.
    Letters and digits of any script, and `. _ + -`; a letter, digit or underscore first, no dot last; 100 bytes at
    most; none of the names that Windows reserves.
    """
    if not name:
        raise InputError("a name is empty; give one")
    if len(name.encode("utf-8", "surrogatepass")) > _LONGEST:
        raise InputError(f"name '{name[:30]}…' is longer than {_LONGEST} bytes; give a shorter one")
    for char in name:
        if unicodedata.category(char)[0] not in "LNM" and char not in _MARKS:
            raise InputError(
                f"name {name!a:.120}: {_describe_character(char)} cannot be in a name; use letters, digits and {_MARKS}"
            )
    if name[0] in ".+-" or name[-1] == "." or unicodedata.category(name[0])[0] == "M":
        raise InputError(f"name '{name}': must begin with a letter, digit or underscore, and not end with a dot")
    if _RESERVED.fullmatch(name):
        raise InputError(f"name '{name}' is reserved on Windows; give another one")
    return name


def make_name(text: str) -> str:
    """Return a name made of a file's or folder's: what cannot be in one, blanks among it, becomes `-`.

    Raises InputError where nothing is left, or the rest is still none.
    """
    plain = unicodedata.normalize("NFC", text)
    kept = "".join(c if unicodedata.category(c)[0] in "LNM" or c in _MARKS else "-" for c in plain)
    return check_name(re.sub("-{2,}", "-", kept).strip("-").lstrip(".+").rstrip(".") if kept != text else text)


def _describe_character(char: str) -> str:
    if char == " ":
        return "a blank"
    return f"'{char}'" if char.isprintable() else unicodedata.name(char, f"U+{ord(char):04X}")
