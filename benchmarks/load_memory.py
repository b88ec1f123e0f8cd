"""Peak memory of loading a checkpoint, as a multiple of its file's size.

Writes an encoder with 8 layers of width 1024 and random bfloat16 weights in one file and in shards, loads each in a
fresh process, and prints by how much that process's resident memory grew at most. Run: python load_memory.py
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

CONFIG = {
    "model_type": "xlm-roberta",
    "architectures": ["XLMRobertaForSequenceClassification"],
    "num_hidden_layers": 8,
    "hidden_size": 1024,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "layer_norm_eps": 1e-5,
    "max_position_embeddings": 514,
    "pad_token_id": 1,
    "type_vocab_size": 1,
    "vocab_size": 32000,
    "id2label": {"0": "LABEL_0"},
}


def write(folder: Path, shards: int) -> int:
    """Write the checkpoint; returns its size in bytes."""
    import torch
    from rerankbench.rerankers.architectures.bert import roberta
    from rerankbench.rerankers.models.encoder import Encoder
    from safetensors.torch import save_file

    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    encoder = Encoder.random(roberta(CONFIG, "config.json"), torch.bfloat16, torch.device("cpu"))
    state = {f"roberta.{name}" if "classifier" not in name else name: t for name, t in encoder.named_tensors().items()}
    state = {name: tensor.bfloat16().clone() for name, tensor in state.items()}
    names, where = sorted(state), {}
    for part in range(shards):
        file = "model.safetensors" if shards == 1 else f"model-{part + 1:05d}-of-{shards:05d}.safetensors"
        where |= dict.fromkeys(names[part::shards], file)
        save_file({name: state[name] for name in names[part::shards]}, folder / file)
    if shards > 1:
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def measure(folder: Path, dtype: str) -> dict[str, float]:
    """Load in this process; returns resident bytes before, at the peak and after."""
    import torch
    from rerankbench.rerankers.architectures.bert import roberta
    from rerankbench.rerankers.checkpoint.json_files import read_json
    from rerankbench.rerankers.models.encoder import Encoder
    from rerankbench.rerankers.models.onednn import blocked

    config = roberta(read_json(folder / "config.json"), "config.json")
    torch.ones(8, 8) @ torch.ones(8, 8)  # what torch needs for itself is not the checkpoint's
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak back to the present
    before = resident("VmRSS")
    encoder = Encoder.load(folder, config, getattr(torch, dtype), torch.device("cpu"))
    encoder.convert_matrices(blocked)
    return {"before": before, "peak": resident("VmHWM"), "after": resident("VmRSS"), "layers": len(encoder.layers)}


def resident(key: str) -> int:
    """Bytes of a line of /proc/self/status (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))


def main() -> None:
    """Print a table row per layout and dtype."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", nargs=2, metavar=("FOLDER", "DTYPE"), help="used by the benchmark itself")
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(Path(arguments.measure[0]), arguments.measure[1])))
        return
    print("| layout | dtype | file MiB | peak growth MiB | peak / file |")
    print("|---|---|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as root:
        for layout, shards in (("one file", 1), ("4 shards", 4)):
            folder = Path(root) / layout.replace(" ", "-")
            size = write(folder, shards)
            for dtype in ("bfloat16", "float32"):
                command = [sys.executable, __file__, "--measure", str(folder), dtype]
                found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                growth = found["peak"] - found["before"]
                print(f"| {layout} | {dtype} | {size / 2**20:.1f} | {growth / 2**20:.1f} | {growth / size:.3f} |")


if __name__ == "__main__":
    main()
