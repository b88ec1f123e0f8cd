"""What the entry point adds to the commands."""

from __future__ import annotations

import sys

import pytest
from rerankbench.eval.cli import main
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
    _, _, commands = capsys.readouterr().out.partition("Commands:\n")
    assert len(commands.splitlines()) > 10
    assert "..." not in commands
