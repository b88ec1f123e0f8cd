"""Random weights for any shape, in the hub's layout: for timing and for tests, never for quality."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from .files import read_json
from .models.config import DecoderConfig, read_config
from .models.decoder import decoder_shapes
from .models.encoder import Encoder


def write_random_weights(folder: Path, *, dtype: str = "float32", seed: int = 0, spread: float = 0.02) -> None:
    """Write `model.safetensors` for the `config.json` that the folder holds.

    Matrices are normal(0, `spread`), norms scale by one. Same seed, same bytes.
    """
    from safetensors.torch import save_file

    config = read_config(read_json(folder / "config.json"), str(folder / "config.json"))
    norm = 1.0
    if isinstance(config, DecoderConfig):
        shapes = decoder_shapes(config)
        norm -= config.norm_plus_one
    else:
        # the hub puts the model's name before everything but a classifier
        empty = Encoder(config, torch.float32, torch.device("meta")).named_tensors()
        prefix = "bert." if config.position_offset == 0 else "roberta."
        shapes = {n if n.startswith("classifier") else prefix + n: tuple(t.shape) for n, t in empty.items()}

    def values(number: int, name: str, shape: tuple[int, ...]) -> torch.Tensor:
        empty = torch.empty(shape, dtype=getattr(torch, dtype))
        if len(shape) == 1:
            return empty.fill_(norm if name.lower().endswith("norm.weight") else 0.0)
        return empty.normal_(0.0, spread, generator=torch.Generator().manual_seed(seed * 10_000 + number))

    with ThreadPoolExecutor() as pool:  # a generator works on one core
        found = pool.map(values, range(len(shapes)), shapes, shapes.values())
    save_file(dict(zip(shapes, found)), folder / "model.safetensors", metadata={"format": "pt"})
