"""What sentence-transformers' `LogitScore` states: which tokens of a causal language model score."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError
from .sentence_transformers import Module, refuse_others, take


def scoring_tokens(modules: tuple[Module, ...], vocabulary: int, root: Path) -> tuple[int, ...]:
    """Return the id of the token for a match, and that of the other one where the score is their difference.

    Raises InputError for other modules, and for keys or values that are not understood.
    """
    if len(modules) != 1:
        raise InputError(f"{root}: module {modules[0].kind} before LogitScore is not supported")
    config, where = modules[0].config, modules[0].where
    refuse_others(config, ("true_token_id", "false_token_id", "module_input_name"), where)
    ids = [take(config, key, int, where) for key in ("true_token_id", "false_token_id")]
    if ids[0] is None or not all(i is None or 0 <= i < vocabulary for i in ids):
        raise InputError(f"{where}: true_token_id and false_token_id: expected ids below {vocabulary}")
    if config.get("module_input_name") not in (None, "causal_logits"):
        raise InputError(f"{where}: module_input_name: only 'causal_logits' is supported")
    return tuple(i for i in ids if i is not None)
