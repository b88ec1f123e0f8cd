from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_parts import FakeDataset, FakeReranker, fake_retrieve
from rerankbench.eval.experiment.file import parse_experiment
from rerankbench.eval.metrics.trec import evaluate
from rerankbench.eval.results import PER_QUERY_COLUMNS, Cell, digest, load_cells
from rerankbench.eval.runner import first_stage
from rerankbench.eval.runner import run as runner
from rerankbench.eval.runner.subset import Part
from rerankbench.rerankers.errors import InputError, ScoreError


@pytest.fixture(autouse=True)
def _fake_data(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(runner, "load_dataset", lambda name: FakeDataset(name))
    monkeypatch.setattr(first_stage, "retrieve", fake_retrieve)


def run(
    out: Path, reranker: FakeReranker | None = None, *, limit: int | None = None, overwrite: bool = False, **keys: Any
):
    raw = {
        "name": "trial",
        "datasets": ["one", "two"],
        "first_stage": {"retriever": "bm25", "k": 8},
        "rerankers": [{"model": "fake", "cutoff_layers": [1, 3, None]}],
        "engine": {"block_queries": 4},
        **keys,
    }
    model = reranker or FakeReranker()
    experiment = parse_experiment(raw, "here")
    return runner.run_experiment(experiment, out, part=Part(limit), overwrite=overwrite, load=lambda *_: model)


def by_name(cells: list[Cell]) -> dict[tuple[str, str], Cell]:
    return {(cell.manifest.dataset, cell.manifest.setting): cell for cell in cells}


def log_lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def test_cells_in_order_and_on_disk(tmp_path: Path):
    cells = run(tmp_path)
    settings = ["first-stage", "L1", "L3", "full"]
    assert [(c.manifest.dataset, c.manifest.setting) for c in cells] == [
        (d, s) for d in ("one", "two") for s in settings
    ]
    assert {c.path for c in load_cells([tmp_path])} == {c.path for c in cells}
    assert not list(tmp_path.rglob("*.tmp"))


def test_cell_says_what_was_scored(tmp_path: Path):
    cell = by_name(run(tmp_path))["one", "L3"]
    manifest, table, scores = cell.manifest, cell.per_query(), cell.run()
    assert manifest.identity == digest(manifest.identity_parts)
    assert manifest.partial is None
    assert manifest.counts.queries == 12
    assert manifest.counts.missing == 1  # q005 has no candidates
    assert manifest.counts.pairs == 11 * 8
    assert list(table.columns) == [*PER_QUERY_COLUMNS, *manifest.metrics]
    assert list(table["query_id"]) == sorted(FakeDataset("one").queries)
    lost = table.set_index("query_id").loc["q005"]
    assert lost["candidates"] == lost["nDCG@10"] == 0
    assert evaluate(scores, FakeDataset("one").qrels, list(manifest.metrics)) == manifest.metrics
    assert manifest.metrics["nDCG@10"] == pytest.approx(table["nDCG@10"].mean())


def test_flops_follow_from_the_stored_token_counts(tmp_path: Path):
    cells = by_name(run(tmp_path))
    cut, full = cells["one", "L3"].manifest, cells["one", "full"].manifest
    assert cut.flops is not None
    assert full.flops is not None
    assert full.flops.saved == 0.0
    assert cut.flops.full == full.flops.reference
    assert cut.flops.saved == pytest.approx(0.5, abs=0.01)  # 3 of 6 layers; the cosine is not halved
    assert cut.flops.saved_naive == pytest.approx(0.5)
    table = cells["one", "L3"].per_query()
    assert int(table["flops_reference"].sum()) == cut.flops.reference
    assert cut.tokens is not None
    assert int(table["tokens"].sum()) == cut.tokens.query + cut.tokens.passage + cut.tokens.prompt
    # the fake counts nothing, so nothing is claimed
    assert cut.flops.executed is None
    assert cut.cost.tflops is None
    assert cut.cost.share_of_peak is None
    assert cut.cost.forward_seconds == pytest.approx(3 * 0.002)  # three blocks
    assert cut.cost.pass_settings == ("L1", "L3", "full")


def test_ties_and_truncation_are_counted(tmp_path: Path):
    model = FakeReranker()
    original = model.score

    def coarse(groups: Any, settings: Any, text: Any, prepared: Any = None):
        result = original(groups, settings, text)
        result.scores = np.floor(result.scores / 5).astype(np.float32)
        return result

    model.score = coarse
    cell = by_name(run(tmp_path, model))["one", "L1"]
    expected = 0
    for docs in cell.run().values():
        values = list(docs.values())
        expected += sum(values.count(value) > 1 for value in values)
    assert cell.manifest.counts.tied == expected > 0
    candidates = fake_retrieve("bm25", FakeDataset("one"), 8, tmp_path).run["q000"]
    long = sum(len(text.split()) > 5 for text in FakeDataset("one").texts([doc for doc, _ in candidates]))
    assert cell.manifest.counts.truncated == 11 * long > 0


def test_unknown_shape_is_not_measured(tmp_path: Path):
    model = FakeReranker()
    model.shape = None
    cell = by_name(run(tmp_path, model))["one", "full"]
    assert cell.manifest.flops is None
    assert cell.per_query()["flops_reference"].isna().all()


def test_second_run_scores_nothing(tmp_path: Path):
    log = tmp_path / "log"
    first = run(tmp_path / "out", FakeReranker(log))
    pairs = log_lines(log)
    second = run(tmp_path / "out", FakeReranker(log))
    assert log_lines(log) == pairs
    assert len(pairs) == 2 * 11 * 8  # one pass for the three settings
    assert [c.manifest for c in second] == [c.manifest for c in first]


def test_more_cutoffs_score_only_what_is_new(tmp_path: Path):
    log = tmp_path / "log"
    first = by_name(run(tmp_path / "out", FakeReranker(log)))
    before = len(log_lines(log))
    more = [{"model": "fake", "cutoff_layers": [2, 3]}]
    second = by_name(run(tmp_path / "out", FakeReranker(log), rerankers=more))
    assert {line.split("\t")[0] for line in log_lines(log)[before:]} == {"L2"}
    assert second["one", "L3"].run() == first["one", "L3"].run()


def test_new_metric_needs_no_scores(tmp_path: Path):
    log = tmp_path / "log"
    run(tmp_path / "out", FakeReranker(log))
    before = log_lines(log)
    cells = run(tmp_path / "out", FakeReranker(log), metrics=["P@5"])
    assert log_lines(log) == before
    assert all(list(cell.manifest.metrics) == ["P@5"] for cell in cells)


@pytest.mark.parametrize("change", [{"max_length": 64}, {"dtype": "float32"}])
def test_other_identity_scores_again(tmp_path: Path, change: dict):
    log = tmp_path / "log"

    def model(experiment_dtype: str = "auto") -> FakeReranker:
        from rerankbench.rerankers.options import LoadOptions

        return FakeReranker(log, options=LoadOptions(dtype=experiment_dtype))

    run(tmp_path / "out", model())
    before = len(log_lines(log))
    run(
        tmp_path / "out",
        model(change.get("dtype", "auto")),
        rerankers=[{"model": "fake", "cutoff_layers": [1], **change}],
    )
    assert len(log_lines(log)) == before + 2 * 11 * 8


def test_block_size_and_candidates(tmp_path: Path):
    log = tmp_path / "log"
    run(tmp_path / "out", FakeReranker(log))
    before = len(log_lines(log))
    run(tmp_path / "out", FakeReranker(log), engine={"block_queries": 5})
    assert len(log_lines(log)) == before  # how work is cut is no identity
    run(tmp_path / "out", FakeReranker(log), first_stage={"retriever": "bm25", "k": 7})
    assert len(log_lines(log)) == before + 2 * 11 * 7


def test_limited_results_are_marked_and_never_reused(tmp_path: Path):
    log = tmp_path / "log"
    limited = by_name(run(tmp_path / "out", FakeReranker(log), limit=2))
    assert all(cell.manifest.partial == {"limit": 2} for cell in limited.values())
    assert limited["one", "L1"].manifest.counts.queries == 2
    before = len(log_lines(log))
    whole = by_name(run(tmp_path / "out", FakeReranker(log)))
    assert len(log_lines(log)) == before + 2 * 11 * 8
    assert all(cell.manifest.partial is None for cell in whole.values())
    assert whole["one", "L1"].manifest.identity != limited["one", "L1"].manifest.identity


def test_overwrite_starts_anew(tmp_path: Path):
    log = tmp_path / "log"
    run(tmp_path / "out", FakeReranker(log))
    run(tmp_path / "out", FakeReranker(log), overwrite=True)
    assert len(log_lines(log)) == 2 * 2 * 11 * 8


def test_cells_of_an_earlier_form_are_removed(tmp_path: Path):
    run(tmp_path)
    run(tmp_path, name="other", datasets=["three"])
    cells = run(tmp_path, rerankers=[{"model": "fake", "cutoff_layers": [2]}], datasets=["one"])
    names = {(c.manifest.experiment, c.manifest.dataset, c.manifest.setting) for c in load_cells([tmp_path])}
    assert {name[1:] for name in names if name[0] == "trial"} == {("one", "first-stage"), ("one", "L2")}
    assert len(cells) == 2
    assert len(names) == 2 + 4  # another experiment's cells stay


def test_unusable_score_stops_but_keeps_what_is_stored(tmp_path: Path):
    log = tmp_path / "log"
    model = FakeReranker(log)
    model.broken_at = "question 9 of two"
    with pytest.raises(ScoreError, match="question 9 of two"):
        run(tmp_path / "out", model)
    stored = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("block-*.parquet"))
    assert len(stored) == 3 + 2
    model.broken_at = None
    before = len(log_lines(log))
    run(tmp_path / "out", model)
    assert len(log_lines(log)) == before + 3 * 8  # the third block: q009, q010, q011


