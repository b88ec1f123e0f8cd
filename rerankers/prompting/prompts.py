"""Named prompts of the decoder families; see configs/prompts.yaml."""

from __future__ import annotations

import difflib
from functools import cache

from ...configs import CONFIGS, read
from ..errors import InputError, suggest


@cache
def prompts() -> dict[str, str]:
    """Return prompts by name."""
    return read(CONFIGS / "prompts.yaml")


def resolve_prompt(prompt: str) -> str:
    """Return the text of a named prompt, or the given text itself.

    Raises InputError for a single word that looks like a name misspelt.
    """
    if prompt in prompts():
        return prompts()[prompt]
    if prompt.isidentifier() and ("_" in prompt or difflib.get_close_matches(prompt, prompts())):
        raise InputError(f"prompt '{prompt}' is not a name in prompts.yaml{suggest(prompt, prompts())}")
    return prompt
