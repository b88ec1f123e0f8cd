"""FLOPs of a body that no formula here describes: counted by PyTorch without weights, and fitted exactly.

Matrix products of a transformer over n tokens are a polynomial a + b n + c n^2, unless its code cuts, pads or skips by
length. Three lengths give the polynomial; the others must agree with it to the last FLOP, or nothing is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from .shape import LayerCost, Shape

FITTED = (16, 24, 40)
TESTED = (7, 33, 130, 1023)
_LONGEST = 4096  # tokens of what is tested at most


def fit_counts(count: Callable[[int], int], longest: int | None = None) -> tuple[int, int, int] | None:
    """(a, b, c) of a + b n + c n^2, the FLOPs of n tokens; None where they are not such a polynomial of integers.

    `count` gives the FLOPs of one sequence; `longest` is the most tokens that the model takes, None: any number. The
    longest length is among those that are tested, so that a body that changes its way beyond some length is refused.
    """
    most = min(longest or _LONGEST, _LONGEST)
    if most < FITTED[-1]:
        return None
    (x, p), (y, q), (z, r) = ((n, count(n)) for n in FITTED)
    c = Fraction((r - p) * (y - x) - (q - p) * (z - x), (z - x) * (y - x) * (z - y))
    b = Fraction(q - p, y - x) - c * (x + y)
    a = p - b * x - c * x * x
    if any(value.denominator != 1 or value < 0 for value in (a, b, c)):
        return None
    lengths = {n for n in TESTED if n < most} | {most}
    return (int(a), int(b), int(c)) if all(count(n) == a + b * n + c * n * n for n in lengths) else None


def counted_shape(terms: tuple[int, int, int], layers: int) -> Shape:
    """The shape of a classifier by its polynomial.

    It has the full depth only; what its score needs of its last layer is not known, so `useful` is `reference`.
    """
    a, b, c = terms
    per_layer = layers if c % (2 * layers) == 0 else 1  # where layers are unlike, all of them are one
    cost = LayerCost(keys=0, rest=b // per_layer, attention=c // per_layer)
    return Shape(
        layers=per_layer,
        layer=cost,
        cutoffs=range(per_layer, per_layer + 1),
        head_per_position=b % per_layer,
        head_per_pair=a,
        head_needed=a,
        pools=True,
    )
