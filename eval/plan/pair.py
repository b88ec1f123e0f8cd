"""What one pair costs, from the configuration alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...rerankers import flops as ledger
from ...rerankers.errors import InputError
from ...rerankers.options import TextOptions
from ...rerankers.registry import choose, family_of, find_spec, shape_of
from ...rerankers.settings import Setting


def count_pair(
    model: str,
    setting: Setting,
    tokens: tuple[int, int, int | None],
    causal: bool = False,
    tflops: float | None = None,
    options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The report of one pair, as `--json` prints it, for tokens of query, passage and prompt (None: estimated).

    `options` are those of the model's family.

    Raises InputError for an unknown model or a wrong setting.
    """
    spec = choose(find_spec(model), options or {})
    rules, shape = family_of(spec).text_rules(spec), shape_of(spec)
    query, passage, prompt = tokens
    if shape is None:
        raise InputError(
            f"model '{model}': its shape is not known; a specification states it as `config`, a class as `shape`"
        )
    if prompt and rules.template is None:
        raise InputError(f"--prompt-tokens {prompt}: family '{spec.family}' has no prompt")
    prompt = rules.count_own_tokens(TextOptions()) if prompt is None else prompt
    pair = (query, passage, prompt)
    reference = int(ledger.reference(shape, setting, *pair, causal=causal))
    full = int(ledger.reference(shape, Setting(), *pair, causal=causal))
    return {
        "model": model,
        "family": spec.family,
        "setting": setting.name,
        "tokens": {"query": query, "passage": passage, "prompt": prompt},
        "stretches": [
            {"layers": layers, "tokens": int(tokens)} for layers, tokens in ledger.stretches(shape, setting, *pair)
        ],
        "layer": {"per_token": shape.layer.per_token, "per_query_key": shape.layer.attention},
        "head": {"per_token": shape.head_per_position, "per_pair": shape.head_per_pair},
        "causal": causal,
        "full": full,
        "reference": reference,
        "useful": int(ledger.useful(shape, setting, *pair)),
        "saved": ledger.saved(shape, setting, *pair, causal=causal),
        "saved_naive": ledger.saved_naive(shape, setting),
        "tflops": tflops,
        "seconds": reference / tflops / 1e12 if tflops else None,
    }
