"""`rerankbench parity`: figures against numpy, scipy and trec_eval on the same scores, and the status that tells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytrec_eval
import yaml
from gate_cells import FakeCell
from in_process import Command
from rerankbench.eval.compare.parity import parity
from rerankbench.eval.compare.selector import Selector
from rerankbench.rerankers import InputError
from scipy.stats import spearmanr

TINY = str(Path(__file__).resolve().parents[2] / "rerankers" / "parity" / "xlmr-s1")
CPU = ("--set", "engine.device=cpu", "--limit", "1")


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, command: Command, tmp_path: Path) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments: str) -> tuple[int, str, str]:
        return command("parity", *arguments)

    return run


def two_runs(root: Path, noise: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    a = rng.normal(size=(12, 15)).astype(np.float32)
    a[3] = 1.0  # one score for all: no rank correlation
    b = (a + rng.normal(scale=noise, size=a.shape)).astype(np.float32)
    FakeCell(a, model="native").write(root / "a")
    FakeCell(b, model="other").with_part("model.dtype", "bfloat16").write(root / "b")
    return a, b


def test_every_figure_is_that_of_other_libraries(tmp_path: Path) -> None:
    a, b = two_runs(tmp_path)
    (found,) = parity(Selector(tmp_path / "a"), Selector(tmp_path / "b"), metric="nDCG@10")
    apart = np.abs(a.astype(float) - b)
    assert (found.queries, found.pairs) == (12, a.size)
    assert found.largest == pytest.approx(apart.max(), abs=1e-12)
    assert found.mean == pytest.approx(apart.mean(), abs=1e-9)
    assert found.spread == pytest.approx(a.std(), rel=1e-5)
    row, column = np.unravel_index(apart.argmax(), apart.shape)
    assert (found.where.query, found.where.document) == (f"q{row:03d}", f"d{column}")
    rhos = {i: spearmanr(a[i], b[i]).statistic for i in range(12) if i != 3}
    assert found.undefined == 1
    assert found.spearman == pytest.approx(np.mean(list(rhos.values())))
    assert (found.least, found.least_query) == (pytest.approx(min(rhos.values())), f"q{min(rhos, key=rhos.get):03d}")
    tops = [[sorted(range(15), key=lambda d, s=s: (s[d], f"d{d}"))[-10:] for s in pair] for pair in zip(a, b)]
    changed = sum(set(left) != set(right) for left, right in tops)
    assert found.changed == changed > 0
    assert found.reordered == sum(left != right for left, right in tops) - changed
    qrels = {f"q{i:03d}": {"d0": 1} for i in range(12)}
    for scores, mean in ((a, found.mean_a), (b, found.mean_b)):
        run = {f"q{i:03d}": {f"d{j}": float(s) for j, s in enumerate(row)} for i, row in enumerate(scores)}
        values = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut_10"}).evaluate(run)
        assert mean == pytest.approx(np.mean([v["ndcg_cut_10"] for v in values.values()]))
    assert found.paired.mean == pytest.approx(found.mean_b - found.mean_a)
    assert found.paired.low <= found.paired.mean <= found.paired.high
    assert found.parts == {"model.dtype": ("float32", "bfloat16")}


def test_stored_runs_and_their_status(call: Any, tmp_path: Path) -> None:
    two_runs(tmp_path)
    status, out, _ = call("a", "b")
    assert status == 1
    assert "model.dtype differs: float32 | bfloat16" in out
    assert "toy: a score differs by" in out
    assert "no rank correlation of 1 of 12 queries" in out
    assert call("a", "b", "--tolerance", "5")[0] == 0
    assert call("a", "b", "--tolerance", "inf", "--metric-tolerance", "0.01")[0] == 1
    assert call("a#native@L4", "a", "--metric-tolerance", "0")[0] == 0
    status, out, _ = call("a", "b", "--json", "--tolerance", "1")
    content = json.loads(out)
    assert (status, content["a"], content["beyond"]) == (0, "a", [])
    assert content["datasets"][0]["queries"] == 12


def test_other_candidates_are_refused(tmp_path: Path) -> None:
    a, _ = two_runs(tmp_path)
    FakeCell(a[:, :9], model="fewer").write(tmp_path / "c")
    with pytest.raises(InputError, match="scored other candidates of query q000"):
        parity(Selector(tmp_path / "a"), Selector(tmp_path / "c"), metric="nDCG@10")
    FakeCell(a, model="later").with_part("checksum", "sha256:zz").write(tmp_path / "d")
    with pytest.raises(InputError, match="the dataset changed between the runs"):
        parity(Selector(tmp_path / "a"), Selector(tmp_path / "d"), metric="nDCG@10")


def test_native_and_transformers_agree_and_bfloat16_does_not(call: Any, tmp_path: Path) -> None:
    status, out, err = call(TINY, TINY, "--b", "family=sequence-classification", *CPU, "--json")
    assert status == 0, err
    content = json.loads(out)
    (found,) = content["datasets"]
    assert 0 < found["largest"] < 1e-4
    assert (found["changed"], found["reordered"]) == (0, 0)
    assert found["parts"]["reranker.adapter"] == ["cross-encoder/2", "sequence-classification/3"]
    assert content["b"].endswith("family=sequence-classification")
    status, out, err = call(TINY, TINY, "--b", "family=sequence-classification", *CPU)
    assert "pairs/s" not in err  # both are stored
    status, out, _ = call(TINY, TINY, "--b", "dtype=bfloat16", *CPU)
    assert status == 1
    assert "reranker.dtype differs: float32 | bfloat16" in out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("a", TINY), "is a stored run and the other side is none"),
        (("a", "b", "--limit", "3"), "A and B are stored runs"),
        (("a", "b", "--tolerance", "nan"), "Invalid value for '--tolerance'"),
        ((TINY, TINY, "--a", "family=sequence-clasification"), "--a family=sequence-clasification: unknown family"),
        ((TINY, TINY, "--b", "dtyp=float32"), "rerankers.1: dtyp: unknown key; did you mean 'dtype'"),
        ((TINY, TINY, "--b", "dtype"), "--b dtype: expected key=value"),
        ((TINY, TINY, "--a", "cutoff_layers=[2, 3]"), "A: 2 settings; parity compares one of each side"),
        ((TINY, "no-such-model"), "no-such-model"),
        ((TINY, TINY, "--dataset", "builtin/e"), "builtin/e"),
        (("a", "b", "--metric", "nDGC@10"), "nDGC@10"),
    ],
    ids=str,
)
def test_what_cannot_be_compared_is_one_line(call: Any, tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    two_runs(tmp_path)
    status, out, err = call(*arguments)
    assert (status, out) == (2, "")
    last = err.strip().splitlines()[-1]
    assert told in last
    assert last.startswith("error: ")


def test_a_specification_keeps_what_the_model_says(tmp_path: Path) -> None:
    from rerankbench.eval.experiment.parity_experiment import two_sided, with_families

    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"family": "cross-encoder", "source": TINY, "max_length": 64, "trained_on": ["NQ"]}))
    experiment, families = two_sided([str(path)] * 2, [(), ("family=sequence-classification",)], ["builtin/en"], ())
    specs = with_families(experiment, families)
    assert (specs["A"].family, specs["B"].family) == ("cross-encoder", "sequence-classification")
    assert (specs["B"].source, specs["B"].max_length, specs["B"].trained_on) == (TINY, 64, ["NQ"])
