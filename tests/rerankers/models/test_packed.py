"""Packed batches: places, means, and attention kernels against the plain formula."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rerankbench.rerankers.models.ops import Ops
from rerankbench.rerankers.models.packed import Packed, attend_all
from rerankbench.rerankers.models.window import in_window

LENGTHS = st.lists(st.integers(1, 12), min_size=1, max_size=8)


def packed(lengths: list[int], seed: int = 0) -> Packed:
    generator = torch.Generator().manual_seed(seed)
    sequences = [torch.randint(0, 9, (n,), generator=generator).tolist() for n in lengths]
    return Packed.of(sequences, None, torch.device("cpu"))


@settings(deadline=None)
@given(LENGTHS)
def test_places_and_means(lengths):
    batch = packed(lengths)
    assert batch.places.tolist() == [i for n in lengths for i in range(n)]
    assert batch.firsts.tolist() == [sum(lengths[:i]) for i in range(len(lengths))]
    x = torch.randn(sum(lengths), 3)
    expected = torch.stack([part.mean(0) for part in x.split(lengths)])
    torch.testing.assert_close(batch.pooled(x, lambda block: block.mean(1)), expected)


@settings(deadline=None)
@given(LENGTHS, st.integers(0, 20))
def test_counted_places_are_those_of_transformers(lengths, seed):
    batch = packed(lengths, seed)
    for part, found in zip(batch.ids.split(lengths), batch.counted_places(1).split(lengths)):
        mask = part.ne(1).int()  # transformers' create_position_ids_from_input_ids, before the padding id is added
        assert found.tolist() == (mask.cumsum(0) * mask).tolist()


@settings(max_examples=30, deadline=None)
@given(LENGTHS, st.booleans())
@pytest.mark.parametrize("kind", ["grouped", "nested"])
def test_kernels_equal_the_formula(kind, lengths, first_only):
    batch, heads, dim = packed(lengths), 2, 4
    generator = torch.Generator().manual_seed(1)
    q, k, v = torch.randn(sum(lengths), 3, heads, dim, generator=generator).unbind(1)  # views, as the encoder has them
    q = q[batch.firsts] if first_only else q
    plain_work, ops = Ops(), Ops()
    expected = attend_all(q, k, v, batch, plain_work, "plain", first_only)
    found = attend_all(q, k, v, batch, ops, kind, first_only)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert ops.flops == plain_work.flops > 0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.booleans(), st.integers(0, 12))
def test_a_window_equals_the_masked_formula(lengths, first_only, window):
    batch, heads, dim = packed(lengths), 2, 4
    generator = torch.Generator().manual_seed(1)
    q, k, v = torch.randn(sum(lengths), 3, heads, dim, generator=generator).unbind(1)
    q = q[batch.firsts] if first_only else q
    plain_work, ops = Ops(), Ops()
    expected = attend_all(q, k, v, batch, plain_work, "plain", first_only, window)
    found = attend_all(q, k, v, batch, ops, "grouped", first_only, window)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    inside = sum(min(n, window + 1) if first_only else in_window(n, window) for n in lengths)
    assert 4 * heads * dim * inside <= ops.flops <= plain_work.flops


@given(st.integers(1, 60), st.integers(0, 70))
def test_pairs_in_a_window(length, window):
    assert in_window(length, window) == sum(abs(i - j) <= window for i in range(length) for j in range(length))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("first_only", [False, True])
def test_a_window_equals_the_masked_formula_on_cuda(dtype, first_only):
    lengths = [300, 130, 33, 33, 1]
    batch = Packed.of([[1] * n for n in lengths], None, torch.device("cuda"))
    q, k, v = torch.randn(sum(lengths), 3, 4, 64, device="cuda", dtype=dtype).unbind(1)
    q = q[batch.firsts] if first_only else q
    expected = attend_all(q.float(), k.float(), v.float(), batch, Ops(), "plain", first_only, 64)
    found = attend_all(q, k, v, batch, Ops(), "auto", first_only, 64).float()
    tolerance = 1e-5 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("first_only", [False, True])
@pytest.mark.parametrize("kind", ["auto", "nested"])
def test_kernels_equal_the_formula_on_cuda(dtype, first_only, kind):
    lengths = [70, 33, 33, 8, 1]
    batch = Packed.of([[1] * n for n in lengths], None, torch.device("cuda"))
    q, k, v = torch.randn(sum(lengths), 3, 4, 32, device="cuda", dtype=dtype).unbind(1)
    q = q[batch.firsts] if first_only else q
    expected = attend_all(q.float(), k.float(), v.float(), batch, Ops(), "plain", first_only)
    found = attend_all(q, k, v, batch, Ops(), kind, first_only).float()
    tolerance = 1e-5 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)
