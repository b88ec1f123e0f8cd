from __future__ import annotations

import json
from pathlib import Path

import pytest
from rerankbench.eval.data import list_datasets, load_policy
from rerankbench.eval.data.catalog import entries

POLICIES = {info.name: info.policy for info in list_datasets()}


def test_fifteen_rows_of_beir():
    beir = {name: policy for name, policy in POLICIES.items() if name.startswith("beir/")}
    rows = {policy.group or name for name, policy in beir.items()}
    assert len(rows) == 15
    assert sum(policy.group == "cqadupstack" for policy in beir.values()) == 12
    assert {name for name, policy in beir.items() if policy.split != "test"} == {"beir/msmarco"}
    assert all(policy.remove_identical_ids for policy in beir.values())  # as the tables' publisher and beir do
    assert {p.task for n, p in beir.items() if n not in ("beir/arguana", "beir/quora")} == {"answer"}
    assert (POLICIES["beir/arguana"].task, POLICIES["beir/quora"].task) == ("contradiction", "same_question")


def test_eighteen_languages_of_miracl():
    miracl = {name: policy for name, policy in POLICIES.items() if name.startswith("miracl/")}
    assert len(miracl) == 18
    assert {policy.split for policy in miracl.values()} == {"dev"}
    assert not any(policy.remove_identical_ids for policy in miracl.values())
    assert all(policy.language == name.split("/")[1] for name, policy in miracl.items())


def test_ids_and_counts_are_those_of_ir_datasets():
    import ir_datasets

    published = json.loads((Path(ir_datasets.__file__).parent / "etc" / "metadata.json").read_text(encoding="utf-8"))
    for name, entry in entries().items():
        if entry.hub is not None:
            continue
        facts = published[entry.ir_datasets]
        assert facts["queries"]["count"] == entry.policy.n_queries, name
        docs = facts["docs"].get("_ref", entry.ir_datasets)
        assert published[docs]["docs"]["count"] == entry.policy.n_docs, name
        assert ir_datasets.load(entry.ir_datasets).has_qrels(), name


def test_archives_are_those_of_ir_datasets():
    import ir_datasets

    downloads = json.loads((Path(ir_datasets.__file__).parent / "etc" / "downloads.json").read_text(encoding="utf-8"))
    known = {item["expected_md5"]: item["size_hint"] for item in downloads["beir"].values()}
    for name, entry in entries().items():
        if name.startswith("beir/"):
            assert known[entry.md5] == entry.policy.download_bytes, name
            assert all(url.endswith(f"/{entry.policy.archive}.zip") for url in entry.mirrors), name
            assert len(entry.mirrors) > 1, name


def test_policy_joins_title_and_text():
    policy = load_policy("beir/scifact")
    assert policy.passage("Title", "Text ") == "Title Text"
    assert policy.passage("", " Text") == "Text"
    assert policy.passage("{braces}", "{0}") == "{braces} {0}"


@pytest.mark.parametrize("info", list_datasets(), ids=lambda info: info.name)
def test_policy_by_name_is_that_of_the_list(info):
    assert load_policy(info.name) == info.policy
