"""What a table must say, found without this project's code: by PyYAML, json, pytrec_eval, transformers.

`Unjudged` where this cannot tell (a text beyond the limit, scores that rounding may reorder, another retriever).
Any other error says that the input is none: whoever gave figures for it gave wrong ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytrec_eval
import torch
import yaml

NEAR = 1e-4  # scores nearer than this may change places by rounding
Figures = dict[str, dict[str, float]]  # model/setting -> metric -> mean
_NATIVE = {"nDCG": "ndcg_cut", "R": "recall", "P": "P"}
_HEADS = ("queryid", "corpusid", "score")
_IDLE = {"name", "license", "note", "parameters", "download_bytes", "revision", "task", "group", "language", "n_docs"}
_IDLE |= {"n_queries", "archive", "split", "trust_remote_code", "wording", "config"}


class Unjudged(Exception):
    """The oracle cannot tell."""


def of_run(folder: Path) -> Figures:
    """Figures of `trial.yaml` in a folder, obeying every key that it may hold."""
    raw = _yaml(folder / "trial.yaml")
    _known(raw, {"name", "datasets", "first_stage", "rerankers", "metrics", "engine"})
    metrics = raw.get("metrics", ["default"])
    (dataset,) = raw["datasets"]
    data = folder / dataset
    policy = _yaml(data / "policy.yaml") if (data / "policy.yaml").is_file() else {}
    _known(policy, {"join", "remove_identical_ids", *_IDLE})
    qrels, queries = _qrels(data / "qrels" / f"{policy.get('split', 'test')}.tsv"), _records(data / "queries.jsonl")
    stage = raw.get("first_stage", {})
    if "run" not in stage:
        raise Unjudged("another first stage")
    _known(stage, {"run", "k", "on_mismatch"})
    run = _first_stage(folder / stage["run"], qrels, stage.get("k", 100), bool(policy.get("remove_identical_ids")))
    found = {f"{Path(stage['run']).stem}/first-stage": judged(run, qrels, metrics)}
    for entry in raw.get("rerankers") or ():
        _known(entry, {"model", "name", "dtype", "max_length"})
        if entry.get("dtype", "auto") not in ("float32", "auto"):
            raise Unjudged("another precision")
        spec = _yaml(folder / entry["model"])
        _known(spec, {"family", "source", "max_length", *_IDLE})
        limit = entry.get("max_length") or spec.get("max_length") or 128
        corpus, join = _records(data / "corpus.jsonl"), policy.get("join", "{title} {text}")
        scored = {
            query: {doc: _score(folder / spec["source"], queries[query], corpus[doc], join, limit) for doc in docs}
            for query, docs in run.items()
        }
        _apart(scored)
        label = entry.get("name") or Path(entry["model"]).stem
        found[f"{label}/full"] = judged(scored, qrels, metrics)
    return found


def of_files(run: Path, qrels: Path, metrics: list[str]) -> dict[str, float]:
    """Means of a TREC run under TREC judgements, both read by pytrec_eval's own readers."""
    return judged(pytrec_eval.parse_run(_lines(run)), pytrec_eval.parse_qrel(dict.fromkeys(_lines(qrels))), metrics)


def judged(run: Mapping[str, Mapping[str, float]], qrels: dict[str, dict[str, int]], metrics: list[str]) -> dict:
    """Means over all judged queries, one without results counting 0."""
    if any(not any(grade >= 0 for grade in grades.values()) for grades in qrels.values()):
        raise Unjudged("a query with negative grades only, at which trec_eval never ends")
    known = {query: dict(docs) for query, docs in run.items() if query in qrels and docs}
    found = {}
    for metric in metrics:
        name, _, cut = metric.partition("@")
        native = "map" if metric == "AP" else f"{_NATIVE[name]}.{int(cut)}" if name in _NATIVE else None
        if native is None:
            raise Unjudged(f"another metric, {metric}")
        values = pytrec_eval.RelevanceEvaluator(qrels, {native}).evaluate(known) if known else {}
        key = native.replace(".", "_")
        found[metric] = sum(row[key] for row in values.values()) / len(qrels)
    return found


def _yaml(path: Path) -> dict[str, Any]:
    raw = yaml.safe_load(path.read_text("utf-8-sig"))
    assert isinstance(raw, dict), "no keys and values"
    return raw


def _known(raw: Mapping[str, Any], keys: set[str]) -> None:
    if more := set(raw) - keys:
        raise Unjudged(f"another key, {sorted(map(str, more))}")


def _lines(path: Path) -> list[str]:
    """Lines that are not blank; a return inside one is a blank of it, as for trec_eval."""
    return [line for line in path.read_bytes().decode("utf-8-sig").split("\n") if line.strip()]


def _qrels(path: Path) -> dict[str, dict[str, int]]:
    """As BEIR's loader reads them, but for a header in another order, which is obeyed, and one that is absent."""
    rows = [line.rstrip("\r").split("\t") for line in _lines(path)]
    rows = [[cell.strip() for cell in (row if len(row) > 1 else row[0].split())] for row in rows]
    order, heads = [0, 1, 2], [re.sub("[-_ ]", "", cell).lower() for cell in rows[0]]
    if set(heads) == set(_HEADS):
        order = [heads.index(name) for name in _HEADS]
        rows = rows[1:]
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        query, doc, grade = (row[place] for place in order)
        assert len(row) == 3, "another number of columns"
        assert found.setdefault(query, {}).setdefault(doc, int(grade)) == int(grade), "judged twice"
    assert found, "no judgement"
    return found


def _records(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for record in map(json.loads, _lines(path)):
        assert str(record["_id"]) not in found, "an id twice"
        found[str(record["_id"])] = record
    return found


def _first_stage(path: Path, qrels: Mapping[str, Any], k: int, drop: bool) -> dict[str, dict[str, float]]:
    found = {}
    for query, docs in pytrec_eval.parse_run(_lines(path)).items():
        scores = {doc: float(torch.tensor(score, dtype=torch.float32)) for doc, score in docs.items()}
        ordered = sorted(scores.items(), key=lambda pair: (pair[1], pair[0]), reverse=True)
        if query in qrels:
            found[query] = dict([pair for pair in ordered if not (drop and pair[0] == query)][:k])
    return found


def _apart(scored: Mapping[str, Mapping[str, float]]) -> None:
    """Equal scores are of equal texts; nearly equal ones could be in either order."""
    for docs in scored.values():
        ordered = sorted(docs.values())
        if any(0 < after - before < NEAR for before, after in pairwise(ordered)):
            raise Unjudged("scores that rounding may reorder")


def _score(model: Path, query: Mapping[str, Any], doc: Mapping[str, Any], join: str, limit: int) -> float:
    title, text = doc.get("title") or "", doc["text"]
    passage = join.format(title=title, text=text).strip() if title else text.strip()
    return _transformers(model.resolve(), query["text"].strip(), passage, limit)


@cache
def _loaded(folder: Path) -> tuple[Any, Any]:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    return (
        AutoTokenizer.from_pretrained(folder),
        AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval(),
    )


@cache
def _transformers(folder: Path, query: str, passage: str, limit: int) -> float:
    tokenizer, model = _loaded(folder)
    tokens = tokenizer([query], [passage], return_tensors="pt", truncation=False, padding=False)
    if tokens["input_ids"].shape[1] > limit:
        raise Unjudged("a text beyond the limit")
    with torch.no_grad():
        return model(**tokens).logits.item()
