"""Eight-bit matrices against their formula, and what they may change of a score."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from checkpoints import PARITY, make
from decoder_goldens import pairs
from hypothesis import given, settings
from hypothesis import strategies as st
from rerankbench.rerankers import InputError, LoadOptions, Setting, TextOptions, load, load_spec
from rerankbench.rerankers.api import Group
from rerankbench.rerankers.models import compiled
from rerankbench.rerankers.models.int8 import Int8Kernel, Int8Matrix, int8_kernel
from rerankbench.rerankers.models.ops import Ops
from rerankbench.rerankers.registry import find_spec

needs_vnni = pytest.mark.skipif(
    int8_kernel() is None or int8_kernel().faster is not None,  # pyright: ignore[reportOptionalMemberAccess]
    reason="this CPU has no kernel for int8 that is faster than other precisions",
)
EIGHT = LoadOptions("cpu", "int8")
EXACT = LoadOptions("cpu", "float32")
KITS = {
    "xlmr-s1": "bge-reranker-v2-m3",
    "modernbert-s1": "gte-reranker-modernbert-base",
    "gemma-s1": "bge-reranker-v2-gemma",
    "gemma2-lightweight-s1": "bge-reranker-v2.5-gemma2-lightweight",
    "qwen3-s1": "qwen3-reranker-0.6b",
}


@pytest.fixture(autouse=True)
def as_it_stands(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    """No compiler, which takes seconds, but in the tests that are about it."""
    if "compiled" not in request.node.name:
        monkeypatch.setattr(compiled, "_cpp", lambda: False)


def codes(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The formula in double precision: symmetric, a scale for each row."""
    scales = np.maximum(np.abs(x).max(1, keepdims=True) / 127, 1e-30)
    return np.rint(x / scales), scales


@needs_vnni
@given(
    st.integers(1, 9),
    st.integers(1, 70),
    st.integers(1, 40),
    st.sampled_from([None, "gelu"]),
    st.integers(0, 99),
)
@settings(max_examples=25, deadline=None)
def test_products_are_those_of_the_formula(tokens: int, width: int, out: int, activation: str | None, seed: int):
    generator = torch.Generator().manual_seed(seed)
    x, weight = torch.randn(tokens, width, generator=generator), torch.randn(out, width, generator=generator)
    bias = torch.randn(out, generator=generator)
    (a, of_tokens), (b, of_rows) = codes(x.double().numpy()), codes(weight.double().numpy())
    exact = torch.from_numpy((a @ b.T) * of_tokens * of_rows.T + bias.numpy())
    applied = torch.nn.GELU()(exact) if activation else exact
    ops = Ops()
    found = ops.linear(x, Int8Matrix(weight), bias, activation)
    # a value within float32's rounding of a half may get the next code
    step = float((of_tokens * np.abs(weight.numpy()).max()).max()) + 1e-5
    assert float((found - applied).abs().max()) <= 1.2 * step
    assert float((found - applied).abs().median()) <= 1e-4
    assert ops.flops == 2 * tokens * width * out


@needs_vnni
def test_a_token_does_not_depend_on_its_neighbours():
    x = torch.randn(1500, 64) * torch.logspace(-3, 3, 1500)[:, None]
    x[7] = 0
    matrix, up = Int8Matrix(torch.randn(48, 64)), Int8Matrix(torch.randn(48, 64))
    read = matrix.codes(x)
    together, gated = matrix.linear(read, None, "silu"), matrix.inner(read, None, "silu", up, None)
    assert (together[7] == 0).all()
    for row in (0, 7, 511, 512, 1499):
        alone = matrix.linear(matrix.codes(x[row : row + 1]), None, "silu")[0]
        torch.testing.assert_close(alone, together[row], rtol=1e-6, atol=0)
    exact = matrix.codes(together * up.linear(read, None, None))
    assert (gated.values.int() - exact.values).abs().max() <= 1
    torch.testing.assert_close(gated.scales, exact.scales, rtol=1e-6, atol=0)


