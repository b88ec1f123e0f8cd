"""The measures, one row each: adding a row to `MEASURES` is all that a new one needs.

Spelled as in ir_measures: `nDCG@10`, `AP`, `P(rel=2)@10`, `nDCG(dcg='exp-log2')@10`. One that ir_measures lacks:
`nDCG(ideal='candidates')@10`, whose best ranking holds the relevant documents of the run alone, as
sentence-transformers' CrossEncoderRerankingEvaluator has it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ...rerankers.errors import InputError, suggest

Value = int | float | str
Values = Mapping[str, Value]
Formula = Callable[[Sequence[str], Mapping[str, int], Values], float]

DEFAULT_METRICS = ("nDCG@10", "R@100", "RR@10", "AP", "Judged@10")
_HIGHEST = 30  # grade whose exponential gain still fits the integers of trec_eval


@dataclass(frozen=True)
class Parameter:
    """What is in parentheses. A number is at least 1; a text is one of `choices`; a switch is True."""

    name: str
    default: Value
    choices: tuple[str, ...] = ()

    def admits(self, value: object) -> bool:
        """Return whether it can have this value."""
        if type(value) is not type(self.default):
            return False
        return value in self.choices if isinstance(value, str) else isinstance(value, int | float) and value >= 1


def _count_grade(grade: int, values: Values) -> int:
    """Return what a grade counts: nothing below `rel`; 2^grade - 1 (Burges et al. 2005) with `dcg='exp-log2'`."""
    if grade < int(values.get("rel", 1)):
        return 0
    if values.get("dcg") != "exp-log2":
        return grade
    if grade > _HIGHEST:
        raise InputError(f"nDCG(dcg='exp-log2'): grade {grade} is too high for an exponential gain; use nDCG")
    return 2**grade - 1


def _reciprocal_rank(top: Sequence[str], grades: Mapping[str, int], values: Values) -> float:
    return next((1 / rank for rank, doc in enumerate(top, 1) if grades.get(doc, 0) > 0), 0.0)


def _judged(top: Sequence[str], grades: Mapping[str, int], values: Values) -> float:
    return sum(doc in grades for doc in top) / len(top)


@dataclass(frozen=True)
class Measure:
    """One row.

    Attributes:
        name: as in ir_measures.
        cutoff: whether `@k` may be there.
        trec: trec_eval's name of the whole ranking's measure, "" if it has none.
        trec_cut: the same at a cutoff, with `{}` for k.
        formula: of the documents above the cutoff (at least one), best first, of grades that `grades` changed, and of
            the parameters; used where trec_eval has no name.
        grades: what a grade counts under the parameters; 0 is not relevant.
        parameters: what may be in parentheses.
        aliases: other names, in lower case, that are answered with this one.
        mteb: name in mteb's results and in model cards; "" if they have none. Only without parameters.
    """

    name: str
    cutoff: Literal["optional", "needed", "never"]
    trec: str = ""
    trec_cut: str = ""
    formula: Formula | None = None
    grades: Callable[[int, Values], int] = _count_grade
    parameters: tuple[Parameter, ...] = ()
    aliases: tuple[str, ...] = ()
    mteb: str = ""

    @property
    def spellings(self) -> str:
        """`AP, AP@k`."""
        whole, cut = self.name, f"{self.name}@k"
        return {"needed": cut, "never": whole, "optional": f"{whole}, {cut}"}[self.cutoff]


JUDGED_ONLY = Parameter("judged_only", False)  # unjudged documents leave the ranking: condensed lists (Sakai 2007)
IDEAL = Parameter("ideal", "judgements", ("judgements", "candidates"))  # of what the best ranking is made
_REL = (Parameter("rel", 1),)
_CONDENSED = (*_REL, JUDGED_ONLY)
_DCG = (Parameter("dcg", "log2", ("log2", "exp-log2")), JUDGED_ONLY, IDEAL)
MEASURES: dict[str, Measure] = {
    row.name: row
    for row in (
        Measure("nDCG", "optional", "ndcg", "ndcg_cut_{}", parameters=_DCG, mteb="ndcg"),
        Measure("R", "needed", "", "recall_{}", parameters=_REL, aliases=("recall",), mteb="recall"),
        Measure(
            "RR",
            "optional",
            "recip_rank",
            formula=_reciprocal_rank,
            parameters=_CONDENSED,
            aliases=("mrr",),
            mteb="mrr",
        ),
        Measure("AP", "optional", "map", "map_cut_{}", parameters=_CONDENSED, mteb="map"),
        Measure("P", "needed", "", "P_{}", parameters=_CONDENSED, aliases=("precision",), mteb="precision"),
        Measure("Success", "needed", "", "success_{}", parameters=_CONDENSED, aliases=("hit", "hits", "accuracy")),
        Measure("Judged", "needed", formula=_judged),
    )
}


@dataclass(frozen=True)
class Metric:
    """A measure, the depth at which the ranking is cut (None is the whole), and parameters other than the default."""

    base: str
    cutoff: int | None
    parameters: tuple[tuple[str, Value], ...] = ()

    @property
    def measure(self) -> Measure:
        """Its row."""
        return MEASURES[self.base]

    @property
    def name(self) -> str:
        """`nDCG@10`, `AP`, `P(rel=2)@10`."""
        inner = ", ".join(f"{name}={value!r}" for name, value in self.parameters)
        return self.base + (f"({inner})" if inner else "") + (f"@{self.cutoff}" if self.cutoff else "")

    @property
    def trec(self) -> str | None:
        """trec_eval's name, in the form in which pytrec_eval reports it; None for what it does not have."""
        return (self.measure.trec_cut.format(self.cutoff) if self.cutoff else self.measure.trec) or None

    @property
    def mteb(self) -> str | None:
        """`ndcg_at_10`: mteb's name; None for what it does not have."""
        if not self.measure.mteb or self.parameters:
            return None
        return self.measure.mteb + (f"_at_{self.cutoff}" if self.cutoff else "")


