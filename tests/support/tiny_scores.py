"""Scores of the tiny random checkpoints, one per family: the level of the regression gate that takes seconds.

`results/baselines/tiny.json` holds them frozen. They say nothing about quality; they move when code that scores does.

    python tests/support/tiny_scores.py --reason "…"     # freezes the scores of this code, with the reason
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rerankbench.rerankers.api import Group
from rerankbench.rerankers.options import LoadOptions, TextOptions
from rerankbench.rerankers.registry import load, load_spec
from rerankbench.rerankers.settings import Setting
from rerankbench.rerankers.spec import ModelSpec
from safetensors.torch import load_file, save_file

PARITY = Path(__file__).resolve().parents[1] / "rerankers" / "parity"
FROZEN = Path(__file__).resolve().parents[2] / "results" / "baselines" / "tiny.json"
CASES = {
    "bi-encoder": ("xlmr-s1", ("full",)),
    "cross-encoder": ("xlmr-s1", ("full",)),
    "modern-encoder": ("modernbert-s1", ("full",)),
    "sequence-classification": ("xlmr-s1", ("full",)),
    "list-states": ("jina-list-s1", ("full",)),
    "set-encoder": ("set-s1", ("full",)),
    "encoder-decoder": ("t5-s1", ("full",)),
    "late-interaction": ("colbert-s1", ("full",)),
    "llm": ("gemma-s1", ("full",)),
    "token-logit": ("qwen3-s1", ("full",)),
    "mean-pooled": ("nemotron-s1", ("full",)),
    "layerwise": ("minicpm-layerwise-s1", ("L2", "L4", "full")),
    "lightweight": ("gemma2-lightweight-s1", ("L3", "L5", "full", "L5-r4@2", "r2@4", "r8@2+5")),
}
# a template takes more than 64 tokens of this tokenizer; a body has 48 positions
_LENGTHS = {"token-logit": 192, "set-encoder": 20}
# families whose template and tokens a specification tells
SPECS = {"token-logit": "qwen3-reranker-0.6b", "mean-pooled": "llama-nemotron-rerank-1b-v2"}
Scores = dict[str, dict[str, list[float]]]


def score(
    family: str, token_budget: int | None = None, device: str = "cpu", dtype: str = "float32"
) -> dict[str, list[float]]:
    """Setting -> one score per pair of parity/pairs.json."""
    checkpoint, settings = CASES[family]
    pairs = json.loads((PARITY / "pairs.json").read_text(encoding="utf-8"))["main"]
    with _folder(family, PARITY / checkpoint) as folder:
        told = load_spec(SPECS[family]) if family in SPECS else ModelSpec(checkpoint, family, "")
        spec = replace(told, source=str(folder), revision=None)
        model = load(spec, LoadOptions(device=device, dtype=dtype, token_budget=token_budget))
        groups = [Group(query, [passage]) for query, passage in pairs]
        scored = model.score(
            groups, [Setting.parse(name) for name in settings], TextOptions(max_length=_LENGTHS.get(family, 64))
        )
    return {name: [float(f"{value:.8g}") for value in row] for name, row in zip(settings, scored.scores)}


def frozen() -> Scores:
    return json.loads(FROZEN.read_text(encoding="utf-8"))["scores"]


@contextmanager
def _folder(family: str, checkpoint: Path) -> Iterator[Path]:
    """The checkpoint; for the bi-encoder a copy without its head."""
    if family != "bi-encoder":
        yield checkpoint
        return
    with tempfile.TemporaryDirectory() as name:
        folder = shutil.copytree(checkpoint, Path(name) / "headless")
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "architectures": ["XLMRobertaModel"]}))
        tensors = load_file(folder / "model.safetensors")
        body = {n.removeprefix("roberta."): t for n, t in tensors.items() if not n.startswith("classifier.")}
        save_file(body, folder / "model.safetensors", {"format": "pt"})
        yield folder


def main() -> None:
    parser = argparse.ArgumentParser(description="Freeze the scores of the tiny checkpoints.")
    parser.add_argument("--reason", required=True, help="why they may change; kept in the file")
    reason = parser.parse_args().reason
    body = {"reason": reason, "scores": {family: score(family) for family in CASES}}
    FROZEN.write_text(json.dumps(body, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
