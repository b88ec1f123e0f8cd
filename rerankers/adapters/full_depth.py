"""What rerankers have in common that have one setting, and compute nothing ahead."""

from __future__ import annotations

from ..errors import InputError
from ..settings import Setting
from ..spec import ModelSpec
from .base import Reranker


def check_full_depth(spec: ModelSpec, setting: Setting) -> list[str]:
    """Raise InputError for a cutoff or a compression; return no warnings."""
    if setting != Setting():
        raise InputError(f"setting '{setting.name}': model '{spec.name}' runs at full depth only")
    return []


class FullDepth(Reranker):
    """A reranker without cutoffs and compression."""

    def check(self, setting: Setting) -> list[str]:
        """See `base.Reranker.check`."""
        return check_full_depth(self.spec, setting)
