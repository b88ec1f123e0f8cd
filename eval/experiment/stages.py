"""Where candidates come from: a retriever, runs that exist, a publisher's lists, or several of them fused."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator

from ...rerankers.errors import suggest
from ..first_stage.bm25 import Bm25Options
from ..first_stage.fusion import RANK_CONSTANT, fused_name
from ..first_stage.listed import Positives, listed_name
from ..first_stage.retriever import BM25
from ..first_stage.tokens import NONE, STEMMERS, Stopwords
from .part import Part, stem


class _Source(Part):
    """What every source of candidates has."""

    @property
    def label(self) -> str | None:
        """What tables call it; None when runs are imported, which are called like their files."""
        return None


class Bm25Source(_Source):
    """BM25 as a part of a fusion."""

    retriever: Literal["bm25"] = "bm25"
    k1: float | None = Field(default=None, ge=0, description="how soon repeated words stop counting")
    b: float | None = Field(default=None, ge=0, le=1, description="how much long documents lose")
    stemmer: str | None = Field(default=None, description="a Snowball algorithm or none; default: the language's")
    stopwords: Stopwords | None = Field(default=None, description="lucene-en or none; default: the language's")

    @field_validator("stemmer")
    @classmethod
    def _known(cls, stemmer: str | None) -> str | None:
        known = {*STEMMERS.values(), NONE}
        if stemmer is not None and stemmer not in known:
            raise ValueError(f"stemmer '{stemmer}' is unknown{suggest(stemmer, known)}")
        return stemmer

    @property
    def label(self) -> str:
        """See `_Source.label`."""
        return self.retriever

    @property
    def options(self) -> Bm25Options:
        """What BM25 is given; keys that are absent have its defaults."""
        given = {key: getattr(self, key) for key in ("k1", "b", "stemmer", "stopwords")}
        return Bm25Options(**{key: value for key, value in given.items() if value is not None})


class DenseSource(_Source):
    """A dense retriever as a part of a fusion."""

    retriever: str = Field(
        description="a name in configs/retrievers, or a retriever's YAML file",
        json_schema_extra={"not": {"const": BM25}},
    )

    @property
    def label(self) -> str:
        """See `_Source.label`."""
        return stem(self.retriever)


class RunSource(_Source):
    """Runs as a part of a fusion."""

    run: str | dict[str, str] = Field(
        description="a run file, in whose path `{dataset}` is the name, or dataset name -> run file"
    )

    def run_file(self, dataset: str) -> Path:
        """Return the run to import for a dataset."""
        return Path(self.run[dataset] if isinstance(self.run, dict) else self.run.replace("{dataset}", dataset))


class ListedSource(_Source):
    """A publisher's lists as a part of a fusion."""

    candidates: str = Field(description="a name in configs/candidates, or the YAML file of candidate lists")
    positives: Positives = Field(
        default="listed",
        description="listed: only the relevant passages of the list; added: the others, too, in front of it",
    )

    @property
    def label(self) -> str:
        """See `_Source.label`."""
        return listed_name(stem(self.candidates), self.positives)


class _Stage(_Source):
    """What every first stage has."""

    k: int = Field(default=100, ge=1, description="candidates per query")
    check: str | None = Field(
        default=None, description="a published table whose first stage must be met before anything is reranked"
    )
    tolerance: float | None = Field(
        default=None, ge=0, description="for `check`, in points of the metric x 100; default: the table's"
    )
    on_mismatch: Literal["stop", "warn"] = "stop"

    @property
    def sources(self) -> tuple[_Source, ...]:
        """What it takes candidates from: itself, or what it fuses."""
        return (self,)


class Bm25Stage(Bm25Source, _Stage):
    """Candidates by BM25."""


class DenseStage(DenseSource, _Stage):
    """Candidates by the vectors of a retriever."""


class RunStage(RunSource, _Stage):
    """Candidates of runs that exist."""


class ListedStage(ListedSource, _Stage):
    """Candidates that a publisher fixed."""


