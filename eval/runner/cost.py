"""FLOPs, tokens and time of a cell, from what is stored. None is "not measured"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ...rerankers import flops
from ...rerankers.api import Scored
from ...rerankers.settings import Setting
from ..results import Cost, Flops, Tokens
from .engine import Engine, Face

PHASES = ("tokenise", "forward", "store")


def block_cost(scored: Scored, device: str) -> dict[str, Any]:
    """What is kept beside a block that a device of this name scored; storing adds its own seconds."""
    executed = scored.executed
    return {
        "flops": executed.flops,
        "real_tokens": executed.real_tokens,
        "padded_tokens": executed.padded_tokens,
        "shared_tokens": executed.shared_tokens,
        "seconds": dict(executed.seconds),
        "device": device,
    }


class PassCost:
    """The costs of all blocks of one group: one forward pass over all pairs, whatever the number of settings."""

    def __init__(self, blocks: Sequence[Mapping[str, Any] | None], settings: Sequence[Setting]) -> None:
        self.settings = tuple(setting.name for setting in settings)
        self.blocks = [block for block in blocks if block is not None]
        self.known = bool(self.blocks) and len(self.blocks) == len(blocks)

    def total(self, key: str) -> int | None:
        """Sum over blocks; None when a block's figure was lost or the adapter does not count."""
        if not self.known or not any(block["flops"] for block in self.blocks):
            return None
        return sum(block[key] for block in self.blocks)

    def seconds(self, phase: str) -> float | None:
        """Seconds that all blocks spent in a phase."""
        if not self.known or not all(phase in block["seconds"] for block in self.blocks):
            return None
        return sum(block["seconds"][phase] for block in self.blocks)

    def summary(self, pairs: int, engine: Engine) -> Cost:
        """The figures of a manifest. The share of the peak needs all blocks to come from the device at hand."""
        tokenise, forward, store = (self.seconds(phase) for phase in PHASES)
        executed = self.total("flops")
        scoring = sum(seconds or 0.0 for seconds in (tokenise, forward, store))
        tflops = executed / forward / 1e12 if executed and forward else None
        here = engine.face.device_name
        measurable = tflops is not None and all(block["device"] == here for block in self.blocks)
        peak = engine.peak_tflops() if measurable else None
        return Cost(
            load_seconds=engine.face.load_seconds,
            tokenise_seconds=tokenise,
            forward_seconds=forward,
            store_seconds=store,
            pairs_per_second=pairs / scoring if forward and scoring else None,
            tflops=tflops,
            peak_tflops=peak,
            share_of_peak=tflops / peak if tflops and peak else None,
            peak_memory_bytes=engine.peak_memory(),
            pass_settings=self.settings,
        )


def pair_flops(face: Face, setting: Setting, pairs: pd.DataFrame) -> np.ndarray | None:
    """Reference FLOPs per pair, int64 of shape (pairs,); None when the model's shape is unknown."""
    if face.config is None:
        return None
    return flops.reference(face.config, face.spec.family, setting, *_lengths(pairs))


def cell_flops(
    face: Face, setting: Setting, pairs: pd.DataFrame, reference: np.ndarray | None, executed: int | None
) -> Flops | None:
    """All named counts of a cell; `executed` is that of the whole pass."""
    config, family = face.config, face.spec.family
    if config is None or reference is None or not len(pairs):
        return None
    spent, lengths = flops.total(reference), _lengths(pairs)
    full = flops.total(flops.reference(config, family, Setting(), *lengths))
    return Flops(
        reference=spent,
        useful=flops.total(flops.useful(config, family, setting, *lengths)),
        executed=executed,
        full=full,
        saved=1 - spent / full,
        saved_naive=flops.saved_naive(config, setting),
    )


def cell_tokens(pairs: pd.DataFrame, cost: PassCost) -> Tokens:
    """Real tokens of all pairs, and what the engine added and shared."""
    query, passage, prompt = (int(lengths.sum(dtype=np.int64)) for lengths in _lengths(pairs))
    padded, shared = cost.total("padded_tokens"), cost.total("shared_tokens")
    return Tokens(query=query, passage=passage, prompt=prompt, padded=padded, shared=shared)


def _lengths(pairs: pd.DataFrame) -> list[np.ndarray]:
    return [pairs[name].to_numpy() for name in ("query_tokens", "passage_tokens", "prompt_tokens")]
