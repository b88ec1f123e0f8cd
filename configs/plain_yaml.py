"""YAML as plain values: texts, numbers, truth values, lists, and keys that are texts (or whole numbers) and come once.

What else YAML can do is refused in one line: it has been used to fill memory (aliases of aliases), to loop (aliases of
themselves), and to say something else than it seems (dates, sexagesimal numbers, a key that comes twice).
"""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

_MOST_BYTES = 1 << 20
_MOST_NODES = 50_000  # with every alias written out
_MOST_DEPTH = 50
_TAG = "tag:yaml.org,2002:"
_PLAIN = {f"{_TAG}{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map", "merge")}
_DECIMAL = re.compile(r"[+-]?(0|[1-9][0-9]*)")


class _Loader(yaml.SafeLoader):
    """Without dates: `2024-01-01` is a text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != f"{_TAG}timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load(text: str) -> Any:
    """The value that a YAML text writes. Raises ValueError with what is wrong and, where it is known, the line."""
    if len(text.encode("utf-8", "surrogatepass")) > _MOST_BYTES:
        raise ValueError(f"longer than {_MOST_BYTES:,} bytes")
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _Check().count(node, 0)
        return loader.construct_document(node)
    except RecursionError:
        raise ValueError(f"nested deeper than {_MOST_DEPTH}") from None
    except yaml.YAMLError as err:
        raise ValueError(" ".join(str(err).replace('in "<unicode string>", ', "").split())) from err


class _Check:
    """Goes over the nodes once; what is behind an alias is counted as often as it is named."""

    def __init__(self) -> None:
        self._sizes: dict[int, int | None] = {}  # None: under way, so an alias that leads there never ends

    def count(self, node: Any, depth: int) -> int:
        """Nodes below and with this one, aliases written out."""
        if depth > _MOST_DEPTH:
            raise _error(node, f"nested deeper than {_MOST_DEPTH}")
        if id(node) in self._sizes:
            size = self._sizes[id(node)]
            if size is None:
                raise _error(node, "an alias that holds itself")
            return size
        self._sizes[id(node)] = None
        if node.tag not in _PLAIN:
            raise _error(node, f"'{node.tag.removeprefix(_TAG)}' is not supported; write a text, number, list or keys")
        if isinstance(node, yaml.MappingNode):
            _check_keys(node)
            parts = [part for pair in node.value for part in pair]
        else:
            parts = node.value if isinstance(node, yaml.SequenceNode) else []
            if not isinstance(node, yaml.SequenceNode):
                _check_scalar(node)
        size = 1 + sum(self.count(part, depth + 1) for part in parts)
        if size > _MOST_NODES:
            raise _error(node, f"more than {_MOST_NODES:,} values with its aliases written out")
        self._sizes[id(node)] = size
        return size


def _check_keys(node: yaml.MappingNode) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        if key.tag == f"{_TAG}merge":
            continue
        if key.tag not in (f"{_TAG}str", f"{_TAG}int"):
            written = f"'{key.value}'" if isinstance(key.value, str) else "a list or keys"
            raise _error(key, f"a key must be a text, found {written:.60}; put it in quotes")
        if key.value in seen:
            raise _error(key, f"key '{key.value:.60}' comes twice")
        seen.add(key.value)


def _check_scalar(node: yaml.ScalarNode) -> None:
    text = node.value
    if "\0" in text or not _encodable(text):
        raise _error(node, f"{text!r:.60} holds a character that no text may hold (NUL, or half of a surrogate pair)")
    if node.tag == f"{_TAG}int" and (not _DECIMAL.fullmatch(text.replace("_", "")) or len(text) > 18):
        raise _error(node, f"number {text:.30}: write it in decimal digits, 18 at most, or in quotes if it is a text")
    if node.tag == f"{_TAG}float" and (":" in text or not math.isfinite(_float(text))):
        raise _error(node, f"number {text:.30} is not finite, or no decimal number")


def _float(text: str) -> float:
    try:
        return float(text.replace("_", ""))
    except ValueError:  # .inf, .nan
        return math.inf


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _error(node: Any, problem: str) -> ValueError:
    return ValueError(f"line {node.start_mark.line + 1}: {problem}")
