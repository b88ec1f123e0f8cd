"""Time to count the FLOPs of ten million pairs; run `OMP_NUM_THREADS=1 python benchmarks/flops_speed.py`."""

from __future__ import annotations

import sys
import time

import numpy as np
from rerankbench.rerankers.flops import reference, saved, total, useful
from rerankbench.rerankers.registry import family_named
from rerankbench.rerankers.settings import Setting

GEMMA_2_9B = {
    "model_type": "cost_wise_gemma",
    "layer_wise": True,
    "start_layer": 8,
    "num_hidden_layers": 42,
    "hidden_size": 3584,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 256,
    "intermediate_size": 14336,
    "vocab_size": 256000,
    "query_pre_attn_scalar": 256,
    "max_position_embeddings": 8192,
}


def main(pairs: int) -> None:
    """Print the seconds of each count over random lengths, and the total to show that it is exact."""
    rng = np.random.default_rng(0)
    shape = family_named("lightweight").shape(GEMMA_2_9B)
    lengths = [rng.integers(low, high, pairs, dtype=np.int32) for low, high in ((5, 60), (1, 1000), (14, 15))]
    for name in ("full", "L25-r2@8", "L28-r2@24+40", "r4@8+16+24+32"):
        setting = Setting.parse(name)
        for count in (reference, useful, saved):
            start = time.perf_counter()
            flops = count(shape, setting, *lengths)
            whole = flops if isinstance(flops, float) else total(flops)
            print(f"{name:14} {count.__name__:10} {time.perf_counter() - start:6.2f} s for {pairs} pairs: {whole}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000)
