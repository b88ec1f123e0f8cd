"""Damages to a file, drawn from a seed: of bytes, of lines, and of values in JSON and YAML."""

from __future__ import annotations

import json
import math
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

VALUES: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 2, 3, 0.5, 1e308, 2**31, 2**64, 10**400, math.nan, math.inf, -math.inf,
    "", " ", "x", "é", "d1", "q1", "a b", "../../x", "/etc/passwd", "~", "{text}", "{title.__class__}{text}",
    "{0}", "\0", "\ud800", "\u202e", "\x1b[2J", "::error::x", "=1+1", "<b>", "x" * 5000, "9" * 5000, "1e999", "nan",
    [], {}, [[]], [None], {"": ""}, ["x"], {"x": 1},
)  # fmt: skip
PIECES = (
    b"\0", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r\n", b"\r", b"\t", b" ", b"\n\n", b"\x1b[31m", b"\x85",
    b"\xe2\x80\xa8", b"\xe2\x80\xae", b"nan", b"inf", b"-", b"1e999", b"9" * 5000, b"[" * 5000, b'"', b"'", b":",
    b"&a ", b"*a", b"!!python/object/apply:os.system [true]", b"<<: ", b"---\n", b"#", b"{", b"}", b"0x10", b"1_000",
    b"\\ud800", b"\x1f\x8b\x08\x00", b"::error::", b"../",
)  # fmt: skip
SEPARATORS = (b"\t", b" ", b",", b": ")


def of_bytes(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    """Flip a bit, cut, repeat or drop a stretch, put something in, or leave nothing."""
    content = bytearray(data)
    at = draw.randrange(len(content))
    to = min(len(content), at + draw.choice((1, 2, 8, 64)))
    way = draw.choice(("flip", "flip", "flips", "cut", "drop", "twice", "insert", "insert", "insert", "empty", "blank"))
    if way in ("flip", "flips"):
        for place in [at, *(draw.randrange(len(content)) for _ in range(20 if way == "flips" else 0))]:
            content[place] ^= 1 << draw.randrange(8)
    elif way == "cut":
        del content[at:]
    elif way == "drop":
        del content[at:to]
    elif way == "twice":
        content[at:at] = content[at:to]
    elif way == "insert":
        piece = draw.choice(PIECES)
        content[at:at] = piece
        return bytes(content), f"{piece[:12]!r} at {at}"
    elif way == "empty":
        content.clear()
    else:
        content[:] = bytes(len(content))
    return bytes(content), f"{way} at {at}"


def of_lines(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    """Drop, repeat or exchange lines, or exchange, drop or replace the columns of one."""
    lines = data.splitlines(keepends=True)
    at, other = draw.randrange(len(lines)), draw.randrange(len(lines))
    ways = ("drop", "twice", "swap", "columns", "column less", "column more", "column", "no end", "indent")
    way = draw.choice((*ways, "exchange", "exchange", "exchange"))
    separator = next((one for one in SEPARATORS if one in lines[at]), b" ")
    cells = lines[at].rstrip(b"\n").split(separator)
    place = draw.randrange(len(cells))
    if way == "drop":
        del lines[at]
    elif way == "twice":
        lines.insert(other, lines[at])
    elif way == "swap":
        lines[at], lines[other] = lines[other], lines[at]
    elif way == "no end":
        lines[at] = lines[at].rstrip(b"\n")
    elif way == "indent":
        lines[at] = b"  " + lines[at]
    else:
        if way == "exchange":
            theirs = lines[other].rstrip(b"\n").split(separator)
            cells[place] = theirs[min(place, len(theirs) - 1)]
        elif way == "columns":
            draw.shuffle(cells)
        elif way == "column less":
            del cells[place]
        elif way == "column more":
            cells.insert(place, draw.choice(PIECES))
        else:
            cells[place] = draw.choice(PIECES)
        lines[at] = separator.join(cells) + b"\n"
    return b"".join(lines), f"{way} in line {at + 1}"


def of_values(draw: random.Random, content: Any) -> tuple[Any, str]:
    """Replace, drop, rename or add a value anywhere in parsed JSON or YAML."""
    places = paths(content)
    if not places or draw.random() < 0.03:
        return draw.choice(VALUES), "all of it"
    *parents, last = draw.choice(places)
    place = content
    for key in parents:
        place = place[key]
    way = draw.choice(("set", "set", "set", "near", "near", "near", "drop", "rename", "add"))
    value = draw.choice(VALUES)
    if way == "near":
        place[last] = value = _near(draw, place[last], content)
    elif way == "set":
        place[last] = value
    elif way == "drop":
        del place[last]
    elif isinstance(place, list):
        place.insert(last, value)
    else:
        place[draw.choice(("x", "name", f"{last} ", str(last).upper()))] = place.pop(last) if way == "rename" else value
    return content, f"{way} {'.'.join(map(str, (*parents, last)))[:60]} {value!r:.30}"


def _near(draw: random.Random, value: Any, content: Any) -> Any:
    """Another value of the same kind, which may well be a right one."""
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, (int, float)):
        return draw.choice((value + 1, value - 1, value * 2, value / 2))
    if isinstance(value, str):
        return draw.choice((*_texts(content), " ".join(value.split()[1:]), f"{value} {value}", value.upper()))
    return list(reversed(value)) if isinstance(value, list) else dict(reversed(value.items()))


def _texts(content: Any) -> list[str]:
    parts = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    return [text for part in parts for text in ([part] if isinstance(part, str) else _texts(part))]


def of_place(draw: random.Random, path: Path) -> str:
    """Something else in the place of the file, or nothing."""
    way = draw.choice(("nothing", "folder", "pipe", "link to itself", "link to nothing"))
    path.unlink()
    if way == "folder":
        path.mkdir()
    elif way == "pipe":
        os.mkfifo(path)
    elif way != "nothing":
        path.symlink_to(path if way == "link to itself" else path.with_name("nowhere"))
    return way


def of_json(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    """A value of a JSON file."""
    content, told = of_values(draw, json.loads(data))
    return json.dumps(content, indent=1).encode(), told


def of_records(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    """A value in one line of a file with a JSON object in every line."""
    lines = data.splitlines()
    at = draw.randrange(len(lines))
    content, told = of_values(draw, json.loads(lines[at]))
    lines[at] = json.dumps(content).encode()
    return b"\n".join(lines) + b"\n", f"line {at + 1}: {told}"


def of_yaml(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    """A value of a YAML file."""
    content, told = of_values(draw, yaml.safe_load(data))
    return yaml.safe_dump(content, allow_unicode=draw.random() < 0.5).encode(errors="surrogatepass"), told


def mutated(draw: random.Random, data: bytes, ways: tuple[Callable[..., tuple[bytes, str]], ...]) -> tuple[bytes, str]:
    """The file after one, sometimes two or three damages, and what they were."""
    told = []
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        way = draw.choice(ways)
        try:
            data, one = way(draw, data)
        except (
            ValueError,
            LookupError,
            TypeError,
            ArithmeticError,
            yaml.YAMLError,
        ):  # the damage before left nothing to it
            continue
        told.append(one)
    return data, "; ".join(told)


def paths(content: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths to every value, at most a few of a long list or table."""
    items: list[tuple[Any, Any]] = []
    if isinstance(content, dict):
        items = list(content.items())
    elif isinstance(content, list):
        items = list(enumerate(content))
    found = []
    for key, value in items[:40]:
        found += [(*at, key), *paths(value, (*at, key))]
    return found
