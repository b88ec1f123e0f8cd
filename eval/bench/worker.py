"""The project's own engine in its own process, with the line protocol of `peer_workers/worker.py`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import perf_counter
from typing import TextIO

BLOCK = 16  # queries, as `block_queries` of an experiment has them


def main() -> None:
    """Score as requested on stdin. Arguments: FAMILY CHECKPOINT PAIRS.json DTYPE THREADS OPTIONS.json."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    sys.stdout = sys.stderr
    serve(sys.argv[1:], sys.stdin, answers)


def serve(arguments: Sequence[str], lines: Iterable[str], answers: TextIO) -> None:
    """Score all pairs once for each line, which names the file for the scores as `scores`.

    As a run does it: block by block, token ids one block ahead.
    """
    family, checkpoint, pairs_file, dtype, threads, options_file = arguments
    import torch

    from ...rerankers import LoadOptions, ModelSpec, Setting, TextOptions, load
    from ...rerankers.api import Executed, Group, Prepared
    from ..hardware.peak import measure_peak, peak_memory
    from ..runner.prefetch import prefetch

    torch.set_num_threads(int(threads))
    options = json.loads(Path(options_file).read_text(encoding="utf-8"))
    groups = [Group(query, passages) for query, passages in json.loads(Path(pairs_file).read_text(encoding="utf-8"))]
    spec = ModelSpec("bench", family, checkpoint, max_length=options["max_length"], options=options["options"])
    model = load(spec, LoadOptions(device=options["device"], dtype=dtype, token_budget=options["token_budget"]))
    settings = [Setting.parse(name) for name in options["settings"]]
    text = TextOptions(max_length=options["max_length"])
    blocks = [groups[start : start + BLOCK] for start in range(0, len(groups), BLOCK)]

    def prepare(block: list[Group]) -> Prepared:
        return model.prepare(block, text)

    versions = {"torch": torch.__version__}
    answers.write(json.dumps({"ready": "rerankbench", "versions": versions}) + "\n")
    for line in lines:
        peak = measure_peak(model.device, dtype, 0.15)  # in every round: what else runs on a machine changes
        start = perf_counter()
        scored_blocks = [model.score(block, settings, text, ready) for block, ready in prefetch(prepare, blocks)]
        seconds = perf_counter() - start
        scores = [score for scored in scored_blocks for score in scored.scores[-1].tolist()]
        Path(json.loads(line)["scores"]).write_text(json.dumps(scores), encoding="utf-8")
        ran = sum((scored.executed for scored in scored_blocks), Executed())
        tokens = sum(
            int((block.query_tokens + block.passage_tokens + block.prompt_tokens).sum()) for block in scored_blocks
        )
        answer = {
            "seconds": seconds,
            "tokens": ran.real_tokens + ran.padded_tokens,
            "padded": ran.padded_tokens,
            "shared": ran.shared_tokens,
            "pair_tokens": tokens,
            "flops": ran.flops,
            "phases": ran.seconds,
            "peak_tflops": peak,
            "peak_memory_bytes": peak_memory(model.device),
        }
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
