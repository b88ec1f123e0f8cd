"""What rerankers have in common that know one setting, and compute nothing ahead."""

from __future__ import annotations

from collections.abc import Sequence

from ..api import Group, Prepared
from ..errors import InputError
from ..options import TextOptions
from ..settings import Setting
from ..spec import ModelSpec
from .predict import Faces


def check_full_depth(spec: ModelSpec, setting: Setting) -> list[str]:
    """No warnings. Raises InputError for a cutoff or a compression."""
    if setting != Setting():
        raise InputError(f"setting '{setting.name}': model '{spec.name}' runs at full depth only")
    return []


class FullDepth(Faces):
    """A reranker without cutoffs and compression, whose pairs are prepared when they are scored."""

    spec: ModelSpec

    def check(self, setting: Setting) -> list[str]:
        """See `api.Reranker.check`."""
        return check_full_depth(self.spec, setting)

    def prepare(self, groups: Sequence[Group], text: TextOptions) -> Prepared:
        """See `api.Reranker.prepare`; nothing is done ahead."""
        return Prepared(None, 0.0)
