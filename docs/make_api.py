"""Writes docs/api.md from the docstrings of the public modules: `python docs/make_api.py`, or `make api`."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

PAGE = Path(__file__).with_name("api.md")
MODULES = (
    "rerankbench.rerankers",
    "rerankbench.rerankers.flag",
    "rerankbench.rerankers.flops",
    "rerankbench.eval.api",
    "rerankbench.eval.data",
    "rerankbench.eval.measures",
    "rerankbench.eval.metrics",
    "rerankbench.eval.results",
)
INTRODUCTION = """\
# API

<!-- made by docs/make_api.py; do not edit -->

What other programs may import. `make api` writes this page from the docstrings, and a test says when it is out of date.
Everything else is internal and may change in any release.

Errors are two: `InputError` (the input is wrong; one line that says what to do) and `ScoreError` (a model gave NaN or
infinity).
"""
_SECTION = re.compile(r"^(Args|Attributes|Returns|Raises|Yields):$")
_ITEM = re.compile(r"^(?P<names>\w+(?:, \w+)*): (?P<text>.+)$")


def page() -> str:
    """The whole page."""
    modules = [importlib.import_module(name) for name in MODULES]
    contents = "".join(f"- [`{m.__name__}`](#{m.__name__.replace('.', '')}): {_first(m)}\n" for m in modules)
    return "\n".join([INTRODUCTION, contents, *map(_module, modules)])


def members(module: ModuleType) -> list[tuple[str, Any]]:
    """Public classes and functions of a module: those in `__all__`, else those that it defines."""
    if hasattr(module, "__all__"):
        found = [(name, getattr(module, name)) for name in module.__all__]
    else:
        found = [(n, o) for n, o in vars(module).items() if getattr(o, "__module__", "") == module.__name__]
    return [(n, o) for n, o in found if not n.startswith("_") and (inspect.isclass(o) or inspect.isfunction(o))]


def _module(module: ModuleType) -> str:
    parts = [f"## {module.__name__}\n", _markdown(inspect.getdoc(module) or "")]
    for name, thing in members(module):
        parts.append(_class(name, thing) if inspect.isclass(thing) else _function(name, thing, "###"))
    return "\n".join(parts)


def _first(module: ModuleType) -> str:
    return (inspect.getdoc(module) or "").split("\n\n")[0].replace("\n", " ")


def _class(name: str, kind: type) -> str:
    head = _fields(name, kind) or _signature(name, kind)
    parts = [f"### {name}\n", _code(head), _markdown(inspect.getdoc(kind) or "")]
    for own, thing in vars(kind).items():
        function = thing.__func__ if isinstance(thing, classmethod | staticmethod) else thing
        if own.startswith("_"):
            continue
        if isinstance(thing, property):
            parts.append(f"#### {name}.{own}\n\n{_markdown(inspect.getdoc(thing) or '')}")
        elif inspect.isfunction(function):
            parts.append(_function(f"{name}.{own}", function, "####"))
    return "\n".join(parts)


def _function(name: str, function: Any, heading: str) -> str:
    text = _markdown(inspect.getdoc(function) or "")
    return "\n".join([f"{heading} {name}\n", _code(_signature(name, function)), text])


def _signature(name: str, thing: Any) -> str:
    """`name(a: int, *, b: int = 1) -> C`, one parameter a line when it is long; an error is its name alone."""
    if inspect.isclass(thing) and issubclass(thing, Exception):
        return f"class {name}({thing.__base__.__name__})"
    signature = inspect.signature(thing)
    parameters: list[str] = []
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not any(text.startswith("*") for text in parameters):
            parameters.append("*")
        if parameter.name not in ("self", "cls"):
            parameters.append(_parameter(parameter))
    result = signature.return_annotation
    arrow = "" if inspect.isclass(thing) or result is signature.empty else f" -> {_type(result)}"
    line = f"{name}({', '.join(parameters)}){arrow}"
    if len(line) <= 100:
        return line
    return "\n".join([f"{name}(", *(f"    {text}," for text in parameters), f"){arrow}"])


def _parameter(parameter: inspect.Parameter) -> str:
    stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    annotation = "" if parameter.annotation is parameter.empty else f": {_type(parameter.annotation)}"
    if parameter.default is parameter.empty:
        return f"{stars}{parameter.name}{annotation}"
    return f"{parameter.name}{annotation} = {parameter.default!r}"


def _fields(name: str, kind: type) -> str | None:
    """`class Name:` and its fields with defaults, of a dataclass or a pydantic model; None for other classes."""
    if dataclasses.is_dataclass(kind):
        rows = [(f.name, f.type, _default(f.default, f.default_factory)) for f in dataclasses.fields(kind)]
    elif issubclass(kind, BaseModel):
        annotations = kind.__annotations__
        rows = [(n, annotations[n], _pydantic_default(f)) for n, f in kind.model_fields.items()]
    elif getattr(kind, "_is_protocol", False):
        rows = [(n, a, "") for n, a in kind.__annotations__.items()]
    else:
        return None
    return "\n".join(
        [f"class {name}:", *(f"    {field}: {_type(annotation)}{default}" for field, annotation, default in rows)]
    )


def _type(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _default(value: Any, factory: Any) -> str:
    if inspect.isfunction(value):
        return f" = {value.__name__}"
    if factory is not dataclasses.MISSING:
        return f" = {factory.__name__}()"
    return "" if value is dataclasses.MISSING else f" = {value!r}"


def _pydantic_default(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    return f" = {field.default_factory.__name__}()" if field.default_factory else f" = {field.default!r}"


def _code(text: str) -> str:
    # no language: a signature is not a block to run
    return f"```\n{text}\n```\n"


def _markdown(docstring: str) -> str:
    """A docstring with its `Args:` and `Attributes:` as lists."""
    lines = list(_lines(docstring))
    return "\n".join(lines).strip() + "\n" if lines else ""


def _lines(docstring: str) -> Iterator[str]:
    inside = False
    for line in docstring.splitlines():
        section = _SECTION.match(line)
        if section:
            inside = True
            yield from (f"{section[1]}:", "")
        elif inside and line.startswith("    "):
            item = _ITEM.match(line.strip()) if line[4:5] != " " else None
            names = ", ".join(f"`{name}`" for name in item["names"].split(", ")) if item else ""
            yield f"- {names}: {item['text']}" if item else f"  {line.strip()}"
        else:
            inside = inside and not line.strip()
            yield line


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
