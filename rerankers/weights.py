"""Tensors from checkpoint files straight into their final place: one at a time, in the wanted dtype, on the device.

Safetensors files are read in blocks with plain reads instead of a memory map: mapped pages would count as memory of
this process beside the weights themselves until the map is closed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .errors import InputError
from .hub import weight_files

_BLOCK = 8 << 20  # bytes read at a time when dtype or device differ
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}

Shape = tuple[int, ...]
Copy = Callable[[Tensor], None]  # fills a tensor of the right shape with the stored values


def load_weights(
    folder: Path,
    wanted: Mapping[str, Shape],
    dtype: torch.dtype,
    device: torch.device | str,
    rename: Callable[[str], str] | None = None,
    ignore: Callable[[str], bool] | None = None,
) -> dict[str, Tensor]:
    """The wanted tensors of a checkpoint, by name. See `load_into` for the arguments and errors."""
    targets = {name: torch.empty(shape, dtype=dtype, device=device) for name, shape in wanted.items()}
    load_into(folder, targets, rename, ignore)
    return targets


def load_into(
    folder: Path,
    targets: Mapping[str, Tensor],
    rename: Callable[[str], str] | None = None,
    ignore: Callable[[str], bool] | None = None,
) -> None:
    """Fill tensors (contiguous; rows of a fused matrix are welcome) from a checkpoint, converting as they need.

    Args:
        folder: holds `model*.safetensors` or `pytorch_model*.bin`.
        targets: destination by name.
        rename: from the file's name of a tensor to the name in `targets`.
        ignore: says of a name in the file, before renaming, that it is known and not needed.

    Raises InputError that names the tensors when some are missing, extra or misshapen.
    """
    left, extra, misshapen = set(targets), [], []
    for stored, shape, copy in _tensors(folder):
        name = rename(stored) if rename else stored
        if name not in targets:
            if not (ignore and ignore(stored)):
                extra.append(stored)
        elif shape != tuple(targets[name].shape):
            misshapen.append(f"{stored} {list(shape)} instead of {list(targets[name].shape)}")
            left.discard(name)
        else:
            if name in left:
                copy(targets[name])
            left.discard(name)
    problems = [("missing", sorted(left)), ("not expected", sorted(extra)), ("wrong shape", sorted(misshapen))]
    told = [f"{what}: {_shortened(names)}" for what, names in problems if names]
    if told:
        raise InputError(f"{folder}: the checkpoint does not fit its config.json; {'; '.join(told)}")


def tensor_names(folder: Path) -> list[str]:
    """Names of all tensors of a checkpoint, as its files have them."""
    return [name for name, _, _ in _tensors(folder)]


def _shortened(names: list[str], most: int = 4) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def _tensors(folder: Path) -> Iterator[tuple[str, Shape, Copy]]:
    for path in weight_files(folder):
        yield from _safetensors(path) if path.suffix == ".safetensors" else _pickled(path)


def _pickled(path: Path) -> Iterator[tuple[str, Shape, Copy]]:
    try:
        try:
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except (RuntimeError, ValueError):  # files older than torch 1.6 cannot be mapped
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as err:
        raise InputError(f"{path}: not a readable checkpoint: {str(err).splitlines()[0]}") from err
    for name in list(state):
        tensor = state.pop(name)
        yield name, tuple(tensor.shape), partial(_copy, tensor)


def _copy(source: Tensor, target: Tensor) -> None:
    target.copy_(source)


def _safetensors(path: Path) -> Iterator[tuple[str, Shape, Copy]]:
    # format: 8 bytes little-endian header size, JSON header, data (huggingface/safetensors README, "Format")
    size = path.stat().st_size
    with path.open("rb", buffering=0) as file:
        length = int.from_bytes(file.read(8), "little")
        try:
            header = json.loads(file.read(length)) if length <= size - 8 else None
        except ValueError:
            header = None
        if not isinstance(header, dict):
            raise InputError(f"{path}: not a safetensors file, or cut off; download it again")
        header.pop("__metadata__", None)
        start = 8 + length
        for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
            begin, end = (start + offset for offset in entry["data_offsets"])
            if end > size or entry["dtype"] not in _DTYPES:
                what = "is cut off; download it again" if end > size else f"has dtype {entry['dtype']}, not supported"
                raise InputError(f"{path}: tensor {name} {what}")

            def copy(target: Tensor, at: int = begin, kind: torch.dtype = _DTYPES[entry["dtype"]]) -> None:
                _read(file, at, kind, target)

            yield name, tuple(entry["shape"]), copy


def _read(file, at: int, kind: torch.dtype, target: Tensor) -> None:
    """Fill `target` with the values of dtype `kind` that begin at byte `at`."""
    file.seek(at)
    flat = target.view(-1)
    if flat.dtype == kind and flat.device.type == "cpu":
        _fill(file, flat)
        return
    step = max(1, _BLOCK // kind.itemsize)
    buffer = torch.empty(min(step, flat.numel()), dtype=kind)
    for first in range(0, flat.numel(), step):
        part = buffer[: min(step, flat.numel() - first)]
        _fill(file, part)
        flat[first : first + part.numel()].copy_(part)


def _fill(file, flat: Tensor) -> None:
    view: Any = memoryview(flat.view(torch.uint8).numpy())  # pyright: ignore[reportArgumentType]
    done = 0
    while done < len(view):
        count = file.readinto(view[done:])
        if not count:
            raise InputError(f"{file.name}: ends in the middle of a tensor; download it again")
        done += count
