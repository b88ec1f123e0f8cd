"""Published figures: true to their source, their contradictions known, and verdicts that cannot flatter."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from pathlib import Path

import pytest
import yaml
from rerankbench.configs import CONFIGS
from rerankbench.eval.cli import main
from rerankbench.eval.data import list_datasets, load_policy
from rerankbench.eval.experiment.file import load_experiment
from rerankbench.eval.first_stage import load_retriever
from rerankbench.eval.first_stage.bm25 import Bm25Options
from rerankbench.eval.published import (
    PublishedTable,
    check_cells,
    check_means,
    compare,
    list_published,
    load_published,
)
from rerankbench.eval.published.table import read_published
from rerankbench.eval.results import FIRST_STAGE, Cell
from rerankbench.eval.tables import render
from rerankbench.rerankers.errors import InputError
from table_cells import make_cell

LIGHTWEIGHT = "bge-reranker-v2.5-gemma2-lightweight"
BEIR = "beir-bge-large"


def run(*arguments: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["rerankbench", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    return int(exit_.value.code or 0)


def tables() -> list[PublishedTable]:
    return [load_published(name) for name in list_published()]


@pytest.mark.parametrize("table", tables(), ids=lambda t: t.name)
def test_rows_are_datasets_that_exist(table: PublishedTable) -> None:
    known = {info.policy.group or info.name for info in list_datasets()}
    assert set(table.rows) <= known
    assert all(0 < v < 100 for values in [*table.rows.values(), table.mean or ()] for v in values if v is not None)
    stages = [c.model for c in table.columns if c.setting == FIRST_STAGE]
    assert stages in ([], [table.first_stage])
    if stages:
        assert len(table.rows) == (18 if table.name.startswith("miracl") else 15)


def test_every_mean_follows_from_its_rows_except_the_four_that_are_known() -> None:
    found = {
        (c.table, c.model, c.setting): c for table in tables() for c in check_means(table) if c.status != "consistent"
    }
    expected = {
        (BEIR, "bge-reranker-v2-m3", "full"): ("corrected", 55.36, 55.84),
        (BEIR, "bge-reranker-v2-gemma", "full"): ("corrected", 60.71, 60.6647),
        (BEIR, LIGHTWEIGHT, "L25-r2@8"): ("open", 63.1, 63.5333),
        ("miracl-bge-m3", "bge-reranker-v2-m3", "full"): ("rounding", 74.4, 74.4556),
    }
    assert {key: (c.status, c.printed, round(c.recomputed, 4)) for key, c in found.items()} == expected
    for check in found.values():
        if check.status == "corrected":
            assert check.corrected is not None
            assert round(check.corrected, 2) == check.printed


def test_the_older_table_disagrees_in_the_corrected_cells_only() -> None:
    table = load_published(BEIR)
    cells = check_cells(table, load_published(f"{BEIR}-2024-03"))
    assert {(c.row, c.model): (c.printed, c.older, c.recorded) for c in cells} == {
        ("beir/fiqa", "bge-reranker-v2-m3"): (49.32, 44.51, True),
        ("beir/webis-touche2020", "bge-reranker-v2-m3"): (35.68, 33.22, True),
        ("beir/fever", "bge-reranker-v2-gemma"): (90.15, 90.8, True),
    }
    silent = table.model_copy(update={"errata": ()})
    assert not any(c.recorded for c in check_cells(silent, load_published(f"{BEIR}-2024-03")))


def test_a_typing_error_in_a_table_is_an_open_contradiction() -> None:
    table = load_published("beir-e5-mistral")
    rows = {**table.rows, "beir/nq": (63.56, 73.44, 75.5, 76.28)}  # 75 in the source
    statuses = [c.status for c in check_means(table.model_copy(update={"rows": rows}))]
    assert statuses == ["consistent", "consistent", "open", "consistent"]


def test_comparison_uses_corrected_cells_and_the_mean_of_rows_where_it_is_open() -> None:
    table = load_published(BEIR)
    assert table.value("beir/fiqa", "bge-reranker-v2-m3", "full") == 44.51
    assert table.printed("beir/fiqa", "bge-reranker-v2-m3", "full") == 49.32
    assert table.value("mean", LIGHTWEIGHT, "L25-r2@8") == pytest.approx(63.5333, abs=1e-4)
    assert table.value("mean", "bge-reranker-v2-m3", "full") == 55.36
    assert table.value("beir/fiqa", "bge-reranker-v2-m3", "L8") is None


@pytest.mark.parametrize(
    ("setting", "row", "difference", "verdict"),
    [
        ("full", "beir/nq", 0.30, "reproduced"),
        ("full", "beir/nq", -0.30, "reproduced"),
        ("full", "beir/nq", 0.31, "off"),
        ("full", "mean", 0.10, "reproduced"),
        ("full", "mean", -0.11, "off"),
        ("first-stage", "beir/nq", -0.10, "reproduced"),
        ("first-stage", "beir/nq", 0.11, "off"),
    ],
)
def test_verdicts(setting: str, row: str, difference: float, verdict: str) -> None:
    table = load_published(BEIR)
    model = LIGHTWEIGHT if setting == "full" else "bge-large-en-v1.5"
    published = table.value(row, model, setting)
    assert published is not None
    for partial, expected in ((False, verdict), (True, "partial")):
        found = compare(table, row, model, setting, published + difference, partial=partial)
        assert found is not None
        assert found.verdict == expected
        assert found.difference == pytest.approx(difference)


def test_a_column_may_have_a_tolerance_of_its_own() -> None:
    """The tests of vLLM allow gte and zerank 0.01 and the others 0.002."""
    table = load_published("nfcorpus-top10")
    for model, allowed in (("gte-reranker-modernbert-base", 1.0), ("bge-reranker-base", 0.2)):
        for difference, verdict in ((allowed, "reproduced"), (allowed + 0.01, "off")):
            published = table.value("beir/nfcorpus", model, "full") or 0.0
            found = compare(table, "beir/nfcorpus", model, "full", published - difference, partial=False)
            assert found is not None
            assert found.verdict == verdict
    cells = [make_cell("beir/nfcorpus", 0.33, column.model, column.setting) for column in table.columns]
    assert "of zerank-2 full by at most 1.0" in render(cells, published="nfcorpus-top10")


def cells_of(table: PublishedTable, **more: object) -> list[Cell]:
    """A run that measured exactly what the table prints; CQADupStack's forums all get their mean."""
    forums = [i.name for i in list_datasets() if i.policy.group == "cqadupstack"]
    cells = []
    for column in table.columns:
        for row in table.rows:
            score = (table.value(row, *column.key) or 0) / 100
            members = forums if row == "cqadupstack" else [row]
            group = "cqadupstack" if row == "cqadupstack" else None
            cells += [make_cell(name, score, *column.key, group=group, **more) for name in members]
    return cells


