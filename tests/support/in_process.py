"""The command in the process of a test."""

from __future__ import annotations

from collections.abc import Callable

Command = Callable[..., tuple[int, str, str]]  # arguments -> exit status, stdout, stderr: the fixture `command`
