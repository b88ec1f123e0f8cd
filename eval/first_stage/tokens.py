"""Words for BM25, in any script."""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache, cached_property
from typing import Literal

# Snowball stemmers of the languages in MIRACL and their neighbours; other languages are matched as they are written.
STEMMERS = {
    "ar": "arabic",
    "da": "danish",
    "de": "german",
    "en": "english",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "hi": "hindi",
    "hu": "hungarian",
    "id": "indonesian",
    "it": "italian",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sv": "swedish",
    "tr": "turkish",
}
NONE = "none"
Stopwords = Literal["lucene-en", "none"]
# Scripts written without spaces (Thai, Lao, Myanmar, Khmer, kana, Han) and Hangul, whose particles are written on to
# the word: bigrams of characters, as Lucene's CJKAnalyzer takes them.
_UNSPACED = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]+)"
)
_UNSPACED_LANGUAGES = frozenset({"ja", "km", "ko", "lo", "my", "th", "zh"})
_TURKIC = ("tr", "az")
_TURKIC_CASE = str.maketrans("Iİ", "ıi")  # there the small letters of I and İ are ı and i
_ASCII_WORD = re.compile("[a-z0-9]{2,}")
_JOINERS = str.maketrans("", "", "\u200c\u200d\u00ad")  # invisible inside words: non-joiner, joiner, soft hyphen


class Tokenizer:
    """Text to words: NFKC, lower case, runs of letters, digits and their combining marks; then bigrams or stems.

    A mark (a vowel sign of Hindi, say) never ends a word. Words of one character are left out, as bm25s does, and
    English loses Lucene's 33 stopwords before stemming.
    """

    def __init__(self, language: str, stemmer: str | None = None, stopwords: Stopwords | None = None) -> None:
        """Make a tokenizer for an ISO 639-1 language; one without a stemmer gets words as written, and a `warning`.

        `stemmer` is one of Snowball's algorithms, `none`, or None for the language's; `stopwords` likewise.
        """
        import Stemmer

        algorithm = STEMMERS.get(language) if stemmer is None else stemmer
        removed = stopwords or ("lucene-en" if language == "en" else NONE)
        self._turkic = language in _TURKIC
        self._stemmer = Stemmer.Stemmer(algorithm) if algorithm in Stemmer.algorithms() else None
        self._removes = removed != NONE
        case = "nfkc-lower-tr" if self._turkic else "nfkc-lower"
        self.description = {
            "words": f"{case}, 2 or more letters, digits or marks, bigrams of unspaced scripts",
            "stemmer": algorithm if self._stemmer else None,
            "stopwords": removed if self._removes else None,
        }

        self.warning: str | None = None
        if stemmer is None and language not in {*STEMMERS, *_UNSPACED_LANGUAGES}:
            self.warning = (
                f"BM25 has no stemmer for language '{language}' and matches words as they are written; "
                "`stemmer` of first_stage names another one, or `none`"
            )

    def __call__(self, text: str) -> list[str]:
        """Return the words of `text` as they are matched, in order, with repetitions."""
        return [match for word in self.words(text) if (match := self.match(word)) is not None]

    def match(self, word: str) -> str | None:
        """Return the stem by which one of `words` is matched; None where it is left out."""
        if word in self._stopwords:
            return None
        return self._stemmer.stemWord(word) if self._stemmer else word

    @cached_property
    def _stopwords(self) -> frozenset[str]:
        if not self._removes:
            return frozenset()
        from bm25s.stopwords import STOPWORDS_EN  # here: what is only described needs no bm25s

        return frozenset(STOPWORDS_EN)

    def words(self, text: str) -> list[str]:
        """Return the words of `text` as they are written, in order, with repetitions."""
        if text.isascii() and not self._turkic:
            return _ASCII_WORD.findall(text.lower())
        words: list[str] = []
        text = unicodedata.normalize("NFKC", text)
        text = (text.translate(_TURKIC_CASE) if self._turkic else text).lower()
        for run in _word().findall(text.translate(_JOINERS)):
            for piece in [run] if run.isascii() else _UNSPACED.split(run):
                if _UNSPACED.match(piece):
                    words.extend(piece[i : i + 2] for i in range(max(1, len(piece) - 1)))
                elif len(piece) > 1:
                    words.append(piece)
        return words


@cache
def _word() -> re.Pattern[str]:
    """Return letters, digits and marks by Unicode category; `\\w` leaves the marks out and takes the underscore in."""
    kinds = "".join(unicodedata.category(chr(c))[0] for c in range(sys.maxunicode + 1))
    ranges = (f"{chr(m.start())}-{chr(m.end() - 1)}" for m in re.finditer("[LMN]+", kinds))
    return re.compile(f"[{''.join(ranges)}]+")