@needs_vnni
@pytest.mark.skipif(not compiled._cpp(), reason="no C++ compiler")
@pytest.mark.filterwarnings("ignore")  # whatever the compiler says
def test_the_compiled_kernels_are_the_formulas(monkeypatch: pytest.MonkeyPatch):
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(33, 70, generator=generator).bfloat16()
    bias = torch.randn(40, generator=generator).bfloat16()
    matrix, up = (Int8Matrix(torch.randn(40, 70, generator=generator)) for _ in range(2))

    def run() -> list[torch.Tensor]:
        read = matrix.codes(x)
        inner = matrix.inner(read, bias, "gelu", None, None), matrix.inner(read, None, "silu", up, None)
        return [*read[:2], matrix.linear(read, bias, "gelu"), *(codes.values * codes.scales for codes in inner)]

    kernels = run()
    monkeypatch.setattr(compiled, "_cpp", lambda: False)
    codes, scales, *others = run()
    assert (kernels[0].int() - codes.int()).abs().max() <= 1
    assert (kernels[0] != codes).float().mean() < 0.01
    torch.testing.assert_close(kernels[1], scales)
    assert kernels[2].dtype == torch.bfloat16
    for found, exact in zip(kernels[2:], others):
        torch.testing.assert_close(found, exact, rtol=0.02, atol=0.02 * float(exact.abs().max()))


@needs_vnni
@pytest.mark.parametrize("kit", KITS)
def test_a_model_in_eight_bits(kit: str):
    text = pairs()[:8]
    spec = replace(load_spec(KITS[kit]), source=str(PARITY / kit), revision=None)
    exact, eight = load(spec, EXACT), load(spec, EIGHT)
    groups = [Group(query, [passage]) for query, passage in text]
    wanted, found = (model.score(groups, [Setting()], TextOptions()) for model in (exact, eight))
    spread = np.ptp(wanted.scores[-1])
    assert 0 < np.abs(found.scores[-1] - wanted.scores[-1]).max() < 0.15 * spread
    assert found.executed.flops == wanted.executed.flops
    alone = [eight.score([group], [Setting()], TextOptions()).scores[-1][0] for group in groups]
    np.testing.assert_allclose(found.scores[-1], alone, atol=0.02 * spread)
    assert eight.identity(TextOptions())["dtype"] == eight.dtype == "int8"
    assert eight.identity(TextOptions()) != exact.identity(TextOptions())


def test_who_cannot_is_told(tmp_path, monkeypatch: pytest.MonkeyPatch):
    make(tmp_path, "bert")
    monkeypatch.setattr("rerankbench.rerankers.adapters.device.int8_kernel", lambda: Int8Kernel(0, 1.0, "bfloat16"))
    with pytest.raises(InputError, match="dtype 'int8' is slower than bfloat16 on this CPU; use dtype bfloat16"):
        load(str(tmp_path), EIGHT)
    monkeypatch.setattr("rerankbench.rerankers.adapters.device.int8_kernel", lambda: None)
    with pytest.raises(InputError, match="dtype 'int8' needs a CPU with VNNI or AMX"):
        load(str(tmp_path), EIGHT)
    with pytest.raises(InputError, match="dtype 'int8' is for models of the native families"):
        load(replace(find_spec(str(tmp_path)), family="sequence-classification"), EIGHT)


TRIAL = """
import os, torch
torch.set_num_threads(1)
from rerankbench.rerankers.models.int8 import Int8Matrix, int8_kernel
kernel = int8_kernel()
print("choice", None if kernel is None else (kernel.offset, kernel.faster))
if kernel is not None and kernel.faster is None:
    matrix, states = Int8Matrix(torch.randn(256, 256)), torch.randn(64, 256).bfloat16()
    codes = matrix.codes(states)
    print("the product", flush=True)
    matrix._product(codes)
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="instruction sets of x86")
@pytest.mark.parametrize("isa", ["AVX512_CORE_AMX", "AVX512_CORE_VNNI", "AVX2_VNNI"])
def test_no_instruction_set_falls_to_a_plain_loop(isa: str):
    """What oneDNN says of the product that a model would run; a CPU without these instructions runs what it has."""
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": isa, "ONEDNN_VERBOSE": "1"}
    done = subprocess.run([sys.executable, "-c", TRIAL], env=environment, capture_output=True, text=True, check=True)
    chosen = next(line for line in done.stdout.splitlines() if line.startswith("choice"))
    _, _, after = done.stdout.partition("the product")
    products = [line for line in after.splitlines() if ",exec,cpu,matmul" in line]
    assert bool(products) == chosen.endswith("None)"), chosen
    assert all("ref" not in line.split(",")[5:8][-1] and ",ref" not in line for line in products), products
