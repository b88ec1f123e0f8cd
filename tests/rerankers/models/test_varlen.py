"""Attention by the kernel of variable length: which keys each query is given."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from layouts import layouts
from rerankbench.rerankers.models import varlen
from rerankbench.rerankers.models.decoder_attention import AttentionSpec, Masks, attend
from rerankbench.rerankers.models.layout import Layout
from rerankbench.rerankers.models.ops import Ops

cuda = pytest.mark.skipif(
    not torch.cuda.is_available() or varlen.kernel("window_size") is None, reason="no CUDA device, or torch < 2.11"
)


def by_definition(q: Any, k: Any, v: Any, asks: Any, sees: Any, *_: int, scale: float, window_size: Any, **__: Any):
    """The kernel's documentation in plain torch: the last query of a sequence stands at its last key."""
    out, left, right = torch.empty_like(q), *window_size
    k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], dim=1) for x in (k, v))
    for (start, stop), (first, end) in zip(pairwise(asks), pairwise(sees)):
        own_q, own_k, own_v = (x.transpose(0, 1) for x in (q[start:stop], k[first:end], v[first:end]))
        place = torch.arange(stop - start)[:, None] + int((end - first) - (stop - start))
        ahead = torch.arange(end - first)[None] - place
        hidden = (ahead > right if right >= 0 else ahead > len(k)) | (-ahead > left if left >= 0 else ahead > len(k))
        scores = (own_q @ own_k.transpose(-1, -2) * scale).masked_fill(hidden, -torch.inf)
        out[start:stop] = (scores.softmax(-1) @ own_v).transpose(0, 1)
    return out


def both(layout: Layout, how: dict[str, Any], heads: tuple[int, int], dim: int, where: dict[str, Any]):
    (asks, sees), rows = heads, len(layout.lengths) if how["last_only"] else layout.rows
    generator = torch.Generator(where["device"]).manual_seed(1)
    q = torch.randn(rows, asks, dim, generator=generator, **where)
    k, v = (torch.randn(layout.rows, sees, dim, generator=generator, **where) for _ in range(2))
    masks, found = Masks(layout.longest, q.dtype, q.device), []
    for kind in ("varlen", "plain"):
        ops = Ops()
        found.append(attend(q, k, v, layout, AttentionSpec(dim**-0.5, kind=kind, **how), masks, ops))
        assert ops.flops > 0
    return found


@settings(max_examples=40, deadline=None)
@given(
    layouts(longest=30), st.sampled_from([None, 1, 7, 200]), st.booleans(), st.sampled_from([(4, 4), (4, 2), (4, 1)])
)
def test_each_query_is_given_its_keys(layout, window, last_only, heads):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(varlen, "kernel", lambda *_: by_definition)
        found, exact = both(
            layout, {"window": window, "last_only": last_only}, heads, 8, {"device": "cpu", "dtype": torch.float32}
        )
    torch.testing.assert_close(found, exact, rtol=1e-5, atol=1e-5)


def test_all_tokens_see_all_of_their_sequence_without_a_causal_mask():
    layout = Layout([0, 0], [0, 1, 1], [5, 1, 9], [(0, 1)] * 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(varlen, "kernel", lambda *_: by_definition)
        shape, where = {"causal": False, "last_only": False}, {"device": "cpu", "dtype": torch.float32}
        found, exact = both(layout, shape, (2, 1), 8, where)
    torch.testing.assert_close(found, exact, rtol=1e-5, atol=1e-5)


@pytest.mark.gpu
@cuda
@pytest.mark.parametrize("heads", [(8, 8), (8, 4), (8, 1)])
@pytest.mark.parametrize("dim", [64, 128, 256])
@pytest.mark.parametrize("window", [None, 100])
@pytest.mark.parametrize("last_only", [False, True])
def test_the_kernel_equals_the_formula_on_cuda(heads, dim, window, last_only):
    layout = Layout([37, 0, 130], [0, 0, 0, 1, 2, 2], [200, 1, 31, 90, 300, 128], [(0, 1)] * 6)
    shape, where = {"window": window, "last_only": last_only}, {"device": "cuda", "dtype": torch.bfloat16}
    found, exact = both(layout, shape, heads, dim, where)
    torch.testing.assert_close(found, exact, rtol=2e-2, atol=2e-2)
