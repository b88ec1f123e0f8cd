"""FlexAttention's mask: which rows a query sees, and which blocks of them its kernel visits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from layouts import layouts, seen_by_definition
from rerankbench.rerankers.models import flex, varlen
from rerankbench.rerankers.models.decoder_attention import AttentionSpec, Masks, attend
from rerankbench.rerankers.models.layout import Layout
from rerankbench.rerankers.models.ops import Ops

cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@settings(max_examples=60, deadline=None)
@given(layouts(), st.sampled_from([None, 1, 7, 200]), st.booleans())
def test_mask_is_the_definition_and_its_blocks_leave_nothing_out(layout, window, last_only):
    mask = flex.block_mask(flex.VisibleRange.of(layout, last_only), window, torch.device("cpu"))
    rows = layout.last if last_only else np.arange(layout.rows)
    q, k = torch.arange(len(rows))[:, None], torch.arange(layout.rows)
    zero = torch.tensor(0)
    seen = mask.mask_mod(zero, zero, q, k).numpy()
    np.testing.assert_array_equal(seen, seen_by_definition(layout, window)[rows])

    visited = np.zeros(seen.shape, dtype=bool)
    numbers, indices = mask.kv_num_blocks[0, 0], mask.kv_indices[0, 0]
    for block in range(len(numbers)):
        for column in indices[block, : numbers[block]].tolist():
            visited[block * flex.BLOCK : (block + 1) * flex.BLOCK, column * flex.BLOCK : (column + 1) * flex.BLOCK] = (
                True
            )
    assert (visited | ~seen).all()


def test_mask_visits_few_blocks_of_many_sequences():
    lengths = [150] * 200
    layout = Layout([20], [0] * 200, lengths, [(0, n) for n in lengths])
    blocks = flex.VisibleRange.of(layout, last_only=False).blocks()
    assert blocks.sum(1).max() <= 4 < blocks.shape[1] == -(-layout.rows // flex.BLOCK)


@pytest.mark.gpu
@cuda
@pytest.mark.filterwarnings("error:flex_attention called without torch.compile")
@pytest.mark.parametrize("last_only", [False, True])
@pytest.mark.parametrize("window", [None, 33])
@pytest.mark.parametrize("softcap", [None, 50.0])
@pytest.mark.parametrize(("heads", "kv_heads", "head_dim"), [(16, 8, 256), (8, 1, 256), (4, 4, 64)])
def test_kernel_equals_the_formula_on_cuda(last_only, window, softcap, heads, kv_heads, head_dim):
    generator = np.random.default_rng(0)
    for count in (3, 40):
        lengths = generator.integers(1, 300, count).tolist()
        layout = Layout([37, 0], [0] * (count - 1) + [1], lengths, [(0, n) for n in lengths])
        q, k, v = (torch.randn(layout.rows, h, head_dim, device="cuda").bfloat16() for h in (heads, kv_heads, kv_heads))
        q = q[torch.from_numpy(layout.last).cuda()] if last_only else q
        found = {}
        for kind in ("auto", "flex", "plain"):
            dtype = torch.float32 if kind == "plain" else torch.bfloat16
            ops, masks = Ops(), Masks(layout.longest, dtype, q.device)
            spec = AttentionSpec(head_dim**-0.5, softcap, window, last_only, kind)
            found[kind] = attend(*(x.to(dtype) for x in (q, k, v)), layout, spec, masks, ops).float()
            assert ops.flops > 0
        if softcap is not None or varlen.kernel("window_size") is None:
            assert torch.equal(found["auto"], found["flex"])
        torch.testing.assert_close(found["flex"], found["plain"], rtol=2e-2, atol=2e-2)
