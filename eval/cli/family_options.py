"""`--option KEY=VALUE`: what the family of a model offers, by name; `rerankbench ls families --json` lists it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from ...configs import parse
from ...rerankers.errors import InputError

Options = Annotated[
    list[str],
    typer.Option("--option", metavar="KEY=VALUE", help="An option of the model's family; see `ls families --json`."),
]


def parse_options(written: Sequence[str]) -> dict[str, Any]:
    """Options by name. Raises InputError for what is no `KEY=YAML`."""
    options: dict[str, Any] = {}
    for word in written:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise InputError(f"--option {word}: expected KEY=VALUE")
        options[key] = parse(value, f"--option {key}")
    return options
