"""From a model's name to a loaded reranker, through its family.

A family is a subclass of `family.Family`; its module is imported when it is needed.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from .api import Reranker
from .checkpoint.hub import Resolved, resolve
from .checkpoint.lora import is_adapter
from .checkpoint.sentence_transformers import StFolder, transformer_folder
from .checkpoint.weight_files import kind_of_file
from .custom import OwnReranker
from .errors import InputError, suggest
from .families.custom import Own
from .family import Family
from .flops import Shape
from .models.config import model_type
from .options import POLICIES, LoadOptions
from .spec import ModelSpec, list_models, load_spec

# asked in this order which of them runs a model that has no specification
FAMILIES = {
    "lightweight": ".families.lightweight:LightweightReranker",
    "layerwise": ".families.layerwise:LayerwiseReranker",
    "llm": ".families.llm:LlmReranker",
    "list-states": ".families.list_states:ListStates",
    "token-logit": ".families.token_logit:TokenLogit",
    "mean-pooled": ".families.mean_pooled:MeanPooled",
    "cross-encoder": ".families.cross_encoder:CrossEncoder",
    "modern-encoder": ".families.modern_encoder:ModernEncoderFamily",
    "bi-encoder": ".families.bi_encoder:BiEncoder",
    "sequence-classification": ".families.sequence_classification:SequenceClassification",
    "own": ".families.custom:Own",
    "served": ".families.served:Served",
}
OBJECTS = Own()
_PLAIN = ModelSpec("", "", "")  # with nothing said
PLUGINS = "rerankbench.families"  # the entry-point group in which other packages register families


@cache
def families() -> dict[str, str]:
    """Where the class of each family is, those of other packages first."""
    return {**{point.name: point.value for point in entry_points(group=PLUGINS)}, **FAMILIES}


def load(model: str | Path | ModelSpec | OwnReranker, options: LoadOptions | None = None) -> Reranker:
    """Load a reranker onto its device.

    Args:
        model: a name of `rerankbench ls models`, the path of a YAML specification, a local model folder, a hub id,
            `my_module:MyReranker`, a specification, or an object of your own (see `own.py`).
        options: device, dtype and the policies that are part of a result's identity.

    Raises InputError for an unknown name or family, missing files, or a checkpoint that does not fit.
    """
    options = options or LoadOptions()
    if not isinstance(model, str | Path | ModelSpec):
        return OBJECTS.take(model, options)
    spec = model if isinstance(model, ModelSpec) else find_spec(str(model))
    family = family_of(spec)
    _refuse_unused(family, spec, options)
    return family.open(spec, options)


def _refuse_unused(family: Family, spec: ModelSpec, options: LoadOptions) -> None:
    if spec.wording and family.template is None:
        raise InputError(f"model '{spec.name}': the family {family.name} has no prompt; leave out `wording`")
    for key in ("template", "tokens", "formula", "scale", "server"):
        if key not in family.spec_keys and getattr(spec, key) != getattr(_PLAIN, key):
            raise InputError(f"model '{spec.name}': the family {family.name} does not read `{key}`; leave it out")
    for name, choices in POLICIES.items():
        value = getattr(options, name)
        if value not in choices:
            raise InputError(f"{name} '{value}' is unknown; known: {', '.join(choices)}")
        if value != choices[0] and name not in family.policies(options):
            raise InputError(f"model '{spec.name}': the family {family.name} has no {name}; leave out '{value}'")


def family_of(spec: ModelSpec) -> Family:
    """The family of a specification. Raises InputError for an unknown one."""
    if spec.family not in families():
        raise InputError(f"model '{spec.name}': family '{spec.family}' is unknown{suggest(spec.family, families())}")
    return family_named(spec.family)


@cache
def family_named(name: str) -> Family:
    """A family by its name in `families()`."""
    module, _, attribute = families()[name].partition(":")
    return getattr(importlib.import_module(module, __package__), attribute)()


def shape_of(spec: ModelSpec, options: LoadOptions | None = None) -> Shape | None:
    """What a pair costs and which settings there are under the options, without loading or fetching anything.

    From the `config` of the specification, else from what the family finds stated elsewhere, else from the config.json
    of a local folder; None where none of these is there or the family does not know the shape.
    """
    if spec.config:
        return family_of(spec).shape_of(spec, spec.config, spec.name, options)
    if (stated := family_of(spec).stated_shape(spec)) is not None:
        return stated
    folder = Path(spec.source).expanduser()
    if not (transformer_folder(folder) / "config.json").is_file():
        return None
    files = Resolved(spec.source, folder)
    return family_of(spec).shape_of(spec, files.config, str(files.folder / "config.json"), options)


def find_spec(model: str) -> ModelSpec:
    """The specification of a name, a YAML file, a hub id, a local folder or a class of the user.

    config.json tells a family not written.
    """
    if (spec := OBJECTS.spec(model, list_models())) is not None:
        return spec
    folder = Path(model).expanduser()
    if folder.is_file() and model not in list_models() and not model.endswith((".yaml", ".yml")):
        raise InputError(f"{folder}: is {kind_of_file(folder)}")
    if model in list_models() or not folder.is_dir():
        if model.count("/") == 1 and not model.endswith((".yaml", ".yml")):
            return _spec_of_hub_id(model)
        return load_spec(model)
    if not (is_adapter(folder) or (transformer_folder(folder) / "config.json").is_file()):
        raise InputError(f"{folder}: holds no config.json, so it is no model folder; or name one of {list_models()}")
    return spec_of_folder(folder)


def spec_of_folder(folder: Path) -> ModelSpec:
    """A specification for a local model folder, its family guessed from what the folder holds."""
    files = resolve(str(folder)) if is_adapter(folder) else Resolved(str(folder), folder)
    family = guess_family(files.config, folder, files.saved)
    spec = ModelSpec(name=folder.resolve().name, family=family, source=str(folder))
    return family_named(family).complete(spec, files)


def guess_family(raw: Mapping[str, Any], where: Path, saved: StFolder | None = None) -> str:
    """The name of the first family that runs a `config.json` and what sentence-transformers saved beside it.

    Raises InputError when none does.
    """
    saved = saved or StFolder()
    for name in families():
        if family_named(name).claims(raw, saved):
            return name
    architectures = " ".join(raw.get("architectures") or ())
    if saved.kind == "SentenceTransformer":
        raise InputError(f"{where}: a text encoder of model_type '{model_type(raw)}', which no family runs")
    raise InputError(
        f"{where}: no family runs model_type '{model_type(raw)}' with architectures [{architectures}]; write a spec"
    )


def _spec_of_hub_id(model: str) -> ModelSpec:
    """The shipped specification whose source is this hub id, or one guessed from the repository's config.json."""
    for name in list_models():
        if (spec := load_spec(name)).source == model:
            return spec
    files = resolve(model)
    family = guess_family(files.config, files.root, files.saved)
    return family_named(family).complete(ModelSpec(name=model.split("/")[1], family=family, source=model), files)
