"""A dataset names its task, a model words it, an experiment may override both; the manifest tells what was asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from beir_folder import write_beir
from checkpoints import PARITY
from rerankbench.configs import CONFIGS
from rerankbench.eval.experiment.file import parse_experiment
from rerankbench.eval.runner.run import run_experiment
from rerankbench.rerankers.errors import InputError
from rerankbench.rerankers.prompting.prompts import prompts

PARTS = {
    "bge-reranker-v2-gemma": "gemma-s1",
    "bge-reranker-v2-minicpm-layerwise": "minicpm-layerwise-s1",
    "bge-reranker-v2.5-gemma2-lightweight": "gemma2-lightweight-s1",
}


def asked(tmp_path: Path, model: str, policy: str | None = None, **options: Any) -> str:
    """The prompt in the manifest of a run of a shipped specification over a tiny checkpoint and a plain folder."""
    spec = yaml.safe_load((CONFIGS / "models" / f"{model}.yaml").read_text(encoding="utf-8"))
    spec |= {"source": str(PARITY / PARTS[model]), "config": {}, "max_length": 128}
    tmp_path.mkdir(exist_ok=True)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(spec))
    folder = write_beir(tmp_path / "plain", **({"policy": policy} if policy else {}))
    raw = {
        "name": "x",
        "datasets": [str(folder)],
        "first_stage": {"retriever": "bm25", "k": 2},
        "rerankers": [{"model": str(tmp_path / "tiny.yaml"), **options}],
        "engine": {"device": "cpu"},
    }
    cells = run_experiment(parse_experiment(raw, "here"), tmp_path / "out")
    (manifest,) = [cell.manifest for cell in cells if cell.manifest.setting != "first-stage"]
    return manifest.identity_parts["reranker"]["prompt"]


@pytest.mark.parametrize("model", PARTS)
def test_a_plain_folder_asks_for_an_answer_in_the_models_own_words(tmp_path: Path, model: str) -> None:
    own = "answer" if "lightweight" in model else "answer_yes_no"
    assert asked(tmp_path, model) == prompts()[own]


def test_the_datasets_task_and_the_experiments_prompt(tmp_path: Path) -> None:
    gemma = "bge-reranker-v2-gemma"
    assert asked(tmp_path / "a", gemma, "task: same_question\n") == prompts()["same_question"]
    assert asked(tmp_path / "b", gemma, "task: same_question\n", prompt="Is it so?") == "Is it so?"
    with pytest.raises(InputError, match=r"policy\.yaml: task: must be 'answer', .*found \"praise\""):
        asked(tmp_path / "c", gemma, "task: praise\n")


def test_the_old_keys_say_what_to_write(tmp_path: Path) -> None:
    from rerankbench.rerankers import load_spec

    with pytest.raises(InputError, match=r"policy\.yaml: unknown key 'prompt'"):
        asked(tmp_path, "bge-reranker-v2-gemma", "prompt: answer\n")
    (tmp_path / "old.yaml").write_text("family: llm\nsource: x\nprompt: answer\n")
    with pytest.raises(InputError, match="'prompt' is no key of a model; write its wording of tasks"):
        load_spec(str(tmp_path / "old.yaml"))
