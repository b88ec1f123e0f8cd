"""What a sentence-transformers folder states about scores, read without that library (formats of 2.x to 6.2).

Read are `modules.json`, the module folders it names, `config_sentence_transformers.json`, `sentence_bert_config.json`
and two keys of `config.json`. All of them lie in the model folder, whose files the fingerprint counts. A key that
is not known here is refused by name: it may change a score.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, suggest
from .json_files import inside, read_json, read_json_value
from .token_vectors import KIND, MASK, OLD_KEYS, OLD_KIND, TokenVectors, compares_tokens, read_token_vectors

MODULES, SETTINGS = "modules.json", "config_sentence_transformers.json"
# keys of these files without a consequence for a score; None: whatever the value
_SETTINGS_IDLE = ("__version__", "requirements", "keep_in_fp32_modules")
_TRANSFORMER_IDLE = {
    "module_output_name": None,
    "unpad_inputs": None,
    "processing_kwargs": ({}, None),
    "query_expansion": (None,),
    "tokenizer_name_or_path": (None,),
    **dict.fromkeys(("model_args", "model_kwargs", "tokenizer_args", "processor_kwargs"), ({}, None)),
    **dict.fromkeys(("config_args", "config_kwargs"), ({}, None)),
}
_TRANSFORMER_CONFIGS = tuple(
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
_DENSE_OF_OTHERS = "pylate.models.Dense.Dense"  # the same module by the name of another package
_OUTPUTS = ("last_hidden_state", "logits", ["last_hidden_state"], ["logits"])


@dataclass(frozen=True)
class Module:
    """One module after the transformer.

    Attributes:
        kind: its class, `Pooling`, `Dense` and so on.
        folder: has its `config.json` and weights.
        config: the content of that file.
    """

    kind: str
    folder: Path
    config: Mapping[str, Any]

    @property
    def where(self) -> Path:
        """The file to name in messages."""
        return self.folder / "config.json"


@dataclass(frozen=True)
class StFolder:
    """A sentence-transformers folder; of a plain transformers folder, `kind` is None and the rest is at its default.

    Attributes:
        kind: `SentenceTransformer`, `CrossEncoder`, `MultiVectorEncoder` or None.
        modules: those after the transformer, in order.
        task: what the transformer is loaded for: `feature-extraction`, `sequence-classification`, `text-generation`.
        chat: the form of messages where pairs go through a chat template, `flat` or `structured`; None: they do not.
        max_length, query_length, document_length: limits in tokens, None where none is stated.
        lower_case: texts are lower-cased before anything else.
        prompts, default_prompt: texts put before queries and passages, and the name of the one that always is.
        similarity: `cosine`, `dot`, `euclidean` or `manhattan`.
        truncate_dim: how many leading dimensions of a vector count; None: all.
        activation: dotted name of the function on a cross-encoder's logit; None: the logit itself.
        token_vectors: of a MultiVectorEncoder; None of the others.
    """

    kind: str | None = None
    modules: tuple[Module, ...] = ()
    task: str = "feature-extraction"
    chat: str | None = None
    max_length: int | None = None
    query_length: int | None = None
    document_length: int | None = None
    lower_case: bool = False
    prompts: Mapping[str, str] | None = None
    default_prompt: str | None = None
    similarity: str = "cosine"
    truncate_dim: int | None = None
    activation: str | None = None
    token_vectors: TokenVectors | None = None

    def prompt(self, *names: str) -> str:
        """Return the first prompt of these names, else the empty text (`encode_query` and `encode_document` do so)."""
        return next((self.prompts[name] for name in names if self.prompts and name in self.prompts), "")


def transformer_folder(root: Path) -> Path:
    """Return the folder of `config.json`, weights and tokenizer: the top, or the first that `modules.json` names."""
    if not (root / MODULES).is_file():
        return root
    return _list_modules(root)[0][1]


def module_folders(root: Path) -> list[str]:
    """Return the folders, relative to `root`, that `modules.json` names beside the root itself."""
    return sorted({folder.relative_to(root).as_posix() for _, folder in _list_modules(root)} - {"."})


def read_st_folder(root: Path) -> StFolder:
    """Read everything in the folder that bears on scores. Raises InputError for what is not understood, by name."""
    config = _read_optional(transformer_folder(root) / "config.json")
    activation = _old_activation(config, root)
    if not (root / MODULES).is_file():
        if stray := sorted(root.glob("[0-9]_*/config.json")):
            raise InputError(f"{stray[0]}: a module of sentence-transformers, but {root / MODULES} is missing")
        return StFolder(activation=activation)
    listed = _list_modules(root)
    if not listed[0][0].endswith(".Transformer"):
        raise InputError(f"{root / MODULES}: the first module is {listed[0][0]}; only Transformer is supported")
    modules = tuple(_read_module(root, kind, folder) for kind, folder in listed[1:])
    settings = _read_settings(root / SETTINGS)
    kind = settings.pop("kind")
    if kind == "CrossEncoder":  # its own default is the sigmoid
        activation = settings.pop("activation") or activation or "torch.nn.modules.activation.Sigmoid"
    else:
        settings.pop("activation")
        activation = None
    transformer = _read_transformer(listed[0][1], root, kind)
    vectors = _read_vectors(root, listed[0][1], modules) if kind == KIND else None
    return StFolder(kind, modules, activation=activation, token_vectors=vectors, **settings, **transformer)


def take(config: Mapping[str, Any], key: str, kinds: type | tuple[type, ...], where: Path, default: Any = None) -> Any:
    """Return a value of the right type; the default where the key is absent or null. Raises InputError."""
    value = config.get(key)
    if value is None:
        return default
    wanted = kinds if isinstance(kinds, tuple) else (kinds,)
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        names = " or ".join(kind.__name__ for kind in wanted)
        raise InputError(f"{where}: key '{key}': expected {names}, found {value!r:.60}")
    return value


def refuse_others(config: Mapping[str, Any], known: tuple[str, ...], where: Path) -> None:
    """Raise InputError for a key that is not known."""
    for key in config:
        if key not in known:
            raise InputError(f"{where}: key '{key}' is not understood, and may change scores{suggest(str(key), known)}")


def positive(config: Mapping[str, Any], key: str, where: Path) -> int | None:
    """Return a positive whole number, or None."""
    value = take(config, key, int, where)
    if value is not None and not 1 <= value < 1 << 31:
        raise InputError(f"{where}: key '{key}': expected a positive number, found {value}")
    return value


def _read_optional(path: Path) -> dict[str, Any]:
    return read_json(path) if path.is_file() else {}


def _list_modules(root: Path) -> list[tuple[str, Path]]:
    """List dotted type and folder of every module."""
    where = root / MODULES
    listed = read_json_value(where)
    if not isinstance(listed, list) or not listed:
        raise InputError(f"{where}: expected a list of modules")
    modules = []
    for entry in listed:
        if not isinstance(entry, dict) or not isinstance(entry.get("type"), str):
            raise InputError(f"{where}: expected objects with 'type' and 'path', found {entry!r:.80}")
        if entry["type"] == _DENSE_OF_OTHERS:
            entry = {**entry, "type": "sentence_transformers.base.modules.dense.Dense"}
        if not entry["type"].startswith("sentence_transformers."):
            raise InputError(f"{where}: module {entry['type']} is code of its own, which is not run")
        modules.append((entry["type"], inside(root, entry.get("path", ""), where)))
    return modules


def _read_module(root: Path, type_name: str, folder: Path) -> Module:
    kind = type_name.rpartition(".")[2]
    known = ("Pooling", "Dense", "LayerNorm", "Normalize", "Dropout", "LogitScore", MASK)
    if kind not in known:
        raise InputError(f"{root / MODULES}: module '{kind}' is not supported; supported: {', '.join(known)}")
    config = _read_optional(folder / "config.json")
    if not config and kind not in ("Normalize", "Dropout", MASK):  # these had no file before 5.4
        raise InputError(f"{folder / 'config.json'}: not found or empty; {root / MODULES} names this folder")
    return Module(kind, folder, config)


def _read_settings(where: Path) -> dict[str, Any]:
    config = _read_optional(where)
    names = ("model_type", "prompts", "default_prompt_name", "similarity_fn_name", "truncate_dim", "activation_fn")
    late = compares_tokens(config)
    refuse_others(config, names + _SETTINGS_IDLE + ((*OLD_KEYS, "query_expansion") if late else ()), where)
    kind = take(config, "model_type", str, where, "SentenceTransformer")
    if kind not in ("SentenceTransformer", "CrossEncoder", KIND, OLD_KIND):
        raise InputError(f"{where}: model_type '{kind}' is not supported")
    prompts = {str(k): v for k, v in take(config, "prompts", dict, where, {}).items() if v is not None}
    if not all(isinstance(text, str) for text in prompts.values()):
        raise InputError(f"{where}: key 'prompts': expected texts by name")
    default = take(config, "default_prompt_name", str, where)
    if default is not None and default not in prompts:
        raise InputError(f"{where}: default_prompt_name '{default}' is none of the prompts{suggest(default, prompts)}")
    similarity = take(config, "similarity_fn_name", str, where, "cosine")
    if not late and similarity not in ("cosine", "dot", "euclidean", "manhattan"):
        raise InputError(f"{where}: similarity_fn_name '{similarity}' is not supported")
    return {
        "kind": KIND if late else kind,
        "prompts": prompts,
        "default_prompt": default,
        "similarity": similarity,
        "truncate_dim": positive(config, "truncate_dim", where),
        "activation": take(config, "activation_fn", str, where),
    }


def _read_transformer(folder: Path, root: Path, kind: str | None = None) -> dict[str, Any]:
    """Read `sentence_bert_config.json`, about the transformer module."""
    where = _transformer_file(folder)
    if where is None:
        return {}
    config = read_json(where)
    obeyed = ("max_seq_length", "do_lower_case", "transformer_task", "modality_config", "query_length")
    refuse_others(config, (*obeyed, "document_length", *_TRANSFORMER_IDLE), where)
    for key, idle in _TRANSFORMER_IDLE.items():
        read = kind == KIND and key == "query_expansion"  # by `_read_vectors`
        if key in config and idle is not None and config[key] not in idle and not read:
            raise InputError(f"{where}: key '{key}': {config[key]!r:.60} is not supported")
    task = take(config, "transformer_task", str, where, "feature-extraction")
    if task not in ("feature-extraction", "sequence-classification", "text-generation"):
        raise InputError(f"{where}: transformer_task '{task}' is not supported")
    chat = None
    for name, way in take(config, "modality_config", dict, where, {}).items():
        plain = isinstance(way, dict) and way.get("method") == "forward" and way.get("method_output_name") in _OUTPUTS
        if name == "message" and plain and task == "text-generation" and way.get("format") in ("flat", "structured"):
            chat = way["format"]
        elif name == "message":
            raise InputError(f"{where}: key 'modality_config': texts in a chat template ('message') are not supported")
        elif name != "text" or not plain:
            raise InputError(f"{where}: key 'modality_config': {name} through {way!r:.80} is not supported")
    return {
        "task": task,
        "chat": chat,
        "max_length": positive(config, "max_seq_length", where),
        "query_length": positive(config, "query_length", where),
        "document_length": positive(config, "document_length", where),
        "lower_case": take(config, "do_lower_case", bool, where, False),
    }


def _transformer_file(folder: Path) -> Path | None:
    return next((folder / name for name in _TRANSFORMER_CONFIGS if (folder / name).is_file()), None)


def _read_vectors(root: Path, folder: Path, modules: tuple[Module, ...]) -> TokenVectors:
    """Read how the vectors of tokens are compared."""
    file = _transformer_file(folder)
    mask = next((module.config for module in modules if module.kind == MASK), None)
    return read_token_vectors(_read_optional(root / SETTINGS), read_json(file) if file else {}, mask, root / SETTINGS)


def _old_activation(config: Mapping[str, Any], root: Path) -> str | None:
    """Return the activation that a CrossEncoder of 2.x to 5.3 wrote into `config.json`."""
    where = root / "config.json"
    saved = take(config, "sentence_transformers", dict, where, {})
    newer = take(saved, "activation_fn", str, where)
    return newer or take(config, "sbert_ce_default_activation_function", str, where)
