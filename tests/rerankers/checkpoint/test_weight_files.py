"""What the weight files say is obeyed, or refused in one line. The right scores are those of the whole checkpoint."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checkpoints import make, shard, to_bin
from rerankbench.rerankers import InputError, LoadOptions, Setting, TextOptions, load
from rerankbench.rerankers.api import Group
from rerankbench.rerankers.checkpoint.hub import resolve
from rerankbench.rerankers.checkpoint.weights import load_weights
from safetensors.torch import load_file, save_file

GROUPS = [Group("the river", ["quiet lamp", "green paper, green window"])]


def scores(folder: Path) -> np.ndarray:
    return load(str(folder), LoadOptions("cpu", "float32")).score(GROUPS, [Setting()], TextOptions()).scores


@pytest.fixture
def right(tmp_path) -> np.ndarray:
    make(tmp_path, "xlm-roberta")
    return scores(tmp_path)


def zeros(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: torch.zeros_like(tensor) for name, tensor in state.items()}


def header(path: Path, entries: Any, data: bytes = b"\0" * 64) -> None:
    raw = json.dumps(entries).encode()
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + data)


def test_the_index_decides_which_shard_holds_a_tensor(tmp_path, right):
    shard(tmp_path)
    files = sorted(tmp_path.glob("model-*.safetensors"))
    for stale, fresh in ((files[0], files[1]), (files[2], files[0])):  # before and behind the named shard
        name, own = next(iter(load_file(fresh))), load_file(stale)
        save_file(own | {name: torch.zeros_like(load_file(fresh)[name])}, stale, {"format": "pt"})
    np.testing.assert_array_equal(scores(tmp_path), right)


@pytest.mark.parametrize("stray", ["model_quantized.safetensors", "model.fp16.safetensors", "adapter.safetensors"])
def test_files_of_other_names_are_no_part_of_the_checkpoint(tmp_path, right, stray):
    state = load_file(tmp_path / "model.safetensors")
    to_bin(tmp_path)
    save_file(zeros(state), tmp_path / stray, {"format": "pt"})
    np.testing.assert_array_equal(scores(tmp_path), right)
    (tmp_path / "pytorch_model.bin").unlink()
    with pytest.raises(InputError, match=rf"no weights; expected model\.safetensors.*{stray}"):
        scores(tmp_path)


def test_indexed_bin_shards(tmp_path, right):
    state = load_file(tmp_path / "model.safetensors")
    names, where = sorted(state), {}
    for part in range(2):
        file = f"pytorch_model-{part}.bin"
        torch.save({name: state[name] for name in names[part::2]} | {names[1 - part]: torch.zeros(2)}, tmp_path / file)
        where |= dict.fromkeys(names[part::2], file)
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": where}))
    (tmp_path / "model.safetensors").unlink()
    np.testing.assert_array_equal(scores(tmp_path), right)


@pytest.mark.parametrize("name", ["../outside.safetensors", "/etc/hosts", "..\\outside.safetensors", 7, None, ["a"]])
def test_an_index_names_no_file_outside_the_folder(tmp_path, name):
    folder = tmp_path / "model"
    make(folder, "bert")
    (folder / "model.safetensors").rename(tmp_path / "outside.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(InputError, match=r"index\.json: names .* not a file inside the folder"):
        resolve(str(folder))


def test_a_link_leads_to_no_file_outside_the_folder_but_the_hub_cache_may(tmp_path, right):
    repository = tmp_path / "models--a--b"
    folder = repository / "snapshots" / ("0" * 40)
    folder.mkdir(parents=True)
    for path in tmp_path.glob("*.*"):
        path.rename(folder / path.name)
    (repository / "blobs").mkdir()
    (folder / "model.safetensors").rename(repository / "blobs" / "1f")
    (folder / "model.safetensors").symlink_to("../../blobs/1f")
    np.testing.assert_array_equal(scores(folder), right)
    (repository / "blobs" / "1f").rename(tmp_path / "outside")
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(tmp_path / "outside")
    with pytest.raises(InputError, match="a link to a file outside the folder"):
        scores(folder)


@pytest.mark.parametrize("content", ["{}", '{"weight_map": {}}', '{"weight_map": ["a"]}', "[1]", "[" * 100_000, "{"])
def test_an_index_of_no_use(tmp_path, content):
    make(tmp_path, "bert")
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "model.safetensors.index.json").write_text(content)
    with pytest.raises(InputError, match=r"index\.json") as caught:
        resolve(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_shard_that_lacks_what_the_index_says(tmp_path, right):
    shard(tmp_path)
    path = sorted(tmp_path.glob("model-*.safetensors"))[1]
    state = load_file(path)
    lost = sorted(state)[0]
    del state[lost]
    save_file(state, path, {"format": "pt"})
    with pytest.raises(InputError, match=rf"{path.name}: lacks {lost}, which the index lists in it"):
        scores(tmp_path)


F32 = {"dtype": "F32", "shape": [4, 4], "data_offsets": [0, 64]}


@pytest.mark.parametrize(
    "entries",
    [
        {"a": {k: v for k, v in F32.items() if k != "shape"}},
        {"a": {k: v for k, v in F32.items() if k != "dtype"}},
        {"a": {k: v for k, v in F32.items() if k != "data_offsets"}},
        {"a": F32 | {"shape": [4, 2]}},
        {"a": F32 | {"shape": [-4, -4]}},
        {"a": F32 | {"shape": [2**62, 16]}},
        {"a": F32 | {"dtype": "Q4"}},
        {"a": F32 | {"data_offsets": [8, 72]}},
        {"a": F32 | {"data_offsets": [64, 0]}},
        {"a": F32 | {"shape": [4, 2], "data_offsets": [0, 32]}, "b": F32 | {"shape": [4, 2], "data_offsets": [16, 48]}},
        {"a": 7},
        [1],
        None,
    ],
)
def test_headers_that_contradict_themselves(tmp_path, entries):
    header(tmp_path / "model.safetensors", entries)
    with pytest.raises(InputError, match=r"model\.safetensors: not a safetensors file, or cut off") as caught:
        load_weights(tmp_path, {"a": (4, 4)}, torch.float32, "cpu")
    assert "\n" not in str(caught.value)


def test_integers_are_no_weights(tmp_path):
    save_file({"a": torch.ones(4, 4, dtype=torch.int8)}, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"no floating-point numbers .*: a int8"):
        load_weights(tmp_path, {"a": (4, 4)}, torch.float32, "cpu")


def test_a_name_twice_is_refused(tmp_path):
    save_file({"x.a": torch.ones(2), "a": torch.zeros(2)}, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"one tensor twice: a and x\.a|one tensor twice: x\.a and a"):
        load_weights(tmp_path, {"a": (2,)}, torch.float32, "cpu", rename=lambda name: name.removeprefix("x."))


@pytest.mark.parametrize(
    "state",
    [
        {"a": torch.eye(4).to_sparse()},
        {"a": [1.0, 2.0]},
        {"state_dict": {"a": torch.eye(4)}},
        {7: torch.eye(4)},
        [torch.eye(4)],
        torch.eye(4),
        {"a": torch.empty(4, 4, device="meta")},
        {"a": torch.zeros(4, 4, dtype=torch.int32)},
        {"a": Path("x")},
    ],
)
def test_a_bin_holds_dense_tensors_by_name(tmp_path, state):
    torch.save(state, tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"pytorch_model\.bin|no floating-point numbers") as caught:
        load_weights(tmp_path, {"a": (4, 4)}, torch.float32, "cpu")
    assert "\n" not in str(caught.value)
