"""What a file states, checked against its pydantic type; every fault is one line that names the file and the key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, TypeAdapter, ValidationError

from .errors import InputError, one_line, suggest
from .storage.atomic import refuse_irregular
from .storage.names import check_name

T = TypeVar("T")
_MOST_BYTES = 1 << 30

Name = Annotated[str, AfterValidator(check_name)]

_WORDING = {
    "missing": "is missing",
    "int_type": "must be a whole number",
    "string_type": "must be a text",
    "tuple_type": "must be a list",
    "model_type": "must be keys and values",
    "too_short": "must not be empty",
}
_WITHOUT_VALUE = ("missing", "value_error", "too_short")


def validated(kind: type[T], raw: Any, where: str, *, as_json: bool = False) -> T:
    """Return `raw` as a `kind`: a pydantic model or a dataclass, whose unknown keys are errors.

    `as_json` reads it by the rules of JSON, where strict models take lists for tuples. Raises InputError:
    `where: key.path: fault`.
    """
    adapter = _make_adapter(kind)
    try:
        if is_dataclass(kind):
            _refuse_unknown(kind, raw, where)
        return adapter.validate_json(json.dumps(raw, default=str)) if as_json else adapter.validate_python(raw)
    except ValidationError as err:
        raise InputError(f"{where}: {_describe_fault(kind, err)}") from err


@cache
def _make_adapter(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def read_json(path: Path, most: int = _MOST_BYTES) -> Any:
    """Read a JSON file of so many bytes at most.

    Raises InputError for a file that is none, a key that comes twice and broken Unicode.
    """
    refuse_irregular(path)
    try:
        if (size := path.stat().st_size) > most:
            raise InputError(f"{path}: has {size:,} bytes, which is more than can be meant")
        text = path.read_text(encoding="utf-8")
        raw = json.loads(text, object_pairs_hook=_unique)
        if "\\u" in text:  # may be half of a surrogate pair, which nothing can write
            json.dumps(raw, ensure_ascii=False).encode()
    except InputError:
        raise
    except (OSError, ValueError, RecursionError) as err:
        raise InputError(f"{path}: cannot be read: {one_line(err)}") from err
    return raw


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if (twice := first_repeated(pairs)) is not None:
        raise ValueError(f"key '{twice}' comes twice")
    return dict(pairs)


def first_repeated(pairs: list[tuple[str, Any]]) -> str | None:
    """Return the first key of a JSON dictionary's pairs that was there before; None where all differ."""
    if len(dict(pairs)) == len(pairs):
        return None
    seen: set[str] = set()
    return next(key for key, _ in pairs if key in seen or seen.add(key))


def _refuse_unknown(kind: type, raw: Mapping[str, Any], where: str) -> None:
    for key in raw:
        if key not in _list_keys(kind):
            raise InputError(f"{where}: unknown key '{key}'{suggest(str(key), _list_keys(kind))}")


def _describe_fault(kind: type, err: ValidationError) -> str:
    # an unknown key explains the others: `model: is missing` next to `modle: unknown key`
    first = min(err.errors(), key=lambda e: e["type"] != "extra_forbidden")
    tags = {"str", "dict[str,str]", *(model.__name__ for model in _models_below(kind))}  # of unions
    names = [part for part in first["loc"] if part not in tags]
    path, fault = ".".join(map(str, names)), first["type"]
    if fault == "extra_forbidden":
        siblings = [model for model in _models_at(kind, names[:-1]) if names[-1] in _list_keys(model)]
        if siblings:
            neighbour = (siblings[0].__doc__ or siblings[0].__name__).partition(".")[0]
            return f"{path}: has no place here, only beside: {neighbour}"
        keys = dict.fromkeys(key for model in _models_at(kind, names[:-1]) for key in _list_keys(model))
        return f"{path}: unknown key{suggest(str(names[-1]), keys)}"
    message = _WORDING.get(fault) or first["msg"].removeprefix("Value error, ")
    if fault == "literal_error":
        message = f"must be {first['ctx']['expected']}"  # pyright: ignore[reportTypedDictNotRequiredAccess]
    value = "" if fault in _WITHOUT_VALUE else f", found {json.dumps(first['input'], default=str)}"
    return f"{path}: {message}{value}" if path else f"{message}{value}"


def _list_keys(kind: type) -> list[str]:
    if is_dataclass(kind):
        return [field.name for field in fields(kind)]
    return list(kind.model_fields) if issubclass(kind, BaseModel) else []


def _models_at(kind: type, path: list[Any]) -> list[type]:
    """Return the models at a path of keys and places below `kind`: several in a union, `kind` where there is none."""
    models: list[type] = [kind]
    for key in path:
        fields = [m.model_fields[key] for m in models if issubclass(m, BaseModel) and key in m.model_fields]
        models = [model for field in fields for model in _models(field.annotation)] or models
    return models


def _models_below(kind: type) -> set[type[BaseModel]]:
    """Return every model that a model's fields name, at any depth."""
    below: set[type[BaseModel]] = set()
    waiting = [kind]
    while waiting:
        model = waiting.pop()
        if issubclass(model, BaseModel):
            more = {inner for field in model.model_fields.values() for inner in _models(field.annotation)} - below
            below |= more
            waiting += more
    return below


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that an annotation names: `tuple[Compression | None, ...]` names one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
