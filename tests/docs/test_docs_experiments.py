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
from rerankbench.eval.experiment.schema import Compression, EngineOptions, Experiment, FirstStage, RerankerEntry
from rerankbench.eval.results import PER_QUERY_COLUMNS, Manifest
from rerankbench.rerankers.spec import ModelSpec

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
        ("first_stage", FirstStage),
        ("rerankers", RerankerEntry),
        ("compress", Compression),
        ("engine", EngineOptions),
    ],
)
def test_keys_of_experiments(heading: str, part: type[BaseModel]) -> None:
    found = {row[0].strip("`"): row[1] for row in table("experiments.md", heading)}
    assert list(found) == list(part.model_fields)
    for name, field in part.model_fields.items():
        if field.is_required():
            assert found[name] == ("the file's name" if name == "name" else "required"), name
        else:
            assert yaml.safe_load(found[name].strip("`")) == _plain(field.default), name


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
    assert shown == {field.name for field in fields(ModelSpec)}
    required = [field.name for field in fields(ModelSpec) if field.default is field.default_factory is MISSING]
    assert required == ["name", "family", "source"]


def test_keys_of_results() -> None:
    assert {*names(table("results.md", "manifest.json")), "schema_version"} == set(Manifest.model_fields)
    assert names(table("results.md", "Per query")) == list(PER_QUERY_COLUMNS)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(exclude_defaults=True)
    return list(value) if isinstance(value, tuple) else value
