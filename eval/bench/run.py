"""One benchmark: shape, workload and engines by name; a result that can be stored and tabled."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...configs import CONFIGS, read
from ...rerankers import Setting, load_spec
from ...rerankers.errors import InputError, suggest
from ...rerankers.random_weights import write_random_weights
from .checkpoint import write_tokenizer
from .pairs import Workload, make_groups
from .rounds import OURS, PEERS, Engine, run_rounds
from .summary import summarise

_MAX_LENGTH = 1024  # longer than any generated pair, so that nobody truncates


def run_bench(
    *,
    shape: str,
    setting: str,
    sweep: bool,
    against: Sequence[str],
    peers: Sequence[str],
    workload: str,
    queries: int,
    candidates: int,
    dtype: str,
    device: str,
    threads: int,
    rounds: int,
    peer_batch_size: int,
    token_budget: int,
    seed: int,
    command: str,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Time the engines; see `rerankbench bench --help`. Raises InputError for names that are unknown."""
    known = read(CONFIGS / "bench.yaml")
    wanted = _named(known["shapes"], shape, "shape")
    spec = load_spec(wanted["model"])
    config = {**spec.config, **wanted.get("config", {})}
    work = Workload(**{**_named(known["workloads"], workload, "workload"), "queries": queries, "seed": seed})
    if candidates:
        work = Workload(**{**asdict(work), "candidates": candidates})
    threads = threads or os.cpu_count() or 1
    one = Setting.parse(setting)
    layers = config["num_hidden_layers"]
    common = {"device": device, "max_length": _MAX_LENGTH}
    ours = {**common, "prompt": spec.prompt, "token_budget": token_budget or None}
    engines = [Engine(OURS, OURS, sys.executable, {**ours, "settings": [setting]})]
    for name in against:
        engines.append(Engine(f"{OURS} {Setting.parse(name).name}", OURS, sys.executable, {**ours, "settings": [name]}))
    if sweep:
        deepest = one.cutoff_layer or layers
        every = [f"L{layer}" for layer in range(config.get("start_layer", layers), deepest + 1)]
        engines.append(Engine(f"{OURS} sweep of {len(every)}", OURS, sys.executable, {**ours, "settings": every}))
    for peer in peers:
        kind, _, python = peer.partition("=")
        if kind not in PEERS:
            raise InputError(f"peer '{kind}' is unknown{suggest(kind, PEERS)}")
        options = {
            **common,
            "batch_size": peer_batch_size or None,
            "cutoff_layers": [one.cutoff_layer or layers],
            "compress_ratio": one.compress_ratio,
            "compress_layers": list(one.compress_layers),
        }
        engines.append(Engine(kind, kind, python or sys.executable, options))

    with tempfile.TemporaryDirectory(prefix="rerankbench-bench-") as temporary:
        folder = Path(temporary)
        checkpoint = folder / "checkpoint"
        checkpoint.mkdir()
        say(f"writing a random checkpoint of shape {shape}")
        (checkpoint / "config.json").write_text(json.dumps(config), encoding="utf-8")
        write_tokenizer(checkpoint, encoder=spec.family == "cross-encoder", vocab=config["vocab_size"])
        write_random_weights(checkpoint, dtype=dtype, seed=seed)
        run_rounds(
            engines,
            folder=folder,
            family=spec.family,
            checkpoint=checkpoint,
            groups=make_groups(work),
            dtype=dtype,
            threads=threads,
            rounds=rounds,
            say=say,
        )
    from ..runner.peak import device_name

    return {
        "shape": shape,
        "config": config,
        "setting": one.name,
        "dtype": dtype,
        "device": device_name(device),
        "threads": threads,
        "workload": asdict(work),
        "pairs": work.pairs,
        "rounds": rounds,
        "engines": summarise(engines, work.pairs),
        "command": command,
    }


def _named(table: dict[str, Any], name: str, what: str) -> dict[str, Any]:
    if name not in table:
        raise InputError(f"{what} '{name}' is unknown{suggest(name, table)}")
    return table[name]