@pytest.mark.parametrize("name", ["beir-bge-large", "beir-e5-mistral", "miracl-bge-m3"])
def test_a_whole_run_with_the_published_figures_is_reproduced_in_every_place(name: str) -> None:
    table = load_published(name)
    cells = cells_of(table)
    text = render(cells, published=name, format="md")
    assert text.count("reproduced)") + text.count("reproduced (e))") == len(table.columns) * (len(table.rows) + 1)
    assert " off" not in text
    assert "not run" not in text
    partial = render(cells_of(table, partial={"limit": 10}), published=name, format="md")
    assert "reproduced" not in partial.replace("- reproduced: differs", "")


@pytest.mark.parametrize("format", ["text", "md", "latex", "html", "csv"])
def test_what_was_not_run_is_listed(format: str) -> None:
    cell = make_cell("beir/scifact", 0.90, LIGHTWEIGHT, "full")
    text = render([cell], published=BEIR, format=format)  # type: ignore[arg-type]
    assert text.count("not run") >= 6 * 15 - 1
    assert "off" in text
    assert "9.62" in text  # 90.00 - 80.38
    if format != "csv":
        assert "44.51" in text
        assert "erratum" in text


def test_json_has_the_comparison() -> None:
    cells = [make_cell("beir/scifact", 0.8038, LIGHTWEIGHT, "full"), make_cell("other", 0.5)]
    first, second = json.loads(render(cells, published=BEIR, format="json"))
    assert first["published"]["verdict"] == "reproduced"
    assert first["published"]["value"] == 80.38
    assert second["published"] is None


