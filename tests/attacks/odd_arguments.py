"""Command lines with one or two odd values, made from what the commands themselves declare."""

from __future__ import annotations

import random

import typer
from rerankbench.eval.cli import app

APART = {"bench", "latency", "doctor"}  # minutes of work, and what is installed
ODD = (
    "", " ", "nan", "inf", "-1", "0", "1.5", "1e999", "x", "\udcff", "a\0b", "../../x", "9" * 400, "9" * 20, "é", "=",
    ",", "a=b", "x=1,=2", "{", "[[", "-", "/dev/null", "out", "trial.yaml", "nDCG@10", "nDCG@0", "::error::x",
    "\x1b[2J", "1,2,,3", "cpu", "float8", "~", "x" * 5000,
)  # fmt: skip
GOOD = {
    "experiment": "trial.yaml", "baseline": "baseline.json", "qrels": "trec.qrels", "kind": "models",
    "model": "mine.yaml", "reason": "x", "format": "json", "output": "written",
    "junit": "written.xml", "markdown": "written.md",
}  # fmt: skip


def drawn(draw: random.Random) -> list[str]:
    """A command with its arguments: those that it needs are good, but for one or two of all."""
    commands = {name: one for name, one in typer.main.get_command(app).commands.items() if name not in APART}  # pyright: ignore[reportAttributeAccessIssue]
    name = draw.choice(sorted(commands))
    parameters = [one for one in commands[name].params if one.name not in ("help", "overwrite")]
    odd = set(draw.sample(range(len(parameters)), min(len(parameters), draw.choice((1, 1, 2)))))
    argv = [name]
    for number, one in enumerate(parameters):
        good = "first.trec" if (name, one.name) == ("evaluate", "run") else GOOD.get(str(one.name), "out")
        if getattr(one, "is_flag", False):
            argv += one.opts[:1] if number in odd else []
        elif number in odd or one.required:
            value = draw.choice(ODD) if number in odd else good
            argv += [value] if one.param_type_name == "argument" else [one.opts[0], value]
    return argv
