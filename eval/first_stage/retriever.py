"""Dense retrievers as data: one YAML file each in `configs/retrievers/`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...configs import find, names, read
from ...rerankers.errors import InputError
from ...rerankers.validate import Name, validated
from ..data import Policy

BM25 = "bm25"
DEFAULT_TASK = "default"

Pooling = Literal["cls", "mean", "last"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EncoderSize(_Record):
    """What a text costs: layers, width (that of the vectors too), and weights in the matrices of one layer."""

    layers: int
    hidden: int
    weights_per_layer: int

    def flops(self, tokens: float) -> float:
        """Return FLOPs of encoding a text, 2 per multiply-add; attention is counted over all pairs of tokens."""
        return self.layers * (2 * self.weights_per_layer * tokens + 4 * self.hidden * tokens**2)


class Specials(_Record):
    """Tokens around every text, set in the tokenizer by name: releases of transformers follow different files."""

    add_bos_token: bool
    add_eos_token: bool


class RetrieverSpec(_Record):
    """One text encoder and how it is used for retrieval.

    Attributes:
        name: what experiments and tables call it.
        source, revision: hub id and commit, a local folder, or `package:MODULE`.
        pooling: which state is the text's vector: `cls` the first, `last` the end-of-text token's, `mean` of all.
        normalise: vectors get length 1.
        query_template: `{query}` is the query, `{task}` what `tasks` has for the dataset.
        query_templates: by dataset or macro group, instead of `query_template`.
        tasks: by dataset, by macro group, or `default`.
        passage_template: `{passage}` is the passage.
        query_max_length, passage_max_length: most tokens, special ones included.
        tokenizer: which special tokens are around a text; None leaves it to the model's files.
        dtype: of the computation; `auto` is float16 on CUDA (as FlagEmbedding encodes), float32 elsewhere.
        stored_as: precision of the vectors on disk.
        batch_size: texts in one forward pass; provenance, not identity.
        shape: for plans; None if unknown.
        download_bytes: size of the weights, for plans; None if unknown.
    """

    name: Name
    source: str
    revision: str | None = None
    pooling: Pooling
    normalise: bool = True
    query_template: str = "{query}"
    query_templates: dict[str, str] = {}
    tasks: dict[str, str] = {}
    passage_template: str = "{passage}"
    query_max_length: int = Field(ge=3)
    passage_max_length: int = Field(ge=3)
    tokenizer: Specials | None = None
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    stored_as: Literal["float16", "float32"] = "float16"
    batch_size: int = Field(default=32, ge=1)
    shape: EncoderSize | None = None
    download_bytes: int | None = None
    license: str | None = None
    note: str = ""

    @model_validator(mode="after")
    def _templates(self) -> RetrieverSpec:
        for key, template, name in (
            ("query_template", self.query_template, "{query}"),
            *((f"query_templates.{key}", text, "{query}") for key, text in self.query_templates.items()),
            ("passage_template", self.passage_template, "{passage}"),
        ):
            if template.count(name) != 1:
                raise ValueError(f"{key} must contain {name} once")
        if ("{task}" in self.query_template) != bool(self.tasks):
            raise ValueError("{task} in query_template and 'tasks' go together; give both or none")
        return self

    def query_format(self, dataset: str, policy: Policy) -> str:
        """Return the query template of a dataset, its task filled in. Raises InputError when the dataset has none."""
        for key in (dataset, policy.group):
            if key in self.query_templates:
                return self.query_templates[key]
        if not self.tasks:
            return self.query_template
        for key in (dataset, policy.group, DEFAULT_TASK):
            if key in self.tasks:
                return self.query_template.replace("{task}", self.tasks[key])
        raise InputError(f"retriever '{self.name}': has no task for '{dataset}'; add it, or `default`, to `tasks`")


def list_retrievers() -> list[str]:
    """List names of all retrievers, BM25 among them, sorted."""
    return sorted([BM25, *names("retrievers")])


def load_retriever(name: str) -> RetrieverSpec:
    """Load a dense retriever by its name, or from the path of a YAML file.

    Raises InputError naming the file and the key.
    """
    path = find("retrievers", name, "first_stage.retriever", also=(BM25,))
    return validated(RetrieverSpec, {"name": path.stem, **read(path)}, str(path))
