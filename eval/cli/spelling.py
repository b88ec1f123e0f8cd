"""One spelling of options for all commands: `-o/--out` and `--format`, whatever a command itself calls them.

`--output` was the name of `--out` in some commands and still works; `--json` is short for `--format json`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from typer.core import TyperCommand, TyperGroup

OUT, FORMAT, JSON = "--out", "--format", "--json"
_OLD_OUT = "--output"


class _WithoutTypes:
    """Help that names no types: what an option takes, its text says."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, `--help` among them, without the types that typer would show beside them."""
        parameters = super().get_params(ctx)  # pyright: ignore[reportAttributeAccessIssue]
        for parameter in parameters:
            if parameter.param_type_name == "option" and parameter.metavar is None:
                parameter.metavar = ""
            shown = parameter.metavar if parameter.param_type_name == "option" else None
            for method in ("display_type_rich", "_get_number_range_help_str"):  # of typer 0.29
                if hasattr(parameter, method):
                    setattr(parameter, method, partial(_first, shown if method == "display_type_rich" else None))
        return parameters


def _first(shown: str | None, *_: Any, **__: Any) -> str | None:
    return shown


class Group(_WithoutTypes, TyperGroup):
    """The commands."""


class Command(_WithoutTypes, TyperCommand):
    """A command that takes every spelling."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the spellings that the command lacks into those that it has; see the module."""
        own = {name for parameter in self.params for name in parameter.opts}
        return super().parse_args(ctx, respelled(args, own))


def respelled(args: Sequence[str], own: set[str]) -> list[str]:
    """The arguments of a command with the options `own`. What stands behind `--` stays as it is.

    Raises InputError for a format that the command does not print.
    """
    from ...rerankers.errors import InputError

    match: list[str] = []
    words = iter(args)
    for word in words:
        if word == "--":
            return [*match, word, *words]
        name, equals, value = word.partition("=")
        if name == _OLD_OUT and _OLD_OUT not in own and OUT in own:
            match.append(f"{OUT}{equals}{value}")
        elif word == JSON and JSON not in own and FORMAT in own:
            match += [FORMAT, "json"]
        elif name == FORMAT and FORMAT not in own and JSON in own:
            wanted = value if equals else next(words, "")
            if wanted not in ("json", "text"):
                raise InputError(f"{FORMAT} '{wanted:.40}': this command prints text or json")
            match += [JSON] if wanted == "json" else []
        else:
            match.append(word)
    return match
