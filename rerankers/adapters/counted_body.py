"""The FLOPs of a model that transformers runs, counted on the meta device: no weight is made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from ..flops.counted import counted_shape, fit_counts
from ..flops.shape import Shape
from .transformers_models import positions, text_config

_CLASSIFIER, _BODY = "ForSequenceClassification", ""  # ends of AutoModel…
Terms = tuple[int, int, int]


def classifier_shape_of(raw: Mapping[str, Any]) -> Shape | None:
    """The shape of `AutoModelForSequenceClassification` of a `config.json`, by PyTorch's `FlopCounterMode`.

    None where transformers cannot build it from its configuration, where it cannot run without data, and where its
    FLOPs are no polynomial of the number of tokens (`flops.counted`).
    """
    terms = _terms_of(json.dumps(raw, sort_keys=True), _CLASSIFIER)
    return counted_shape(*terms) if terms else None


def body_terms_of(raw: Mapping[str, Any]) -> Terms | None:
    """(a, b, c) of a + b n + c n^2, the FLOPs of `AutoModel` over n tokens; None as in `classifier_shape_of`."""
    terms = _terms_of(json.dumps(raw, sort_keys=True), _BODY)
    return terms[0] if terms else None


@lru_cache(maxsize=64)
def _terms_of(text: str, kind: str) -> tuple[Terms, int] | None:
    """The polynomial of a configuration, and its number of layers."""
    model = _build(json.loads(text), kind)
    if model is None:
        return None
    layers = getattr(text_config(model), "num_hidden_layers", None)
    for masked in (False, True):  # most look at a mask, where there are no data; some need one
        with suppress(Exception):  # whatever a foreign class raises
            terms = fit_counts(partial(_count, model, masked), positions(model))
            return (terms, layers if isinstance(layers, int) and layers > 0 else 1) if terms else None
    return None


def _count(model: Any, masked: bool, tokens: int) -> int:
    """FLOPs of one sequence of so many tokens."""
    ids = torch.zeros((1, tokens), dtype=torch.long, device="meta")
    more = {"attention_mask": torch.ones_like(ids)} if masked else {}
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model(input_ids=ids, **more)
    return int(counter.get_total_flops())


def _build(raw: Mapping[str, Any], kind: str) -> Any:
    import transformers

    values = {key: value for key, value in raw.items() if key != "model_type"}
    try:
        config = transformers.AutoConfig.for_model(raw["model_type"], **values)
        with torch.device("meta"):
            auto = getattr(transformers, f"AutoModel{kind}")
            model = auto.from_config(config, attn_implementation="eager")
    except Exception:  # an unknown type, a damaged configuration: loading it will name the cause
        return None
    if any("experts" in key for key in text_config(model).to_dict()):
        return None  # which experts run depends on the text, and grouped products are not counted
    return model.eval().requires_grad_(False)
