"""What families of pair classifiers share: their options, and the plan of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import Field

from ..adapters.plans import PairPlan
from ..checkpoint.hub import Resolved
from ..errors import InputError
from ..family import Family, FamilyOptions
from ..flops import Shape
from ..models.config import EncoderConfig
from ..models.modern_config import ModernConfig
from ..options import Truncation
from ..spec import ModelSpec

if TYPE_CHECKING:
    from ..tokenization.tokenizer import Tokenizer


class PairOptions(FamilyOptions):
    """How pairs are cut."""

    truncation: Truncation | None = Field(
        default=None,
        description="class or snippet: as FlagEmbedding's class or the tokenizer alone cuts a long pair; default: the "
        "family's",
    )


def pair_plan(
    family: Family,
    spec: ModelSpec,
    files: Resolved,
    tokenizer: Tokenizer,
    *,
    positions: int | None,
    ids: int | None,
    shape: Shape | None = None,
    recipe: Mapping[str, Any] | None = None,
) -> PairPlan:
    """Plan a classifier.

    Raises InputError for what sentence-transformers saved and no pair can go through.
    """
    from ..tokenization.lengths import with_length

    saved = files.saved
    refuse_text_encoders(files)
    spec = with_length(spec, saved, tokenizer, positions, tokenizer.pair_template().special)
    text = family.text_rules(spec)
    if saved.kind == "CrossEncoder" and family.choose(spec).truncation is None:
        text = replace(text, truncation="snippet")  # that library cuts the longer text first
    return PairPlan(
        adapter=family.adapter,
        spec=spec,
        text=text,
        positions=positions,
        ids=ids,
        shape=shape,
        query_prompt=saved.prompt(saved.default_prompt) if saved.default_prompt else "",
        activation=saved.activation,
        recipe=recipe or {},
    )


def refuse_text_encoders(files: Resolved) -> None:
    """Raise InputError for what sentence-transformers saved and no pair of texts can go through."""
    saved = files.saved
    if saved.kind == "SentenceTransformer":
        raise InputError(f"{files.root}: a text encoder of sentence-transformers, not a classifier of pairs")
    if saved.chat is not None:
        raise InputError(
            f"{files.root}: texts in a chat template ('message') are not supported for model_type "
            f"'{files.config.get('model_type')}'"
        )


def refuse_other_heads(family: Family, files: Resolved, config: EncoderConfig | ModernConfig) -> None:
    """Raise InputError where a folder has another head than a classifier of one output."""
    if config.labels != 1:
        raise InputError(f"{files.folder / 'config.json'}: the family {family.name} needs a classifier with one output")
    if files.saved.modules or files.saved.task not in ("feature-extraction", "sequence-classification"):
        raise InputError(f"{files.root}: modules of sentence-transformers, which the family {family.name} does not run")
