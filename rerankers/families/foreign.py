"""What families share whose models are run by somebody else: a class of the user, a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ..checkpoint.sentence_transformers import StFolder
from ..errors import InputError
from ..family import Family
from ..options import ResolvedText, TextOptions
from ..spec import ModelSpec

_NEVER_CUT = 1 << 30  # tokens


class ForeignFamily(Family):
    """Texts go out as they are; `reader` is who turns them into tokens."""

    has_files = False
    reader: ClassVar[str]
    unread: ClassVar[tuple[str, ...]] = ("max_length", "trust_remote_code", "config")  # keys of a specification

    def claims(self, raw: Mapping[str, Any], saved: StFolder) -> bool:
        """See `Family.claims`; no folder is one."""
        return False

    def shape(self, raw: Mapping[str, Any], where: str = "config.json") -> None:
        """See `Family.shape`; no config.json tells it."""
        return

    def refuse_unread(self, spec: ModelSpec) -> None:
        """Raise InputError for a key of a specification that would be ignored."""
        for name in self.unread:
            if getattr(spec, name):
                raise InputError(f"model '{spec.name}': key '{name}' has no effect on {self.reader}; leave it out")

    def resolve(self, spec: ModelSpec, text: TextOptions) -> ResolvedText:
        """See `Family.resolve`; there is nothing to choose."""
        self.refuse_prompt(spec, text)
        chosen = [name for name in ("max_length", "query_max_length") if getattr(text, name) is not None]
        chosen += ["truncation"] if text.truncation or spec.truncation else []
        if chosen:
            raise InputError(f"model '{spec.name}': {self.reader} cuts its texts itself; leave out {chosen[0]}")
        return ResolvedText("", _NEVER_CUT, _NEVER_CUT, self.truncation)