_SPELLING = re.compile(r"(?P<base>[A-Za-z]+)(?:\((?P<inner>[^()]*)\))?(?:@(?P<cutoff>[1-9][0-9]*))?")
_TREC = re.compile(r"(?P<base>[A-Za-z_]+?)(?:_cut|_at)?(?:[_.](?P<cutoff>[1-9][0-9]*))?")


_MOST_DIGITS = 6


def parse_metric(name: str) -> Metric:
    """Parse the metric that `name` spells. Raises InputError with the right spelling where it can be guessed."""
    match = _SPELLING.fullmatch(name)
    if match is None or (measure := MEASURES.get(match["base"])) is None:
        raise _unknown_metric_error(name)
    if match["cutoff"] and len(match["cutoff"]) > _MOST_DIGITS:
        raise InputError(f"metric '{name:.60}': a cutoff has at most {_MOST_DIGITS} digits; no ranking is so long")
    cutoff = int(match["cutoff"]) if match["cutoff"] else None
    parameters = _parse_parameters(name, measure, match["inner"])
    if measure.cutoff == ("never" if cutoff else "needed"):
        raise _did_you_mean(name, measure, cutoff, parameters)
    return Metric(measure.name, cutoff, parameters)


def split_metrics(names: str) -> list[str]:
    """Return the metrics of a list with commas; those within parentheses separate parameters."""
    return [name.strip() for name in re.split(r",(?![^()]*\))", names)]


def _parse_parameters(name: str, measure: Measure, inner: str | None) -> tuple[tuple[str, Value], ...]:
    """Return those that differ from their defaults, in the order of the row."""
    if inner is None:
        return ()
    known = {parameter.name: parameter for parameter in measure.parameters}
    given: dict[str, Value] = {}
    for part in inner.split(","):
        key, _, text = (piece.strip() for piece in part.partition("="))
        if key not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise InputError(f"metric '{name}': {measure.name} has no parameter '{key}'; {has}{suggest(key, known)}")
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            value = ""
        if key in given or not known[key].admits(value):
            numbers = "True" if isinstance(known[key].default, bool) else "a number from 1 on"
            allowed = " or ".join(map(repr, known[key].choices)) or numbers
            raise InputError(f"metric '{name}': {key} must be {allowed}, once")
        given[key] = value
    return tuple((key, given[key]) for key, p in known.items() if given.get(key, p.default) != p.default)


def _unknown_metric_error(name: str) -> InputError:
    """Suggest the right spelling for names of trec_eval and beir, and other cases of letters."""
    for pattern in (_SPELLING, _TREC):
        match = pattern.fullmatch(name)
        measure = _find_measure(match["base"].lower()) if match else None
        if match and measure and len(match["cutoff"] or "") <= _MOST_DIGITS:
            return _did_you_mean(name, measure, int(match["cutoff"]) if match["cutoff"] else None)
    known = ", ".join(measure.spellings for measure in MEASURES.values())
    return InputError(f"metric '{name}' is unknown; known: {known} with a number for k")


def _find_measure(name: str) -> Measure | None:
    """Return the measure with this name or alias in lower case."""
    for measure in MEASURES.values():
        trec = measure.trec_cut.removesuffix("_{}").removesuffix("_cut")
        if name in {measure.name.lower(), measure.trec, trec.lower(), measure.mteb, *measure.aliases} - {""}:
            return measure
    return None


def _did_you_mean(
    name: str, measure: Measure, cutoff: int | None, parameters: tuple[tuple[str, Value], ...] = ()
) -> InputError:
    depth = {"needed": cutoff or 10, "never": None, "optional": cutoff}[measure.cutoff]
    return InputError(f"metric '{name}' is unknown; did you mean '{Metric(measure.name, depth, parameters).name}'?")
