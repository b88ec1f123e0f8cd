"""action.yml declares what it uses, passes inputs by environment, and calls commands with options that exist."""

from __future__ import annotations

import re
from pathlib import Path

import typer.main
import yaml
from rerankbench.eval.cli import app

ROOT = Path(__file__).resolve().parents[3]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS = ACTION["runs"]["steps"]


def test_every_input_is_used_and_every_used_one_declared() -> None:
    used = set(re.findall(r"inputs\.([\w-]+)", str(STEPS)))
    assert used == set(ACTION["inputs"])


def test_inputs_reach_the_shell_by_environment_only() -> None:
    lines = [step["run"] for step in STEPS if "run" in step]
    assert len(lines) == 3
    for step in STEPS:
        if "run" in step:
            assert "${{" not in step["run"]
            assert step["shell"] == "bash"
            given = {"GITHUB_STEP_SUMMARY", "GITHUB_ACTION_PATH", *step["env"]}
            own = set(re.findall(r"^\s*(\w+)=", step["run"], re.MULTILINE))
            assert set(re.findall(r"\$\{?(\w+)", step["run"])) <= given | own


def test_options_exist() -> None:
    commands = typer.main.get_command(app).commands  # pyright: ignore[reportAttributeAccessIssue]
    for step in STEPS:
        for command, rest in re.findall(r"rerankbench (\w+) (.+)", step.get("run", "").replace("\n", " ")):
            known = {option for parameter in commands[command].params for option in parameter.opts}
            assert set(re.findall(r"--[a-z]+", rest)) <= known
