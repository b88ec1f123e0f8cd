"""Token ids of plain texts as `AutoTokenizer` gives them, without special tokens, limits or padding.

transformers builds the tokenizer: which class, normaliser and added tokens a folder means is its business, and differs
between its releases. Texts are then encoded by the `tokenizers` library directly, in batches. Special tokens,
truncation and pairs are the families' own business.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from tokenizers import normalizers

from ..checkpoint.json_files import read_json
from ..errors import InputError, refusing

_CHUNK = 1024  # texts encoded at a time
_SPECIAL = ("bos_token", "eos_token", "cls_token", "sep_token", "pad_token", "unk_token", "mask_token")


@dataclass(frozen=True)
class Template:
    """What is around the texts of a single text or a pair, as the post-processor puts it.

    Attributes:
        parts: ids before, between and after the texts; two lists for a single text, three for a pair.
        part_types: token types of these ids.
        text_types: token type of each text.
    """

    parts: tuple[list[int], ...]
    part_types: tuple[list[int], ...]
    text_types: tuple[int, ...]

    @property
    def special(self) -> int:
        """How many ids the template adds."""
        return sum(map(len, self.parts))

    def join(self, *texts: Sequence[int]) -> list[int]:
        """Return the ids of the texts with those around them."""
        ids = list(self.parts[0])
        for text, part in zip(texts, self.parts[1:], strict=True):
            ids += [*text, *part]
        return ids

    def types(self, *lengths: int) -> list[int]:
        """Return token types of the joined ids, given how many ids each text has."""
        types = list(self.part_types[0])
        for length, own, part in zip(lengths, self.text_types, self.part_types[1:], strict=True):
            types += [own] * length + part
        return types


class Tokenizer:
    """The tokenizer of a model folder, with truncation and padding switched off.

    Attributes:
        backend: the `tokenizers.Tokenizer`.
        special: id by name, for those that the folder declares: `bos_token`, `eos_token`, `cls_token`, `sep_token`,
            `pad_token`, `unk_token`, `mask_token`; `all_special` has every id that is no text.
        max_length: `model_max_length`, None where the folder states none.
        has_types: whether it yields `token_type_ids`.
        truncation_side, padding_side: `left` or `right`.
    """

    def __init__(self, folder: Path, *, lower_case: bool = False) -> None:
        """Load it; with `lower_case` texts are lower-cased before anything else."""
        tokenizer = of_transformers(folder)
        self.folder = folder
        self.backend = tokenizer.backend_tokenizer
        self.backend.no_truncation()
        self.backend.no_padding()
        if lower_case:
            own = self.backend.normalizer
            self.backend.normalizer = normalizers.Sequence([normalizers.Lowercase(), *([own] if own else [])])
        self.backend.encode_special_tokens = bool(getattr(tokenizer, "split_special_tokens", False))
        with refusing(f"{folder}: its special tokens cannot be read"):
            ids = {name: getattr(tokenizer, f"{name}_id") for name in _SPECIAL}
            self.special: dict[str, int] = {name: int(number) for name, number in ids.items() if number is not None}
            self.all_special = frozenset(tokenizer.all_special_ids)
        self.max_length = _max_length(tokenizer.model_max_length, folder)
        self.has_types = "token_type_ids" in tokenizer.model_input_names
        self.truncation_side, self.padding_side = tokenizer.truncation_side, tokenizer.padding_side

    def special_id(self, name: str) -> int:
        """Return the id of `bos_token` and the like. Raises InputError when the folder declares none."""
        if name not in self.special:
            raise InputError(f"{self.folder}: the tokenizer declares no {name}")
        return self.special[name]

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return ids of each text, without special tokens and without any limit."""
        ids: list[list[int]] = []
        # the fast one stores no offsets; tokenizers has it from 0.20 on
        encode = getattr(self.backend, "encode_batch_fast", self.backend.encode_batch)
        for start in range(0, len(texts), _CHUNK):
            chunk = list(texts[start : start + _CHUNK])
            try:
                encoded = encode(chunk, add_special_tokens=False)
            except (TypeError, ValueError, UnicodeEncodeError) as err:
                bad = next((t for t in chunk if not isinstance(t, str) or not _is_encodable(t)), None)
                raise InputError(f"text {bad!r:.80}: cannot be tokenised; expected a valid Unicode string") from err
            ids.extend(encoding.ids for encoding in encoded)
        return ids

    def cut(self, ids: list[int], length: int) -> list[int]:
        """Cut to at most `length` ids, on the folder's `truncation_side`."""
        surplus = len(ids) - max(0, length)
        if surplus <= 0:
            return ids
        return ids[surplus:] if self.truncation_side == "left" else ids[: len(ids) - surplus]

    def single_template(self) -> Template:
        """Return what is around a single text."""
        return self._read_template(1)

    def pair_template(self) -> Template:
        """Return what is around the two texts of a pair."""
        return self._read_template(2)

    def _read_template(self, texts: int) -> Template:
        probe = next(
            (text for text in self._make_probes() if self.backend.encode(text, add_special_tokens=False).ids), None
        )
        if probe is None:
            raise InputError(f"{self.folder}: the tokenizer yields no token for any text")
        encoded = self.backend.encode(*[probe] * texts, add_special_tokens=True)
        sequence_ids, ids, types = encoded.sequence_ids, encoded.ids, encoded.type_ids
        edges, text_types = [0], []
        for text in range(texts):
            own = [i for i, number in enumerate(sequence_ids) if number == text]
            if not own or own != list(range(own[0], own[-1] + 1)) or own[0] < edges[-1]:
                raise InputError(f"{self.folder}: the tokenizer has no template for pairs of texts")
            edges += [own[0], own[-1] + 1]
            text_types.append(types[own[0]])
        edges.append(len(ids))
        spans = list(zip(edges[::2], edges[1::2]))
        return Template(
            tuple(ids[start:end] for start, end in spans),
            tuple(types[start:end] for start, end in spans),
            tuple(text_types),
        )

    def _make_probes(self) -> Iterator[str]:
        """Yield texts, one with a token in any tokenizer; a word-level one without `unk` has only its own words."""
        yield "a"
        vocabulary = sorted(self.backend.get_vocab().items(), key=lambda item: item[1])
        yield from islice((word for word, number in vocabulary if number not in self.all_special), 100)


