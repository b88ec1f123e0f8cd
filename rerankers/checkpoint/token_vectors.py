"""What a folder states about scoring by one vector for each token (ColBERT), without the libraries that save them.

Read are `config_sentence_transformers.json` as PyLate writes it, and as sentence-transformers 6 does for a
MultiVectorEncoder, with the module `MultiVectorMask` and two keys of its transformer's file. What older files leave out
is filled in as sentence-transformers 6.2 does (multi_vector_encoder/model.py, `_parse_model_config` and
`_apply_legacy_fixups`). A key that is not known is refused by name.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError

KIND, MASK = "MultiVectorEncoder", "MultiVectorMask"
OLD_KIND = "ColBERT"  # what PyLate calls it, which masks and normalises without a module for it
OLD_KEYS = (
    "query_prefix",
    "document_prefix",
    "query_length",
    "document_length",
    "do_query_expansion",
    "attend_to_expansion_tokens",
    "skiplist_words",
)
_LENGTH = 32  # of queries where no key states it, as in ColBERT
_SIMILARITIES = {"maxsim": False, "meanmaxsim": True}


@dataclass(frozen=True)
class Expansion:
    """Queries are filled up with one token.

    Attributes:
        length: tokens of a query at least.
        fixed: and at most.
        attend: whether the other tokens see these.
        token: None is the mask token, else the end-of-text token.
    """

    length: int
    fixed: bool = True
    attend: bool = False
    token: str | None = None


@dataclass(frozen=True)
class TokenVectors:
    """How the vectors of tokens are made and compared.

    Attributes:
        query_length, document_length: limits in tokens, special ones included; None: the model's.
        expansion: of queries; None: they stay as they are.
        prompts: put before queries and documents; `markers` are those that are one token where the tokenizer has it.
        skipped: words whose tokens in documents are not compared.
        skips_unknown: a skipped word that the vocabulary lacks stands for its unknown token, as PyLate takes it
            (pylate/models/colbert.py, `convert_tokens_to_ids`); sentence-transformers leaves such a word out.
        normalised: vectors have length 1, by a module that is not among the others.
        mean: a score is divided by the number of query tokens.
    """

    query_length: int | None = None
    document_length: int | None = None
    expansion: Expansion | None = None
    prompts: tuple[str, str] = ("", "")
    markers: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    skips_unknown: bool = False
    normalised: bool = False
    mean: bool = False


def compares_tokens(config: Mapping[str, Any]) -> bool:
    """Return whether a `config_sentence_transformers.json` is one of a model with a vector for each token."""
    return config.get("model_type") in (KIND, OLD_KIND) or any(key in config for key in OLD_KEYS)


def read_token_vectors(
    config: Mapping[str, Any], transformer: Mapping[str, Any], mask: Mapping[str, Any] | None, where: Path
) -> TokenVectors:
    """Read what three files state: `where`, the transformer's, and the mask's (None where there is none).

    Raises InputError for a value that is not understood.
    """
    old = config.get("model_type") != KIND
    prompts = dict(_take(config, "prompts", dict, where, {}))
    markers = []
    for key, name in (("query_prefix", "query"), ("document_prefix", "document")):
        prefix = _take(config, key, str, where, "")
        markers += [prefix] if prefix else []
        prompts[name] = prefix + (prompts.get(name) or "").removeprefix(prefix)
    similarity = _take(config, "similarity_fn_name", str, where, "maxsim").lower()
    if similarity not in _SIMILARITIES and not (old and similarity in ("cosine", "dot")):  # PyLate's own is MaxSim
        raise InputError(f"{where}: similarity_fn_name '{similarity}' is not supported for vectors of tokens")
    length = transformer.get("query_length") or config.get("query_length")
    expansion = _read_expansion(config, transformer, old, where)
    words = mask.get("skiplist_words") if mask is not None else _take(config, "skiplist_words", list, where)
    if words is None:
        words = list(string.punctuation) if mask is None else []
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise InputError(f"{where}: key 'skiplist_words': expected a list of texts")
    if mask and (mask.get("keep_only_token_ids") or mask.get("skiplist_tasks", ["document"]) != ["document"]):
        raise InputError(f"{where}: MultiVectorMask: only skiplist_words of documents are supported")
    return TokenVectors(
        query_length=_length(None if expansion and old else length, "query_length", where),
        document_length=_length(
            transformer.get("document_length") or config.get("document_length"), "document_length", where
        ),
        expansion=expansion,
        prompts=(prompts.get("query") or "", _document_prompt(prompts)),
        markers=tuple(markers),
        skipped=tuple(words),
        skips_unknown=old,
        normalised=mask is None,
        mean=_SIMILARITIES.get(similarity, False),
    )


def _read_expansion(
    config: Mapping[str, Any], transformer: Mapping[str, Any], old: bool, where: Path
) -> Expansion | None:
    stated = transformer.get("query_expansion", config.get("query_expansion"))
    if stated is not None:
        known = {"strategy", "attend", "token", "length"}
        if not isinstance(stated, dict) or set(stated) - known or stated.get("strategy") not in ("fixed", "min"):
            raise InputError(f"{where}: query_expansion {stated!r:.80} is not understood")
        length = _length(stated.get("length"), "query_expansion.length", where)
        if length is None:
            raise InputError(f"{where}: query_expansion states no length")
        return Expansion(length, stated["strategy"] == "fixed", bool(stated.get("attend")), stated.get("token"))
    if not old or not any(key in config for key in OLD_KEYS) or config.get("do_query_expansion") is False:
        return None
    length = _length(config.get("query_length"), "query_length", where) or _LENGTH
    return Expansion(length, True, bool(config.get("attend_to_expansion_tokens")))


def _document_prompt(prompts: Mapping[str, Any]) -> str:
    """Return the first of those that `encode_document` looks for."""
    return next((prompts[name] or "" for name in ("document", "passage", "corpus") if name in prompts), "")


def _length(value: Any, key: str, where: Path) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 3 <= value < 1 << 31):
        raise InputError(f"{where}: {key}: expected a number of tokens from 3 on, found {value!r:.40}")
    return value


def _take(config: Mapping[str, Any], key: str, kind: type, where: Path, default: Any = None) -> Any:
    value = config.get(key)
    if value is not None and not isinstance(value, kind):
        raise InputError(f"{where}: key '{key}': expected {kind.__name__}, found {value!r:.60}")
    return default if value is None else value
