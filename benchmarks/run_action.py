"""Run the shell steps of action.yml as GitHub would, without GitHub: the same lines, the same environment.

    python benchmarks/run_action.py experiment=quickstart baseline=results/baselines/quickstart.json

Inputs that are not given take the defaults of action.yml. `uses:` steps are skipped, so the Python on PATH counts;
call it with a fresh virtual environment in front. The step summary is written to `step-summary.md` here.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]


def fill(text: str, inputs: dict[str, str]) -> str:
    """`${{ inputs.x }}` replaced by its value."""
    return re.sub(r"\$\{\{\s*inputs\.([\w-]+)\s*\}\}", lambda match: inputs[match[1]], text)


def main(given: list[str]) -> int:
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    inputs = {name: spec.get("default", "") for name, spec in action["inputs"].items()}
    inputs.update(text.split("=", 1) for text in given)
    summary = {"GITHUB_STEP_SUMMARY": str(Path("step-summary.md").resolve()), "GITHUB_ACTION_PATH": str(ROOT)}
    for step in action["runs"]["steps"]:
        if "run" not in step:
            continue
        print(f"== {step['name']}", flush=True)
        env = {name: fill(value, inputs) for name, value in step.get("env", {}).items()}
        shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        if code := subprocess.run(shell, env={**os.environ, **summary, **env}, check=False).returncode:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
