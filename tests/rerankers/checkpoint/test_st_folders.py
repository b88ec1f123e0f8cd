"""Folders that sentence-transformers saved: our score is what its own classes give on the same folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rerankbench.rerankers import InputError
from wild import PAIRS, SPECIAL, TINY, WORDS, classifier, edit, lively, ours, word_tokenizer

st = pytest.importorskip("sentence_transformers", minversion="5.4")
modules = pytest.importorskip("sentence_transformers.sentence_transformer.modules")
base = pytest.importorskip("sentence_transformers.base.modules")

WIDTH = TINY["hidden_size"]


@pytest.fixture(scope="module")
def body(tmp_path_factory) -> Path:
    """A BERT without a head, and its tokenizer."""
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("body")
    word_tokenizer(folder)
    lively(BertModel(BertConfig(vocab_size=len(SPECIAL) + len(WORDS), **TINY))).save_pretrained(folder)
    return folder


def similarities(folder: Path) -> list[float]:
    """What SentenceTransformer gives for the pairs, one at a time."""
    model = st.SentenceTransformer(str(folder), device="cpu")
    found = []
    for query, passage in PAIRS:
        left, right = model.encode_query(query), model.encode_document(passage)
        found.append(float(model.similarity(left, right)))
    return found


def predictions(folder: Path) -> list[float]:
    """What CrossEncoder gives for the pairs, one at a time."""
    model = st.CrossEncoder(str(folder), device="cpu")
    return [float(model.predict([pair])[0]) for pair in PAIRS]


def close(found: list[float], right: list[float], least: float = 1e-3) -> None:
    assert np.ptp(right) > least
    np.testing.assert_allclose(found, right, rtol=1e-6, atol=2e-5)


def dense(seed: int, *shape: int, **options: Any) -> Any:
    torch.manual_seed(seed)
    return base.Dense(*shape, **options)


def norm(width: int) -> Any:
    layer = modules.LayerNorm(width)
    torch.manual_seed(9)
    torch.nn.init.normal_(layer.norm.weight)
    torch.nn.init.normal_(layer.norm.bias)
    return layer


def pool(mode: Any) -> Any:
    return modules.Pooling(WIDTH, pooling_mode=mode)


BI: dict[str, tuple[Callable[[], list[Any]], dict[str, Any]]] = {
    "mean": (lambda: [pool("mean")], {}),
    "cls": (lambda: [pool("cls")], {}),
    "max": (lambda: [pool("max")], {}),
    "sqrt": (lambda: [pool("mean_sqrt_len_tokens")], {"similarity_fn_name": "dot"}),
    "weighted": (lambda: [pool("weightedmean")], {}),
    "last": (lambda: [pool("lasttoken")], {}),
    "two modes": (lambda: [pool(("mean", "cls"))], {}),
    "dense": (lambda: [pool("mean"), dense(1, WIDTH, 12)], {}),
    "dense twice, norm": (
        lambda: [
            pool("cls"),
            dense(1, WIDTH, 12, activation_function=torch.nn.GELU()),
            norm(12),
            dense(2, 12, 12, bias=False),
        ],
        {},
    ),
    "residual": (lambda: [pool("mean"), dense(1, WIDTH, 12, use_residual=True)], {}),
    "normalised": (lambda: [pool("mean"), base.Normalize()], {"similarity_fn_name": "dot"}),
    "dot": (lambda: [pool("mean")], {"similarity_fn_name": "dot"}),
    "euclidean": (lambda: [pool("mean")], {"similarity_fn_name": "euclidean"}),
    "manhattan": (lambda: [pool("mean")], {"similarity_fn_name": "manhattan"}),
    "truncated": (lambda: [pool("mean")], {"truncate_dim": 5}),
    "prompts": (lambda: [pool("mean")], {"prompts": {"query": "what is ", "document": "the panda "}}),
    "a default prompt": (lambda: [pool("mean")], {"prompts": {"p": "bread "}, "default_prompt_name": "p"}),
}  # fmt: skip


@pytest.mark.parametrize("layout", BI)
def test_text_encoders(tmp_path, body, layout):
    behind, options = BI[layout]
    st.SentenceTransformer(modules=[base.Transformer(str(body)), *behind()], device="cpu", **options).save(
        str(tmp_path)
    )
    close(ours(tmp_path), similarities(tmp_path))


OLD = {
    "cls_token": False,
    "mean_tokens": False,
    "max_tokens": False,
    "mean_sqrt_len_tokens": False,
    "weightedmean_tokens": False,
    "lasttoken": False,
}


@pytest.mark.parametrize(
    "on", [["mean_tokens"], ["cls_token"], ["mean_tokens", "cls_token"], ["lasttoken"], []], ids=str
)
def test_pooling_files_before_5_4(tmp_path, body, on):
    st.SentenceTransformer(modules=[base.Transformer(str(body)), pool("max")], device="cpu").save(str(tmp_path))
    flags = {f"pooling_mode_{name}": name in on for name in OLD}
    (tmp_path / "1_Pooling/config.json").write_text(json.dumps({"word_embedding_dimension": WIDTH, **flags}))
    close(ours(tmp_path), similarities(tmp_path))


def test_folders_are_where_modules_json_says(tmp_path, body):
    st.SentenceTransformer(modules=[base.Transformer(str(body)), pool("cls")], device="cpu").save(str(tmp_path))
    listed = json.loads((tmp_path / "modules.json").read_text())
    (tmp_path / "1_Pooling").rename(tmp_path / "pooled")
    (tmp_path / "0_Transformer").mkdir()
    for path in [p for p in tmp_path.iterdir() if p.is_file() and p.name not in ("modules.json", "README.md")]:
        if path.name != "config_sentence_transformers.json":
            path.rename(tmp_path / "0_Transformer" / path.name)
    listed[0] |= {"path": "0_Transformer", "type": "sentence_transformers.models.Transformer"}
    listed[1] |= {"path": "pooled", "type": "sentence_transformers.models.Pooling"}
    (tmp_path / "modules.json").write_text(json.dumps(listed))
    close(ours(tmp_path), similarities(tmp_path))


@pytest.mark.parametrize("where", ["sentence_bert_config.json", "tokenizer_config.json"])
def test_a_text_encoders_own_length(tmp_path, body, where):
    st.SentenceTransformer(modules=[base.Transformer(str(body)), pool("mean")], device="cpu").save(str(tmp_path))
    edit(tmp_path / where, **{"max_seq_length" if where.startswith("sentence") else "model_max_length": 7})
    whole = ours(tmp_path, max_length=64)
    right = similarities(tmp_path)
    close(ours(tmp_path), right)
    assert np.abs(np.subtract(whole, right)).max() > 1e-3


def test_lower_case(tmp_path):
    from transformers import BertConfig, BertModel

    folder = tmp_path / "body"
    word_tokenizer(folder, lowercase=False, do_lower_case=False)
    lively(BertModel(BertConfig(vocab_size=len(SPECIAL) + len(WORDS), **TINY))).save_pretrained(folder)
    parts = [base.Transformer(str(folder)), pool("mean")]
    st.SentenceTransformer(modules=parts, device="cpu").save(str(tmp_path / "st"))
    cased = [("Panda of China", "Basel"), ("the Panda", "the river")]
    before = ours(tmp_path / "st", cased)
    edit(tmp_path / "st" / "sentence_bert_config.json", do_lower_case=True)
    model = st.SentenceTransformer(str(tmp_path / "st"), device="cpu")
    right = [float(model.similarity(model.encode(q), model.encode(p))) for q, p in cased]
    close(ours(tmp_path / "st", cased), right)
    assert np.abs(np.subtract(before, right)).max() > 1e-3


@pytest.mark.parametrize("activation", [torch.nn.Identity(), torch.nn.Sigmoid(), torch.nn.Tanh(), None], ids=str)
@pytest.mark.parametrize("kind", ["Bert", "Electra"])
def test_cross_encoders_and_their_activation(tmp_path, kind, activation):
    classifier(tmp_path / "base", kind)
    word_tokenizer(tmp_path / "base")
    model = st.CrossEncoder(str(tmp_path / "base"), device="cpu", activation_fn=activation, max_length=12)
    model.save_pretrained(str(tmp_path / "st"))
    close(ours(tmp_path / "st", truncation="snippet"), predictions(tmp_path / "st"))


@pytest.mark.parametrize("key", ["sentence_transformers", "sbert_ce_default_activation_function"])
def test_activations_as_older_releases_saved_them(tmp_path, key):
    classifier(tmp_path, "Bert")
    word_tokenizer(tmp_path)
    name = "torch.nn.modules.activation.Tanh"
    edit(tmp_path / "config.json", **{key: {"activation_fn": name} if key == "sentence_transformers" else name})
    close(ours(tmp_path), predictions(tmp_path))


CE: dict[str, Callable[[], list[Any]]] = {
    "cls, dense": lambda: [pool("cls"), dense(1, WIDTH, 1, activation_function=None, module_output_name="scores")],
    "mean, dense, norm, dense": lambda: [
        pool("mean"),
        dense(1, WIDTH, 16),
        norm(16),
        dense(2, 16, 1, activation_function=None, module_output_name="scores"),
    ],
}


@pytest.mark.parametrize("layout", CE)
@pytest.mark.parametrize("prompt", [None, "what is the "])
def test_modular_cross_encoders(tmp_path, body, layout, prompt):
    options = {"prompts": {"p": prompt}, "default_prompt_name": "p"} if prompt else {}
    parts = [base.Transformer(str(body)), *CE[layout]()]
    st.CrossEncoder(modules=parts, device="cpu", **options).save_pretrained(str(tmp_path))
    close(ours(tmp_path, truncation="snippet"), predictions(tmp_path))


@pytest.mark.parametrize("kind", ["T5", "UMT5", "MT5"])
def test_of_an_encoder_decoder_the_encoder_is_loaded(tmp_path, kind):
    import transformers

    whole, saved = tmp_path / "whole", tmp_path / "saved"
    sizes = {"d_model": WIDTH, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4, "decoder_start_token_id": 0}
    config = getattr(transformers, f"{kind}Config")(vocab_size=len(SPECIAL) + len(WORDS), **sizes)
    lively(getattr(transformers, f"{kind}ForConditionalGeneration")(config)).save_pretrained(whole)
    word_tokenizer(whole, tokenizer_class="PreTrainedTokenizerFast", model_input_names=["input_ids", "attention_mask"])
    parts = [base.Transformer(str(whole)), *CE["cls, dense"]()]
    st.CrossEncoder(modules=parts, device="cpu").save_pretrained(str(saved))
    close(ours(saved), predictions(saved))


@pytest.mark.parametrize("false_token", [None, 8])
@pytest.mark.parametrize("side", ["left", "right"])
def test_the_logit_of_a_language_model(tmp_path, side, false_token):
    from sentence_transformers.cross_encoder.modules import LogitScore
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path / "base"
    size = len(SPECIAL) + len(WORDS)
    config = LlamaConfig(vocab_size=size, num_key_value_heads=2, pad_token_id=0, bos_token_id=2, eos_token_id=3, **TINY)
    lively(LlamaForCausalLM(config)).save_pretrained(folder)
    word_tokenizer(folder, tokenizer_class="PreTrainedTokenizerFast", padding_side=side)
    parts = [base.Transformer(str(folder), transformer_task="text-generation"), LogitScore(7, false_token)]
    st.CrossEncoder(modules=parts, device="cpu").save_pretrained(str(tmp_path / "st"))
    close(ours(tmp_path / "st", truncation="snippet"), predictions(tmp_path / "st"))


def saved(folder: Path, body: Path) -> Path:
    st.SentenceTransformer(modules=[base.Transformer(str(body)), pool("mean"), dense(1, WIDTH, 8)], device="cpu").save(
        str(folder)
    )
    return folder


@pytest.mark.parametrize(
    ("file", "changes", "told"),
    [
        ("1_Pooling/config.json", {"pooling_mode": "attention"}, "pooling_mode 'attention' is not supported"),
        ("1_Pooling/config.json", {"include_prompt": False}, "include_prompt false"),
        ("1_Pooling/config.json", {"temperature": 2}, "key 'temperature' is not understood"),
        ("1_Pooling/config.json", {"pooling_mode": []}, "names none"),
        ("2_Dense/config.json", {"activation_function": "os.system"}, "activation 'os.system' is not supported"),
        ("2_Dense/config.json", {"in_features": 5}, "in_features is 5, but what it reads has width 32"),
        ("2_Dense/config.json", {"out_features": "8"}, "expected int, found '8'"),
        ("2_Dense/config.json", {"module_input_name": "token_embeddings"}, "only a pooled vector"),
        ("sentence_bert_config.json", {"max_seq_length": 0}, "expected a positive number"),
        ("sentence_bert_config.json", {"query_expansion": {"length": 32}}, "key 'query_expansion'"),
        ("sentence_bert_config.json", {"unheard_of": 1}, "key 'unheard_of' is not understood"),
        ("config_sentence_transformers.json", {"similarity_fn_name": "maxsim"}, "similarity_fn_name 'maxsim'"),
        ("config_sentence_transformers.json", {"default_prompt_name": "x"}, "none of the prompts"),
        ("config_sentence_transformers.json", {"model_type": "SparseEncoder"}, "model_type 'SparseEncoder'"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(tmp_path, body, file, changes, told):
    edit(saved(tmp_path, body) / file, **changes)
    with pytest.raises(InputError, match=told) as caught:
        ours(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["WeightedLayerPooling", "CNN", "LSTM", "Router", "StaticEmbedding", "SpladePooling"])
def test_modules_that_are_not_supported(tmp_path, body, kind):
    saved(tmp_path, body)
    listed = json.loads((tmp_path / "modules.json").read_text())
    listed[2]["type"] = f"sentence_transformers.models.{kind}"
    (tmp_path / "modules.json").write_text(json.dumps(listed))
    with pytest.raises(InputError, match=f"module '{kind}' is not supported"):
        ours(tmp_path)


@pytest.mark.parametrize("path", ["../elsewhere", "/etc", None])
def test_modules_lie_in_the_folder(tmp_path, body, path):
    saved(tmp_path, body)
    listed = json.loads((tmp_path / "modules.json").read_text())
    listed[1]["path"] = path
    (tmp_path / "modules.json").write_text(json.dumps(listed))
    with pytest.raises(InputError, match="is not a file inside the folder"):
        ours(tmp_path)


def test_code_of_a_folder_is_not_run(tmp_path, body):
    saved(tmp_path, body)
    listed = json.loads((tmp_path / "modules.json").read_text())
    listed[1]["type"] = "custom.Pooling"
    (tmp_path / "modules.json").write_text(json.dumps(listed))
    with pytest.raises(InputError, match=r"custom\.Pooling is code of its own"):
        ours(tmp_path)


def test_every_file_of_it_is_part_of_the_identity(tmp_path, body):
    from rerankbench.rerankers.checkpoint.hub import resolve

    saved(tmp_path / "a", body)
    before = resolve(str(tmp_path / "a")).fingerprint
    for name in ("modules.json", "1_Pooling/config.json", "2_Dense/config.json", "2_Dense/model.safetensors"):
        shutil.copytree(tmp_path / "a", tmp_path / "b")
        path = tmp_path / "b" / name
        path.write_bytes(path.read_bytes() + b" ")
        assert resolve(str(tmp_path / "b")).fingerprint != before, name
        shutil.rmtree(tmp_path / "b")


@pytest.mark.parametrize("layout", ["mean", "dense", "dense twice, norm", "residual", "truncated"])
def test_dense_layers_are_counted(tmp_path, body, layout):
    from rerankbench.rerankers import LoadOptions, Setting, TextOptions, flops, load
    from rerankbench.rerankers.api import Group

    behind, options = BI[layout]
    st.SentenceTransformer(modules=[base.Transformer(str(body)), *behind()], device="cpu", **options).save(
        str(tmp_path)
    )
    reranker = load(str(tmp_path), LoadOptions("cpu", "float32"))
    scored = reranker.score([Group(PAIRS[0][0], [PAIRS[0][1]])], [Setting()], TextOptions())
    counts = (scored.query_tokens, scored.passage_tokens, scored.prompt_tokens)
    assert int(flops.reference(reranker.shape, Setting(), *counts)[0]) == scored.executed.flops
