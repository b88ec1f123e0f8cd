"""Model specifications: one YAML file per model in `configs/models/`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, get_args

from ..configs import find, names, read
from .checkpoint.config_checks import check_config
from .errors import InputError, suggest
from .options import Formula, Task, Truncation
from .token_spec import check_tokens

if TYPE_CHECKING:
    from .checkpoint.hub import Resolved

DEFAULT_LENGTH = 512  # tokens, where neither a specification nor a model says


@dataclass(frozen=True)
class ModelSpec:
    """One model: where its weights are, which family runs it, how its text is prepared.

    Attributes:
        name: what experiments call it.
        family: the adapter; see `registry.py`.
        source: hub id, local folder, or `package:MODULE` for weights that a Python package ships.
        revision: commit of the hub repository; None is its default branch (recorded once resolved).
        wording: the prompt for each task, a name in configs/prompts.yaml or a text; decoder families only. What is not
            written is the family's.
        template: what surrounds a pair: a name in configs/templates.yaml, or its keys and values.
        tokens: texts or ids of the tokens whose logits score, the one for a match first.
        formula, scale: how a score is made of these logits (`models.decoder.Head`), and the factor on it.
        activation: the function on that, a name in torch.nn as sentence-transformers writes it; None: none.
        max_length: default length limit in tokens; None takes the model's own (and a loaded model's spec states it).
        truncation: `class` or `snippet` (see `TextOptions`), as the publisher cuts a long pair; None is the family's.
        trust_remote_code: must be written out before any code of the hub repository runs.
        config: the parts of the model's config.json that fix its shape, so that FLOPs need no download.
        server: how a server is asked, of models that one runs (see `served/options.py`).
        parameters: number of parameters and `download_bytes`: size of the weights, for plans; None if unknown.
        license: as the publisher states it.
        trained_on: names of the datasets that its training is said to have used, or the text "not disclosed" where the
            publisher names none; None where nobody looked.
        sources: where the facts of this file stand: addresses or citations.
        note: one line for `rerankbench ls models`.

    What describes a model (`parameters` to `note`) is no part of a result's identity: it cannot change a score.
    """

    name: str
    family: str
    source: str
    revision: str | None = None
    wording: dict[str, str] = field(default_factory=dict)
    template: str | dict[str, Any] | None = None
    tokens: list[str | int] = field(default_factory=list)
    formula: Formula = "row"
    scale: float = 1.0
    activation: str | None = None
    max_length: int | None = None
    truncation: Truncation | None = None
    trust_remote_code: bool = False
    config: dict[str, Any] = field(default_factory=dict)
    server: dict[str, Any] = field(default_factory=dict)
    parameters: int | None = None
    download_bytes: int | None = None
    license: str | None = None
    trained_on: list[str] | str | None = None
    sources: list[str] = field(default_factory=list)
    note: str = ""


def list_models() -> list[str]:
    """Names of the models that come with the package, sorted."""
    return names("models")


def load_spec(name: str) -> ModelSpec:
    """The specification of a model by its name, or from the path of a YAML file.

    Raises InputError for an unknown name (with the nearest known one), an unknown key or a missing one.
    """
    path = find("models", name, "model")
    raw = read(path)
    known = {f.name for f in fields(ModelSpec)}
    if "prompt" in raw:
        raise InputError(f"{path}: 'prompt' is no key of a model; write its wording of tasks, `wording: {{answer: …}}`")
    for key in raw:
        if key not in known:
            raise InputError(f"{path}: unknown key '{key}'{suggest(str(key), known)}")
    raw.setdefault("name", path.stem)
    for key in ("family", "source"):
        if key not in raw:
            raise InputError(f"{path}: key '{key}' is missing")
    _check(raw, str(path))
    return ModelSpec(**raw)


def files_of(spec: ModelSpec, cache_dir: str | None = None) -> Resolved:
    """The files of a specification, as `checkpoint.hub.resolve` finds them.

    What a specification of this package names by its commit was compared with the code of its repository.
    """
    from .checkpoint.hub import resolve

    files = resolve(spec.source, spec.revision, cache_dir, code=spec.trust_remote_code)
    known = load_spec(spec.name) if spec.name in list_models() else spec
    compared = known is not spec and (known.source, known.revision) == (spec.source, files.revision)
    return replace(files, compared=compared)


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TEXTS = ("name", "family", "source", "revision", "license", "note", "activation")
_NUMBERS = {"max_length": 8, "parameters": 1, "download_bytes": 1}  # the least of each
_MAPPINGS = ("wording", "config", "server")
_NEEDED = (  # not null
    *(*_MAPPINGS, "name", "family", "source", "sources", "note", "trust_remote_code"),
    *("tokens", "formula", "scale"),
)
NOT_DISCLOSED = "not disclosed"  # of training sets


def _check(raw: Mapping[str, Any], where: str) -> None:
    """Raise InputError for a value of a wrong type or out of range."""
    for key, value in raw.items():
        if value is None and key not in _NEEDED:
            continue
        if key in _TEXTS and (not isinstance(value, str) or (not value and key in ("name", "family", "source"))):
            raise InputError(f"{where}: key '{key}': expected text, found {value!r:.60}; put it in quotes")
        if key in _NUMBERS and (isinstance(value, bool) or not isinstance(value, int) or value < _NUMBERS[key]):
            raise InputError(
                f"{where}: key '{key}': expected a number of at least {_NUMBERS[key]}, found {value!r:.60}"
            )
        if key == "trust_remote_code" and not isinstance(value, bool):
            raise InputError(f"{where}: key '{key}': expected true or false, found {value!r:.60}")
        if key == "truncation" and value not in get_args(Truncation):
            raise InputError(f"{where}: key '{key}': expected {' or '.join(get_args(Truncation))}, found {value!r:.60}")
        if key in _MAPPINGS and not isinstance(value, dict):
            raise InputError(f"{where}: key '{key}': expected keys and values, found {value!r:.60}")
    _check_lists(raw, where)
    if not _NAME.fullmatch(raw["name"]):
        raise InputError(f"{where}: key 'name': expected a plain word such as my-model-v2, found {raw['name']!r:.60}")
    for task, text in raw.get("wording", {}).items():
        if task not in get_args(Task):
            raise InputError(
                f"{where}: key 'wording': task {task!r:.40} is unknown{suggest(str(task), get_args(Task))}"
            )
        if not isinstance(text, str) or not text:
            raise InputError(f"{where}: key 'wording': task '{task}': expected text, found {text!r:.60}")
    check_tokens(raw, where)
    check_config(raw.get("config", {}), f"{where}: key 'config'")


def _check_lists(raw: Mapping[str, Any], where: str) -> None:
    for key, what in (("trained_on", f"names of datasets or '{NOT_DISCLOSED}'"), ("sources", "addresses or citations")):
        value = raw.get(key, [])
        if key == "trained_on" and value in (None, NOT_DISCLOSED):
            continue
        if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
            raise InputError(f"{where}: key '{key}': expected a list of {what}, found {value!r:.60}")
        if key == "trained_on" and key in raw and not value:
            raise InputError(
                f"{where}: key '{key}': an empty list says nothing; leave it out, or write '{NOT_DISCLOSED}'"
            )
        if twice := next((item for item in value if value.count(item) > 1), None):
            raise InputError(f"{where}: key '{key}': {twice!r:.60} stands twice")
