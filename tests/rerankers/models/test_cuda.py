"""The same scores on a GPU as on a CPU, whatever kernels it chooses."""

from __future__ import annotations

import json
import shutil
from unittest.mock import patch

import numpy as np
import pytest
import torch
from decoder_goldens import PARITY, pairs
from kernel_cases import kernel_cases
from rerankbench.rerankers.api import Group
from rerankbench.rerankers.models import compiled
from rerankbench.rerankers.options import LoadOptions, TextOptions
from rerankbench.rerankers.random_weights import write_random_weights
from rerankbench.rerankers.registry import load
from rerankbench.rerankers.settings import Setting
from rerankbench.rerankers.spec import ModelSpec
from tiny_scores import CASES, score

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]
GROUPS = [Group(pairs()[6][0], [passage for _, passage in pairs()]), Group(pairs()[1][0], [p for _, p in pairs()[7:9]])]


def scores(spec: ModelSpec, dtype: str, names: tuple[str, ...], softcap: str, kind: str = "auto") -> np.ndarray:
    reranker = load(spec, device="cuda", dtype=dtype, attention_softcap=softcap)
    if kind != "auto":
        reranker.model.attention = kind  # pyright: ignore[reportAttributeAccessIssue]
    return reranker.score(GROUPS, [Setting.parse(name) for name in names], TextOptions(max_length=256)).scores


@pytest.mark.parametrize("family", CASES)
def test_float32_scores_are_those_of_the_cpu(family):
    expected = score(family)
    for name, found in score(family, device="cuda").items():
        size = np.abs(expected[name]).max()
        np.testing.assert_allclose(found, expected[name], rtol=1e-4, atol=1e-4 * size, err_msg=name)


@pytest.mark.parametrize("family", CASES)
def test_half_precision_stays_near_float32(family):
    expected = score(family)
    for name, found in score(family, device="cuda", dtype="bfloat16").items():
        error = np.abs(np.subtract(found, expected[name])).mean() / np.ptp(expected[name])
        assert error < 0.05, (name, error)


@pytest.mark.filterwarnings("error:flex_attention called without torch.compile")
@pytest.mark.parametrize("softcap", ["config", "released"])
def test_chosen_kernels_are_no_less_exact_than_the_formula(tmp_path, softcap):
    source = PARITY / "gemma2-lightweight-s1"
    for file in source.iterdir():
        if file.suffix == ".json":
            shutil.copy(file, tmp_path)
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    config |= {"hidden_size": 256, "head_dim": 64, "query_pre_attn_scalar": 64, "intermediate_size": 512}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    write_random_weights(tmp_path, dtype="bfloat16", spread=0.06)
    spec, names = ModelSpec("wider", "lightweight", str(tmp_path)), ("full", "L5", "r2@3", "L6-r4@2+4")
    exact = scores(spec, "float32", names, softcap)
    error = {k: np.abs(scores(spec, "bfloat16", names, softcap, k) - exact).mean() for k in ("auto", "plain")}
    assert 0 < error["auto"] < 1.5 * error["plain"], error


@pytest.mark.parametrize("width", [64, 100, 384, 3584, 16384])
def test_kernels_equal_their_formulas(width):
    for rows in (300, 77, 1):
        for case in kernel_cases(rows, width, torch.bfloat16, "cuda"):
            with patch("rerankbench.rerankers.models.compiled._kernel", wraps=compiled._kernel) as asked:
                found = case.formula(*case.arguments)
            asked.assert_called_once_with(case.kernel)
            case.check(found)


def test_out_of_memory_halves_the_budget_and_loses_nothing():
    query, passages = pairs()[6][0], [passage for _, passage in pairs()] * 60
    reranker = load(
        ModelSpec("tiny", "lightweight", str(PARITY / "gemma2-lightweight-s1")), LoadOptions("cuda", "float32")
    )
    asked = [Group(query, passages)], [Setting.parse("full"), Setting.parse("r2@3")], TextOptions(max_length=512)
    reranker.token_budget = 1024
    expected = reranker.score(*asked).scores
    assert reranker.token_budget == 1024
    torch.cuda.empty_cache()
    room = torch.cuda.memory_reserved() + 24 * 2**20
    torch.cuda.set_per_process_memory_fraction(room / torch.cuda.get_device_properties(0).total_memory)
    try:
        reranker.token_budget = 1 << 20
        found = reranker.score(*asked).scores
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert reranker.token_budget < 1 << 16
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
