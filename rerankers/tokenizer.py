"""Token ids of plain texts, from the fast tokenizer of a model folder.

`tokenizer.json` is loaded as it is: the tokenizer classes of different transformers releases rebuild parts of it, and
then disagree on unusual texts. Special tokens, truncation and pairs are the families' own business.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .errors import InputError
from .files import read_json

_CHUNK = 1024  # texts encoded at a time


class Tokenizer:
    """The fast tokenizer of a model folder, with truncation and padding switched off.

    Attributes:
        backend: the `tokenizers.Tokenizer`.
        special: id by name, for those that the folder declares: `bos_token`, `eos_token`, `cls_token`, `sep_token`,
            `pad_token`, `unk_token`.
        max_length: `model_max_length`, None where the folder states none.
    """

    def __init__(self, folder: Path) -> None:
        declared = {}
        for name in ("special_tokens_map.json", "tokenizer_config.json"):
            if (folder / name).is_file():
                declared |= read_json(folder / name)
        self.folder = folder
        self.backend = _backend(folder, declared)
        self.backend.no_truncation()
        self.backend.no_padding()
        self.special: dict[str, int] = {}
        for name in ("bos_token", "eos_token", "cls_token", "sep_token", "pad_token", "unk_token"):
            token = declared.get(name)
            number = self.backend.token_to_id(token["content"] if isinstance(token, dict) else token) if token else None
            if number is not None:
                self.special[name] = number
        limit = declared.get("model_max_length")
        self.max_length = int(limit) if isinstance(limit, (int, float)) and limit < 1e9 else None

    def special_id(self, name: str) -> int:
        """Id of `bos_token` and the like. Raises InputError when the folder declares none."""
        if name not in self.special:
            raise InputError(f"{self.folder}: the tokenizer declares no {name}")
        return self.special[name]

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text, without special tokens and without any limit."""
        found: list[list[int]] = []
        for start in range(0, len(texts), _CHUNK):
            chunk = list(texts[start : start + _CHUNK])
            try:
                encoded = self.backend.encode_batch(chunk, add_special_tokens=False)
            except (TypeError, ValueError, UnicodeEncodeError) as err:
                bad = next((t for t in chunk if not isinstance(t, str) or not _encodable(t)), None)
                raise InputError(f"text {bad!r:.80}: cannot be tokenised; expected a valid Unicode string") from err
            found.extend(encoding.ids for encoding in encoded)
        return found

    def pair_template(self) -> tuple[list[int], list[int], list[int]]:
        """Special ids before, between and after the two texts of a pair, as the post-processor puts them."""
        encoded = self.backend.encode("a", "a", add_special_tokens=True)
        places = encoded.sequence_ids
        first = [i for i, place in enumerate(places) if place == 0]
        second = [i for i, place in enumerate(places) if place == 1]
        if not first or not second or first[-1] > second[0]:
            raise InputError(f"{self.folder}: the tokenizer has no template for pairs of texts")
        ids = encoded.ids
        return ids[: first[0]], ids[first[-1] + 1 : second[0]], ids[second[-1] + 1 :]

    def second_type(self) -> int:
        """Token type of a pair's second text: 1 in BERT's template, 0 in RoBERTa's."""
        encoded = self.backend.encode("a", "a", add_special_tokens=True)
        return encoded.type_ids[encoded.sequence_ids.index(1)]


def _encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _backend(folder: Path, declared: dict[str, Any]) -> Any:
    if not (folder / "tokenizer.json").is_file():
        from transformers import AutoTokenizer

        try:  # converts a sentencepiece model or a vocabulary file
            return AutoTokenizer.from_pretrained(folder, use_fast=True).backend_tokenizer
        except Exception as err:
            raise InputError(f"{folder}: no tokenizer.json, and converting its tokenizer failed: {err!s:.200}") from err
    from transformers import PreTrainedTokenizerFast

    try:
        backend = PreTrainedTokenizerFast(
            tokenizer_file=str(folder / "tokenizer.json"), clean_up_tokenization_spaces=False
        ).backend_tokenizer
    except Exception as err:
        raise InputError(f"{folder / 'tokenizer.json'}: not a readable tokenizer: {err!s:.200}") from err
    if str(declared.get("tokenizer_class", "")).startswith("Bert"):
        _follow_bert_config(backend, declared)
    return backend


def _follow_bert_config(backend: Any, declared: dict[str, Any]) -> None:
    """Let tokenizer_config.json win over the normaliser in tokenizer.json, as transformers' BertTokenizerFast does."""
    from tokenizers.normalizers import BertNormalizer

    state = json.loads(backend.to_str())["normalizer"]
    if not state or state.get("type") != "BertNormalizer":
        return
    backend.normalizer = BertNormalizer(
        clean_text=state["clean_text"],
        lowercase=declared.get("do_lower_case", True),
        strip_accents=declared.get("strip_accents"),
        handle_chinese_chars=declared.get("tokenize_chinese_chars", True),
    )