def _max_length(stated: Any, folder: Path) -> int | None:
    whole = isinstance(stated, (int, float)) and not isinstance(stated, bool) and stated >= 1 and stated == stated // 1
    if not whole:
        raise InputError(f"{folder / 'tokenizer_config.json'}: model_max_length {stated!r:.40}: expected 1 or more")
    return int(stated) if stated < 1e9 else None


def _is_encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def of_transformers(folder: Path) -> Any:
    """Load transformers' tokenizer of the folder; no code of the folder runs. Raises InputError."""
    import transformers
    from transformers import CONFIG_MAPPING, AutoTokenizer, PretrainedConfig, PreTrainedTokenizerFast

    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        if (folder / name).is_file() and any(read_json(folder / name).get("auto_map") or ()):
            raise InputError(
                f"{folder / name}: key 'auto_map': the tokenizer is code of its repository, which is not run here; if "
                "tokenizer.json does the same, remove the key"
            )
    raw = read_json(folder / "config.json") if (folder / "config.json").is_file() else {}
    # a model type that transformers lacks affects the class of the tokenizer only
    given: dict[str, Any] = {}
    if not isinstance(raw.get("model_type"), str) or raw["model_type"] not in CONFIG_MAPPING:
        given["config"] = PretrainedConfig()
        given["config"].tokenizer_class = raw.get("tokenizer_class")  # pyright: ignore[reportAttributeAccessIssue]
    with refusing(f"{folder}: its tokenizer cannot be loaded"):
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True, **given)
        except ValueError:
            if not given or not (folder / "tokenizer.json").is_file():
                raise
            tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    if not tokenizer.is_fast:
        raise InputError(
            f"{folder}: transformers {transformers.__version__} has no fast tokenizer for {type(tokenizer).__name__}; "
            "save the folder with a tokenizer.json"
        )
    return tokenizer
