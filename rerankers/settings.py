"""A setting: how deep a model runs and how hard it compresses passage tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import InputError

_NAME = re.compile(r"^(?:full|(?:L(?P<cutoff>\d+))?-?(?:r(?P<ratio>\d+)@(?P<layers>\d+(?:\+\d+)*))?)$")


@dataclass(frozen=True, order=True)
class Setting:
    """Cutoff and compression of one variant.

    Attributes:
        cutoff_layer: score after this many layers; None is the full depth.
        compress_ratio: mean of this many neighbouring passage states becomes one; 1 is no compression.
        compress_layers: layers *before* which the passage is compressed (indices from 0, ascending);
            empty if and only if the ratio is 1.
    """

    cutoff_layer: int | None = None
    compress_ratio: int = 1
    compress_layers: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.cutoff_layer is not None and self.cutoff_layer < 1:
            raise InputError(f"cutoff_layer {self.cutoff_layer}: must be at least 1")
        if self.compress_ratio < 1:
            raise InputError(f"compress_ratio {self.compress_ratio}: must be at least 1 (1 means no compression)")
        layers = tuple(sorted(set(self.compress_layers)))
        if self.compress_ratio == 1 or not layers:
            object.__setattr__(self, "compress_ratio", 1)
            layers = ()
        object.__setattr__(self, "compress_layers", layers)

    @property
    def name(self) -> str:
        """`full`, `L25`, `r2@8`, `L25-r2@8`, `L28-r2@24+40`."""
        parts = []
        if self.cutoff_layer is not None:
            parts.append(f"L{self.cutoff_layer}")
        if self.compress_layers:
            parts.append(f"r{self.compress_ratio}@{'+'.join(map(str, self.compress_layers))}")
        return "-".join(parts) or "full"

    @property
    def compression(self) -> tuple[int, tuple[int, ...]]:
        """What settings must agree on to share a forward pass."""
        return self.compress_ratio, self.compress_layers

    @classmethod
    def parse(cls, name: str) -> Setting:
        """Parse the setting that `name` writes. Raises InputError when it is not a setting's name."""
        match = _NAME.match(name)
        if not match or not name:
            raise InputError(f"setting '{name}': expected full, L25, r2@8, L25-r2@8 or L28-r2@24+40")
        cutoff, ratio, layers = match["cutoff"], match["ratio"], match["layers"]
        return cls(
            cutoff_layer=int(cutoff) if cutoff else None,
            compress_ratio=int(ratio) if ratio else 1,
            compress_layers=tuple(int(x) for x in layers.split("+")) if layers else (),
        )
