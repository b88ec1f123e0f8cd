"""Folders that hold a PEFT adapter (LoRA): merged once into the weights of their base, and kept in the cache folder.

Merging happens in float32, so that the merged weights are what the library computes with, up to rounding.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ..errors import InputError, refusing
from .json_files import read_json

ADAPTER = "adapter_config.json"
_KINDS = {"SEQ_CLS": "AutoModelForSequenceClassification", "CAUSAL_LM": "AutoModelForCausalLM"}
_NOT_COPIED = ("*.safetensors", "*.bin", "*.index.json", "adapter_*", ".*", "onnx", "openvino", "*.h5", "*.msgpack")


def is_adapter(root: Path) -> bool:
    """Whether the folder holds an adapter; libraries then load its base, whatever else is there."""
    return (root / ADAPTER).is_file()


def base_of(root: Path) -> str | None:
    """The base model that an adapter folder names; None for any other folder. Raises InputError."""
    if not is_adapter(root):
        return None
    where = root / ADAPTER
    base = read_json(where).get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise InputError(f"{where}: key 'base_model_name_or_path': expected the name of the base model")
    if importlib.util.find_spec("peft") is None:
        raise InputError(f"{root}: a PEFT adapter; merging it needs peft: pip install 'rerankbench[peft]'")
    return base


def merge(adapter: Path, base: Path, kept: Path) -> Path:
    """The folder `kept` with base, adapter and their tokenizer merged; made if it is not there.

    Args:
        adapter: holds `adapter_config.json` and its weights.
        base: the base model's folder.
        kept: where the result is, named after the content of both.

    Raises InputError when transformers or peft cannot load them.
    """
    if (kept / "config.json").is_file():
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(dir=kept.parent))
    try:
        for source in (base, adapter):  # what the adapter's folder says wins
            shutil.copytree(source, new, ignore=shutil.ignore_patterns(*_NOT_COPIED), dirs_exist_ok=True)
            for heads in source.glob("[0-9]_*/*.safetensors"):  # of sentence-transformers' modules
                shutil.copy(heads, new / heads.relative_to(source))
        with refusing(f"{adapter}: its adapter cannot be merged into {base.name}"):
            _merged(adapter, base).save_pretrained(new)
        new.replace(kept)
    except OSError:
        if not (kept / "config.json").is_file():  # another process may have been faster
            raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return kept


def _merged(adapter: Path, base: Path) -> Any:
    import torch
    import transformers
    from peft import PeftModel

    kind = read_json(adapter / ADAPTER).get("task_type")
    auto = getattr(transformers, _KINDS.get(str(kind), "AutoModel"))
    config = transformers.AutoConfig.from_pretrained(adapter if (adapter / "config.json").is_file() else base)
    if kind == "SEQ_CLS" and (outputs := _outputs(adapter)):
        config.num_labels = outputs
    wording = "dtype" if int(transformers.__version__.split(".")[0]) >= 5 else "torch_dtype"
    model = auto.from_pretrained(base, config=config, **{wording: torch.float32})
    return PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()


def _outputs(adapter: Path) -> int | None:
    """Outputs of a classifier that the adapter holds itself."""
    from safetensors import safe_open

    path = adapter / "adapter_model.safetensors"
    if not path.is_file():
        return None
    with safe_open(path, framework="numpy") as file:
        for name in file.keys():  # noqa: SIM118
            if any(f".{head}." in name for head in ("classifier", "score")) and name.endswith(
                ("classifier.weight", "score.weight", "out_proj.weight")
            ):
                return int(file.get_slice(name).get_shape()[0])
    return None


def identity_of(*parts: dict[str, str]) -> str:
    """One name for several identities."""
    import hashlib

    return "sha256:" + hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
