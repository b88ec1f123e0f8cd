"""Peers as contenders: which rows a peer has, the setup of its worker, and the grid that it runs at its best of."""

from __future__ import annotations

import sys
from itertools import product
from typing import Any

from ...configs import CONFIGS, read
from ...rerankers import ModelSpec, Setting, TextOptions
from ...rerankers.errors import InputError, suggest
from ...rerankers.registry import family_of
from .checkpoint import BEGIN, FIRST_ANSWER
from .options import BenchOptions, Hardware, named
from .rounds import Contender

ROWS = ("best", "default", "both")


def peers_of(options: BenchOptions, hardware: Hardware, spec: ModelSpec, common: dict[str, Any]) -> list[Contender]:
    """Return the rows of the peers, all under the same setting, each in its own interpreter.

    `common` is the setup of every worker, and the model's `layers`. Raises InputError for what a peer does not run.
    """
    if options.rows not in ROWS:
        raise InputError(f"rows '{options.rows}' are unknown{suggest(options.rows, ROWS)}")
    setting = Setting.parse(options.setting)
    setup = {
        **common,
        "cutoff_layers": [setting.cutoff_layer or common["layers"]],
        "compress_ratio": setting.compress_ratio,
        "compress_layers": list(setting.compress_layers),
        **_describe_prompt(spec),
    }
    known = read(CONFIGS / "bench.yaml")
    engines: list[Contender] = []
    for peer in options.peers:
        kind, _, python = peer.partition("=")
        families, grids = named(known["peers"], kind, "peer"), known["grids"][kind]
        device = hardware.device.partition(":")[0]
        for need, fits in (
            (f"{spec.family} reranker; see `peers` in configs/bench.yaml", spec.family in families),
            (
                f"setting but `full` of a {spec.family} reranker",
                setting == Setting() or not families.get(spec.family, {}).get("full"),
            ),
            (f"model in {hardware.dtype}", hardware.dtype in grids["dtypes"]),
            (f"model on {device}", device in grids),
        ):
            if not fits:
                raise InputError(f"peer '{kind}': runs no {need}")
        runs = families[spec.family]
        rows = {"best": grid_of({**grids[device], **runs.get("grid", {})})}
        rows |= {"default": [{}]} if grids.get("default") else {}
        for row, grid in rows.items():
            if options.rows in (row, "both"):
                engines.append(
                    Contender(f"{kind}, {row}", kind, python or sys.executable, {**setup, "runs": runs}, grid=grid)
                )
    return engines


def grid_of(axes: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Return every point of a grid."""
    return [dict(zip(axes, values)) for values in product(*axes.values())]


def tokens_of(spec: ModelSpec) -> list[int]:
    """Return ids in place of the specification's tokens in the bench's tokenizer."""
    return list(range(FIRST_ANSWER, FIRST_ANSWER + len(spec.options.get("tokens", ()))))


def _describe_prompt(spec: ModelSpec) -> dict[str, Any]:
    """Return how a peer prompts a causal language model, and what it reads; nothing without a template."""
    rules = family_of(spec).text_rules(spec)
    if rules.template is None:
        return {}
    whole = rules.template.whole("{query}", "{passage}", rules.resolve(TextOptions()).instruction)
    # FlagEmbedding's template begins with the token that begins a text
    prompt = BEGIN + whole if rules.template.limit == "released" else whole
    return {"prompt": prompt, "tokens": tokens_of(spec) or [FIRST_ANSWER]}
