"""The published JSON Schema is the one of the code, names no key that is refused, and refuses what is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from rerankbench.configs import CONFIGS
from rerankbench.eval.experiment.file import list_experiments, parse_experiment
from rerankbench.eval.experiment.json_schema import schema_text
from rerankbench.rerankers.errors import InputError

PUBLISHED = CONFIGS / "experiment.schema.json"


def validator() -> Any:
    jsonschema = pytest.importorskip("jsonschema", reason="a JSON Schema checker that is not ours")
    schema = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_published_schema_is_up_to_date() -> None:
    assert PUBLISHED.read_text(encoding="utf-8") == schema_text(), "rerankbench run --schema > " + str(PUBLISHED)


@pytest.mark.parametrize("name", list_experiments())
def test_shipped_experiments_name_it_and_obey_it(name: str) -> None:
    path = CONFIGS / "experiments" / f"{name}.yaml"
    first, _, text = path.read_text(encoding="utf-8").partition("\n")
    assert first.startswith("# yaml-language-server: $schema=")
    assert (path.parent / Path(first.partition("=")[2])).resolve() == PUBLISHED.resolve()
    assert list(validator().iter_errors(yaml.safe_load(text))) == []


@pytest.mark.parametrize(
    ("raw", "fine"),
    [
        ({"datasets": ["a"], "rerankers": ["all-minilm-l6-v2"]}, True),
        ({"datasets": ["a"], "first_stage": {"k": 10}}, True),
        ({"datasets": ["a"], "rerankers": [{"model": "m", "cutoff_layers": [3, None]}]}, True),
        ({"datasets": []}, False),
        ({"rerankers": []}, False),
        ({"datasets": ["a"], "first_stage": {"k": 0}}, False),
        ({"datasets": ["a"], "rerankers": [{"modle": "m"}]}, False),
        ({"datasets": ["a"], "engine": {"devices": "cpu"}}, False),
    ],
)
def test_checker_and_code_agree(raw: dict[str, Any], fine: bool) -> None:
    assert validator().is_valid(raw) == fine
    try:
        parse_experiment({"name": "x", **raw}, "here")
    except InputError:
        assert not fine
    else:
        assert fine
