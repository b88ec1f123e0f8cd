"""Writes small datasets in BEIR layout for the tests."""

from __future__ import annotations

import json
from pathlib import Path

CORPUS = [
    {"_id": "d1", "title": "Tea", "text": "Green tea is brewed at eighty degrees."},
    {"_id": "d2", "title": "", "text": "Coffee beans are roasted."},
    {"_id": "d3", "text": "A kettle boils water for tea."},
    {"_id": "d4", "title": "Bread", "text": "Rye bread keeps for a week."},
]
QUERIES = [{"_id": "q1", "text": "how to brew tea"}, {"_id": "q2", "text": "roasted coffee"}]
QRELS = "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td3\t1\nq2\td2\t1\n"


def jsonl(records: list[dict]) -> str:
    return "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records)


def write_beir(folder: Path, **files: str | bytes) -> Path:
    """A good dataset, but with `corpus`, `queries`, `qrels` or `policy` replaced by the given content."""
    content: dict[str, str | bytes] = {"corpus": jsonl(CORPUS), "queries": jsonl(QUERIES), "qrels": QRELS, **files}
    names = {"corpus": "corpus.jsonl", "queries": "queries.jsonl", "qrels": "qrels/test.tsv", "policy": "policy.yaml"}
    for key, data in content.items():
        file = folder / names[key]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data if isinstance(data, bytes) else data.encode())
    return folder
