"""A random checkpoint at a model's published shape, scored here and by the vendor's code: almost real weights.

    python tests/benchmarks/true_shape.py bge-reranker-v2-gemma --vendor .venv-flag/bin/python
    python tests/benchmarks/true_shape.py bge-reranker-v2.5-gemma2-lightweight --dtype bfloat16 --settings full L25-r2@8

Width, depth, heads, the whole vocabulary, several shards and the stored dtype are those of the published model; the
tokenizer is the tiny one of tests/rerankers/parity, whose ids lie within the vocabulary. Each side runs in a process
of its own and tells its peak memory. `--vendor` is a Python with FlagEmbedding (1.3.5 with transformers 4.44.2);
without it only this side runs. `--layers` cuts the depth where memory is short. Output: a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PARITY = Path(__file__).resolve().parents[1] / "rerankers" / "parity"
TOKENIZERS = {"llm": "gemma-s1", "layerwise": "minicpm-layerwise-s1", "lightweight": "gemma2-lightweight-s1"}
CLASSES = {
    "llm": "FlagLLMReranker",
    "layerwise": "LayerWiseFlagLLMReranker",
    "lightweight": "LightWeightFlagLLMReranker",
}

VENDOR = """
import json, resource, sys
import FlagEmbedding
told = json.load(open(sys.argv[1]))
kind = getattr(FlagEmbedding, told["class"])
options = {"use_fp16": False, "use_bf16": told["dtype"] == "bfloat16", "devices": "cpu", "trust_remote_code": True}
model = kind(told["folder"], **options)
found = [model.compute_score(told["pairs"], **call) for call in told["calls"]]
found = [rows[0] if isinstance(rows[0], list) else rows for rows in found]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
json.dump({"scores": found, "peak": peak}, open(sys.argv[2], "w"))
"""


def write(folder: Path, model: str, dtype: str, layers: int | None, shards: int) -> tuple[str, int]:
    """Write the checkpoint shard by shard; the family's name and the size of the weights in bytes."""
    import torch
    from rerankbench.rerankers.registry import family_named
    from rerankbench.rerankers.spec import load_spec
    from safetensors.torch import save_file

    spec = load_spec(model)
    tiny = PARITY / TOKENIZERS[spec.family]
    config = json.loads((tiny / "config.json").read_text()) | dict(spec.config) | {"torch_dtype": dtype}
    if layers:
        config["num_hidden_layers"] = layers
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(tiny / name, folder / name)
    tensors = family_named(spec.family).tensors(config, model)
    names, where, size = sorted(tensors.shapes), {}, 0
    for part in range(shards):
        state = {name: _values(tensors, name, i, dtype) for i, name in enumerate(names) if i % shards == part}
        file = f"model-{part + 1:05d}-of-{shards:05d}.safetensors"
        save_file(state, folder / file, {"format": "pt"})
        where |= dict.fromkeys(state, file)
        size += sum(tensor.numel() * torch.finfo(tensor.dtype).bits // 8 for tensor in state.values())
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))
    return spec.family, size


def _values(tensors: Any, name: str, number: int, dtype: str) -> Any:
    """Normal with the spread of a trained model's matrices; norms scale by one."""
    import torch

    shape = tensors.shapes[name]
    empty = torch.empty(shape, dtype=getattr(torch, dtype))
    if len(shape) == 1:
        return empty.fill_(tensors.unit_norm if name.lower().endswith("norm.weight") else 0.0)
    return empty.normal_(0.0, 0.02, generator=torch.Generator().manual_seed(number))


def ours(told: dict[str, Any], target: str) -> None:
    """Score with this package and write scores and peak memory."""
    import resource

    from rerankbench.rerankers import Group, LoadOptions, Setting, TextOptions, load

    model = load(told["folder"], LoadOptions(device="cpu", dtype=told["dtype"]))
    groups = [Group(query, [passage]) for query, passage in told["pairs"]]
    text = TextOptions(max_length=512)
    found = [model.score(groups, [Setting.parse(name)], text).scores[0].tolist() for name in told["settings"]]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    Path(target).write_text(json.dumps({"scores": found, "peak": peak}))


def call_of(name: str, family: str, layers: int) -> dict[str, Any]:
    """The keywords of FlagEmbedding that mean a setting."""
    from rerankbench.rerankers.settings import Setting

    setting = Setting.parse(name)
    call: dict[str, Any] = {"max_length": 512, "batch_size": 1}
    if family != "llm":
        call["cutoff_layers"] = [setting.cutoff_layer or layers]
    if family == "lightweight":
        call |= {"compress_ratio": setting.compress_ratio, "compress_layers": list(setting.compress_layers)}
    return call


def run(arguments: Sequence[str], environment: dict[str, str]) -> None:
    """A side in a process of its own."""
    done = subprocess.run(arguments, env={**os.environ, **environment}, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--settings", nargs="+", default=["full"])
    parser.add_argument("--layers", type=int, default=None)
    parser.add_argument("--shards", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--vendor", default=None)
    parser.add_argument("--vendor-path", default="", help="PYTHONPATH of the vendor's process")
    chosen = parser.parse_args()
    pairs = json.loads((PARITY / "pairs.json").read_text())["main"][: chosen.pairs]
    with tempfile.TemporaryDirectory(prefix="rerankbench-shape-") as place:
        folder, told = Path(place) / chosen.model, Path(place) / "told.json"
        family, size = write(folder, chosen.model, chosen.dtype, chosen.layers, chosen.shards)
        layers = json.loads((folder / "config.json").read_text())["num_hidden_layers"]
        calls = [call_of(name, family, layers) for name in chosen.settings]
        content = {"folder": str(folder), "pairs": pairs, "settings": chosen.settings, "calls": calls}
        told.write_text(json.dumps({**content, "dtype": chosen.dtype, "class": CLASSES[family]}))
        found = {}
        run([sys.executable, __file__, "--side", str(told), f"{place}/ours.json"], {})
        found["ours"] = json.loads(Path(f"{place}/ours.json").read_text())
        if chosen.vendor:
            script = Path(place) / "vendor.py"
            script.write_text(VENDOR)
            run([chosen.vendor, str(script), str(told), f"{place}/theirs.json"], {"PYTHONPATH": chosen.vendor_path})
            found["theirs"] = json.loads(Path(f"{place}/theirs.json").read_text())
    report(chosen, layers, size, found)


COLUMNS = (
    "model",
    "layers",
    "dtype",
    "weights",
    "shards",
    "setting",
    "pairs",
    "difference",
    "scores",
    "peak",
    "vendor's",
)


def report(chosen: argparse.Namespace, layers: int, size: int, found: dict[str, Any]) -> None:
    """A Markdown table: the largest difference, the range of the scores, peak memory of both sides."""
    theirs = found.get("theirs")
    peaks = [f"{side['peak'] / 1e9:.1f} GB" if side else "not run" for side in (found["ours"], theirs)]
    print("| " + " | ".join(COLUMNS) + " |\n|" + " :-- |" * len(COLUMNS))
    for i, name in enumerate(chosen.settings):
        mine = found["ours"]["scores"][i]
        gap = f"{max(abs(a - b) for a, b in zip(mine, theirs['scores'][i])):.2g}" if theirs else "not run"
        cells = [chosen.model, layers, chosen.dtype, f"{size / 1e9:.1f} GB", chosen.shards, name, len(mine), gap]
        print("| " + " | ".join(map(str, [*cells, f"{min(mine):.3f} to {max(mine):.3f}", *peaks])) + " |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        ours(json.loads(Path(sys.argv[2]).read_text()), sys.argv[3])
    else:
        main()
