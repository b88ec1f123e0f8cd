"""What is asked of the hub: small files, weights as an index or the library's order names them, code when trusted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import Hub, local_hub
from rerankbench.rerankers import InputError
from rerankbench.rerankers.checkpoint.hub import resolve

CONFIG = json.dumps({"model_type": "bert", "architectures": ["BertForSequenceClassification"]}).encode()
SMALL = {"config.json": CONFIG, "tokenizer.json": b"{}", "tokenizer_config.json": b"{}"}
STRAYS = {"README.md": b"x", "onnx/model.onnx": b"x", "onnx/config.json": b"{}", "flax_model.msgpack": b"x"}
INDEX = json.dumps({"weight_map": {"a": "part-1.bin", "b": "part-2.bin"}}).encode()


@pytest.fixture
def hub(monkeypatch) -> Iterator[Hub]:
    with local_hub() as server:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", server.url)
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", server.url + _TEMPLATE)
        monkeypatch.setattr("huggingface_hub.hf_api.api.endpoint", server.url, raising=False)
        yield server


_TEMPLATE = "/{repo_id}/resolve/{revision}/{filename}"


def fetched(hub: Hub, cache: Path, files: dict[str, bytes], **options) -> set[str]:
    hub.models["owner/name"] = {**SMALL, **files}
    folder = resolve("owner/name", cache_dir=str(cache), **options).folder
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - set(SMALL)


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        (["model.safetensors", "pytorch_model.bin", "model_quantized.safetensors"], {"model.safetensors"}),
        (["pytorch_model.bin", "model_quantized.safetensors", "consolidated.safetensors"], {"pytorch_model.bin"}),
        (
            ["chat_template.jinja", "spm.model", "model.safetensors"],
            {"chat_template.jinja", "spm.model", "model.safetensors"},
        ),
        (["modeling_own.py", "model.safetensors"], {"model.safetensors"}),
    ],
    ids=lambda value: "+".join(sorted(value)),
)
def test_only_what_is_used_is_fetched(hub, tmp_path, files, wanted):
    assert fetched(hub, tmp_path, {**STRAYS, **dict.fromkeys(files, b"x")}) == wanted


def test_an_index_names_its_shards(hub, tmp_path):
    files = {"pytorch_model.bin.index.json": INDEX, "part-1.bin": b"x", "part-2.bin": b"x", "part-3.bin": b"x"}
    assert fetched(hub, tmp_path, files) == {"pytorch_model.bin.index.json", "part-1.bin", "part-2.bin"}


def test_code_is_fetched_for_those_who_trust_it(hub, tmp_path):
    files = {"modeling_own.py": b"x", "model.safetensors": b"x"}
    assert fetched(hub, tmp_path, files, code=True) == {"modeling_own.py", "model.safetensors"}


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "adapter_model.bin"])
def test_an_adapter_brings_its_own_weights_and_names_its_bases_commit(hub, tmp_path, monkeypatch, name):
    pytest.importorskip("peft")
    monkeypatch.setenv("RERANKBENCH_CACHE", str(tmp_path / "kept"))
    commit = "a" * 40
    config = {"base_model_name_or_path": "owner/base", "revision": commit, "peft_type": "LORA"}
    hub.models["owner/adapter"] = {"adapter_config.json": json.dumps(config).encode(), name: b"x", "other.bin": b"x"}
    hub.models["owner/base"] = {**SMALL, "model.safetensors": b"x"}
    with pytest.raises(InputError, match="cannot be merged"):  # these bytes are no weights
        resolve("owner/adapter", cache_dir=str(tmp_path))
    asked = "\n".join(hub.asked)
    assert f"/owner/adapter/resolve/{'0123456789abcdef' * 2}01234567/{name}" in asked
    assert "other.bin" not in asked
    assert f"/owner/base/resolve/{commit}/model.safetensors" in asked


def test_without_weights_there_is_one_line(hub, tmp_path):
    with pytest.raises(InputError, match=r"no weights; expected model\.safetensors") as caught:
        fetched(hub, tmp_path, {"weights.bin": b"x"})
    assert "\n" not in str(caught.value)
