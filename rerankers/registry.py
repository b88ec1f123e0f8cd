"""From a model's name to a loaded reranker, through its family.

A family is a subclass of `family.Family`; its module is imported when it is needed.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..configs import find as find_file
from .checkpoint.hub import Resolved, resolve
from .checkpoint.lora import is_adapter
from .checkpoint.sentence_transformers import StFolder, transformer_folder
from .checkpoint.weight_files import kind_of_file
from .custom import CustomReranker
from .errors import InputError, one_line, suggest
from .families.custom import Custom
from .family import Family
from .flops import Shape
from .models.config import model_type
from .options import LoadOptions
from .spec import KEYS, ModelSpec, list_models, read_spec

if TYPE_CHECKING:
    from .adapters.base import Reranker

log = logging.getLogger("rerankbench")

# in this order they are tried for a model that has no specification
FAMILIES = {
    "lightweight": ".families.lightweight:LightweightFamily",
    "layerwise": ".families.layerwise:LayerwiseReranker",
    "llm": ".families.llm:LlmReranker",
    "list-states": ".families.list_states:ListStates",
    "set-encoder": ".families.set_encoder:SetEncoder",
    "token-logit": ".families.token_logit:TokenLogit",
    "mean-pooled": ".families.mean_pooled:MeanPooled",
    "cross-encoder": ".families.cross_encoder:CrossEncoder",
    "modern-encoder": ".families.modern_encoder:ModernEncoderFamily",
    "late-interaction": ".families.late_interaction:LateInteraction",
    "bi-encoder": ".families.bi_encoder:BiEncoder",
    "encoder-decoder": ".families.encoder_decoder:EncoderDecoder",
    "sequence-classification": ".families.sequence_classification:SequenceClassification",
    "own": ".families.custom:Custom",
    "served": ".families.served:Served",
}
CUSTOM = Custom()  # FAMILIES["own"], made early: it recognises the names and objects of users
PLUGINS = "rerankbench.families"  # the entry-point group in which other packages register families
_LOAD_OPTIONS = tuple(field.name for field in fields(LoadOptions))


@cache
def families() -> dict[str, Family]:
    """Return every family by its name, those of other packages first.

    A family of another package that cannot be imported is left out with a warning. Raises InputError for one that is
    registered under the name of a family of this package.
    """
    plugins: dict[str, Family] = {}
    for point in entry_points(group=PLUGINS):
        if point.name in FAMILIES:
            raise InputError(
                f"family '{point.name}': comes with this package, and another one registers {point.value} under that "
                "name; rename it there, or remove that package"
            )
        try:
            plugins[point.name] = point.load()()
        except Exception as err:
            log.warning("family '%s' of another package (%s) is left out: %s", point.name, point.value, one_line(err))
    return {**plugins, **{name: _load_shipped(name) for name in FAMILIES}}


@cache
def _load_shipped(name: str) -> Family:
    module, _, attribute = FAMILIES[name].partition(":")
    return getattr(importlib.import_module(module, __package__), attribute)()


def family_named(name: str) -> Family:
    """Return a family by its name. Raises InputError for an unknown one."""
    if name in FAMILIES:  # without importing the others
        return _load_shipped(name)
    if name not in families():
        raise InputError(f"family '{name}' is unknown{suggest(name, families())}")
    return families()[name]


def family_of(spec: ModelSpec) -> Family:
    """Return the family of a specification. Raises InputError for an unknown one."""
    try:
        return family_named(spec.family)
    except InputError as err:
        raise InputError(f"model '{spec.name}': {err}") from err


def load(
    model: str | Path | ModelSpec | CustomReranker, options: LoadOptions | None = None, /, **chosen: Any
) -> Reranker:
    """Load a reranker onto its device.

    Args:
        model: a name of `rerankbench ls models`, the path of a YAML specification, a local model folder, a hub id,
            `my_module:MyReranker`, a specification, or an object of your own (see `custom.py`).
        options: device, dtype and token budget.
        chosen: the same by name (`device="cuda"`), and options of the model's family (`rerankbench ls families`).

    Raises InputError for an unknown name, family or option, missing files, or a checkpoint that does not fit.
    """
    load_options = {name: value for name, value in chosen.items() if name in _LOAD_OPTIONS}
    own = {name: value for name, value in chosen.items() if name not in _LOAD_OPTIONS}
    options = replace(options or LoadOptions(), **load_options)
    if not isinstance(model, str | Path | ModelSpec):
        if own:
            raise InputError(f"{type(model).__name__}: a reranker that is loaded already takes no {next(iter(own))}")
        return CUSTOM.take(model, options)
    spec = choose(model if isinstance(model, ModelSpec) else find_spec(str(model), own.get("template")), own)
    return family_of(spec).open(spec, options)


def choose(spec: ModelSpec, chosen: Mapping[str, Any]) -> ModelSpec:
    """Return the specification with some options of its family.

    Raises InputError for an unknown option, a value out of range, and an option of another family, unless it has its
    default there: it changes nothing then.
    """
    family, own = family_of(spec), {}
    for name, value in chosen.items():
        if name in family.options.model_fields:
            own[name] = value
        elif name not in option_defaults():
            known = [*_LOAD_OPTIONS, *family.options.model_fields]
            raise InputError(f"model '{spec.name}': unknown option '{name}'{suggest(name, known)}")
        elif value != option_defaults()[name]:
            raise InputError(f"model '{spec.name}': the family {family.name} has no {name}; leave out {value!r:.60}")
    spec = spec.with_options(**own) if own else spec
    family.choose(spec)
    return spec


@cache
def option_defaults() -> dict[str, Any]:
    """Return every option that some family has, and its default."""
    return {
        name: field.get_default(call_default_factory=True)
        for family in families().values()
        for name, field in family.options.model_fields.items()
    }


def check_option(name: str, value: Any) -> None:
    """Raise InputError where families have this option and none of them takes this value."""
    fault: InputError | None = None
    for family in families().values():
        if name in family.options.model_fields:
            try:
                family.options_in({name: value}, f"family {family.name}")
                return
            except InputError as err:
                fault = fault or err
    if fault is not None:
        raise fault


def shape_of(spec: ModelSpec) -> Shape | None:
    """Return what a pair costs and which settings there are, without loading or fetching anything.

    From the `config` of the specification; of families without model files (servers, own classes) from what they
    declare; else from the config.json of a local folder. None where none of these is there or the family has no shape.
    """
    family = family_of(spec)
    if spec.config:
        return family.shape(spec.config, spec.name, family.choose(spec))
    if not family.has_files:
        return family.stated_shape(spec)
    folder = Path(spec.source).expanduser()
    if not (transformer_folder(folder) / "config.json").is_file():
        return None
    files = Resolved(spec.source, folder)
    return family.shape(files.config, str(files.folder / "config.json"), family.choose(spec))


def load_spec(name: str) -> ModelSpec:
    """Load the specification of a model by its name, or from the path of a YAML file.

    Raises InputError for an unknown name (with the nearest known one), an unknown key or a missing one, and a value of
    a wrong type.
    """
    path = find_file("models", name, "model")
    spec = read_spec(path)
    try:
        family = family_named(spec.family)
    except InputError as err:
        raise InputError(f"{path}: key 'family': {err}") from err
    for key in spec.options:
        if key in family.options.model_fields:
            continue
        if key in option_defaults():
            raise InputError(f"{path}: the family {family.name} does not read `{key}`; leave it out")
        raise InputError(f"{path}: unknown key '{key}'{suggest(str(key), [*KEYS, *family.options.model_fields])}")
    family.options_in(spec.options, str(path))
    return spec


def find_spec(model: str, template: object = None) -> ModelSpec:
    """Find the specification of a name, a YAML file, a hub id, a local folder or a class of the user.

    Where no file names the family, config.json decides it. Where it cannot, `template` does: family, answer tokens and
    formula are those of the first shipped model with that template.
    """
    if (spec := CUSTOM.spec(model, list_models())) is not None:
        return spec
    folder = Path(model).expanduser()
    if folder.is_file() and model not in list_models() and not model.endswith((".yaml", ".yml")):
        raise InputError(f"{folder}: is {kind_of_file(folder)}")
    if model in list_models() or not folder.is_dir():
        if model.count("/") == 1 and not model.endswith((".yaml", ".yml")):
            return _spec_of_hub_id(model, template)
        return load_spec(model)
    if not (is_adapter(folder) or (transformer_folder(folder) / "config.json").is_file()):
        raise InputError(f"{folder}: has no config.json, so it is no model folder; or name one of {list_models()}")
    return spec_of_folder(folder, template)


def spec_of_folder(folder: Path, template: object = None) -> ModelSpec:
    """Return a specification for a local model folder, its family guessed from the folder's content."""
    files = resolve(str(folder)) if is_adapter(folder) else Resolved(str(folder), folder)
    return _spec_of_files(folder.resolve().name, str(folder), files, template)


