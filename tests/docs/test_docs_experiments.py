"""docs/experiments.md has every key of an experiment with its default, and no other; add-a-*.md likewise."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel
from rerankbench.eval.data.dataset import Policy
from rerankbench.eval.experiment.engines import LocalOptions, RayOptions
from rerankbench.eval.experiment.schema import Compression, Experiment, RerankerEntry
from rerankbench.eval.experiment.stages import Bm25Stage, DenseStage, FusedStage, ListedStage, RunStage
from rerankbench.eval.results import PER_QUERY_COLUMNS, Manifest
from rerankbench.rerankers.registry import option_defaults
from rerankbench.rerankers.spec import KEYS, ModelSpec

DOCS = Path(__file__).resolve().parents[2] / "docs"


def table(page: str, heading: str) -> list[list[str]]:
    """Cells of the first table below a heading."""
    text = re.sub(r"^```.*?^```$", "", (DOCS / page).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    section = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, heading
    rows = [line.strip("| ").split(" | ") for line in section[1].splitlines() if line.startswith("| `")]
    assert rows
    return rows


def names(rows: list[list[str]]) -> list[str]:
    return [name for row in rows for name in re.findall(r"`([\w@-]+)`", row[0])]


@pytest.mark.parametrize(
    ("heading", "part"),
    [
        ("Experiment", Experiment),
        ("First stage by BM25", Bm25Stage),
        ("First stage by a dense retriever", DenseStage),
        ("First stage from runs", RunStage),
        ("First stage from lists", ListedStage),
        ("First stage from several, fused", FusedStage),
        ("rerankers", RerankerEntry),
        ("compress", Compression),
        ("engine", LocalOptions),
        ("Engine on Ray", RayOptions),
    ],
)
def test_keys_of_experiments(heading: str, part: type[BaseModel]) -> None:
    """Keys that a part shares with another stand in the other's table."""
    shown = {row[0].strip("`"): row[1] for row in table("experiments.md", heading)}
    shared = {"First stage": Bm25Stage, "Engine": LocalOptions}.get(heading.partition(" on ")[0].partition(" by ")[0])
    shared = Bm25Stage if heading.startswith("First stage from") else shared
    own = [key for key in part.model_fields if part is shared or shared is None or key not in shared.model_fields]
    own += [key for key in part.model_fields if key not in own and key in ("name", "retriever")]
    assert sorted(name for name in shown if name in own or name not in option_defaults()) == sorted(own)
    for name in own:
        field = part.model_fields[name]
        if field.is_required():
            assert shown[name] in ("the file's name" if name == "name" else "required", "`ray`"), name
        else:
            assert yaml.safe_load(shown[name].strip("`")) == _plain(field.default), name
    for name in shown.keys() - set(own):
        assert yaml.safe_load(shown[name].strip("`")) == option_defaults()[name], name


def test_keys_of_policies() -> None:
    rows = table("add-a-dataset.md", "policy.yaml")
    assert sorted(names(rows)) == sorted(field.name for field in fields(Policy))
    defaults = {field.name: field.default for field in fields(Policy)}
    for row in rows:
        for name in names([row]):
            shown = None if row[1] == "none" else yaml.safe_load(row[1].strip("`"))
            assert shown == defaults[name], name


def test_keys_of_models() -> None:
    shown = {*names(table("add-a-model.md", "A model with a name")), "name"}  # the file's name
    assert shown == {*KEYS, *option_defaults()}
    required = [field.name for field in fields(ModelSpec) if field.default is field.default_factory is MISSING]
    assert required == ["name", "family", "source"]


def test_keys_of_results() -> None:
    assert {*names(table("results.md", "manifest.json")), "schema_version"} == set(Manifest.model_fields)
    assert names(table("results.md", "Per query")) == list(PER_QUERY_COLUMNS)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return {"retriever": "bm25"} if isinstance(value, Bm25Stage) else value.model_dump(exclude_defaults=True)
    return list(value) if isinstance(value, tuple) else value
