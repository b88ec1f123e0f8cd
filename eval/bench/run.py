"""One benchmark: shape, workload and engines by name; a result that can be stored and tabled."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ...configs import CONFIGS, read
from ...rerankers import ModelSpec, Setting
from ...rerankers.errors import InputError
from ...rerankers.flops import Shape
from ...rerankers.registry import shape_of
from .options import BenchOptions, Hardware, named
from .pairs import Workload, make_groups
from .peers import peers_of, tokens_of
from .rounds import OURS, Contender, Files, run_rounds
from .shapes import spec_of, write_checkpoint
from .summary import summarise

_MAX_LENGTH = 1024  # longer than any generated pair, so that nobody truncates who need not


def run_bench(options: BenchOptions, hardware: Hardware, say: Callable[[str], None]) -> dict[str, Any]:
    """Time the engines; see `rerankbench bench --help`. Raises InputError for names that are unknown."""
    known = read(CONFIGS / "bench.yaml")
    spec = spec_of(options.shape)
    work = Workload(
        **{**named(known["workloads"], options.workload, "workload"), "queries": options.queries, "seed": options.seed}
    )
    if options.candidates:
        work = replace(work, candidates=options.candidates)
    if n := options.passage_tokens:
        work = replace(work, passage_mean=float(n), sigma=0.0, longest=n)
    hardware = replace(hardware, threads=hardware.threads or os.cpu_count() or 1)
    common = {"device": hardware.device, "max_length": min(_MAX_LENGTH, spec.max_length or _MAX_LENGTH)}
    size = shape_of(spec)
    if size is None:
        raise InputError(f"shape '{options.shape}': the family {spec.family} has no shape")
    engines = [
        *_own_contenders(options, spec, size, common),
        *peers_of(options, hardware, spec, {**common, "layers": size.layers}),
    ]
    with tempfile.TemporaryDirectory(prefix="rerankbench-bench-") as temporary:
        say(f"writing a random checkpoint of shape {options.shape}")
        files = Files(Path(temporary), spec.family)
        write_checkpoint(files.checkpoint, spec, hardware.dtype, options.seed)
        files.pairs.write_text(json.dumps(make_groups(work)), encoding="utf-8")
        run_rounds(engines, files, hardware, options.rounds, say)
    from ..hardware.peak import device_name

    return {
        "shape": options.shape,
        "config": spec.config,
        "setting": Setting.parse(options.setting).name,
        "dtype": hardware.dtype,
        "device": device_name(hardware.device),
        "threads": hardware.threads,
        "workload": asdict(work),
        "pairs": work.pairs,
        "rounds": options.rounds,
        "engines": summarise(engines, work.pairs),
        "command": options.command,
    }


def _own_contenders(options: BenchOptions, spec: ModelSpec, size: Shape, common: dict[str, Any]) -> list[Contender]:
    """Return our engine under the setting, under the others beside it, and the sweep."""
    scored = {"tokens": tokens_of(spec)} if spec.options.get("tokens") else {}
    setup = {**common, "options": {**spec.options, **scored}, "token_budget": options.token_budget or None}
    runs = {OURS: [options.setting], **{f"{OURS} {Setting.parse(name).name}": [name] for name in options.against}}
    if options.sweep:
        deepest = Setting.parse(options.setting).cutoff_layer or size.layers
        every = [f"L{layer}" for layer in size.cutoffs if layer <= deepest]
        runs[f"{OURS} sweep of {len(every)}"] = every
    setups = {name: {**setup, "settings": settings} for name, settings in runs.items()}
    setups |= {f"{OURS} {dtype}": {**setups[OURS], "dtype": dtype} for dtype in options.dtypes}
    return [Contender(name, OURS, sys.executable, own) for name, own in setups.items()]
