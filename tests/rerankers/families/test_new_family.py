"""A family is one file and one registration: scores, FLOPs, plan, bench, identity, shared prefixes and lists follow."""

from __future__ import annotations

import ast
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("pydantic", reason="plans and experiments need more than rerankers/ does")
from rerankbench.eval.bench.checkpoint import write_tokenizer
from rerankbench.eval.experiment.file import parse_experiment
from rerankbench.eval.experiment.json_schema import schema_text
from rerankbench.eval.experiment.models import find_models
from rerankbench.eval.plan.plan import make_plan
from rerankbench.eval.verify.golden import Golden
from rerankbench.eval.verify.verify import verify
from rerankbench.rerankers import Group, InputError, LoadOptions, ModelSpec, Setting, TextOptions, extend, load
from rerankbench.rerankers.flops import reference
from rerankbench.rerankers.registry import families, find_spec, option_defaults
from rerankbench.rerankers.validate import validated
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaConfig, LlamaForCausalLM

CPU = LoadOptions(device="cpu", dtype="float32")
GROUPS = [Group("w5 w6 w7", ["w8 w9", "w10 w11 w12 w13", "w8"]), Group("w20", ["w21 w22"])]
ENTRY = "[rerankbench.families]\ntoy = toy_family:Toy\n"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package that registers the family, as pip would install it."""
    info = tmp_path / "site" / "toy-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1\n")
    (info / "entry_points.txt").write_text(ENTRY)
    monkeypatch.syspath_prepend(str(info.parent))
    families.cache_clear()
    option_defaults.cache_clear()
    yield info.parent
    families.cache_clear()
    option_defaults.cache_clear()


@pytest.fixture
def model(tmp_path: Path) -> Any:
    """Transformers' Llama with lively random weights, saved as a model of the type `toy`."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=400,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        tie_word_embeddings=False,
        initializer_range=0.3,
    )
    model = LlamaForCausalLM(config).eval()
    folder = tmp_path / "toy-model"
    model.save_pretrained(folder)
    raw = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**raw, "model_type": "toy", "architectures": ["ToyForCausalLM"]}))
    write_tokenizer(folder, encoder=False, vocab=400)
    return model


@pytest.mark.usefixtures("installed")
def test_one_file_and_one_registration_are_enough(tmp_path: Path, model: Any) -> None:
    folder = str(tmp_path / "toy-model")
    assert find_spec(folder).family == "toy"
    reranker: Any = load(folder, CPU)

    # scores: the library's own, pair by pair
    tokens, scored = reranker.prepare(GROUPS, TextOptions()).tokens, reranker.score(GROUPS, [Setting()], TextOptions())
    (yes,), (no,) = reranker.tokenizer.ids(["Yes", "\n"])
    with torch.no_grad():
        last = [model(torch.tensor([pair.ids])).logits[0, -1] for pair in tokens]
    np.testing.assert_allclose(scored.scores[0], [float(x[yes] - x[no]) for x in last], rtol=0, atol=1e-4)
    assert np.ptp(scored.scores[0]) > 0.1

    # shared prefixes: fewer tokens, the same scores
    assert scored.executed.shared_tokens > 0
    reranker.share_prefix = False
    apart = reranker.score(GROUPS, [Setting()], TextOptions())
    np.testing.assert_allclose(apart.scores, scored.scores, rtol=0, atol=1e-4)

    # FLOPs: those that PyTorch counts in the library's forward pass
    model.set_attn_implementation("eager")
    ids = torch.arange(3, 20)[None]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(input_ids=ids)
    assert counter.get_total_flops() == reference(reranker.shape, Setting(), 5, 9, 3)

    # identity: adapter, weights, the wording of its own and its policy, which can be changed on the same weights
    identity = reranker.identity(TextOptions())
    assert (identity["adapter"], identity["prompt"], identity["sign"]) == ("toy/1", "w1 w2", "yes")
    other = reranker.with_options(sign="newline")
    assert other.identity(TextOptions()) == {**identity, "sign": "newline"}
    assert other.model.embedding is reranker.model.embedding
    negative = other.score(GROUPS, [Setting()], TextOptions()).scores
    np.testing.assert_allclose(negative, -scored.scores, rtol=0, atol=1e-5)
    again = load(folder, CPU, sign="newline").score(GROUPS, [Setting()], TextOptions())
    np.testing.assert_allclose(again.scores, negative, rtol=0, atol=1e-5)
    assert identity["weights"].startswith("sha256:")

    # plan: from the folder alone, with the option in the experiment's entry, and in its schema
    raw = {"name": "x", "datasets": ["beir/nfcorpus"], "rerankers": [{"model": folder, "sign": "newline"}]}
    plan = make_plan(parse_experiment(raw, "here"))
    assert plan.unknown == ()
    assert plan.pflops > 0
    assert find_models(parse_experiment(raw, "here"))["toy-model"].options == {"sign": "newline"}
    with pytest.raises(InputError, match="sign: must be 'yes' or 'newline'"):
        parse_experiment({**raw, "rerankers": [{"model": folder, "sign": "no"}]}, "here")
    with pytest.raises(InputError, match=r"sgin: unknown key; did you mean 'sign'\?"):
        parse_experiment({**raw, "rerankers": [{"model": folder, "sgin": "yes"}]}, "here")
    assert json.loads(schema_text())["$defs"]["RerankerEntry"]["properties"]["sign"]["enum"] == ["yes", "newline"]

    # verify: the scores under either sign
    golden = {"name": "toy-model", "dtype": "float32", "layers": 3, "heads": 1}
    golden["source"] = {"title": "a test", "url": "https://example.org"}
    golden["tolerance"] = dict.fromkeys(("float32", "float16", "bfloat16"), 1e-4)
    golden["pairs"] = [{"query": GROUPS[0].query, "passage": "w8 w9", "score": float(-scored.scores[0, 0])}]
    report = verify(find_spec(folder), validated(Golden, golden, "golden"), CPU)
    assert (report.passed, report.others) == (False, ["sign: newline"])


