"""Languages by their ISO 639-1 codes, however they are written."""

from __future__ import annotations

import csv
from functools import cache

from ...configs import CONFIGS
from ...rerankers.errors import InputError, suggest


@cache
def _read_codes() -> dict[str, str]:
    """Return codes by every way of writing it, in small letters.

    configs/languages.csv has ISO 639-1 codes, their ISO 639-3 codes and English names (from pycountry 26.2.16).
    """
    lines = (CONFIGS / "languages.csv").read_text(encoding="utf-8").splitlines()
    codes: dict[str, str] = {}
    for row in csv.DictReader(lines):
        names = [row["code"], row["iso3"], row["name"], row["name"].partition(" (")[0].partition(",")[0]]
        for name in names:
            codes.setdefault(name.lower(), row["code"])
    return {**codes, "nb": "no", "nn": "no", "nob": "no", "nno": "no", "cmn": "zh", "mandarin": "zh", "farsi": "fa"}


def language_code(written: str) -> str:
    """Return the ISO 639-1 code of a language: `en` for `en`, `eng`, `English`, `en-US` and `en_GB`.

    Raises InputError for a language that is unknown.
    """
    plain = written.strip().lower()
    code = _read_codes().get(plain) or _read_codes().get(plain.replace("_", "-").partition("-")[0])
    if code is None:
        hint = suggest(plain, _read_codes())
        hint = hint if "did you mean" in hint else "; write an ISO 639-1 or 639-3 code, or an English name"
        raise InputError(f"language '{written:.40}' is unknown{hint}")
    return code
