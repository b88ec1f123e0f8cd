"""Tensors from checkpoint files straight into their final place: one at a time, in the wanted dtype, on the device."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ..errors import InputError, one_line
from . import safetensors_file
from .weight_files import weight_files

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Stored:
    """One tensor of a checkpoint.

    Attributes:
        name: as the file has it.
        shape, dtype: of the stored values; dtype None is one that torch lacks.
        fill: copies the values into a tensor of that shape, in that tensor's dtype and on its device.
    """

    name: str
    shape: Shape
    dtype: torch.dtype | None
    fill: Callable[[Tensor], None]


class Checkpoint:
    """The tensors of a model folder; see `weight_files` for the files. Only headers are read until `fill`.

    Raises InputError, one line, for files that are damaged or have anything but dense tensors.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stored = list(_list_stored(folder))
        self._found: dict[str, Stored] = {}

    def match(
        self,
        wanted: Mapping[str, Shape],
        rename: Callable[[str], str] | None = None,
        ignore: Callable[[str], bool] | None = None,
    ) -> Checkpoint:
        """Find every wanted tensor before any memory is taken for it; returns self.

        Args:
            wanted: shape by name.
            rename: from the file's name of a tensor to the name in `wanted`.
            ignore: whether a name in the file, before renaming, is known and not needed.

        Raises InputError that names the tensors when some are missing, extra, misshapen, there twice or no weights.
        """
        extra, misshapen, twice, integers = [], [], [], []
        for tensor in self.stored:
            name = rename(tensor.name) if rename else tensor.name
            if name not in wanted:
                if not (ignore and ignore(tensor.name)):
                    extra.append(tensor.name)
                continue
            if name in self._found:
                twice.append(f"{self._found[name].name} and {tensor.name}")
            elif tensor.shape != tuple(wanted[name]):
                misshapen.append(f"{tensor.name} {list(tensor.shape)} instead of {list(wanted[name])}")
            elif tensor.dtype is None or not tensor.dtype.is_floating_point:
                integers.append(f"{tensor.name} {str(tensor.dtype).removeprefix('torch.')}")
            self._found[name] = tensor
        problems = {
            "missing": [name for name in wanted if name not in self._found],
            "not expected": extra,
            "wrong shape": misshapen,
            "one tensor twice": twice,
            "no floating-point numbers (a quantised checkpoint is not supported)": integers,
        }
        faults = [f"{fault}: {_shorten(sorted(names))}" for fault, names in problems.items() if names]
        if faults:
            raise InputError(f"{self.folder}: the checkpoint does not fit its config.json; {'; '.join(faults)}")
        return self

    def fill(self, targets: Mapping[str, Tensor]) -> None:
        """Copy the matched tensors into `targets` (contiguous; rows of a fused matrix are welcome)."""
        for name, target in targets.items():
            self._found[name].fill(target)


def load_weights(
    folder: Path,
    wanted: Mapping[str, Shape],
    dtype: torch.dtype,
    device: torch.device | str,
    rename: Callable[[str], str] | None = None,
    ignore: Callable[[str], bool] | None = None,
) -> dict[str, Tensor]:
    """Load the wanted tensors of a checkpoint, by name. See `Checkpoint.match` for the arguments and errors."""
    checkpoint = Checkpoint(folder).match(wanted, rename, ignore)
    targets = {name: torch.empty(shape, dtype=dtype, device=device) for name, shape in wanted.items()}
    checkpoint.fill(targets)
    return targets


def _shorten(names: list[str], most: int = 4) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def _list_stored(folder: Path) -> Iterator[Stored]:
    for path, names in weight_files(folder).items():
        read = safetensors_file.entries(path) if path.suffix == ".safetensors" else _read_pickled(path)
        tensors = {stored[0]: Stored(*stored) for stored in read if names is None or stored[0] in names}
        if names is not None and (absent := sorted(names - tensors.keys())):
            raise InputError(f"{path}: lacks {_shorten(absent)}, which the index lists in it")
        yield from tensors.values()


def _read_pickled(path: Path) -> Iterable[tuple[str, Shape, torch.dtype, Callable[[Tensor], None]]]:
    try:
        try:
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except (RuntimeError, ValueError):  # files older than torch 1.6 cannot be mapped
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as err:
        raise InputError(f"{path}: not a readable checkpoint: {one_line(err)}") from err
    if not isinstance(state, dict):
        raise InputError(f"{path}: expected tensors by name, found {type(state).__name__}")
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise InputError(f"{path}: {name!r:.80} is of type {type(tensor).__name__}; expected tensors by name")
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
            raise InputError(f"{path}: tensor {name} is sparse, quantised or empty; expected dense tensors")
        yield name, tuple(tensor.shape), tensor.dtype, partial(_copy, tensor)


def _copy(source: Tensor, target: Tensor) -> None:
    target.copy_(source)
