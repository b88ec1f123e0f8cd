"""Text without effect: no control of terminals, no reordering, no commands to CI."""

from __future__ import annotations

import io
import json
import re
from typing import Any, TextIO

# controls, marks that reorder text, line ends of some programs only, halves of surrogate pairs, no characters
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)
_COMMAND = re.compile(r"^(\s*):(?=:)|##(?=\[)", re.MULTILINE)  # as GitHub reads them: `::set-env`, `##[error]`


def clean(text: str) -> str:
    r"""Return the text with unsafe characters written out: ESC becomes the four characters `\x1b`.

    Line ends and tabs stay.
    """
    return _UNSAFE.sub(lambda match: ascii(match[0])[1:-1], text)


def to_json(value: Any, *, indent: int | None = 1) -> str:
    """Return JSON with inert strings that read as what they were: unsafe characters are JSON's escapes."""
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text).replace("##[", "#\\u0023[")


def one_line(text: str) -> str:
    """Return the same on one line."""
    return clean(" ".join(text.split()))


def without_commands(text: str) -> str:
    """Put a blank into lines that CI would take for commands: `: :set-env`."""
    return _COMMAND.sub(lambda match: "## " if match[0] == "##" else f"{match[0]} ", text)


class ClosedPipe(BaseException):
    """Nobody reads any more. Not an OSError, which libraries on the way would make something else of."""


class SanitizedStream(io.TextIOBase):
    """A stream that is written to as it is, but whose text is inert. `\\r` passes on terminals, for progress bars."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # of terminals that lack a character

    def write(self, text: str) -> int:
        """See `io.TextIOBase.write`."""
        safe = "\r".join(map(clean, text.split("\r"))) if self.stream.isatty() else clean(text)
        try:
            self.stream.write(without_commands(safe))
        except BrokenPipeError as err:
            raise ClosedPipe from err
        return len(text)

    def command(self, line: str) -> None:
        """Print a line that is meant as a command to CI."""
        self.stream.write(clean(line))

    def flush(self) -> None:
        """See `io.TextIOBase.flush`."""
        try:
            self.stream.flush()
        except BrokenPipeError as err:
            raise ClosedPipe from err

    def isatty(self) -> bool:
        """See `io.TextIOBase.isatty`."""
        return self.stream.isatty()

    def writable(self) -> bool:
        """See `io.TextIOBase.writable`."""
        return True

    def fileno(self) -> int:
        """See `io.TextIOBase.fileno`."""
        return self.stream.fileno()

    @property
    def encoding(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """See `io.TextIOBase.encoding`."""
        return self.stream.encoding or "utf-8"

    @property
    def buffer(self) -> Any:
        """See `io.TextIOWrapper.buffer`."""
        return self.stream.buffer
