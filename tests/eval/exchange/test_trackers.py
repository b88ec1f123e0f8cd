"""Variants become runs of a tracker: by stand-ins of the three, and by the real ones where they are installed."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from rerankbench.eval.exchange import trackers
from rerankbench.rerankers.errors import InputError
from table_cells import make_cell, write_cell

NAMES = ["toy L3 (first 2 queries)", "toy full"]


def cells(root: Path = Path("run")):
    return [
        make_cell("beir/a", 0.5, flops=100, full=200, root=root),
        make_cell("beir/b", 0.7, flops=300, full=200, root=root),
        make_cell("beir/a", 0.2, setting="L3", partial={"limit": 2}, root=root),
    ]


def test_figures_of_each_variant() -> None:
    shallow, full = trackers.tracked(cells())
    assert [shallow.name, full.name] == NAMES
    assert full.params == {"experiment": "synthetic", "model": "toy", "setting": "full"}
    assert full.figures == pytest.approx(
        {"beir/a/nDCG@10": 0.5, "beir/b/nDCG@10": 0.7, "mean/nDCG@10": 0.6, "flops_per_query": 200}
        | {f"{name}/R@100": 1.0 for name in ("beir/a", "beir/b", "mean")}
    )
    assert shallow.figures == pytest.approx({"beir/a/nDCG@10": 0.2, "beir/a/R@100": 1.0})  # no mean: one row is missing


def stand_in(logged: list[tuple]) -> SimpleNamespace:
    @contextmanager
    def start_run(run_name: str):
        print("a tracker's own words")
        logged.append((run_name,))
        yield

    def init(project: str, name: str, config: dict):
        logged.append((project, name, config["setting"]))
        return SimpleNamespace(log=lambda figures: logged.append((figures,)), finish=lambda: logged.append(()))

    noted = {name: lambda what: logged.append((what,)) for name in ("set_experiment", "log_params", "log_metrics")}
    return SimpleNamespace(start_run=start_run, init=init, **noted)


def test_mlflow_gets_names_that_it_allows(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    logged: list[tuple] = []
    monkeypatch.setitem(sys.modules, "mlflow", stand_in(logged))
    trackers.send(trackers.tracked(cells())[:1], "mlflow", "mine")
    assert [said[0] for said in logged[:2]] == ["mine", NAMES[0]]
    assert set(logged[3][0]) == {"beir/a/nDCG_10", "beir/a/R_100"}
    assert capsys.readouterr().out == ""
    alike = trackers.Tracked("x", {}, {"a@b": 1.0, "a_b": 2.0})
    with pytest.raises(InputError, match="would give two of"):
        trackers.send([alike], "mlflow", "mine")


@pytest.mark.parametrize("tracker", ["wandb", "trackio"])
def test_a_run_each(monkeypatch: pytest.MonkeyPatch, tracker: str) -> None:
    logged: list[tuple] = []
    monkeypatch.setitem(sys.modules, tracker, stand_in(logged))
    trackers.send(trackers.tracked(cells()), tracker, "mine")
    assert logged[::3] == [("mine", NAMES[0], "L3"), ("mine", NAMES[1], "full")]
    assert logged[4][0]["mean/nDCG@10"] == pytest.approx(0.6)


def test_what_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no tracker 'mlfow'; did you mean 'mlflow'"):
        trackers.send([], "mlfow", "mine")
    monkeypatch.setitem(sys.modules, "trackio", None)
    with pytest.raises(InputError, match="trackio is not installed: pip install trackio"):
        trackers.send([], "trackio", "mine")

    def broken(**_: object) -> None:
        raise ConnectionError("no\nway")

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=broken))
    with pytest.raises(InputError, match="wandb: toy full was not logged: no way"):
        trackers.send(trackers.tracked(cells())[1:], "wandb", "mine")


READ = {  # name, a figure and the setting of every run, by the tracker's own reader
    "mlflow": """
import mlflow
runs = mlflow.search_runs(experiment_names=["mine"])
print(sorted(zip(runs["tags.mlflow.runName"], runs["metrics.beir/a/nDCG_10"], runs["params.setting"])))""",
    "trackio": """
import json, subprocess, sys, trackio
def value(run):
    words = ["get", "metric", "--project", "mine", "--run", run, "--metric", "beir/a/nDCG@10", "--json"]
    command = [sys.executable, "-c", "from trackio.cli import main; main()", *words]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["values"][-1]["value"]
print(sorted((run.name, value(run.name), run.config["setting"]) for run in trackio.Api().runs("mine")))""",
}


@pytest.mark.slow
@pytest.mark.parametrize("tracker", ["mlflow", "trackio", "wandb"])
def test_the_real_tracker_keeps_them(tracker: str, tmp_path: Path) -> None:
    pytest.importorskip(tracker, reason="the group `oracles` has the real ones")
    for cell in cells(tmp_path / "run"):
        write_cell(cell)
    own = {"MLFLOW_TRACKING_URI": f"file://{tmp_path}/ml", "MLFLOW_ALLOW_FILE_STORE": "true"}
    own |= {"MLFLOW_DISABLE_TELEMETRY": "true", "TRACKIO_DIR": str(tmp_path), "WANDB_MODE": "offline"}
    environment = {**os.environ, **own, "HOME": str(tmp_path)}

    def python(*words: str) -> str:
        command = [sys.executable, "-W", "ignore", *words]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    said = python("-m", "rerankbench", "track", "run", "--to", tracker, "--project", "mine")
    # trackio says its farewell at the very end
    assert said.splitlines()[0] == f"2 runs to {tracker}, project mine: {', '.join(NAMES)}"
    if tracker in READ:
        assert python("-c", READ[tracker]).strip() == str([(NAMES[0], 0.2, "L3"), (NAMES[1], 0.5, "full")])
    else:
        assert len(list(tmp_path.glob("wandb/offline-run-*/run-*.wandb"))) == 2