def test_a_mean_over_other_rows_is_not_compared() -> None:
    table = load_published("miracl-bge-m3")
    cells = cells_of(table)
    extra = [make_cell("beir/nq", 0.5, *column.key) for column in table.columns]
    for shown, verdict in ((cells, "reproduced"), ([*cells, *extra], "")):
        lines = csv.DictReader(io.StringIO(render(shown, published=table.name, format="csv")))
        assert {line["verdict"] for line in lines if line["level"] == "mean"} == {verdict}


def broken(tmp_path: Path, **change: object) -> Path:
    raw = yaml.safe_load((CONFIGS / "published" / f"{BEIR}.yaml").read_text(encoding="utf-8"))
    raw.update(change)
    path = tmp_path / "table.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in raw.items() if v is not None}), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mean": None, "rows": None, "errata": []}, "has no figure; give rows, a mean or both"),
        ({"mean": [1.0]}, "row 'mean' has 1 figures for 6 columns"),
        ({"tolerance": "bier"}, "tolerance 'bier' is unknown; did you mean 'beir'?"),
        ({"colour": 1}, "colour: unknown key; did you mean 'columns'"),
        ({"source": None}, "source: is missing"),
        (
            {"errata": [{"model": "m", "setting": "full", "row": "beir/nq", "printed": 1, "note": ""}]},
            "1.0 is given as printed, the table has None",
        ),
    ],
)
def test_broken_tables_are_one_line(tmp_path: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        read_published(broken(tmp_path, **change))
    assert "table.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_check_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("published", "--check", monkeypatch=monkeypatch) == 0
    text = capsys.readouterr().out
    assert "29 are consistent, 4 are not" in text
    assert "beir/fiqa: printed 49.32, the older table has 44.51" in text
    assert "with the older cells the mean is 55.3553: the printed one is right" in text
    assert text.endswith("1 without an explanation.\n")
    assert run("published", BEIR, "--check", "--strict", monkeypatch=monkeypatch) == 1
    capsys.readouterr()
    assert run("published", "beir-e5-mistral", "--check", "--strict", "--json", monkeypatch=monkeypatch) == 0
    assert json.loads(capsys.readouterr().out)["unexplained"] == 0


def test_one_model_from_all_sources(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The five means of bge-reranker-v2-m3 that are published, side by side, each with what it differs by."""
    monkeypatch.setenv("COLUMNS", "200")
    assert run("published", "--model", "bge-reranker-v2-m3", monkeypatch=monkeypatch) == 0
    lines = capsys.readouterr().out.splitlines()
    for mean, stage, depth in (
        ("55.36", "bge-large-en-v1.5", "100"),
        ("56.51", "?", "?"),
        ("53.65", "?", "?"),
        ("57.03", "Qwen3-Embedding-0.6B", "100"),
        ("55.26", "mean over six retrievers", "100"),
    ):
        (line,) = [x for x in lines if x.startswith(mean) and "2024-03" not in x]
        assert re.search(rf"full +{re.escape(stage)} +{re.escape(depth)} ", line)
    assert (
        run("published", "--model", "bge-reranker-v2-m3", "--row", "beir/fiqa", "--json", monkeypatch=monkeypatch) == 0
    )
    found = {one["table"]: (one["printed"], one["corrected"]) for one in json.loads(capsys.readouterr().out)}
    assert found == {
        BEIR: (49.32, 44.51),
        f"{BEIR}-2024-03": (44.51, None),
        "beir-bm25-m3": (39.7, None),
        "fiqa-bge-large": (44.828, None),
    }
    for arguments, message in (
        (("--model", "bge-reranker-v2-m4"), "did you mean 'bge-reranker-v2-m3'?"),
        (("--model", "bge-reranker-base", "--row", "beir/nfcorpos"), "did you mean 'beir/nfcorpus'?"),
        (("--row", "beir/fiqa"), "--row goes with --model"),
    ):
        assert run("published", *arguments, monkeypatch=monkeypatch) == 2
        assert message in capsys.readouterr().err


def test_quick_targets_are_run_as_their_source_ran_them() -> None:
    table, experiment = load_published("nfcorpus-top10"), load_experiment("nfcorpus-top10")
    stage = experiment.first_stage
    assert (stage.label, stage.k) == (table.first_stage, table.depth) == ("bm25", 10)
    assert stage.options == Bm25Options(k1=1.5, b=0.75, stemmer="english", stopwords="lucene-en")
    assert {entry.label for entry in experiment.rerankers} == {column.model for column in table.columns}
    assert table.tolerance.reranker == pytest.approx(0.2)
    fiqa, command = load_published("fiqa-bge-large"), load_experiment("fiqa-bge-large")
    assert fiqa.printed("beir/fiqa", "bge-reranker-large", "full") == 40.991
    bare = load_retriever(str(command.first_stage.retriever))
    assert bare.query_format("beir/fiqa", load_policy("beir/fiqa")) == "{query}"
    plain, large = (load_retriever(name).model_dump() for name in ("bge-large-en-v1.5-bare", "bge-large-en-v1.5"))
    differing = {key for key in large if plain[key] != large[key]}
    assert differing == {"name", "query_template", "query_templates", "note"}


def test_list_and_show_commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("published", monkeypatch=monkeypatch) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in list_published())
    assert run("published", BEIR, monkeypatch=monkeypatch) == 0
    shown = capsys.readouterr().out
    assert "86.16" in shown
    assert "corrected 44.51" in shown
    assert "87e72cf" in shown
    assert run("published", "beir", monkeypatch=monkeypatch) == 2
    assert "known: beir-bge-large" in capsys.readouterr().err


@pytest.mark.shared
@pytest.mark.parametrize("name", ["beir-bge-large", "beir-e5-mistral", "miracl-bge-m3"])
def test_every_cell_equals_the_card(name: str, shared_data: Path) -> None:
    card = shared_data.parent / "seed" / "bge-reranker-model-card.md"
    if not card.is_file():
        pytest.skip("the model card is absent")
    rows = [
        [cell.strip().strip("* ") for cell in line.strip("|\n ").split("|")]
        for line in card.read_text(encoding="utf-8").splitlines()
        if line.startswith("|") and not re.fullmatch(r"[|\s:-]+", line)
    ]
    starts = {r[1]: i for i, r in enumerate(rows) if r[0] == "BEIR"} | {
        "bge-m3": next(i for i, r in enumerate(rows) if r[0].startswith("MIRACL"))
    }
    table = load_published(name)
    start = starts[table.first_stage]
    if name == "miracl-bge-m3":
        body = rows[start + 1 : start + 7]
        languages, saved, models = rows[start][3:], [r[2] for r in body], [r[0] for r in body]
        printed = {f"miracl/{lang}": [float(r[3 + i]) for r in body] for i, lang in enumerate(languages)}
        mean = [float(r[1]) for r in body]
    else:
        body, saved, models = rows[start + 2 : start + 18], rows[start + 1][1:], rows[start][1:]
        assert body[-1][0] == "Mean"
        mean = [float(x) for x in body.pop()[1:]]
        printed = {_dataset(r[0]): [float(x) for x in r[1:]] for r in body}
    assert {row: list(values) for row, values in table.rows.items()} == printed
    assert list(table.mean) == mean
    assert [c.setting == "L25-r2@8" for c in table.columns] == [share == "60%" for share in saved]
    assert [c.model == LIGHTWEIGHT for c in table.columns] == ["v2.5" in model for model in models]
    assert [c.model.split("-")[0] for c in table.columns] == [model.lower().split("-")[0] for model in models]


def _dataset(label: str) -> str:
    """The dataset that the card calls `label`, by its letters."""
    known = {"cqa": "cqadupstack", "dbpedia": "beir/dbpedia-entity", "touche2020": "beir/webis-touche2020"}
    known |= {"fiqa2018": "beir/fiqa", "quoraretrieval": "beir/quora"}
    plain = {info.name.replace("-", "").removeprefix("beir/"): info.name for info in list_datasets()}
    return known.get(label.lower()) or plain[label.lower()]