def _spec_of_files(name: str, source: str, files: Resolved, template: object) -> ModelSpec:
    try:
        family = guess_family(files.config, files.root, files.saved)
    except InputError:
        like = _model_with(template) if isinstance(template, str) else None
        if like is None:
            raise
        family = family_of(like)
        return family.complete(ModelSpec(name=name, family=family.name, source=source, options=like.options), files)
    return family.complete(ModelSpec(name=name, family=family.name, source=source), files)


def _model_with(template: str) -> ModelSpec | None:
    """Return the first shipped model that has a template, by its name."""
    specs = (read_spec(find_file("models", name, "model")) for name in list_models())
    return next((spec for spec in specs if spec.options.get("template") == template), None)


def guess_family(raw: Mapping[str, Any], where: Path, saved: StFolder | None = None) -> Family:
    """Return the first family that runs a `config.json` and what sentence-transformers saved beside it.

    Raises InputError when none does.
    """
    saved = saved or StFolder()
    for family in families().values():
        if family.claims(raw, saved):
            return family
    architectures = " ".join(raw.get("architectures") or ())
    if saved.kind == "SentenceTransformer":
        raise InputError(f"{where}: a text encoder of model_type '{model_type(raw)}', which no family runs")
    if "ForCausalLM" in architectures:
        raise InputError(
            f"{where}: a causal language model ({model_type(raw)}), scored by template and answer tokens; "
            "name a template, as in `--template qwen3-reranker` (`template` in load and experiments), or write a spec"
        )
    raise InputError(
        f"{where}: no family runs model_type '{model_type(raw)}' with architectures [{architectures}]; write a spec"
    )


@cache
def _models_by_source() -> dict[str, str]:
    """Return source (mostly a hub id) -> name; of models with one source the first by name, hence `reversed`."""
    return {read_spec(find_file("models", name, "model")).source: name for name in reversed(list_models())}


def _spec_of_hub_id(model: str, template: object = None) -> ModelSpec:
    """Return the shipped specification of this hub id, or one guessed from the repository's config.json."""
    if model in _models_by_source():
        return load_spec(_models_by_source()[model])
    return _spec_of_files(model.split("/")[1], model, resolve(model), template)
