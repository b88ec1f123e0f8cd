"""A first stage that is not the published one stops the run before anything is reranked."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pytest
from rerankbench.eval.data import list_datasets
from rerankbench.eval.experiment.file import parse_experiment
from rerankbench.eval.published import load_published
from rerankbench.eval.results import Cell, Counts, Manifest
from rerankbench.eval.runner.first_stage_check import check_first_stage
from rerankbench.rerankers.errors import InputError

FORUMS = [info.name for info in list_datasets() if info.policy.group == "cqadupstack"]
TABLE = load_published("beir-bge-large")


def cell(dataset: str, score: float, partial: dict[str, int] | None = None) -> Cell:
    manifest = Manifest(
        experiment="x",
        dataset=dataset,
        group="cqadupstack" if dataset in FORUMS else None,
        model="bge-large-en-v1.5",
        setting="first-stage",
        identity="0",
        identity_parts={},
        partial=partial,
        metrics={"nDCG@10": score / 100},
        counts=Counts(queries=1, pairs=1),
    )
    return Cell(Path("nowhere"), manifest)


def check(cells: Sequence[Cell], **first_stage: object) -> None:
    stage = {"retriever": "bge-large-en-v1.5", "check": "beir-bge-large", **first_stage}
    check_first_stage(parse_experiment({"name": "x", "datasets": ["beir/fiqa"], "first_stage": stage}, "here"), cells)


def test_miss_names_everything_in_one_line():
    with pytest.raises(InputError) as caught:
        check([cell("beir/fiqa", 44.5)])
    message = str(caught.value)
    for part in (
        "beir/fiqa",
        "44.50",
        "44.97",
        "'beir-bge-large'",
        f"tolerance {TABLE.tolerance.first_stage:g}",
        "first_stage.on_mismatch=warn",
    ):
        assert part in message
    assert "\n" not in message


def test_tolerance():
    check([cell("beir/fiqa", 44.97 + TABLE.tolerance.first_stage)])
    check([cell("beir/fiqa", 44.5)], tolerance=0.5)
    with pytest.raises(InputError):
        check([cell("beir/fiqa", 44.97 - TABLE.tolerance.first_stage - 0.001)])


def test_warning_goes_on(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING, "rerankbench"):
        check([cell("beir/fiqa", 1.0)], on_mismatch="warn")
    assert "beir/fiqa: the first stage has nDCG@10 1.00" in caplog.text


def test_group_is_checked_as_a_whole():
    published = TABLE.value("cqadupstack", "bge-large-en-v1.5", "first-stage")
    assert published is not None
    scores = [published + i - 5.5 for i in range(12)]  # none is near, their mean is
    cells = [cell(name, score) for name, score in zip(FORUMS, scores, strict=True)]
    for count in range(1, 13):
        check(cells[:count])
    cells[3] = cell(FORUMS[3], 0.0)
    check(cells[:11])
    with pytest.raises(InputError, match="cqadupstack: the first stage has"):
        check(cells)


def test_what_cannot_be_compared_passes():
    check([cell("beir/fiqa", 1.0, {"sample": 5, "seed": 0})])
    check([cell("builtin/en", 1.0)])
    check([cell("beir/fiqa", 1.0)], check=None)


def test_metric_of_the_table_is_needed():
    stage = {"retriever": "bm25", "check": "beir-bge-large"}
    with pytest.raises(InputError, match=r"metrics: nDCG@10 is needed"):
        parse_experiment({"name": "x", "datasets": ["a"], "first_stage": stage, "metrics": ["AP"]}, "here")
    with pytest.raises(InputError, match="beir-bge-larg' is unknown; did you mean"):
        parse_experiment({"name": "x", "datasets": ["a"], "first_stage": {**stage, "check": "beir-bge-larg"}}, "here")
