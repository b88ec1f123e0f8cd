"""One spelling of options for all commands: `-o/--out` and `--format`, whatever a command itself calls them.

`--output` was the name of `--out` in some commands and still works; `--json` is short for `--format json`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand

OUT, FORMAT, JSON = "--out", "--format", "--json"
_OLD_OUT = "--output"


class Command(TyperCommand):
    """A command that takes every spelling, and whose help names no types: what an option takes, its text says."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        for parameter in self.params:
            if parameter.param_type_name == "option" and parameter.metavar is None:
                parameter.metavar = ""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the spellings that the command lacks into those that it has; see the module."""
        own = {name for parameter in self.params for name in parameter.opts}
        return super().parse_args(ctx, respelled(args, own))


def respelled(args: Sequence[str], own: set[str]) -> list[str]:
    """The arguments of a command with the options `own`. What stands behind `--` stays as it is."""
    found: list[str] = []
    words = iter(args)
    for word in words:
        if word == "--":
            return [*found, word, *words]
        name, equals, value = word.partition("=")
        if name == _OLD_OUT and _OLD_OUT not in own and OUT in own:
            found.append(f"{OUT}{equals}{value}")
        elif word == JSON and JSON not in own and FORMAT in own:
            found += [FORMAT, "json"]
        elif name == FORMAT and FORMAT not in own and JSON in own:
            wanted = value if equals else next(words, "")
            if wanted not in ("json", "text"):
                found += [FORMAT, wanted]  # refused as unknown, with its name
            elif wanted == "json":
                found.append(JSON)
        else:
            found.append(word)
    return found
