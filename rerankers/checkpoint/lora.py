"""Folders with a PEFT adapter (LoRA): merged once into the weights of their base, and stored in the cache folder.

Merging happens in float32, so that the merged weights are what the library computes with, up to rounding. What peft and
transformers would fill with random numbers, or leave out with a warning, is refused by name.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import tempfile
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, refusing
from ..storage.digests import hash_json
from .json_files import read_json
from .quiet import without_bars

ADAPTER = "adapter_config.json"
WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")  # in the order of peft
_HOW = 2  # to be raised when the same files merge into other weights
_KINDS = {
    "SEQ_CLS": "AutoModelForSequenceClassification",
    "CAUSAL_LM": "AutoModelForCausalLM",
    "FEATURE_EXTRACTION": "AutoModel",
}
_NOT_COPIED = ("*.safetensors", "*.bin", "*.index.json", "adapter_*", ".*", "onnx", "openvino", "*.h5", "*.msgpack")
_INNER = "base_model.model."  # before the names of a wrapped model's tensors
_HEAD = re.compile(r"\b(classifier|score)\.(?:.*\.)?(?:weight)$|\.out_proj\.weight$")


@dataclass(frozen=True)
class Base:
    """The base model that an adapter names, `revision` as it states it."""

    source: str
    revision: str | None


def is_adapter(root: Path) -> bool:
    """Return whether the folder has an adapter; libraries then load its base, whatever else is there."""
    return (root / ADAPTER).is_file()


def base_of(root: Path) -> Base | None:
    """Return the base model that an adapter folder names; None for any other folder. Raises InputError."""
    if not is_adapter(root):
        return None
    where = root / ADAPTER
    config = read_json(where)
    base, revision = config.get("base_model_name_or_path"), config.get("revision")
    if not isinstance(base, str) or not base:
        raise InputError(f"{where}: key 'base_model_name_or_path': expected the name of the base model")
    if revision is not None and not isinstance(revision, str):
        raise InputError(f"{where}: key 'revision': expected a branch, tag or commit, found {revision!r:.40}")
    if importlib.util.find_spec("peft") is None:
        raise InputError(f"{root}: a PEFT adapter; merging it needs peft: pip install 'rerankbench[peft]'")
    return Base(base, revision)


def merge(adapter: Path, base: Path, target: Path) -> Path:
    """Merge base, adapter and their tokenizer into the folder `target`, unless it is there.

    Args:
        adapter: the folder with `adapter_config.json` and its weights.
        base: the base model's folder.
        target: where the result is, named after the content of both.

    Raises InputError when transformers or peft cannot load them, or when a tensor is in neither file or has no place.
    """
    if (target / "config.json").is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(dir=target.parent))
    try:
        for source in (base, adapter):  # the adapter's folder wins
            shutil.copytree(source, new, ignore=shutil.ignore_patterns(*_NOT_COPIED), dirs_exist_ok=True)
            for heads in source.glob("[0-9]_*/*.safetensors"):  # of sentence-transformers' modules
                shutil.copy(heads, new / heads.relative_to(source))
        with refusing(f"{adapter}: its adapter cannot be merged into {base.name}"):
            _merged(adapter, base).save_pretrained(new)
        new.replace(target)
    except OSError:
        if not (target / "config.json").is_file():  # another process may have been faster
            raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return target


def _merged(adapter: Path, base: Path) -> Any:
    import torch
    import transformers
    from peft import PeftModel
    from safetensors.torch import save_file

    config = transformers.AutoConfig.from_pretrained(adapter if (adapter / "config.json").is_file() else base)
    kind = _find_kind(adapter / ADAPTER, config)
    held = _read_tensors(adapter)
    if kind == _KINDS["SEQ_CLS"] and (outputs := _count_outputs(held)):
        config.num_labels = outputs
    wording = "dtype" if int(transformers.__version__.split(".")[0]) >= 5 else "torch_dtype"
    with without_bars():
        model, report = getattr(transformers, kind).from_pretrained(
            base, config=config, output_loading_info=True, **{wording: torch.float32}
        )
    own = {name.removeprefix(_INNER) for name in held}
    missing = set(report["missing_keys"]) - own
    if kind == _KINDS["FEATURE_EXTRACTION"]:  # a pooler's are in no vector that is pooled here
        missing = {name for name in missing if not name.startswith("pooler.")}
    if missing:
        raise InputError(
            f"{adapter}: {_names(sorted(missing))} is neither in its base {base.name} nor in the adapter, so it would "
            "be random; train it with the adapter (modules_to_save), or name a base that has it"
        )
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as plain:
        warnings.simplefilter("ignore")  # about missing keys, which are refused by name below
        # peft is given no pickle: there are releases of it and of torch that run the code in one
        shutil.copy(adapter / ADAPTER, plain)
        save_file(
            {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in held.items()},
            Path(plain) / WEIGHTS[0],
        )
        wrapped = PeftModel.from_pretrained(model, plain).eval()
    _check_landed(wrapped.state_dict(), held, adapter)
    probe = torch.tensor([[1, 2, 3, 4, 5, config.eos_token_id if isinstance(config.eos_token_id, int) else 6]])
    probe %= model.get_input_embeddings().weight.shape[0]
    with torch.no_grad():
        before = wrapped(input_ids=probe)[0]
        merged = wrapped.merge_and_unload().eval()
        after = merged(input_ids=probe)[0]
    if not torch.allclose(before, after, rtol=1e-3, atol=1e-3):
        raise InputError(f"{adapter}: merged into its base it does not compute what peft computes; it cannot be run")
    return merged


def _find_kind(where: Path, config: Any) -> str:
    """Return the class of transformers that the adapter was trained on."""
    raw = read_json(where)
    _refuse_unknown(raw, where)
    task = raw.get("task_type")
    if task in _KINDS:
        return _KINDS[task]
    if task is not None:
        raise InputError(f"{where}: key 'task_type': {task!r:.40} scores no pairs; expected one of {', '.join(_KINDS)}")
    named = raw.get("auto_mapping") or {}
    library, cls = str(named.get("parent_library", "transformers.")), named.get("base_model_class")
    if cls is None:  # the class that the base was saved from
        cls = next(iter(getattr(config, "architectures", None) or ()), "")
    if not library.startswith("transformers."):
        raise InputError(f"{where}: key 'auto_mapping': {library:.60} is code of its own, which is not run")
    ends = {"ForSequenceClassification": "SEQ_CLS", "ForCausalLM": "CAUSAL_LM", "Model": "FEATURE_EXTRACTION"}
    ending = next((kind for end, kind in ends.items() if str(cls).endswith(end)), None)
    if ending is None:
        raise InputError(
            f"{where}: key 'task_type' is null, and {cls or 'no class'!s:.60} does not show what it was trained for; "
            f"write one of {', '.join(_KINDS)}"
        )
    return _KINDS[ending]


def _refuse_unknown(raw: Mapping[str, Any], where: Path) -> None:
    """Raise InputError for a key that the installed peft would leave out, unless it is empty."""
    from dataclasses import fields

    import peft

    kind = str(raw.get("peft_type"))
    classes: Any = getattr(peft, "PEFT_TYPE_TO_CONFIG_MAPPING", None) or peft.mapping.PEFT_TYPE_TO_CONFIG_MAPPING
    if kind not in classes:
        raise InputError(f"{where}: key 'peft_type': {kind!r:.40} cannot be merged by peft {peft.__version__}")
    known = {entry.name for entry in fields(classes[kind])}
    for key, value in raw.items():
        if key not in known and value not in (None, False, [], {}, ""):
            raise InputError(
                f"{where}: key '{key}': {value!r:.40} is not known to peft {peft.__version__}, which would leave it "
                "out; install a newer one"
            )


def _read_tensors(adapter: Path) -> dict[str, Any]:
    """Return the adapter's tensors by the names of its file."""
    import torch
    from safetensors.torch import load_file

    for name in WEIGHTS:
        if (adapter / name).is_file():
            path = adapter / name
            held = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
            return dict(held)
    raise InputError(f"{adapter}: no weights of an adapter; expected {' or '.join(WEIGHTS)}")


