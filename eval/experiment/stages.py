"""Where candidates come from: a retriever, or runs that exist."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator

from ...rerankers.errors import suggest
from ..first_stage.bm25 import Bm25Options
from ..first_stage.retriever import BM25
from ..first_stage.tokens import NONE, STEMMERS, Stopwords
from .part import Part, stem


class _Stage(Part):
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
    def label(self) -> str | None:
        """What tables call the retriever; None when runs are imported."""
        return None


class Bm25Stage(_Stage):
    """Candidates by BM25."""

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
        """See `_Stage.label`."""
        return self.retriever

    @property
    def options(self) -> Bm25Options:
        """What BM25 is given; keys that are absent have its defaults."""
        given = {key: getattr(self, key) for key in ("k1", "b", "stemmer", "stopwords")}
        return Bm25Options(**{key: value for key, value in given.items() if value is not None})


class DenseStage(_Stage):
    """Candidates by the vectors of a retriever."""

    retriever: str = Field(
        description="a name in configs/retrievers, or a retriever's YAML file",
        json_schema_extra={"not": {"const": BM25}},
    )

    @property
    def label(self) -> str:
        """See `_Stage.label`."""
        return stem(self.retriever)


class RunStage(_Stage):
    """Candidates of runs that exist."""

    run: str | dict[str, str] = Field(
        description="a run file, in whose path `{dataset}` is the name, or dataset name -> run file"
    )

    def run_file(self, dataset: str) -> Path:
        """Return the run to import for a dataset."""
        return Path(self.run[dataset] if isinstance(self.run, dict) else self.run.replace("{dataset}", dataset))


def _kind_of_stage(raw: Any) -> str:
    """Return which first stage some keys describe."""
    if isinstance(raw, _Stage):
        return type(raw).__name__
    keys = raw if isinstance(raw, dict) else {}
    if "run" in keys and "retriever" not in keys:
        return "RunStage"
    return "DenseStage" if isinstance(keys.get("retriever"), str) and keys["retriever"] != BM25 else "Bm25Stage"


def _one_source(raw: Any) -> Any:
    if not isinstance(raw, dict):
        return raw
    given = {key: value for key, value in raw.items() if value is not None or key not in ("retriever", "run")}
    sources, named = given.keys() & {"retriever", "run"}, raw.keys() & {"retriever", "run"}
    if len(sources) > 1 or (named and not sources):
        raise ValueError("give either 'retriever: NAME' or 'run: PATH'")
    return given if sources else {"retriever": BM25, **given}


FirstStage = Annotated[
    Annotated[Bm25Stage, Tag("Bm25Stage")]
    | Annotated[DenseStage, Tag("DenseStage")]
    | Annotated[RunStage, Tag("RunStage")],
    Discriminator(_kind_of_stage),
    BeforeValidator(_one_source),
]
