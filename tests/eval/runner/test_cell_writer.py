"""A cell is the same whatever parts its pairs come in."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from report_cells import METRICS, dataset
from rerankbench.eval.first_stage import Candidates
from rerankbench.eval.results import Cell
from rerankbench.eval.runner.cell_writer import CellWriter, Measured
from rerankbench.eval.runner.cells import Target, remove_stale
from rerankbench.eval.runner.inputs import Inputs

DATA = dataset(queries=7, documents=6)


def pairs_of(queries: list[str], flops: bool) -> pd.DataFrame:
    """Scores with ties, and lengths, of every document for some queries."""
    random = np.random.default_rng(5)
    rows = [
        {"query_id": q, "doc_id": d, "score": float(random.integers(0, 4)), "truncated": bool(random.integers(2))}
        for q in DATA.queries
        for d in DATA.documents
    ]
    pairs = pd.DataFrame(rows).assign(tokens=7)
    if flops:
        pairs = pairs.assign(flops_reference=10**13)
    return pairs[pairs["query_id"].isin(queries)].reset_index(drop=True)


def written(root: Path, pairs: pd.DataFrame, parts: list[list[str]], identity: str = "identity") -> Cell:
    candidates = Candidates(DATA.name, 6, {}, "hash", {}, root / "none")
    inputs = Inputs(DATA, candidates, None)  # type: ignore[arg-type]
    target = Target(root, "e", "m", "full", {"some": identity}, METRICS)
    with CellWriter(target, inputs) as writer:
        for part in parts:
            writer.add(pairs[pairs["query_id"].isin(part)].reset_index(drop=True))
        return writer.finish(Measured(), {}, {})


def test_another_result_is_not_replaced_in_silence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    queries = list(DATA.queries)
    for identity, warned in (("identity", 0), ("identity", 0), ("another", 1)):
        caplog.clear()
        written(tmp_path, pairs_of(queries, False), [queries], identity)
        told = [r.getMessage() for r in caplog.records if "replaced" in r.getMessage()]
        assert len(told) == warned
    assert "replaced, for some differs" in told[0]


def content(cell: Cell) -> tuple[pd.DataFrame, bytes, str]:
    run = gzip.decompress((cell.path / "run.trec.gz").read_bytes())
    return cell.per_query(), run, cell.manifest.model_dump_json()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data(), st.booleans())
def test_parts_change_nothing(tmp_path: Path, data, flops):
    asked = data.draw(st.lists(st.sampled_from(list(DATA.queries)), min_size=1, unique=True).map(sorted))
    cuts = data.draw(st.lists(st.integers(0, len(asked)), max_size=4).map(sorted))
    parts = [asked[a:b] for a, b in zip([0, *cuts], [*cuts, len(asked)])]
    pairs = pairs_of(asked, flops)
    one, many = written(tmp_path / "one", pairs, [asked]), written(tmp_path / "many", pairs, parts)
    (table, *rest), (expected, *others) = content(many), content(one)
    pd.testing.assert_frame_equal(table, expected)
    assert rest == others
    assert list(table["query_id"]) == sorted(DATA.queries)
    assert one.manifest.counts.missing == len(DATA.queries) - len(asked)
    assert one.manifest.metrics["nDCG@10"] == pytest.approx(table["nDCG@10"].mean())


def test_a_cell_that_fails_leaves_nothing(tmp_path: Path):
    with pytest.raises(KeyError):
        written(tmp_path, pairs_of(list(DATA.queries), True).drop(columns="score"), [list(DATA.queries)])
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_removed(tmp_path: Path):
    (tmp_path / ".cell-0123.tmp").mkdir()
    cell = written(tmp_path, pairs_of(list(DATA.queries), True), [list(DATA.queries)])
    remove_stale(tmp_path, "e", [cell])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cells", "contexts"]