def test_damaged_block_is_scored_again(tmp_path: Path):
    first = run(tmp_path)
    victim = min(tmp_path.rglob("block-*.parquet"))
    whole = victim.read_bytes()
    victim.write_bytes(whole[: len(whole) // 2])
    second = run(tmp_path)
    assert victim.read_bytes() == whole
    assert [c.manifest.metrics for c in second] == [c.manifest.metrics for c in first]


def test_impossible_setting_stops_before_scoring(tmp_path: Path):
    log = tmp_path / "log"
    with pytest.raises(InputError, match="fake has 6 layers"):
        run(tmp_path / "out", FakeReranker(log), rerankers=[{"model": "fake", "cutoff_layers": [1, 7]}])
    assert not log.exists()


def test_manifest_is_plain_json_with_provenance(tmp_path: Path):
    cell = by_name(run(tmp_path))["two", "full"]
    raw = json.loads((cell.path / "manifest.json").read_text(encoding="utf-8"))
    common = json.loads((cell.root / "contexts" / f"{raw['context']}.json").read_text(encoding="utf-8"))
    provenance = {**raw["provenance"], **common}
    assert provenance == cell.provenance
    assert provenance["experiment"]["first_stage"]["k"] == 8
    assert provenance["versions"]["python"]
    assert provenance["candidates"]["source"] == {"retriever": "bm25"}
    assert provenance["started"] <= provenance["finished"]
    assert provenance["device"] == "cpu"
