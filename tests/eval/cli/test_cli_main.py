"""What the entry point adds to the commands."""

from __future__ import annotations

import sys

import pytest
import typer.main
from rerankbench.eval.cli import app, main
from rerankbench.eval.inventory import shipped


def test_ctrl_c_says_how_to_go_on(monkeypatch, capsys) -> None:
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(shipped, "models", interrupted)
    monkeypatch.setattr(sys, "argv", ["rerankbench", "ls", "models"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 130
    assert capsys.readouterr().err == "interrupted; the same command continues where it stopped\n"


def test_help_of_all_commands_is_whole(monkeypatch, capsys) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "argv", ["rerankbench", "--help"])
    with pytest.raises(SystemExit):
        main()
    commands = [line.strip("│ ") for line in capsys.readouterr().out.partition("─ Everyday ─")[2].splitlines()]
    shown = dict(line.split(maxsplit=1) for line in commands if line and line[0].islower())
    known = typer.main.get_command(app).commands  # pyright: ignore[reportAttributeAccessIssue]
    assert shown == {name: command.short_help for name, command in known.items() if not command.hidden}


def test_help_holds_no_control_characters(monkeypatch, capsys) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(sys, "argv", ["rerankbench", "run", "--help"])
    with pytest.raises(SystemExit):
        main()
    assert "\\x1b" not in capsys.readouterr().out