def _count_outputs(held: Mapping[str, Any]) -> int | None:
    """Count outputs of a classifier that is in the adapter itself."""
    heads = [tensor for name, tensor in held.items() if _HEAD.search(name) and "lora_" not in name]
    return int(heads[-1].shape[0]) if heads else None


def _check_landed(state: Mapping[str, Any], held: Mapping[str, Any], adapter: Path) -> None:
    """Raise InputError unless every tensor of the adapter's file is in the model, and every one of its kind came."""
    import torch

    # peft puts the adapter's name into those that are its own
    full_names = {re.sub(r"\.default(?=\.|$)|\.modules_to_save", "", name): name for name in state}
    landed, astray = set(), []
    for name, tensor in held.items():
        plain = name.replace(".modules_to_save", "")
        full_name = full_names.get(plain) or full_names.get(f"{plain}.weight")
        if full_name is not None and torch.equal(state[full_name].float().cpu(), tensor.float()):
            landed.add(full_name)
        else:
            astray.append(name)
    if astray:
        raise InputError(f"{adapter}: {_names(astray)} of its weights has no place in the base; is it another model's?")
    if lacking := [name for name in state if ".default" in name and name not in landed]:
        raise InputError(f"{adapter}: its weights lack {_names(lacking)}, which {ADAPTER} lists as trained")


def _names(names: Iterable[str], most: int = 3) -> str:
    listed = list(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")


def merged_name(*parts: dict[str, str]) -> str:
    """Return what the folder is called in which they are kept."""
    return f"{_HOW}-{identity_of(*parts).removeprefix('sha256:')[:32]}"


def identity_of(*parts: dict[str, str]) -> str:
    """Return one name for several identities."""
    return f"sha256:{hash_json(parts)}"
