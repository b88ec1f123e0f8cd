"""What families of models that run elsewhere share: in a class of the user, behind a server."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

from ..checkpoint.sentence_transformers import StFolder
from ..errors import InputError
from ..family import Family, FamilyOptions
from ..options import LoadOptions
from ..prompting.text_rules import TextRules
from ..spec import ModelSpec

if TYPE_CHECKING:
    from ..adapters.base import Reranker
    from ..checkpoint.hub import Resolved

_NEVER_CUT = 1 << 30  # tokens


class ForeignFamily(Family):
    """Texts go out as they are; `reader` names what turns them into tokens."""

    has_files = False
    reader: ClassVar[str]
    unread: ClassVar[tuple[str, ...]] = ("max_length", "trust_remote_code", "config")  # keys of a specification

    def claims(self, raw: Mapping[str, Any], saved: StFolder) -> bool:
        """See `Family.claims`; no folder is one."""
        return False

    def shape(self, raw: Mapping[str, Any], where: str = "config.json", options: FamilyOptions | None = None) -> None:
        """See `Family.shape`; no config.json states it."""

    @abstractmethod
    def open(self, spec: ModelSpec, options: LoadOptions) -> Reranker:
        """See `Family.open`."""

    def load(self, spec: ModelSpec, files: Resolved, options: LoadOptions) -> Reranker:
        """See `Family.load`; there are no files."""
        return self.open(spec, options)

    def refuse_unread(self, spec: ModelSpec) -> None:
        """Raise InputError for a key of a specification that would be ignored."""
        for name in self.unread:
            if getattr(spec, name):
                raise InputError(f"model '{spec.name}': key '{name}' has no effect on {self.reader}; leave it out")

    def text_rules(self, spec: ModelSpec) -> TextRules:
        """See `Family.text_rules`; there is nothing to choose."""
        cut = f"{self.reader} cuts its texts itself"
        refused: dict[str, str] = dict.fromkeys(("max_length", "query_max_length", "truncation"), cut)
        return TextRules(spec.name, max_length=_NEVER_CUT, query_share=Fraction(1), refused=refused)
