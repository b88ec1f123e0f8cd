"""The figures of a model that fix what a pair costs and which settings it runs: 2 FLOPs per multiply-add."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..settings import Setting

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class LayerCost:
    """FLOPs of one layer.

    Attributes:
        keys: per token, the key and value projections.
        rest: per token, the query and output projections and the MLP.
        attention: per (query token, key token), `q.k` and `weights.v` of all heads.
    """

    keys: int
    rest: int
    attention: int

    @classmethod
    def of(cls, *, hidden: int, queries: int, keys: int, mlp: int) -> LayerCost:
        """Count from the matrix shapes: `hidden` wide, `queries` and `keys` the widths of the projections of all heads.

        `mlp` counts the weights of the MLP: 3 x hidden x intermediate where it is gated, else 2 x.
        """
        return cls(keys=2 * 2 * hidden * keys, rest=2 * (2 * hidden * queries + mlp), attention=4 * queries)

    @property
    def per_token(self) -> int:
        """All but attention."""
        return self.keys + self.rest

    def over(self, tokens: Counts, *, causal: bool) -> Counts:
        """Return FLOPs of the layer over `tokens` tokens: attention over s^2 pairs of them, or s(s+1)/2 if `causal`."""
        if causal:
            return tokens * (self.per_token + self.attention // 2 * (tokens + 1))  # attention is a multiple of 4
        return tokens * (self.per_token + self.attention * tokens)


@dataclass(frozen=True)
class Shape:
    """A model's size, without its weights.

    Attributes:
        layers: at full depth; all have the cost `layer`.
        layer: FLOPs of one layer.
        cutoffs: cutoff layers that can be scored.
        head_per_position: FLOPs of the published head at every token that is left.
        head_per_pair: FLOPs of the published head once per pair.
        head_needed: FLOPs of what a score needs of the head, per pair.
        causal: a token sees those before it only, so that half of the products of attention are needed.
        compresses: passage tokens can be compressed.
        apart: query and passage are read each alone (bi-encoders).
        pools: a score needs all tokens of the last layer, not one of them.
        local_layers: numbers, from 0, of layers in which a token sees those at most `window` away. The published code
            computes all products and masks the rest.
        window: see there.
        across: FLOPs per (query token, passage token) that are compared after the two were read alone.
    """

    layers: int
    layer: LayerCost
    cutoffs: range
    head_per_position: int = 0
    head_per_pair: int = 0
    head_needed: int = 0
    causal: bool = False
    compresses: bool = False
    apart: bool = False
    pools: bool = False
    local_layers: tuple[int, ...] = ()
    window: int = 0
    across: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return all of it in JSON values, for `of_json`."""
        span = self.cutoffs
        return {
            **asdict(self),
            "cutoffs": [span.start, span.stop, span.step],
            "local_layers": list(self.local_layers),
        }

    @classmethod
    def of_json(cls, values: Mapping[str, Any]) -> Shape:
        """Return what `as_json` wrote. Raises ValueError, TypeError or KeyError for anything else."""
        kinds = {"layer": lambda cost: LayerCost(**cost), "cutoffs": lambda ends: range(*ends), "local_layers": tuple}
        return cls(**{key: kinds[key](value) if key in kinds else value for key, value in values.items()})

    def check(self, setting: Setting) -> None:
        """Raise InputError when no score can be read at the setting's depth, or tokens cannot be compressed."""
        if setting.compress_layers and not self.compresses:
            raise InputError(f"setting '{setting.name}': this model cannot compress tokens")
        if (setting.cutoff_layer or self.layers) not in self.cutoffs:
            depth = f"cutoff layer {setting.cutoff_layer}" if setting.cutoff_layer else f"full depth ({self.layers})"
            raise InputError(f"setting '{setting.name}': {depth} has no output head; valid: {self.valid_cutoffs}")

    @property
    def valid_cutoffs(self) -> str:
        """`8 to 42`, `3 to 9 in steps of 3`, `24 only`."""
        first, last, step = self.cutoffs[0], self.cutoffs[-1], self.cutoffs.step
        if first == last:
            return f"{first} only"
        return f"{first} to {last}" + (f" in steps of {step}" if step > 1 else "")

    @property
    def settings(self) -> str:
        """The settings in words: `full`, `L8 to L40`, `L8 to L42, rN@layers`."""
        words = f"L{self.cutoffs[0]} to L{self.cutoffs[-1]}" if len(self.cutoffs) > 1 else "full"
        return f"{words}, rN@layers" if self.compresses else words
