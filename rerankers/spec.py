"""Model specifications: one YAML file per model in `configs/models/`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..configs import find, names, read
from .checkpoint.config_checks import check_config
from .errors import InputError

if TYPE_CHECKING:
    from .checkpoint.hub import Resolved

DEFAULT_LENGTH = 512  # tokens, where neither a specification nor a model states a limit


@dataclass(frozen=True)
class ModelSpec:
    """One model: where its weights are, which family runs it, how its text is prepared.

    Attributes:
        name: what experiments call it.
        family: the adapter; see `registry.py`.
        source: hub id, local folder, or `package:MODULE` for weights that a Python package ships.
        revision: commit of the hub repository; None is its default branch (recorded once resolved).
        max_length: default length limit in tokens; None takes the model's own (and a loaded model's spec states it).
        trust_remote_code: must be written out before any code of the hub repository runs.
        config: the parts of the model's config.json that fix its shape, so that FLOPs need no download.
        options: what the model's family offers beyond that, by name: JSON values. In YAML they are beside the other
            keys; `rerankbench ls families` lists those of each family, `family.FamilyOptions` describes them.
        parameters: number of parameters and `download_bytes`: size of the weights, for plans; None if unknown.
        license: as the publisher states it.
        trained_on: names of the datasets that its training used as published, or the text "not disclosed" where the
            publisher names none; None where nobody looked.
        sources: of the facts of this file: addresses or citations.
        note: one line for `rerankbench ls models`.

    What describes a model (`parameters` to `note`) is no part of a result's identity: it cannot change a score.
    """

    name: str
    family: str
    source: str
    revision: str | None = None
    max_length: int | None = None
    trust_remote_code: bool = False
    config: dict[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    parameters: int | None = None
    download_bytes: int | None = None
    license: str | None = None
    trained_on: list[str] | str | None = None
    sources: list[str] = field(default_factory=list)
    note: str = ""

    def with_options(self, **chosen: Any) -> ModelSpec:
        """Return the same model with some options of its family chosen; the family checks them."""
        return replace(self, options={**self.options, **chosen})


def list_models() -> list[str]:
    """List names of the models that come with the package, sorted."""
    return names("models")


KEYS = tuple(f.name for f in fields(ModelSpec) if f.name != "options")  # of every family's YAML files


def read_spec(path: Path) -> ModelSpec:
    """Read the specification in a YAML file.

    Keys that not every family has are its `options`, which nobody checked yet.
    Raises InputError for a missing key and for a value of a wrong type.
    """
    raw = read(path)
    if "prompt" in raw:
        raise InputError(f"{path}: 'prompt' is no key of a model; write its wording of tasks, `wording: {{answer: …}}`")
    raw.setdefault("name", path.stem)
    for key in ("family", "source"):
        if key not in raw:
            near = difflib.get_close_matches(key, [str(other) for other in raw if other not in KEYS], n=1)
            written = f"; is it '{near[0]}'?" if near else ""
            raise InputError(f"{path}: key '{key}' is missing{written}")
    _check(raw, str(path))
    options = {key: value for key, value in raw.items() if key not in KEYS}
    return ModelSpec(**{key: value for key, value in raw.items() if key in KEYS}, options=options)


def files_of(spec: ModelSpec, cache_dir: str | None = None) -> Resolved:
    """Return the files of a specification, as `checkpoint.hub.resolve` finds them.

    What a specification of this package names by its commit was compared with the code of its repository.
    """
    from .checkpoint.hub import resolve

    files = resolve(spec.source, spec.revision, cache_dir, code=spec.trust_remote_code)
    known = read_spec(find("models", spec.name, "model")) if spec.name in list_models() else spec
    compared = known is not spec and (known.source, known.revision) == (spec.source, files.revision)
    return replace(files, compared=compared)


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TEXTS = ("name", "family", "source", "revision", "license", "note")
_NUMBERS = {"max_length": 8, "parameters": 1, "download_bytes": 1}  # the least of each
_NEEDED = ("name", "family", "source", "config", "sources", "note", "trust_remote_code")  # not null
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
        if key == "config" and not isinstance(value, dict):
            raise InputError(f"{where}: key '{key}': expected keys and values, found {value!r:.60}")
    _check_lists(raw, where)
    if not _NAME.fullmatch(raw["name"]):
        raise InputError(f"{where}: key 'name': expected a plain word such as my-model-v2, found {raw['name']!r:.60}")
    check_config(raw.get("config", {}), f"{where}: key 'config'")


def _check_lists(raw: Mapping[str, Any], where: str) -> None:
    for key, expected in (
        ("trained_on", f"names of datasets or '{NOT_DISCLOSED}'"),
        ("sources", "addresses or citations"),
    ):
        value = raw.get(key, [])
        if key == "trained_on" and value in (None, NOT_DISCLOSED):
            continue
        if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
            raise InputError(f"{where}: key '{key}': expected a list of {expected}, found {value!r:.60}")
        if key == "trained_on" and key in raw and not value:
            raise InputError(
                f"{where}: key '{key}': an empty list states nothing; leave it out, or write '{NOT_DISCLOSED}'"
            )
        if twice := next((item for item in value if value.count(item) > 1), None):
            raise InputError(f"{where}: key '{key}': {twice!r:.60} is listed twice")
