"""Datasets that ir_datasets provides; texts come from its docstore on disk."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ...rerankers.errors import InputError, one_line
from .dataset import Policy
from .judged import checksum, judged_documents, judged_queries, warn_missing

_SAMPLED = 1000  # documents that enter the checksum besides the judged ones
_BATCH = 1000  # documents looked up at once


class SourceError(InputError):
    """ir_datasets cannot deliver the dataset; another source may."""


class IrDataset:
    """A dataset of ir_datasets.

    Into the checksum enter the number of documents, every judged document and 1000 others spread evenly over the
    corpus: a whole corpus of 33 million passages is not read again for every run.
    """

    def __init__(self, name: str, irds_id: str, policy: Policy) -> None:
        """Fetch what is not there yet, and build the docstore the first time.

        Odd but allowed, with a warning that counts them: queries without qrels, judged documents that are not
        in the corpus, judged documents without text. Raises SourceError when ir_datasets cannot deliver, and
        InputError when what it delivers cannot be used (an archive in its folder that is none, empty parts).
        """
        self.name, self.policy, self.warnings = name, policy, []
        self.excluded: dict[str, frozenset[str]] = {}
        try:
            import ir_datasets

            _refuse_web_page(Path(ir_datasets.util.home_path()) / irds_id)
            self._source = ir_datasets.load(irds_id)
            queries = {str(q.query_id): q.text.strip() for q in self._source.queries_iter()}
            self.qrels = {}
            for judgement in self._source.qrels_iter():
                self.qrels.setdefault(judgement.query_id, {})[judgement.doc_id] = judgement.relevance
            self._store = self._source.docs_store()
            self._store.build()
            self._count = self._store.count()
            judged = judged_documents(self.qrels)
            present, digest = self._hash_corpus(judged)
        except InputError:
            raise
        except Exception as err:  # ir_datasets and its parsers raise anything, assertions included
            raise SourceError(f"{name}: ir_datasets cannot deliver it ({_hash_line(err)})") from err
        for kind, part in (("query", queries), ("judgement", self.qrels), ("document", self._count)):
            if not part:
                raise InputError(f"{name}: ir_datasets delivers no {kind}; remove its files and fetch them again")
        self.queries = judged_queries(name, queries, self.qrels, self.warnings)
        warn_missing(name, [doc for doc in judged if doc not in present], self.qrels, self.warnings)
        self.checksum = checksum(self.queries, self.qrels, digest)

    def __len__(self) -> int:
        return self._count

    def texts(self, doc_ids: Sequence[str]) -> list[str]:
        """Return passages in the order of `doc_ids`. Raises InputError for an unknown id."""
        documents = self._store.get_many(list(doc_ids))
        for doc in doc_ids:
            if doc not in documents:
                raise InputError(f"{self.name}: document '{doc}' is not in the corpus")
        return [self._passage(documents[doc]) for doc in doc_ids]

    def missing(self, doc_ids: Sequence[str]) -> list[str]:
        """Return those of `doc_ids` that are not in the corpus."""
        documents = self._store.get_many(list(doc_ids))
        return [doc for doc in doc_ids if doc not in documents]

    def corpus(self) -> Iterator[tuple[str, str]]:
        """Yield (id, passage) of all documents, read as they are needed."""
        for doc in self._source.docs_iter():
            yield doc.doc_id, self._passage(doc)

    def _passage(self, doc: Any) -> str:
        return self.policy.passage(_read_title(doc), doc.text)

    def _hash_corpus(self, judged: list[str]) -> tuple[set[str], str]:
        """Return the judged documents that exist, and the digest in place of the corpus."""
        digest = hashlib.sha256(f"{self._count}\n".encode())
        present: set[str] = set()
        empty = 0
        for start in range(0, len(judged), _BATCH):
            docs = self._store.get_many(judged[start : start + _BATCH])
            present.update(docs)
            for _, doc in sorted(docs.items()):
                empty += not (_read_title(doc).strip() or doc.text.strip())
                digest.update(_record(doc))
        for doc in self._source.docs_iter()[:: max(1, self._count // _SAMPLED)]:
            digest.update(_record(doc))
        if empty:
            self.warnings.append(f"{empty} judged documents have neither title nor text")
        return present, digest.hexdigest()


def _read_title(doc: Any) -> str:
    return getattr(doc, "title", None) or ""


def _record(doc: Any) -> bytes:
    return json.dumps([doc.doc_id, _read_title(doc), doc.text], ensure_ascii=False).encode() + b"\n"


def _refuse_web_page(folder: Path) -> None:
    """Refuse a `source.zip` that is no zip (a saved error page), which would raise something unreadable later."""
    for parent in (folder, folder.parent):
        file = parent / "source.zip"
        if file.is_file() and not zipfile.is_zipfile(file):
            with file.open("rb") as page:
                start = page.read(20)
            raise InputError(f"{file}: not a zip archive (begins with {start!r}); delete it and run again")


def _hash_line(err: Exception) -> str:
    url = getattr(getattr(err, "request", None), "url", None)  # of an error of the network
    return f"{type(err).__name__}: {url or one_line(err)}"
