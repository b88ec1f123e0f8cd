"""fp8 matrices against their formula; a CPU multiplies them too, slowly, where its torch knows scales by row."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from checkpoints import make
from decoder_goldens import PARITY, pairs
from rerankbench.rerankers import InputError, LoadOptions, Setting, TextOptions, load
from rerankbench.rerankers.api import Group
from rerankbench.rerankers.models.fp8 import Fp8Matrix, fp8_matrix, fp8_runs_here
from rerankbench.rerankers.models.ops import Ops
from rerankbench.rerankers.random_weights import write_random_weights
from rerankbench.rerankers.spec import ModelSpec

CUDA = torch.device("cuda") if torch.cuda.is_available() else None
on_gpu = [pytest.mark.gpu, pytest.mark.skipif(CUDA is None or not fp8_runs_here(CUDA), reason="no GPU with fp8")]


def multiplied_here() -> bool:
    try:
        x = torch.ones(16, 16).bfloat16()
        matrix = Fp8Matrix(x)
        return bool((matrix.linear(matrix.codes(x), None, None) == 16).all())
    except (RuntimeError, AttributeError, ValueError):
        return False


WHERE = [
    pytest.param("cpu", marks=pytest.mark.skipif(not multiplied_here(), reason="this torch has no such product")),
    pytest.param("cuda", marks=on_gpu),
]


def coded(x: torch.Tensor) -> torch.Tensor:
    """What is left of x, in double precision: rows over their largest value, 448, in three bits of mantissa."""
    scales = x.double().abs().amax(1, keepdim=True) / 448
    return (x.double() / scales).float().to(torch.float8_e4m3fn).double() * scales


@pytest.mark.parametrize("device", WHERE)
@pytest.mark.parametrize("bias", [False, True])
def test_products_are_those_of_the_formula(device: str, bias: bool):
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(37, 64, generator=generator).bfloat16() * torch.logspace(-3, 3, 37)[:, None].bfloat16()
    gate, up, down = (torch.randn(size, generator=generator).bfloat16() for size in ((96, 64), (96, 64), (64, 96)))
    added = torch.randn(96, generator=generator).bfloat16() if bias else None
    ops, here = Ops(), [None if added is None else added.to(device), "silu"]
    matrices = [Fp8Matrix(matrix.to(device)) for matrix in (gate, up, down)]
    linear = ops.linear(x.to(device), matrices[0], *here).cpu()
    fed = ops.feed(x.to(device), (matrices[1], None), (matrices[2], None), "silu", (matrices[0], here[0])).cpu()
    assert ops.flops == 2 * 37 * 64 * 96 * 4
    first = torch.nn.functional.silu(coded(x) @ coded(gate).T + (0.0 if added is None else added.double()))
    inner = first * (coded(x) @ coded(up).T)
    for found, exact, close in ((linear, first, 0.01), (fed, coded(inner) @ coded(down).T, 0.06)):
        errors = (found.double() - exact).norm(dim=1) / exact.norm(dim=1)
        assert found.dtype == torch.bfloat16
        assert float(errors.max()) < close  # a code that rounding moves by one is more than bfloat16's own


def test_what_the_product_does_not_take_stays_as_it_is():
    for size in ((16, 20), (20, 16)):
        weight = torch.ones(size).bfloat16()
        assert fp8_matrix(weight) is weight


def test_who_cannot_is_told(tmp_path):
    make(tmp_path, "bert")
    with pytest.raises(InputError, match="dtype 'fp8' needs an NVIDIA GPU"):
        load(str(tmp_path), LoadOptions("cpu", "fp8"))


@pytest.mark.parametrize("device", WHERE[1:])
@pytest.mark.parametrize(("kit", "family"), [("gemma-s1", "llm"), ("xlmr-s1", "cross-encoder")])
def test_a_model_in_fp8(device: str, kit: str, family: str, tmp_path):
    for file in (PARITY / kit).iterdir():
        if file.suffix == ".json" and "index" not in file.name:
            (tmp_path / file.name).write_bytes(file.read_bytes())
    write_random_weights(tmp_path, family=family, dtype="bfloat16", spread=0.06)
    spec = ModelSpec("wider", family, str(tmp_path))
    groups = [Group(query, [passage]) for query, passage in pairs()[:8]]
    exact, eight = (
        load(spec, LoadOptions(device, dtype)).score(groups, [Setting()], TextOptions(max_length=256))
        for dtype in ("float32", "fp8")
    )
    assert 0 < np.abs(eight.scores - exact.scores).max() < 0.5 * np.ptp(exact.scores)
    assert eight.executed.flops == exact.executed.flops