def test_bench_and_lists_know_it(tmp_path: Path, installed: Path, model: Any) -> None:
    paths = [str(installed), str(Path(__file__).resolve().parents[2] / "support")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}

    def rerankbench(*words: str) -> str:
        command = [str(Path(sys.executable).with_name("rerankbench")), *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    folder = str(tmp_path / "toy-model")
    bench = ("--rounds", "1", "--queries", "1", "--candidates", "2", "--threads", "1", "--json")
    (ours,) = json.loads(rerankbench("bench", folder, *bench))["engines"]
    assert ours["pairs_per_second"] > 0
    listed = {item["name"]: item for item in json.loads(rerankbench("ls", "families", "--json"))}
    assert listed["toy"]["options"]["sign"] == {
        "type": "yes or newline",
        "default": "yes",
        "description": "which of the two tokens counts for a match",
    }
    assert listed["toy"]["model_types"] == ["toy"]
    assert listed["toy"]["score"].startswith("logit of")
    assert json.loads(rerankbench("flops", folder, "--json"))["family"] == "toy"


def test_a_task_without_wording_is_refused(tmp_path: Path, installed: Path, model: Any) -> None:
    from rerankbench.rerankers.errors import InputError

    reranker = load(ModelSpec("t", "toy", str(tmp_path / "toy-model")), CPU)
    with pytest.raises(InputError, match="no wording for the task 'same_question', only for answer"):
        reranker.score(GROUPS, [Setting()], TextOptions(task="same_question"))


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("toy = no_such_module:Toy", "left out"),
        ("toy = toy_family:NoSuchClass", "left out"),
    ],
)
def test_a_broken_family_is_one_warning(
    tmp_path: Path, line: str, told: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site" / "toy-1.dist-info" / "entry_points.txt").write_text(f"[rerankbench.families]\n{line}\n")
    monkeypatch.setattr(logging.getLogger("rerankbench"), "propagate", True)
    assert "toy" not in families()
    assert "llm" in families()
    assert [told in record.message and "toy" in record.message for record in caplog.records] == [True]


@pytest.mark.usefixtures("installed")
def test_a_family_with_a_shipped_name_is_refused(tmp_path: Path) -> None:
    entry = "[rerankbench.families]\nllm = toy_family:Toy\n"
    (tmp_path / "site" / "toy-1.dist-info" / "entry_points.txt").write_text(entry)
    with pytest.raises(InputError, match=r"family 'llm': comes with this package.*toy_family:Toy"):
        families()


def test_one_module_is_all_that_a_family_needs() -> None:
    import toy_family

    tree = ast.parse(Path(toy_family.__file__).read_text())
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name for name in modules if name and name.startswith("rerankbench")} == {"rerankbench.rerankers.extend"}
    assert all(hasattr(extend, name) for name in extend.__all__)
    code = "import sys, rerankbench.rerankers.extend; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
