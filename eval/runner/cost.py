"""FLOPs, tokens and time of a cell, from what is stored. None is "not measured"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd

from ...rerankers import flops
from ...rerankers.api import Requests, Scored
from ...rerankers.settings import Setting
from ..results import Cost, Flops, ServerUsage, Tokens
from .engine import Engine, LoadedModel

PHASES = ("tokenise", "forward", "store")


def block_cost(scored: Scored, device: str, joules: float | None = None) -> dict[str, Any]:
    """Return what is stored beside a block that a device of this name scored; storing adds its own seconds."""
    executed = scored.executed
    return {
        "flops": executed.flops,
        "real_tokens": executed.real_tokens,
        "padded_tokens": executed.padded_tokens,
        "shared_tokens": executed.shared_tokens,
        "seconds": dict(executed.seconds),
        "device": device,
        **({"joules": joules} if joules is not None else {}),
        **({"requests": asdict(executed.requests)} if executed.requests else {}),
    }


class PassCost:
    """The costs of all blocks of one group: one forward pass over all pairs, whatever the number of settings."""

    def __init__(self, blocks: Sequence[Mapping[str, Any] | None], settings: Sequence[Setting]) -> None:
        self.settings = tuple(setting.name for setting in settings)
        self.blocks = [block for block in blocks if block is not None]
        self.known = bool(self.blocks) and len(self.blocks) == len(blocks)

    def total(self, key: str) -> int | None:
        """Return the sum over blocks; None when a block's figure was lost or the adapter does not count."""
        if not self.known or not any(block["flops"] for block in self.blocks):
            return None
        return sum(block[key] for block in self.blocks)

    def seconds(self, phase: str) -> float | None:
        """Return seconds that all blocks spent in a phase."""
        if not self.known or not all(phase in block["seconds"] for block in self.blocks):
            return None
        return sum(block["seconds"][phase] for block in self.blocks)

    def summary(self, pairs: int, engine: Engine) -> Cost:
        """Return the figures of a manifest. The share of the peak needs all blocks to come from the device at hand."""
        tokenise, forward, store = (self.seconds(phase) for phase in PHASES)
        executed = self.total("flops")
        scoring = sum(seconds or 0.0 for seconds in (tokenise, forward, store))
        tflops = executed / forward / 1e12 if executed and forward else None
        here = engine.loaded.device_name
        measurable = tflops is not None and all(block["device"] == here for block in self.blocks)
        peak = engine.peak_tflops() if measurable else None
        return Cost(
            load_seconds=engine.loaded.load_seconds,
            tokenise_seconds=tokenise,
            forward_seconds=forward,
            store_seconds=store,
            pairs_per_second=pairs / scoring if forward and scoring else None,
            tflops=tflops,
            peak_tflops=peak,
            share_of_peak=tflops / peak if tflops and peak else None,
            peak_memory_bytes=engine.peak_memory() or None,
            pass_settings=self.settings,
            asked=self.asked(),
            energy_joules=self.joules(),
        )

    def joules(self) -> float | None:
        """Return energy of all blocks; None where one was not measured."""
        if not self.known or not all("joules" in block for block in self.blocks):
            return None
        return sum(block["joules"] for block in self.blocks)

    def asked(self) -> ServerUsage | None:
        """Return the requests to a server; None where there is none, or where a block's figures were lost."""
        requests = [Requests(**block["requests"]) for block in self.blocks if "requests" in block]
        if not self.known or len(requests) < len(self.blocks):
            return None
        total = reduce(Requests.__add__, requests)
        forward = self.seconds("forward")
        p50, p95 = np.percentile(total.seconds, (50, 95)).tolist() if total.seconds else (None, None)
        return ServerUsage(
            requests=total.sent,
            retried=total.retried,
            requests_per_second=total.sent / forward if forward else None,
            p50_seconds=p50,
            p95_seconds=p95,
            billed=total.billed,
            unit=total.unit,
        )


class Tally:
    """FLOPs and tokens of one setting's pairs, summed exactly."""

    def __init__(self, loaded: LoadedModel, setting: Setting) -> None:
        self._loaded, self._setting = loaded, setting
        self.pairs = self._reference = self._useful = self._full = 0
        self._tokens = [0, 0, 0]

    def add(self, pairs: pd.DataFrame) -> np.ndarray | None:
        """Count some pairs; their reference FLOPs, int64 of shape (pairs,), None when the model's shape is unknown."""
        lengths = [pairs[name].to_numpy() for name in ("query_tokens", "passage_tokens", "prompt_tokens")]
        self.pairs += len(pairs)
        self._tokens = [total + int(counts.sum(dtype=np.int64)) for total, counts in zip(self._tokens, lengths)]
        shape = self._loaded.shape
        if shape is None:
            return None
        reference = flops.reference(shape, self._setting, *lengths)
        self._reference += flops.total(reference)
        self._useful += flops.total(flops.useful(shape, self._setting, *lengths))
        self._full += flops.total(flops.reference(shape, Setting(), *lengths))
        return reference

    def flops(self, executed: int | None) -> Flops | None:
        """Return all named counts; `executed` is that of the whole pass."""
        shape = self._loaded.shape
        if shape is None or not self.pairs:
            return None
        return Flops(
            reference=self._reference,
            useful=self._useful,
            executed=executed,
            full=self._full,
            saved=1 - self._reference / self._full,
            saved_naive=flops.saved_naive(shape, self._setting),
        )

    def tokens(self, cost: PassCost) -> Tokens | None:
        """Return real tokens of all pairs, and what the engine added and shared; None where nobody counts them."""
        if not any(self._tokens):
            return None
        query, passage, prompt = self._tokens
        padded, shared = cost.total("padded_tokens"), cost.total("shared_tokens")
        return Tokens(query=query, passage=passage, prompt=prompt, padded=padded, shared=shared)
