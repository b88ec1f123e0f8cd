"""From a name to a score: finding files, loading weights, errors that name what is wrong."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from checkpoints import change, make, shard, to_bin
from rerankbench.rerankers import InputError, LoadOptions, ModelSpec, Setting, TextOptions, list_models, load, load_spec
from rerankbench.rerankers.api import Group
from rerankbench.rerankers.checkpoint.hub import resolve
from rerankbench.rerankers.checkpoint.weights import Checkpoint, load_weights
from rerankbench.rerankers.models.encoder import Encoder
from rerankbench.rerankers.registry import FAMILIES, family_of, find_spec, guess_family

EXACT = LoadOptions("cpu", "float32")
GROUPS = [Group("the river", ["quiet lamp", "green paper, green window"])]


def scores(name: str) -> np.ndarray:
    return load(name, EXACT).score(GROUPS, [Setting()], TextOptions()).scores


@pytest.mark.parametrize("rewrite", [shard, to_bin])
def test_every_layout_of_weights_gives_the_same_scores(tmp_path, rewrite):
    make(tmp_path, "xlm-roberta")
    expected = scores(str(tmp_path))
    before = resolve(str(tmp_path)).fingerprint
    rewrite(tmp_path)
    np.testing.assert_array_equal(scores(str(tmp_path)), expected)
    assert resolve(str(tmp_path)).fingerprint != before


def test_spec_file_leads_to_the_folder(tmp_path):
    folder = tmp_path / "weights"
    make(folder, "bert")
    spec = tmp_path / "mine.yaml"
    spec.write_text(yaml.safe_dump({"family": "cross-encoder", "source": str(folder), "max_length": 32}))
    reranker = load(str(spec), EXACT)
    assert reranker.spec.name == "mine"
    assert reranker.identity(TextOptions())["max_length"] == 32
    np.testing.assert_array_equal(reranker.score(GROUPS, [Setting()], TextOptions()).scores, scores(str(folder)))


def test_hub_id_from_the_cache(tmp_path, monkeypatch):
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "models--somebody--tiny"
    snapshot = repository / "snapshots" / commit
    make(snapshot, "xlm-roberta")
    as_blobs(snapshot)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    from functools import partial

    import huggingface_hub

    cached = partial(huggingface_hub.snapshot_download, cache_dir=tmp_path)  # its default was bound at import
    monkeypatch.setattr("huggingface_hub.snapshot_download", cached)
    reranker = load("somebody/tiny", EXACT)
    assert (reranker.spec.name, reranker.spec.family) == ("tiny", "cross-encoder")
    assert reranker.spec.revision == commit
    identity = reranker.identity(TextOptions())
    assert (identity["source"], identity["revision"]) == ("somebody/tiny", commit)
    with pytest.raises(InputError, match=r"somebody/other.*not in the local cache"):
        resolve("somebody/other")

    # a file of the cache that was edited is not what the commit says
    blob = (snapshot / "config.json").resolve()
    blob.write_text(blob.read_text() + " ")
    assert load("somebody/tiny", EXACT).identity(TextOptions())["weights"].startswith("sha256:")


def as_blobs(snapshot: Path) -> None:
    """As the hub's client keeps a snapshot: links to files named by their SHA-256 (large) or git's SHA-1 (small)."""
    blobs = snapshot.parents[1] / "blobs"
    blobs.mkdir()
    for path in list(snapshot.iterdir()):
        content = path.read_bytes()
        git = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
        blob = blobs / (hashlib.sha256(content).hexdigest() if path.suffix == ".safetensors" else git)
        path.rename(blob)
        path.symlink_to(f"../../blobs/{blob.name}")


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda s: s.pop("roberta.encoder.layer.1.output.dense.bias"), "missing: encoder.layer.1.output.dense.bias"),
        (lambda s: s.update(surplus=torch.zeros(2)), "not expected: surplus"),
        (
            lambda s: s.update({"classifier.out_proj.weight": torch.zeros(1, 23)}),
            r"wrong shape: classifier.out_proj.weight \[1, 23\] instead of \[1, 24\]",
        ),
        (lambda s: [s.pop(name) for name in list(s) if ".layer.2." in name], "and 12 more"),
    ],
)
def test_checkpoint_that_does_not_fit(tmp_path, edit, told):
    make(tmp_path, "xlm-roberta")
    change(tmp_path, edit)
    with pytest.raises(InputError, match=told) as caught:
        load(str(tmp_path), EXACT)
    assert "\n" not in str(caught.value)


def test_broken_files_are_named(tmp_path):
    make(tmp_path, "bert")
    path = tmp_path / "model.safetensors"
    whole = path.read_bytes()
    for content in (b"", whole[:100], whole[: len(whole) // 2], b"\xff" * 64):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"model\.safetensors"):
            load(str(tmp_path), EXACT)
    path.unlink()
    with pytest.raises(InputError, match="no weights"):
        load(str(tmp_path), EXACT)
    (tmp_path / "pytorch_model.bin").write_bytes(b"nothing of use")
    with pytest.raises(InputError, match=r"pytorch_model\.bin: not a readable checkpoint"):
        load(str(tmp_path), EXACT)


def test_missing_shard_and_tokenizer(tmp_path):
    make(tmp_path, "bert")
    (tmp_path / "tokenizer.json").rename(tmp_path / "kept")
    with pytest.raises(InputError, match="no tokenizer"):
        load(str(tmp_path), EXACT)
    (tmp_path / "kept").rename(tmp_path / "tokenizer.json")
    shard(tmp_path)
    (tmp_path / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(InputError, match=r"index\.json: names model-00002-of-00003\.safetensors"):
        load(str(tmp_path), EXACT)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("bge-reranker-bas", "bge-reranker-base"),
        ("./nowhere", "no such folder|unknown"),
        ("nobody/nothing", "hub repository 'nobody/nothing': not in the local cache"),
    ],
)
def test_unknown_names(name, told, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=told):
        load(name)


def test_unknown_family_device_and_dtype(tmp_path):
    with pytest.raises(InputError, match="did you mean 'cross-encoder'"):
        load(ModelSpec("x", "cross-encodr", "somewhere"))
    make(tmp_path, "bert")
    with pytest.raises(InputError, match="dtype 'float31'"):
        load(str(tmp_path), LoadOptions("cpu", "float31"))
    with pytest.raises(InputError, match="device 'gpu7'"):
        load(str(tmp_path), LoadOptions("gpu7"))
    with pytest.raises(InputError, match="package is not installed; try: pip install not-there-at-all"):
        resolve("package:not_there_at_all")


def test_weights_are_converted_on_the_way(tmp_path):
    from safetensors.torch import save_file

    values = torch.randn(300, 7)
    save_file({"a": values, "b": values.half()}, tmp_path / "model.safetensors")
    found = load_weights(tmp_path, {"a": (300, 7), "b": (300, 7)}, torch.bfloat16, "cpu")
    assert torch.equal(found["a"], values.bfloat16())
    assert torch.equal(found["b"], values.half().bfloat16())
    both = torch.empty(600, 7)
    targets = {"x.a": both[:300], "x.b": both[300:]}
    Checkpoint(tmp_path).match(dict.fromkeys(targets, (300, 7)), rename="x.{}".format).fill(targets)
    assert torch.equal(both, torch.cat([values, values.half().float()]))


def test_shipped_encoder_specifications_have_the_published_sizes():
    for name in list_models():
        spec = load_spec(name)
        assert spec.family in FAMILIES
        if not spec.config:  # run by transformers
            continue
        config = family_of(spec).config(spec.config, name)
        if spec.family == "cross-encoder":
            shape = Encoder(config, torch.float32, torch.device("meta"))
            assert sum(tensor.numel() for tensor in shape.named_tensors().values()) == spec.parameters


def test_families_are_guessed():
    from checkpoints import PARITY

    for folder, family in (("xlmr-s1", "cross-encoder"), ("gemma-s1", "llm"), ("minicpm-layerwise-s1", "layerwise")):
        assert find_spec(str(PARITY / folder)).family == family
    guessed = guess_family({"model_type": "electra", "architectures": ["ElectraForSequenceClassification"]}, Path())
    assert guessed.name == "sequence-classification"
    with pytest.raises(InputError, match="t5"):
        guess_family({"model_type": "t5"}, Path("folder"))


def test_config_json_must_be_an_object(tmp_path):
    make(tmp_path, "bert")
    (tmp_path / "config.json").write_text(json.dumps([1]))
    with pytest.raises(InputError, match=r"config\.json: expected a JSON object"):
        load(str(tmp_path), EXACT)
