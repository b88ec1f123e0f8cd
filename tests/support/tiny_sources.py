"""Tiny stand-ins for all 15 BEIR rows and 18 MIRACL languages, as files where ir_datasets keeps its downloads."""

from __future__ import annotations

import gzip
import importlib.util
import json
import zipfile
from functools import cache
from pathlib import Path

from rerankbench.eval.data import Policy, list_datasets

WORDS = ["river", "stone", "lamp", "green", "paper", "window", "moon", "quiet", "over", "runs"]
SCRIPTS = {
    "ar": "ما هو النهر", "bn": "নদী কী", "fa": "رودخانه چیست", "hi": "नदी क्या है", "ja": "川とは何ですか",
    "ko": "강은 무엇인가", "ru": "что такое река", "te": "నది అంటే ఏమిటి", "th": "แม่น้ำคืออะไร", "zh": "河流是什么",
}  # fmt: skip
METADATA = {
    **dict.fromkeys(["url", "pubmed_id", "stance", "description", "narrative", "query"], ""),
    **{key: [] for key in ("authors", "cited_by", "references", "tags")},
    "year": 2000,
}
DOCUMENTS, QUERIES = 7, 3


def text(seed: int, extra: str = "") -> str:
    return " ".join(
        [*(WORDS[(seed * 7 + i * i * 3 + i * seed) % len(WORDS)] for i in range(3 + seed % 5)), extra]
    ).strip()


def judgements(seed: int, documents: list[str], queries: list[str]) -> list[tuple[str, str, int]]:
    """Two per query, of grades 1 and 2, of documents that differ between datasets."""
    found = []
    for i, query in enumerate(queries):
        first, second = (seed + 2 * i) % len(documents), (seed + 3 * i + 1) % len(documents)
        found += [(query, documents[first], 2)] + [(query, documents[second], 1)] * (first != second)
    return found


def ids(policy: Policy) -> tuple[list[str], list[str]]:
    """Documents and queries; where the policy removes identical ids, every query is a document too."""
    documents = [f"d{i}" for i in range(DOCUMENTS)]
    return documents, documents[:QUERIES] if policy.remove_identical_ids else [f"q{i}" for i in range(QUERIES)]


def put_beir(home: Path) -> list[str]:
    """Names of the datasets whose archives were put in place."""
    infos = [info for info in list_datasets() if info.name.startswith("beir/")]
    for seed, info in enumerate(infos):
        short = info.name.removeprefix("beir/")
        place = "webis-touche2020/v2" if short == "webis-touche2020" else short.split("/")[0]
        documents, queries = ids(info.policy)
        archive = home / "beir" / place / "source.zip"
        archive.parent.mkdir(parents=True, exist_ok=True)
        corpus = [
            {"_id": doc, "title": text(seed + i)[:5], "text": text(seed + i), "metadata": METADATA}
            for i, doc in enumerate(documents)
        ]
        asked = [{"_id": query, "text": text(seed * 3 + i), "metadata": METADATA} for i, query in enumerate(queries)]
        lines = [f"{query}\t{doc}\t{grade}" for query, doc, grade in judgements(seed, documents, queries)]
        folder = short if info.policy.group else short.split("/")[0]
        with zipfile.ZipFile(archive, "a") as file:
            file.writestr(f"{folder}/corpus.jsonl", "".join(json.dumps(row) + "\n" for row in corpus))
            file.writestr(f"{folder}/queries.jsonl", "".join(json.dumps(row) + "\n" for row in asked))
            file.writestr(
                f"{folder}/qrels/{info.policy.split}.tsv", "\n".join(["query-id\tcorpus-id\tscore", *lines, ""])
            )
    return [info.name for info in infos]


def put_miracl(home: Path) -> list[str]:
    """Names of the languages whose topics, judgements and passages were put in place."""
    infos = [info for info in list_datasets() if info.name.startswith("miracl/")]
    for seed, info in enumerate(infos):
        language = info.policy.language
        documents = [f"{i}#0" for i in range(DOCUMENTS)]
        queries = [str(i) for i in range(QUERIES)]
        asked = "".join(f"{q}\t{text(seed * 3 + int(q), SCRIPTS.get(language, ''))}\n" for q in queries)
        judged = judgements(seed, documents, queries)
        grades = "".join(f"{q}\tQ0\t{doc}\t{min(grade, 1)}\n" for q, doc, grade in judged)
        _put(home, language, "dev", {"topics": asked.encode(), "qrels": grades.encode()})
        put_passages(home, language, documents, seed)
    return [info.name for info in infos]


def put_passages(home: Path, language: str, documents: list[str], seed: int = 0) -> None:
    """A corpus of made-up passages: all in the first of its files, nothing in the others."""
    words = SCRIPTS.get(language, "")
    rows = [{"docid": doc, "title": words, "text": text(seed + i, words)} for i, doc in enumerate(documents)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    _put(home, language, "corpus", {"0": gzip.compress(lines.encode())})


def _put(home: Path, language: str, part: str, content: dict[str, bytes]) -> None:
    for key, place in _miracl_places().items():
        if key.startswith(f"v1.0/{language}/{part}/"):
            file = home / "miracl" / place
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.get(key.rsplit("/", 1)[1], gzip.compress(b"")))


@cache
def _miracl_places() -> dict[str, str]:
    """Where ir_datasets keeps each of its downloads."""
    spec = importlib.util.find_spec("ir_datasets")
    assert spec is not None
    assert spec.origin is not None
    downloads = json.loads((Path(spec.origin).parent / "etc" / "downloads.json").read_text(encoding="utf-8"))["miracl"]
    return {key: download["cache_path"] for key, download in downloads.items()}
