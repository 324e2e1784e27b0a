"""The three streams of a command: closed, full, broken, or written to by foreign text."""

import contextlib
import io
import os
import re
import sys
from pathlib import Path
from typing import IO, Final, cast

from engine.texts import plain_text

_LINES: Final = re.compile(r"([\n\t])")


class HarmlessStream(io.TextIOWrapper):
    """Stream that makes foreign text harmless: lines, tabs and characters, without orders."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        buffer = cast("IO[bytes]", stream.buffer)
        super().__init__(
            buffer, stream.encoding, "backslashreplace", line_buffering=stream.line_buffering
        )
        # whose end would close the buffer
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text, a blank for each control character."""
        return super().write(harmless(text))


def harmless(text: str) -> str:
    """Return a text of several lines as a terminal may have it."""
    return (
        text
        if text.isprintable()
        else "".join(part if part in "\n\t" else plain_text(part) for part in _LINES.split(text))
    )


def take_streams() -> None:
    """Make three streams that take every character and obey none.

    A closed one leads nowhere, a strange letter gets a mark.
    """
    # a shell may start a program with any of them closed, and Python has None in its place then
    for name in ("stdin", "stdout", "stderr"):
        # in this order each opens the number that is free: its own
        if getattr(sys, name) is None:
            setattr(
                sys,
                name,
                Path(os.devnull).open("r" if name == "stdin" else "w", encoding="utf-8"),  # noqa: SIM115
            )
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            # what was written before has to come first
            stream.flush()
            setattr(sys, name, HarmlessStream(stream))


def begin_line() -> None:
    """Go back to the beginning of the terminal's line and empty it, on stderr."""
    stream = sys.stderr
    if isinstance(stream, io.TextIOWrapper):
        # past the harmless stream, which would take the sequence for foreign text
        io.TextIOWrapper.write(stream, "\r\033[K")


def leave_stdout() -> None:
    """Let the interpreter's end not stumble over output that is no longer read."""
    with contextlib.suppress(OSError, ValueError):
        # Python flushes stdout once more as it ends, and would complain there of the broken pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
