"""Encoder-decoders against transformers' own T5ForConditionalGeneration: ids exactly, scores, FLOPs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from answering import make_t5
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rerankbench.rerankers import flops
from rerankbench.rerankers.api import Group
from rerankbench.rerankers.errors import InputError
from rerankbench.rerankers.options import TextOptions
from rerankbench.rerankers.registry import load, load_spec, shape_of
from rerankbench.rerankers.settings import Setting
from rerankbench.rerankers.spec import ModelSpec
from rerankbench.rerankers.token_ids import card_ids
from torch.utils.flop_counter import FlopCounterMode

PROMPT = "Query: {query} Document: {passage} Relevant:"
PAIRS = [
    ("what is a river", "a river runs over stone"),
    ("green lamp", "quiet paper, quiet window. " * 20),  # loses its end, and so the question
    ("{passage} ?", "the moon {query}"),
    ("", "stone"),
    ("river", ""),
]
FULL = [Setting()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("t5")
    make_t5(folder, feed_forward_proj="gated-gelu", tie_word_embeddings=False)
    return folder


def spec(folder: Path, **options: Any) -> ModelSpec:
    return ModelSpec("tiny", "encoder-decoder", str(folder), options=options)


def oracle(folder: Path, texts: list[str], answers: tuple[str, str]) -> tuple[list[list[int]], list[float]]:
    """As mteb scores: one generated token, the softmax of two of its logits; without its exponential."""
    import transformers as t

    tokenizer = t.AutoTokenizer.from_pretrained(folder)
    model = t.AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    rows = [tokenizer.get_vocab()[f"▁{answer}"] for answer in answers]
    ids, scores = [], []
    for text in texts:
        tokens = tokenizer([text], truncation=True, max_length=tokenizer.model_max_length, return_tensors="pt")
        ids.append(tokens["input_ids"][0].tolist())
        inputs = {name: tokens[name] for name in ("input_ids", "attention_mask")}
        with torch.inference_mode():
            output = model.generate(**inputs, max_new_tokens=1, return_dict_in_generate=True, output_scores=True)
        scores.append(float(output.scores[0][0, rows].log_softmax(-1)[0]))
    return ids, scores


@pytest.mark.parametrize(
    ("template", "answers"), [(PROMPT, ("true", "false")), ("Is {query} in Doc {passage}?", ("yes", "no"))]
)
def test_ids_and_scores_are_those_of_transformers(folder: Path, template: str, answers: tuple[str, str]):
    reranker = load(spec(folder, prompt_template=template, answers=list(answers)), device="cpu")
    groups = [Group(query, [passage]) for query, passage in PAIRS]
    before, _, rest = template.partition("{query}")
    between, _, after = rest.partition("{passage}")
    ids, scores = oracle(folder, [before + q + between + p + after for q, p in PAIRS], answers)
    prepared = reranker.prepare(groups, TextOptions())
    assert prepared.tokens.ids == ids
    short = [i for i, (_, passage) in enumerate(PAIRS) if len(passage) < 99]
    assert card_ids(reranker.spec, [PAIRS[i] for i in short]) == [ids[i] for i in short]  # what `verify` expects
    scored = reranker.score(groups, FULL, TextOptions(), prepared)
    np.testing.assert_allclose(scored.scores[0], scores, rtol=0, atol=3e-4)
    assert scored.truncated.tolist() == [False, True, False, False, False]
    assert (scored.query_tokens + scored.passage_tokens).tolist() == [len(own) for own in ids]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.text("river ton,?é", max_size=40), min_size=1, max_size=6),
    budget=st.sampled_from([8, 64, 4096]),
)
def test_a_score_depends_on_its_pair_alone(reranker: Any, texts: list[str], budget: int):
    reranker.token_budget = budget
    together = reranker.score([Group("a river", texts)], FULL, TextOptions()).scores[0]
    alone = [reranker.score([Group("a river", [text])], FULL, TextOptions()).scores[0][0] for text in texts]
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-4)


@pytest.fixture(scope="module")
def reranker(folder: Path) -> Any:
    return load(spec(folder), device="cpu")


@pytest.mark.parametrize("changes", [{}, {"num_decoder_layers": 3, "feed_forward_proj": "relu"}])
def test_flops_are_those_of_the_counter(tmp_path: Path, changes: dict[str, Any]):
    import transformers as t

    folder = tmp_path / "t5"
    make_t5(folder, **{"feed_forward_proj": "gated-gelu", **changes})
    reranker = load(spec(folder), device="cpu")
    assert reranker.shape is not None
    model = t.AutoModelForSeq2SeqLM.from_pretrained(folder, attn_implementation="eager").eval()  # fused is not counted
    scored = reranker.score([Group(*PAIRS[0][:1], [passage for _, passage in PAIRS])], FULL, TextOptions())
    counted = flops.reference(reranker.shape, Setting(), scored.query_tokens, scored.passage_tokens, 0)
    for tokens, expected in zip(scored.query_tokens + scored.passage_tokens, counted):
        ids = torch.ones((1, int(tokens)), dtype=torch.long)
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            model(input_ids=ids, attention_mask=torch.ones_like(ids), decoder_input_ids=ids[:, :1])
        assert counter.get_total_flops() == expected
    unread = 2 * 24 * (112 - 2)  # rows of the vocabulary
    whole, needed = (int(count(reranker.shape, Setting(), 3, 4, 0)) for count in (flops.reference, flops.useful))
    assert needed == whole - unread


def test_what_cannot_be_run_is_one_line(folder: Path, tmp_path: Path):
    for options, message in (
        ({"answers": ["river stone", "false"]}, "key 'answers': 'river stone' is not one token"),
        ({"answers": ["true"]}, "answers"),
        ({"prompt_template": "Query: {query}"}, "must contain {query} and then {passage}, once each"),
    ):
        with pytest.raises(InputError) as caught:
            load(spec(folder, **options), device="cpu")
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no family runs model_type 't5'"):
        load(str(folder), device="cpu")  # which tokens answer, nobody wrote
    reranker = load(spec(folder), device="cpu")
    with pytest.raises(InputError, match="runs at full depth only"):
        reranker.score([Group("a", ["b"])], [Setting(1)], TextOptions())
    with pytest.raises(InputError, match="cut as one text"):
        reranker.score([Group("a", ["b"])], FULL, TextOptions(query_max_length=9))


def test_a_registered_model_has_the_parameters_of_its_shape():
    from transformers import AutoConfig, AutoModelForSeq2SeqLM

    known = load_spec("monot5-base")
    assert shape_of(known) is not None
    with torch.device("meta"):
        values = {key: value for key, value in known.config.items() if key != "model_type"}
        model = AutoModelForSeq2SeqLM.from_config(AutoConfig.for_model("t5", **values))
    assert sum(parameter.numel() for parameter in model.parameters()) == known.parameters
