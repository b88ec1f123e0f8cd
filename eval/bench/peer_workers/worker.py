"""One peer in its own process.

Arguments: PEER FAMILY CHECKPOINT PAIRS.json DTYPE THREADS OPTIONS.json. The first line on stdout states
what was loaded. Then every line on stdin is a JSON request: `scores` names the file for the scores, `point` is of the
peer's grid, `trial` true scores every second pair only, after a few that are not timed. One JSON line comes back:
seconds, peak memory, tokens that entered the model; of a trial that fails, why, as `refused`.
"""

import importlib
import importlib.metadata
import json
import os
import resource
import sys
import time
from pathlib import Path

WARM = 2  # pairs that a trial scores first


def main():
    """Load, then score at every line."""
    peer, _, checkpoint, pairs_file, dtype, threads, options_file = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    sys.stdout = sys.stderr  # peers print
    os.environ["OMP_NUM_THREADS"] = threads
    import torch

    torch.set_num_threads(int(threads))
    options = json.loads(Path(options_file).read_text(encoding="utf-8"))
    options.update(threads=int(threads), folder=str(Path(options_file).with_suffix("")))
    groups = json.loads(Path(pairs_file).read_text(encoding="utf-8"))
    pairs = [(query, passage) for query, passages in groups for passage in passages]
    module = importlib.import_module("with_" + peer.lower().replace("-", "_"))
    engine = module.load(checkpoint, dtype, options, pairs)
    versions = {name: importlib.metadata.version(name) for name in engine.packages}
    answers.write(json.dumps({"ready": peer, "versions": versions}) + "\n")
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = run(engine, request, pairs, options["device"])
        except Exception as err:
            if not request["trial"]:
                raise
            answer = {"refused": f"{type(err).__name__}: {err}".splitlines()[0][:200]}
        answers.write(json.dumps(answer) + "\n")


def run(engine, request, pairs, device):
    """Score what is requested; return the answer."""
    import torch

    if request["point"] != engine.point:
        engine.prepare(request["point"])
    wanted = sorted(pairs, key=lambda pair: len(pair[1]))[::2] if request["trial"] else pairs
    if request["trial"]:
        engine.score(wanted[:WARM])
    engine.tokens = engine.real = 0
    cuda = device.startswith("cuda")
    start = time.perf_counter()
    scores = engine.score(wanted)
    if cuda:
        torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    Path(request["scores"]).write_text(json.dumps([float(x) for x in scores]), encoding="utf-8")
    peak = torch.cuda.max_memory_allocated() if cuda else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    answer = {"seconds": seconds, "tokens": engine.tokens, "padded": engine.tokens - engine.real}
    return {**answer, "peak_memory_bytes": peak}


if __name__ == "__main__":
    main()
