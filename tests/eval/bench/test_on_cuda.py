"""The script for a machine with a GPU, where there is none: its commands are commands that there are."""

from __future__ import annotations

import runpy
from pathlib import Path

from rerankbench.configs import CONFIGS, read
from rerankbench.eval.cli import app
from typer.main import get_command

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "on_cuda.py"


def test_every_command_parses(tmp_path: Path) -> None:
    script = runpy.run_path(str(SCRIPT))
    steps = list(script["steps"](tmp_path, tmp_path, ["FlagEmbedding=python"], 5))
    shapes, ours = read(CONFIGS / "bench.yaml")["shapes"], get_command(app)
    asked = set()
    for step in steps[1:]:
        if step.name.startswith(("kernels", "first batch")):
            assert (SCRIPT.parents[1] / step.words[0]).is_file()
            assert step.words[1] in shapes
            continue
        module, name, *words = step.words[1:]
        assert module == "rerankbench"
        told = ours.commands[name].make_context(name, list(words)).params  # pyright: ignore[reportAttributeAccessIssue]
        assert (told["device"], told["dtype"]) == ("cuda", "bfloat16")
        asked |= {told.get("shape") or Path(told["model"]).stem}
    assert {"encoder-base", "gemma", "lightweight"} == asked <= set(shapes)
    assert steps[0].words[:2] == ("-m", "pytest")
    assert "FlagEmbedding=python" in next(step for step in steps if step.name == "bench encoder-base").words
