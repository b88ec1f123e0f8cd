"""Which files have the weights of a model folder, and which tensors are read from each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import InputError
from ..storage.pointers import refuse_pointer
from .json_files import inside, read_json

SINGLE = ("model.safetensors", "pytorch_model.bin")  # the first that is there, each before its index


def weight_files(folder: Path) -> dict[Path, frozenset[str] | None]:
    """Return the weight files in use, and of each the names of the tensors to take; None takes all.

    The checkpoint is `model.safetensors`, else `model.safetensors.index.json` with its shards, else
    `pytorch_model.bin`, else its index: the order of transformers. An index decides which shard gives a tensor. Files
    of other names are no part of it. Raises InputError when there is none, an index names a file that is absent or
    outside the folder, or names nothing of use.
    """
    for single in SINGLE:
        if (folder / single).is_file():
            path = inside(folder, single, folder)
            refuse_pointer(path)
            return {path: None}
        if (folder / f"{single}.index.json").is_file():
            return _read_index(folder, folder / f"{single}.index.json")
    strays = sorted(path.name for kind in ("*.safetensors", "*.bin", "*.gguf") for path in folder.glob(kind))
    hint = f"; {', '.join(strays[:3])} is not such a name" if strays else ""
    raise InputError(f"{folder}: no weights; expected {SINGLE[0]}, its index and shards, or {SINGLE[1]}{hint}")


def shards(index: Path) -> list[Path]:
    """Return the files that an index names, sorted, be they there or not. Raises InputError as `weight_files` does."""
    return sorted({inside(index.parent, name, index) for name in _map_of(index).values()})


def kind_of_file(path: Path) -> str:
    """Return what a file is by its first bytes, as a part of a message to somebody who gave it for a model folder."""
    with path.open("rb") as file:
        first = file.read(16)
    refuse_pointer(path)
    if first.startswith(b"GGUF"):
        return "a GGUF file, llama.cpp's format, which is not run here; give the folder or hub id that it was made from"
    if first.startswith(b"PK\x03\x04") or first[8:9] == b"{":  # what torch.save and safetensors write
        return "a file of weights; give its folder, with config.json and tokenizer"
    return "a file; give a model folder, or a specification that ends in .yaml"


def _map_of(index: Path) -> dict[str, Any]:
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise InputError(f"{index}: key 'weight_map' names no file; expected an object, tensor to file")
    return weight_map


def _read_index(folder: Path, index: Path) -> dict[Path, frozenset[str] | None]:
    tensors: dict[Path, list[str]] = {}
    for tensor, name in _map_of(index).items():
        path = inside(folder, name, index)
        if path not in tensors and not path.is_file():
            raise InputError(f"{index}: names {name}, which is not in the folder")
        if path.suffix not in (".safetensors", ".bin"):
            raise InputError(f"{index}: names {name}; weights are read from .safetensors and .bin files only")
        tensors.setdefault(path, []).append(tensor)
    for path in tensors:
        refuse_pointer(path)
    return {path: frozenset(names) for path, names in sorted(tensors.items())}
