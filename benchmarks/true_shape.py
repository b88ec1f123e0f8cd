"""A random checkpoint at a model's published shape, scored here and by another's code: almost real weights.

    python benchmarks/true_shape.py bge-reranker-v2-gemma --vendor .venv-flag/bin/python
    python benchmarks/true_shape.py bge-reranker-v2.5-gemma2-lightweight --dtype bfloat16 --settings full L25-r2@8
    python benchmarks/true_shape.py qwen3-reranker-0.6b

Width, depth, heads, the whole vocabulary, several shards and the stored dtype are those of the published model; the
tokenizer is the tiny one of tests/rerankers/parity, whose ids lie within the vocabulary. Each side runs in a process
of its own and tells its peak memory. The other side is

- FlagEmbedding for its models: `--vendor` is a Python that has it (1.3.5 with transformers 4.44.2); without it only
  this side runs;
- transformers' own classes for the decoders whose template a specification tells, fed the same ids.

`--layers` cuts the depth where memory is short. Output: a Markdown table.
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
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rerankbench.rerankers.spec import ModelSpec

PARITY = Path(__file__).resolve().parents[1] / "tests" / "rerankers" / "parity"
TOKENIZERS = {
    "gemma": "gemma-s1",
    "minicpm": "minicpm-layerwise-s1",
    "gemma2": "gemma2-lightweight-s1",
    "qwen2": "mxbai-s1",
    "qwen3": "qwen3-s1",
    "llama_bidirec": "nemotron-s1",
}
CLASSES = {
    "llm": "FlagLLMReranker",
    "layerwise": "LayerWiseFlagLLMReranker",
    "lightweight": "LightWeightFlagLLMReranker",
}

_OF_THE_TINY_SHAPE = ("layer_types", "rope_parameters", "max_window_layers", "dtype", "transformers_version")

FLAG_EMBEDDING = """
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

TRANSFORMERS = """
import json, resource, sys
from pathlib import Path
import torch
import transformers as t
from safetensors import safe_open
told = json.load(open(sys.argv[1]))
folder, dtype = Path(told["folder"]), getattr(torch, told["dtype"])
if told["family"] == "token-logit":
    model = t.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()
    def score(ids):
        row = model(input_ids=ids, logits_to_keep=1).logits[0, -1].float()
        values = [float(row[i]) for i in told["tokens"]]
        return values[0] - sum(values[1:])
else:  # the body without its causal mask, and a row on the mean of its states
    raw = json.loads((folder / "config.json").read_text()) | {"model_type": "llama"}
    model = t.LlamaModel(t.LlamaConfig(**raw)).to(dtype).eval()
    state = {}
    for file in folder.glob("*.safetensors"):
        with safe_open(file, "pt") as tensors:
            state |= {name.removeprefix("model."): tensors.get_tensor(name) for name in tensors.keys()}
    head = state.pop("score.weight")
    model.load_state_dict(state, assign=True)
    def score(ids):
        everything = torch.zeros(1, 1, ids.shape[1], ids.shape[1], dtype=dtype)
        states = model(input_ids=ids, attention_mask=everything).last_hidden_state[0]
        return float(states.mean(0) @ head[0])
with torch.inference_mode():
    found = [score(torch.tensor([ids])) for ids in json.load(open(sys.argv[3]))["ids"]]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
json.dump({"scores": [found], "peak": peak}, open(sys.argv[2], "w"))
"""


def write(folder: Path, spec: ModelSpec, dtype: str, layers: int | None, shards: int) -> int:
    """Write the checkpoint shard by shard; the size of the weights in bytes."""
    import torch
    from rerankbench.rerankers.registry import family_named
    from safetensors.torch import save_file

    tiny = PARITY / TOKENIZERS[spec.config["model_type"]]
    made = json.loads((tiny / "config.json").read_text())
    made = {key: value for key, value in made.items() if key not in _OF_THE_TINY_SHAPE}
    config = made | dict(spec.config) | {"torch_dtype": dtype}
    if layers:
        config["num_hidden_layers"] = layers
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    for file in tiny.glob("*token*.json"):
        shutil.copy(file, folder / file.name)
    tensors = family_named(spec.family).tensors(config, spec.name)
    names, where, size = sorted(tensors.shapes), {}, 0
    for part in range(shards):
        state = {name: _values(tensors, name, i, dtype) for i, name in enumerate(names) if i % shards == part}
        file = f"model-{part + 1:05d}-of-{shards:05d}.safetensors"
        save_file(state, folder / file, {"format": "pt"})
        where |= dict.fromkeys(state, file)
        size += sum(tensor.numel() * torch.finfo(tensor.dtype).bits // 8 for tensor in state.values())
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))
    return size


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
    from rerankbench.rerankers.registry import load_spec

    spec = replace(load_spec(told["model"]), source=told["folder"], revision=None)
    model = load(spec, LoadOptions(device="cpu", dtype=told["dtype"]))
    groups = [Group(query, [passage]) for query, passage in told["pairs"]]
    text = TextOptions(max_length=512)
    found = [model.score(groups, [Setting.parse(name)], text).scores[0].tolist() for name in told["settings"]]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    ids = [[int(i) for i in pair.ids] for pair in model.prepare(groups, text).tokens]
    Path(target).write_text(json.dumps({"scores": found, "peak": peak, "ids": ids}))


def token_rows(spec: ModelSpec, folder: Path) -> list[int]:
    """Ids of the tokens whose logits make the score."""
    from tokenizers import Tokenizer

    words = Tokenizer.from_file(str(folder / "tokenizer.json"))
    found = [words.token_to_id(token) for token in spec.tokens]
    assert None not in found
    return found


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
    from rerankbench.rerankers.registry import load_spec

    spec = load_spec(chosen.model)
    pairs = json.loads((PARITY / "pairs.json").read_text())["main"][: chosen.pairs]
    with tempfile.TemporaryDirectory(prefix="rerankbench-shape-") as place:
        folder, told = Path(place) / chosen.model, Path(place) / "told.json"
        size = write(folder, spec, chosen.dtype, chosen.layers, chosen.shards)
        layers = json.loads((folder / "config.json").read_text())["num_hidden_layers"]
        content = {"model": chosen.model, "family": spec.family, "folder": str(folder), "dtype": chosen.dtype}
        content |= {"pairs": pairs, "settings": chosen.settings, "tokens": token_rows(spec, folder)}
        if spec.family in CLASSES:
            calls = [call_of(name, spec.family, layers) for name in chosen.settings]
            content |= {"class": CLASSES[spec.family], "calls": calls}
        told.write_text(json.dumps(content))
        found = {}
        run([sys.executable, __file__, "--side", str(told), f"{place}/ours.json"], {})
        found["ours"] = json.loads(Path(f"{place}/ours.json").read_text())
        other = chosen.vendor if spec.family in CLASSES else sys.executable
        if other:
            script = Path(place) / "other.py"
            script.write_text(FLAG_EMBEDDING if spec.family in CLASSES else TRANSFORMERS)
            files = [str(told), f"{place}/theirs.json", f"{place}/ours.json"]
            run([other, str(script), *files], {"PYTHONPATH": chosen.vendor_path})
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
    "the other's",
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
