"""Attention kernels, fused formulas and fp8 on a GPU: what `auto` chooses, and what each choice costs.

    python benchmarks/gpu_kernels.py [SHAPE] [LAYERS]

Some layers of a shape of configs/bench.yaml with random weights score one query with 100 candidates, scores not capped.
Shown are the median of several forward passes, the share of a large matrix product's speed in the same dtype, the
largest score difference to the plain formula, and how much time the passes took before they were warm (kernels are
compiled then).
"""

from __future__ import annotations

import sys
from statistics import median
from time import perf_counter
from typing import Any
from unittest.mock import patch

import torch
from rerankbench.eval.bench.pairs import Workload, make_groups
from rerankbench.eval.bench.shapes import spec_of
from rerankbench.eval.hardware.peak import device_name, measure_peak
from rerankbench.rerankers.models.config import DecoderConfig
from rerankbench.rerankers.models.decoder import Decoder, Readout, decoder_shapes
from rerankbench.rerankers.models.decoder_attention import AttentionKind
from rerankbench.rerankers.models.fp8 import fp8_matrix
from rerankbench.rerankers.models.layout import Layout, as_index
from rerankbench.rerankers.models.ops import Ops
from rerankbench.rerankers.models.output_rows import OutputRows
from rerankbench.rerankers.registry import family_of

PROMPT = 20
ROWS: list[tuple[AttentionKind, bool, str]] = [  # attention, formulas fused or not, dtype of the products
    ("plain", False, "bfloat16"),
    ("blocks", True, "bfloat16"),
    ("flex", True, "bfloat16"),
    ("varlen", False, "bfloat16"),
    ("varlen", True, "bfloat16"),
    ("varlen", True, "fp8"),
]


def main() -> None:
    """Print the table."""
    shape, layers = (sys.argv[1:] + ["lightweight", "6"][len(sys.argv) - 1 :])[:2]
    device = torch.device("cuda")
    model = random_decoder(shape, int(layers), device)
    query, passages = make_groups(Workload(candidates=100))[0]
    prefix, lengths = len(query.split()) + 2, sorted((len(passage.split()) for passage in passages), reverse=True)
    layout = Layout([prefix], [0] * len(lengths), [n + PROMPT for n in lengths], [(0, n) for n in lengths])
    ids = as_index(torch.randint(5, model.config.vocab, (layout.rows,)).numpy(), device)
    peaks = {dtype: measure_peak("cuda", dtype, 1.0) for dtype in ("bfloat16", "fp8")}
    print(f"{device_name('cuda')}, torch {torch.__version__}; {layers} layers of {shape}, {layout.rows} rows\n")
    print("| attention | formulas | products in | ms | share of peak | before warm, s | largest score difference |")
    print("|---|---|---|--:|--:|--:|--:|")
    expected: torch.Tensor | None = None
    for kind, fused, dtype in ROWS:
        model.attention = kind
        if dtype == "fp8":
            model.convert_matrices(fp8_matrix)
        with patch("rerankbench.rerankers.models.compiled._has_triton", lambda fused=fused: fused):
            scores, ops, times, warm = timed(model, ids, layout)
        expected = scores if expected is None else expected
        difference, ms = float((scores - expected).abs().max()), median(times)
        share = ops.flops / ms / 1e12 / peaks[dtype]
        told = ["fused" if fused else "one by one", dtype, f"{1e3 * ms:.1f}", f"{share:.2f}", f"{warm:.1f}"]
        print(f"| {' | '.join([kind, *told])} | {difference:.1e} |", flush=True)
    assert expected is not None
    of = ", ".join(f"{peak:.0f} TFLOP/s in {dtype}" for dtype, peak in peaks.items())
    print(f"\nlargest matrix product: {of}; standard deviation of the scores {float(expected.std()):.2f}")


def random_decoder(shape: str, layers: int, device: torch.device) -> Decoder:
    """Some layers of a shape, bfloat16."""
    spec = spec_of(shape)
    raw: dict[str, Any] = {**spec.config, "num_hidden_layers": layers}
    if "start_layer" in raw:
        raw["start_layer"] = layers
    config = family_of(spec).config(raw, shape)
    assert isinstance(config, DecoderConfig)
    weights = {
        name: torch.empty(size, dtype=torch.bfloat16, device=device).normal_(0, 0.02 if len(size) > 1 else 0.0)
        for name, size in decoder_shapes(config).items()
    }
    return Decoder(config, weights, capped=False)


def timed(model: Decoder, ids: torch.Tensor, layout: Layout) -> tuple[torch.Tensor, Ops, list[float], float]:
    """Scores, work of one pass, seconds of ten passes, and those of the three passes before."""
    times, warm = [], perf_counter()
    for number in range(13):
        if number == 3:
            torch.cuda.synchronize()
            warm = perf_counter() - warm
        start, ops = perf_counter(), Ops()
        scores = model.forward(ids, layout, [Readout(model.config.layers, OutputRows((0,)))], ops).cpu()
        times.append(perf_counter() - start)
    return scores, ops, times[3:], warm


if __name__ == "__main__":
    main()
