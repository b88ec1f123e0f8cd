"""Random weights for any shape, in the hub's layout: for timing and for tests, never for quality."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from .checkpoint.json_files import read_json
from .registry import family_named, guess_family


def write_random_weights(
    folder: Path, *, family: str | None = None, dtype: str = "float32", seed: int = 0, spread: float = 0.02
) -> None:
    """Write `model.safetensors` for the `config.json` in the folder.

    Matrices are normal(0, `spread`), norms scale by one. Same seed, same bytes. `family` is the name of the family that
    lists the tensors; None finds it.
    """
    from safetensors.torch import save_file

    raw = read_json(folder / "config.json")
    of_family = family_named(family) if family else guess_family(raw, folder)
    tensors = of_family.tensors(raw, str(folder / "config.json"))
    shapes, norm = tensors.shapes, tensors.unit_norm

    def values(number: int, name: str, shape: tuple[int, ...]) -> torch.Tensor:
        empty = torch.empty(shape, dtype=getattr(torch, dtype))
        if len(shape) == 1:
            return empty.fill_(norm if name.lower().endswith("norm.weight") else 0.0)
        return empty.normal_(0.0, spread, generator=torch.Generator().manual_seed(seed * 10_000 + number))

    with ThreadPoolExecutor() as pool:  # a generator works on one core
        filled = pool.map(values, range(len(shapes)), shapes, shapes.values())
    save_file(dict(zip(shapes, filled)), folder / "model.safetensors", metadata={"format": "pt"})
