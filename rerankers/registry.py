"""From a model's name to a loaded reranker.

A family is a class built as `Family(spec: ModelSpec, files: hub.Resolved, options: LoadOptions)`; see `families/`.
Its module is imported when it is needed.
"""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from .api import Reranker
from .errors import InputError, suggest
from .hub import Resolved, resolve
from .models.config import model_type
from .options import LoadOptions
from .spec import ModelSpec, list_models, load_spec
from .st_folder import StFolder, transformer_folder

FAMILIES = {
    "cross-encoder": "cross_encoder:CrossEncoder",
    "llm": "llm:LlmReranker",
    "layerwise": "layerwise:LayerwiseReranker",
    "lightweight": "lightweight:LightweightReranker",
    "sequence-classification": "sequence_classification:SequenceClassification",
    "bi-encoder": "bi_encoder:BiEncoder",
}


def load(model: str | ModelSpec, options: LoadOptions | None = None) -> Reranker:
    """Load a reranker onto its device.

    Args:
        model: a name from `configs/models/`, the path of a YAML specification, a local model folder, a hub id, or a
            specification.
        options: device, dtype and the policies that are part of a result's identity.

    Raises InputError for an unknown name or family, missing files, or a checkpoint that does not fit.
    """
    spec = model if isinstance(model, ModelSpec) else find_spec(model)
    if spec.family not in FAMILIES:
        raise InputError(f"model '{spec.name}': family '{spec.family}' is unknown{suggest(spec.family, FAMILIES)}")
    files = resolve(spec.source, spec.revision)
    return _family(spec.family)(replace(spec, revision=files.revision), files, options or LoadOptions())


def find_spec(model: str) -> ModelSpec:
    """The specification of a name, a YAML file, a hub id or a local folder; config.json tells a family not written."""
    folder = Path(model).expanduser()
    if model in list_models() or not folder.is_dir():
        if model.count("/") == 1 and not model.endswith((".yaml", ".yml")):
            return _spec_of_hub_id(model)
        return load_spec(model)
    if not (transformer_folder(folder) / "config.json").is_file():
        raise InputError(f"{folder}: holds no config.json, so it is no model folder; or name one of {list_models()}")
    return spec_of_folder(folder)


def spec_of_folder(folder: Path) -> ModelSpec:
    """A specification for a local model folder, its family guessed from what the folder holds."""
    files = Resolved(str(folder), folder)
    family = guess_family(files.config, folder, files.saved)
    return ModelSpec(name=folder.resolve().name, family=family, source=str(folder))


def guess_family(raw: dict[str, Any], where: Path, saved: StFolder | None = None) -> str:
    """The family that runs a `config.json` and what sentence-transformers saved. InputError when none does."""
    kind, architectures = model_type(raw), " ".join(raw.get("architectures") or ())
    if kind == "cost_wise_gemma":
        return "lightweight"
    if kind == "minicpm":
        return "layerwise"
    native = kind in ("bert", "xlm-roberta", "roberta")
    if saved and saved.kind == "CrossEncoder" and (saved.modules or saved.task == "text-generation"):
        return "sequence-classification"
    if saved and saved.kind == "SentenceTransformer":
        if native:
            return "bi-encoder"
        raise InputError(f"{where}: a text encoder of model_type '{kind}', which no family runs; BERT and RoBERTa are")
    if "SequenceClassification" in architectures:
        return "cross-encoder" if native else "sequence-classification"
    if kind == "gemma":
        return "llm"
    if native:
        return "bi-encoder"
    raise InputError(f"{where}: no family runs model_type '{kind}' with architectures [{architectures}]; write a spec")


def _spec_of_hub_id(model: str) -> ModelSpec:
    """The shipped specification whose source is this hub id, or one guessed from the repository's config.json."""
    for name in list_models():
        if (spec := load_spec(name)).source == model:
            return spec
    files = resolve(model)
    return ModelSpec(name=model.split("/")[1], family=guess_family(files.config, files.root, files.saved), source=model)


def _family(name: str) -> Any:
    module, _, attribute = FAMILIES[name].partition(":")
    return getattr(importlib.import_module(f".families.{module}", __package__), attribute)