_KINDS = {"retriever": "Dense", "run": "Run", "candidates": "Listed", "fuse": "Fused"}
_GIVE_ONE = "give either 'retriever: NAME' or 'run: PATH' or 'candidates: NAME'"


def _kind_of(raw: Any, suffix: str) -> str:
    """Return which class some keys describe."""
    if isinstance(raw, _Source):
        return type(raw).__name__
    keys = raw if isinstance(raw, dict) else {}
    key = next((key for key in reversed(_KINDS) if key in keys), "retriever")
    name = keys.get("retriever")
    if key == "retriever" and (not isinstance(name, str) or name == BM25):
        return f"Bm25{suffix}"
    return f"{_KINDS[key]}{suffix}"


def _one_source(raw: Any) -> Any:
    if not isinstance(raw, dict):
        return raw
    given = {key: value for key, value in raw.items() if value is not None or key not in _KINDS}
    sources, named = given.keys() & _KINDS.keys(), raw.keys() & _KINDS.keys()
    if len(sources) > 1 or (named and not sources):
        raise ValueError(f"{_GIVE_ONE} or 'fuse: [NAME, NAME]'")
    return given if sources else {"retriever": BM25, **given}


def _one_part(raw: Any) -> Any:
    """Read a name as a retriever's; fusions are not fused."""
    if isinstance(raw, str):
        return {"retriever": raw}
    if isinstance(raw, dict) and len(raw.keys() & _KINDS.keys()) != 1:
        raise ValueError(_GIVE_ONE)
    return raw


Source = Annotated[
    Annotated[Bm25Source, Tag("Bm25Source")]
    | Annotated[DenseSource, Tag("DenseSource")]
    | Annotated[RunSource, Tag("RunSource")]
    | Annotated[ListedSource, Tag("ListedSource")],
    Discriminator(lambda raw: _kind_of(raw, "Source")),
    BeforeValidator(_one_part),
]


def _or_a_retriever(schema: dict[str, Any]) -> None:
    """Read `- NAME` as `- retriever: NAME`."""
    schema["items"] = {"anyOf": [{"type": "string"}, schema["items"]]}


class FusedStage(_Stage):
    """Candidates of several sources, fused."""

    fuse: tuple[Source, ...] = Field(
        min_length=2,
        description="retrievers by name, or {retriever: NAME}, {run: PATH} and {candidates: NAME} with their keys",
        json_schema_extra=_or_a_retriever,
    )
    method: Literal["rrf"] = Field(default="rrf", description="rrf: reciprocal rank fusion (Cormack et al. 2009)")
    rank_constant: int = Field(
        default=RANK_CONSTANT, ge=0, description="a document at rank r of a list gains 1 / (rank_constant + r)"
    )
    depth: int | None = Field(
        default=None, ge=1, description="how many documents of each list are fused; default: as many as k"
    )

    @field_validator("fuse", mode="before")
    @classmethod
    def _listed(cls, parts: Any) -> Any:
        return tuple(parts) if isinstance(parts, list) else parts  # the strict type takes no list below a discriminator

    @field_validator("fuse")
    @classmethod
    def _distinct(cls, parts: tuple[_Source, ...]) -> tuple[_Source, ...]:
        for i, part in enumerate(parts):
            if part in parts[:i]:
                raise ValueError(f"part {i} is there before; a list that is fused with itself changes nothing")
        return parts

    @property
    def sources(self) -> tuple[_Source, ...]:
        """See `_Stage.sources`."""
        return self.fuse

    @property
    def label(self) -> str | None:
        """See `_Source.label`."""
        labels = [part.label for part in self.fuse]
        return None if None in labels else fused_name(self.method, [label for label in labels if label])


FirstStage = Annotated[
    Annotated[Bm25Stage, Tag("Bm25Stage")]
    | Annotated[DenseStage, Tag("DenseStage")]
    | Annotated[RunStage, Tag("RunStage")]
    | Annotated[ListedStage, Tag("ListedStage")]
    | Annotated[FusedStage, Tag("FusedStage")],
    Discriminator(lambda raw: _kind_of(raw, "Stage")),
    BeforeValidator(_one_source),
]
