"""Every golden score and every golden token id of the decoder families."""

from __future__ import annotations

import numpy as np
import pytest
from decoder_goldens import MODELS, PARITY, TOLERANCE, cases, groups, model, pairs, read
from rerankbench.rerankers import flag
from rerankbench.rerankers.adapters.decoder import Pass
from rerankbench.rerankers.api import Prepared
from rerankbench.rerankers.models.decoder import Readout
from rerankbench.rerankers.models.output_rows import OutputRows
from rerankbench.rerankers.options import TextOptions
from rerankbench.rerankers.settings import Setting
from rerankbench.rerankers.tokenization.decoder_pairs import pair_tokens

_classes: dict[tuple[str, str], flag.FlagBase] = {}


def reference_class(case) -> flag.FlagBase:
    key = (case["model"], case.get("attn") or "")
    if key not in _classes:
        softcap = {"attention_softcap": "config"} if case.get("attn") == "eager" else {}
        kind = getattr(flag, case["api"])
        _classes[key] = kind(str(PARITY / case["model"]), devices="cpu", **case["init"], **softcap)
    return _classes[key]


@pytest.mark.parametrize("case", cases("class"), ids=lambda case: case["id"])
def test_class(case):
    found = reference_class(case).compute_score([list(pair) for pair in pairs(case["pairs"])], **case["call"])
    expected = np.array(case["scores"])
    assert np.shape(found) == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE[case["model"]])


@pytest.mark.parametrize("case", cases("snippet"), ids=lambda case: case["id"])
def test_snippet(case):
    call, reranker = case["call"], model(case["model"])
    layers = call.get("cutoff_layers", [reranker.config.layers])
    # the lightweight code takes heads by position in the list of cutoffs, the other families do not
    positional = reranker.shape.compresses
    rows = [OutputRows((i,)) if positional else reranker.plan.rows[layer] for i, layer in enumerate(layers)]
    reads = tuple(map(Readout, layers, rows))
    compression = Setting(None, call.get("compress_ratio", 1), tuple(call.get("compress_layer", ()))).compression
    text = TextOptions(call.get("prompt"), call.get("max_length", 1024), truncation="snippet")
    asked = groups(pairs(case["pairs"]))
    prepared = Prepared(reranker.prepare_distinct(asked, text), 0.0)
    found = reranker.run(asked, [Pass(*compression, reads)], prepared).scores
    expected = np.array(case["scores"]).reshape(found.shape)
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE[case["model"]])


@pytest.mark.parametrize("entry", [entry for name in MODELS for entry in read(f"{name}/tokens.json")["entries"]])
def test_token_ids(entry):
    reranker = model(entry["model"])
    truncation = "snippet" if entry["api"] == "snippet" else "class"
    plan = reranker.plan
    text = plan.text.resolve(TextOptions(max_length=entry["call"]["max_length"], truncation=truncation))
    tokenizer, chosen = reranker.tokenizer, groups(pairs(entry["pairs"]))
    found = pair_tokens(tokenizer, chosen, text, plan.text.template, begin=list(plan.begin[text.truncation]))
    assert [pair.ids for pair in found] == entry["input_ids"]
    if "query_lengths" in entry:
        assert [pair.query for pair in found] == entry["query_lengths"]
        assert [pair.prompt for pair in found] == entry["prompt_lengths"]


@pytest.mark.parametrize("attention_softcap", ["released", "config"])
def test_sweep_gives_for_each_cutoff_what_it_gives_alone(attention_softcap):
    # golden cases that ask for one cutoff, all in one call
    attn = "eager" if attention_softcap == "config" else "sdpa"
    single = {}
    for case in cases("class"):
        call = case["call"]
        known = {"cutoff_layers", "compress_ratio", "compress_layers"} >= set(call)
        cutoffs = call.get("cutoff_layers", [None])
        if case.get("attn") == attn and known and len(cutoffs) == 1:
            setting = Setting(cutoffs[0], call.get("compress_ratio", 1), tuple(call.get("compress_layers", ())))
            single[setting] = case["scores"]
    assert len(single) >= 2
    reranker = model("gemma2-lightweight-s1", attention_softcap=attention_softcap)
    scored = reranker.score(groups(pairs()), list(single), TextOptions())
    np.testing.assert_allclose(scored.scores, list(single.values()), rtol=0, atol=5e-4)
