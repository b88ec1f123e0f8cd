"""How long the first batch of a process takes on a GPU, by phase, with what is kept on disk and without.

    TRITON_CACHE_DIR=KERNELS TORCHINDUCTOR_CACHE_DIR=KERNELS python benchmarks/first_batch.py gemma-small MODELS

Scores one query with 100 candidates, another, and the first once more. Run it twice: the second run finds compiled
kernels in KERNELS, and the random checkpoint in MODELS. Seconds of each phase are printed on one line.
"""

from __future__ import annotations

import sys
from pathlib import Path
from time import perf_counter

STARTED = perf_counter()


def main() -> None:
    """Arguments: SHAPE of configs/bench.yaml, and a folder for the checkpoint."""
    shape, folder = sys.argv[1], Path(sys.argv[2])
    last, phases = STARTED, {}

    def lap(name: str) -> None:
        nonlocal last
        now = perf_counter()
        phases[name], last = now - last, now

    import torch

    lap("import torch")
    from rerankbench.eval.bench.pairs import Workload, make_groups
    from rerankbench.eval.bench.shapes import spec_of, write_checkpoint
    from rerankbench.rerankers import LoadOptions, ModelSpec, Setting, TextOptions, load
    from rerankbench.rerankers.api import Group

    spec, text = spec_of(shape), TextOptions(max_length=512)
    if not (folder / shape).exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_checkpoint(folder / shape, spec, "bfloat16")
    groups = [Group(query, passages) for query, passages in make_groups(Workload(queries=2, candidates=100))]
    lap("prepare")
    torch.zeros(1, device="cuda")
    lap("start CUDA")
    told = ModelSpec("bench", spec.family, str(folder / shape), max_length=512, options=spec.options)
    model = load(told, LoadOptions(device="cuda", dtype="bfloat16"))
    lap("load")
    for name, group in (("first", groups[0]), ("second", groups[1]), ("first again", groups[0])):
        model.score([group], [Setting()], text)
        lap(name)
    print(f"{shape}, {torch.cuda.get_device_name()}, torch {torch.__version__}:", end=" ")
    print(", ".join(f"{name} {seconds:.2f} s" for name, seconds in phases.items()))


if __name__ == "__main__":
    main()
