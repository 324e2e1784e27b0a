"""The three streams of a command, which may be closed, full, broken, or of another encoding."""

import contextlib
import io
import os
import sys
from pathlib import Path


def take_streams() -> None:
    """Have three streams that take every character: a closed one leads nowhere, one of another encoding gets a mark."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:  # in this order each opens the number that is free: its own
            setattr(sys, name, Path(os.devnull).open("r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def leave_stdout() -> None:
    """Let the interpreter's end not stumble over what nobody takes any more."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
