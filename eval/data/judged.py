"""What queries, qrels and corpus must have to do with each other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from ...rerankers.errors import InputError


def judged_queries(
    name: str, queries: Mapping[str, str], qrels: Mapping[str, Mapping[str, int]], warnings: list[str]
) -> dict[str, str]:
    """Return the judged queries in the order of `queries`; a warning counts the others, which are not scored.

    Raises InputError when a judged query is unknown or has no text.
    """
    unknown = [q for q in qrels if q not in queries]
    if unknown:
        raise InputError(f"{name}: {len(unknown)} judged queries are not among the queries (first: '{unknown[0]}')")
    judged = {q: text for q, text in queries.items() if q in qrels}
    empty = [q for q, text in judged.items() if not text.strip()]
    if empty:
        raise InputError(f"{name}: {len(empty)} judged queries have no text (first: '{empty[0]}')")
    if len(judged) < len(queries):
        warnings.append(f"{len(queries) - len(judged)} queries have no qrels and are not scored")
    return judged


def check_excluded(
    name: str,
    excluded: Mapping[str, frozenset[str]],
    queries: Mapping[str, str],
    qrels: Mapping[str, Mapping[str, int]],
) -> None:
    """Raise InputError when documents are excluded for an unknown query, or one that is relevant to its query."""
    for query, docs in excluded.items():
        if query not in queries:
            raise InputError(f"{name}: query '{query}' is not among the queries")
        relevant = sorted(doc for doc in docs if qrels.get(query, {}).get(doc, 0) > 0)
        if relevant:
            raise InputError(
                f"{name}: document '{relevant[0]}' is excluded for query '{query}' and judged relevant to it"
            )


def judged_documents(qrels: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return ids of all judged documents, sorted."""
    return sorted({doc for grades in qrels.values() for doc in grades})


def warn_missing(name: str, missing: list[str], qrels: Mapping[str, Mapping[str, int]], warnings: list[str]) -> None:
    """Warn with the number of judged documents that the corpus does not have; they stay in the ideal ranking.

    Raises InputError when no relevant document is there, so that every measure could only be 0.
    """
    absent = set(missing)
    relevant = {doc for grades in qrels.values() for doc, grade in grades.items() if grade > 0}
    if relevant and relevant <= absent:
        raise InputError(
            f"{name}: none of the {len(relevant)} relevant documents is in the corpus (first: '{min(relevant)}'); the "
            "qrels are of another release of it, or its ids are in another column"
        )
    if missing:
        warnings.append(f"{len(missing)} judged documents are not in the corpus (first: '{missing[0]}')")


def checksum(
    queries: Mapping[str, str],
    qrels: Mapping[str, Mapping[str, int]],
    corpus: str,
    excluded: Mapping[str, frozenset[str]] | None = None,
) -> str:
    """Return SHA-256 of queries, qrels, excluded documents if any, and `corpus`, a digest of the documents."""
    content = [sorted(queries.items()), sorted((q, sorted(docs.items())) for q, docs in qrels.items()), corpus]
    if excluded:
        content.append(sorted((query, sorted(docs)) for query, docs in excluded.items()))
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()
