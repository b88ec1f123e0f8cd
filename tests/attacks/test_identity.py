"""Whatever can change a score changes the identity, so that no score of another model stands for this one."""

from __future__ import annotations

import json
import os
import shutil
from fnmatch import fnmatch
from pathlib import Path

import pytest
from checkpoints import make, shard, to_bin
from rerankbench.rerankers import InputError
from rerankbench.rerankers.checkpoint import fingerprint as fingerprints
from rerankbench.rerankers.checkpoint import hub
from rerankbench.rerankers.checkpoint.fingerprint import NOT_READ

GEMMA = Path(__file__).resolve().parents[1] / "rerankers" / "parity" / "gemma-s1"

# as published models and training runs leave them
FILES = (
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "vocab.txt", "vocab.json", "merges.txt", "tokenizer.model", "sentencepiece.bpe.model",
    "spiece.model", "chat_template.jinja", "chat_template.json", "additional_chat_templates/tool.jinja",
    "modules.json", "sentence_bert_config.json", "config_sentence_transformers.json", "1_Pooling/config.json",
    "2_Dense/config.json", "2_Dense/model.safetensors", "modeling_custom.py", "configuration_custom.py",
    "adapter_config.json", "adapter_model.safetensors", "colbert_linear.pt", "model.safetensors",
    "pytorch_model.bin", "tf_model.h5", "flax_model.msgpack", "rust_model.ot", "onnx/model.onnx", "openvino/model.xml",
    "README.md", "LICENSE", "LICENSE.txt", ".gitattributes", ".cache/huggingface/download/x.metadata",
    "training_args.bin", "trainer_state.json", "optimizer.pt", "scheduler.pt", "rng_state_0.pth",
    "checkpoint-500/model.safetensors", "data_config.json", "preprocessor_config.json", "unheard-of.dat",
)  # fmt: skip
NOT_IN_USE = {"pytorch_model.bin": "model.safetensors is loaded instead"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RERANKBENCH_CACHE", str(tmp_path / "cache"))
    model = tmp_path / "model"
    for name in FILES:
        (model / name).parent.mkdir(parents=True, exist_ok=True)
        (model / name).write_text("{}")
    (model / "modules.json").write_text('[{"type": "sentence_transformers.models.Transformer", "path": ""}]')
    return model


def identity(folder: Path) -> dict[str, str]:
    return hub.Resolved("here", folder).identity


@pytest.mark.parametrize("name", FILES)
def test_every_file_of_a_model_counts_or_it_is_said_why_not(folder: Path, name: str) -> None:
    before = identity(folder)
    (folder / name).write_text((folder / name).read_text() + " ")
    changed = identity(folder)
    (folder / name).unlink()
    removed = identity(folder)
    parts = Path(name).parts
    reason = NOT_IN_USE.get(name) or next(
        (why for pattern, why in NOT_READ.items() if any(fnmatch(part, pattern) for part in parts)), None
    )
    if reason:
        assert changed == removed == before
    elif name != "model.safetensors":  # without it, other weights are in use
        assert len({json.dumps(one) for one in (before, changed, removed)}) == 3
    else:
        assert changed != before


def test_the_name_of_the_folder_does_not_count(folder: Path) -> None:
    before = identity(folder)
    assert identity(folder.rename(folder.with_name("elsewhere"))) == before


def test_one_byte_in_the_middle_of_a_large_checkpoint(folder: Path) -> None:
    weights = folder / "model.safetensors"
    with weights.open("wb") as file:
        file.truncate(300 << 20)  # a sparse file: above the limit from which only the ends were read
    before = identity(folder)
    with weights.open("r+b") as file:
        file.seek(150 << 20)
        file.write(b"\1")
    assert identity(folder) != before


def test_a_large_file_is_hashed_once_and_again_when_it_changed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(bytes(5 << 20))
    monkeypatch.setattr(fingerprints, "_SETTLED", -10.0)  # as if it had been there for a while
    first = identity(folder)
    (kept,) = (folder.parent / "cache" / "fingerprints").iterdir()
    assert not kept.stat().st_mode & 0o022
    content = json.loads(kept.read_text())
    kept.write_text(json.dumps({**content, "sha256": "kept"}))
    assert identity(folder) != first  # the kept hash is used

    kept.write_text('{"sha256": ')  # damaged: read again
    assert identity(folder) == first

    # the same size and the old times do not hide a change
    stat = weights.stat()
    weights.write_bytes(bytes(5 << 20)[:-1] + b"\1")
    os.utime(weights, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert identity(folder) != first


def test_a_hash_is_not_kept_of_a_file_that_was_just_written(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(bytes(5 << 20))
    identity(folder)
    assert not (folder.parent / "cache" / "fingerprints").exists()


def test_links_that_lead_in_a_circle_end(folder: Path) -> None:
    before = identity(folder)
    (folder / "again").symlink_to(folder)
    assert identity(folder) == before


def test_a_file_that_cannot_be_read_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "modules.json").unlink()

    def refuse(self: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=r"config\.json: cannot be read \(Permission denied\)"):
        identity(folder)


def test_special_tokens_of_a_decoder(tmp_path: Path) -> None:
    model = shutil.copytree(GEMMA, tmp_path / "model")
    path = model / "special_tokens_map.json"
    before = identity(model)
    path.write_text(path.read_text().replace("<eos>", "<bos>"))
    assert identity(model) != before


@pytest.mark.parametrize("rewrite", [shard, to_bin])
def test_shards_count_with_their_index(tmp_path: Path, rewrite: object) -> None:
    make(tmp_path, "bert")
    rewrite(tmp_path)  # pyright: ignore[reportCallIssue]
    before = identity(tmp_path)
    for path in [*tmp_path.glob("model*"), *tmp_path.glob("pytorch*")]:
        content = path.read_bytes()
        place = content.index(b'"metadata": {}') + 13 if path.suffix == ".json" else len(content) // 2
        path.write_bytes(content[:place] + b" " + content[place:])
        assert identity(tmp_path) != before, path.name
        path.write_bytes(content)
    assert identity(tmp_path) == before


def test_a_name_of_a_branch_is_no_identity(folder: Path) -> None:
    assert "weights" in hub.Resolved("owner/name", folder, "main").identity
    commit = "0123456789abcdef0123456789abcdef01234567"
    assert "weights" in hub.Resolved("owner/name", folder, commit).identity  # files that nobody vouches for
