"""Damaged model folders: one line within seconds, never a traceback, an endless loop or a wrong score.

The damages are drawn from a fixed seed. What still loads must score as transformers does on the same damaged folder,
or be refused there too.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attack import limited
from checkpoints import PARITY, to_bin
from mutations import paths
from rerankbench.rerankers import InputError, LoadOptions, ScoreError, Setting, TextOptions, load
from rerankbench.rerankers.api import Group
from wild import PAIRS, alone, classifier, word_tokenizer

SEED, SECONDS = 20_260_702, 5.0
EACH = int(os.environ.get("RERANKBENCH_DAMAGES", "30"))  # of each model: 210 in all
VALUES: tuple[Any, ...] = (
    None, "", "x", "8", -1, 0, 1, 3, 7, 2**31, 10**12, 1.5, -0.5, float("nan"), float("inf"), True, False,
    [], {}, [1], ["x"], {"0": 1}, [[]], "\u0000", "gelu_new", "relu",
)  # fmt: skip
Damage = Callable[[random.Random, Path], str]


def one_value(draw: random.Random, path: Path) -> str:
    """Replace or drop one value of a JSON file."""
    content = json.loads(path.read_text(encoding="utf-8"))
    *parents, last = draw.choice(paths(content))
    place = content
    for key in parents:
        place = place[key]
    if draw.random() < 0.25:
        del place[last]
        told = "gone"
    else:
        place[last] = draw.choice(VALUES)
        told = repr(place[last])
    path.write_text(json.dumps(content), encoding="utf-8")
    return f"{path.name} {[*parents, last]} {told}"


def bytes_of(draw: random.Random, path: Path) -> str:
    """Cut a file off, or change bytes near its beginning."""
    content = bytearray(path.read_bytes())
    if draw.random() < 0.3:
        content = content[: draw.randrange(len(content))]
        told = f"cut at {len(content)}"
    else:
        places = [draw.randrange(min(len(content), 4000)) for _ in range(draw.choice((1, 3, 30)))]
        for place in places:
            content[place] = draw.randrange(256)
        told = f"bytes {places[:5]}"
    path.write_bytes(bytes(content))
    return f"{path.name} {told}"


def header(draw: random.Random, path: Path) -> str:
    """Replace or drop one value of a safetensors header."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    spare = path.with_name("header.json")
    spare.write_bytes(content[8 : 8 + length])
    told = one_value(draw, spare)
    new = spare.read_bytes()
    spare.unlink()
    path.write_bytes(len(new).to_bytes(8, "little") + new + content[8 + length :])
    return f"{path.name} {told}"


def bert(folder: Path) -> None:
    classifier(folder, "Bert")
    word_tokenizer(folder)


def electra(folder: Path) -> None:
    classifier(folder, "Electra")
    word_tokenizer(folder)


def roberta_bin(folder: Path) -> None:
    shutil.copytree(PARITY / "xlmr-s1", folder, dirs_exist_ok=True)
    to_bin(folder)


def llama(folder: Path) -> None:
    classifier(folder, "Llama", num_key_value_heads=2, pad_token_id=0)
    word_tokenizer(folder, tokenizer_class="PreTrainedTokenizerFast")


def parity(name: str) -> Callable[[Path], None]:
    return lambda folder: shutil.copytree(PARITY / name, folder, dirs_exist_ok=True) and None


MODELS: dict[str, Callable[[Path], None]] = {
    "bert": bert,
    "electra": electra,
    "llama": llama,
    "roberta-bin": roberta_bin,
    "gemma-s1": parity("gemma-s1"),
    "minicpm-layerwise-s1": parity("minicpm-layerwise-s1"),
    "gemma2-lightweight-s1": parity("gemma2-lightweight-s1"),
}


def damage(draw: random.Random, folder: Path) -> str:
    """Do one damage to one file of the folder; says what."""
    weights = next(path for path in sorted(folder.iterdir()) if path.name in ("model.safetensors", "pytorch_model.bin"))
    tokenizers = [p for p in sorted(folder.iterdir()) if p.name in ("tokenizer.json", "tokenizer_config.json")]
    ways: list[tuple[Damage, Path]] = [(one_value, folder / "config.json")] * 6 + [(bytes_of, folder / "config.json")]
    ways += [(one_value, path) for path in tokenizers] * 2 + [(bytes_of, path) for path in tokenizers]
    ways += [(bytes_of, weights)] * 2
    ways += [(header, weights)] * 2 if weights.suffix == ".safetensors" else []
    way, path = draw.choice(ways)
    return way(draw, path)


def outcome(folder: Path) -> list[float] | str:
    """Scores of the pairs, or the one line that says why there are none."""
    try:
        reranker = load(str(folder), LoadOptions("cpu", "float32"))
        return reranker.score([Group(q, [p]) for q, p in PAIRS], [Setting()], TextOptions()).scores[0].tolist()
    except (InputError, ScoreError) as err:
        return str(err)


def library(folder: Path) -> list[float] | None:
    """What transformers gives; None where it refuses, or where the family is not its own."""
    try:
        with limited(20):
            return alone(folder, truncation="only_second")
    except Exception:
        return None


@pytest.mark.parametrize("model", MODELS)
def test_one_line_or_the_librarys_score(tmp_path, model, record_property):
    whole = tmp_path / "whole"
    whole.mkdir()
    MODELS[model](whole)
    assert isinstance(outcome(whole), list)  # imports are done, so that the time below is the folder's
    draw = random.Random(f"{SEED} {model}")
    wrong, slowest, refused = [], 0.0, 0
    for number in range(EACH):
        folder = tmp_path / str(number)
        shutil.copytree(whole, folder)
        told = damage(draw, folder)
        start = time.perf_counter()
        try:
            with limited(SECONDS):
                found = outcome(folder)
        except BaseException as err:
            wrong.append(f"{told}: {type(err).__name__}: {str(err)[:150]}")
            continue
        slowest = max(slowest, time.perf_counter() - start)
        if isinstance(found, str):
            refused += 1
            if "\n" in found or len(found) > 600:
                wrong.append(f"{told}: not one line: {found[:150]!r}")
        else:
            right = None if "-s1" in model else library(folder)  # the library of the others is not transformers
            if right is not None and np.abs(np.subtract(found, right)).max() > 1e-3:
                wrong.append(f"{told}: scores {np.round(found, 3)}, transformers {np.round(right, 3)}")
        shutil.rmtree(folder)
    assert not wrong, "\n".join(wrong)
    assert refused > EACH // 4
    record_property("slowest", slowest)
