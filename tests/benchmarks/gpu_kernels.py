"""Attention kernels and fused formulas on a GPU: what `auto` chooses, and what each choice costs.

    python tests/benchmarks/gpu_kernels.py [SHAPE] [LAYERS]

Some layers of a shape of configs/bench.yaml with random bfloat16 weights score one query with 100 candidates. Shown
are the median of several forward passes, the share of a large matrix product's speed, the largest score difference to
the plain formula, and how much time the passes took before they were warm (kernels are compiled then).
"""

from __future__ import annotations

import sys
from statistics import median
from time import perf_counter
from typing import Any
from unittest.mock import patch

import torch
import yaml
from rerankbench.configs import CONFIGS
from rerankbench.eval.bench.pairs import Workload, make_groups
from rerankbench.eval.runner.peak import device_name, measure_peak
from rerankbench.rerankers import load_spec
from rerankbench.rerankers.models.config import DecoderConfig
from rerankbench.rerankers.models.decoder import Decoder, Read, decoder_shapes
from rerankbench.rerankers.models.layout import Layout, as_index
from rerankbench.rerankers.models.work import Work
from rerankbench.rerankers.registry import family_of

PROMPT = 20


def main() -> None:
    """Print the table."""
    shape, layers = (sys.argv[1:] + ["lightweight", "6"][len(sys.argv) - 1 :])[:2]
    device = torch.device("cuda")
    model = random_decoder(shape, int(layers), device)
    query, passages = make_groups(Workload(candidates=100))[0]
    prefix, lengths = len(query.split()) + 2, sorted((len(passage.split()) for passage in passages), reverse=True)
    layout = Layout([prefix], [0] * len(lengths), [n + PROMPT for n in lengths], [(0, n) for n in lengths])
    ids = as_index(torch.randint(5, model.config.vocab, (layout.rows,)).numpy(), device)
    peak = measure_peak("cuda", "bfloat16", 1.0)
    print(
        f"{device_name('cuda')}, torch {torch.__version__}; {layers} layers of {shape}, bfloat16, {layout.rows} rows\n"
    )
    print("| attention | formulas | ms | share of peak | before warm, s | largest score difference |")
    print("|---|---|--:|--:|--:|--:|")
    expected: torch.Tensor | None = None
    for kind, compiles in [("plain", False), ("blocks", False), ("blocks", True), ("flex", False), ("flex", True)]:
        model.attention = kind
        with patch("rerankbench.rerankers.models.compiled._triton", lambda compiles=compiles: compiles):
            scores, work, times, warm = timed(model, ids, layout)
        expected = scores if expected is None else expected
        difference = float((scores - expected).abs().max())
        formulas, ms = "fused" if compiles else "one by one", median(times)
        share = work.flops / ms / 1e12 / peak
        print(f"| {kind} | {formulas} | {1e3 * ms:.1f} | {share:.2f} | {warm:.1f} | {difference:.1e} |", flush=True)
    print(f"\nlargest matrix product: {peak:.0f} TFLOP/s")


def random_decoder(shape: str, layers: int, device: torch.device) -> Decoder:
    """Some layers of a shape, bfloat16."""
    wanted = yaml.safe_load((CONFIGS / "bench.yaml").read_text(encoding="utf-8"))["shapes"][shape]
    raw: dict[str, Any] = {**load_spec(wanted["model"]).config, **wanted.get("config", {}), "num_hidden_layers": layers}
    if "start_layer" in raw:
        raw["start_layer"] = layers
    config = family_of(load_spec(wanted["model"])).config(raw, shape)
    assert isinstance(config, DecoderConfig)
    weights = {
        name: torch.empty(size, dtype=torch.bfloat16, device=device).normal_(0, 0.02 if len(size) > 1 else 0.0)
        for name, size in decoder_shapes(config).items()
    }
    return Decoder(config, weights)


def timed(model: Decoder, ids: torch.Tensor, layout: Layout) -> tuple[torch.Tensor, Work, list[float], float]:
    """Scores, work of one pass, seconds of ten passes, and those of the three passes before."""
    times, warm = [], perf_counter()
    for number in range(13):
        if number == 3:
            torch.cuda.synchronize()
            warm = perf_counter() - warm
        start, work = perf_counter(), Work()
        scores = model.forward(ids, layout, [Read(model.config.layers, 0)], work).cpu()
        times.append(perf_counter() - start)
    return scores, work, times[3:], warm


if __name__ == "__main__":
    main()
