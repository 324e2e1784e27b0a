"""A command of the shell, run in a process of its own, and what it has said."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

PATIENCE_S: Final = 120.0
"""Seconds a reading command may take; no desk waits for it."""
WIDTH: Final = "200"


class ChildAnswer(NamedTuple):
    """The end of a command: its exit code, what it said, and its complaint in one line."""

    code: int
    said: str
    complaint: str

    def rows(self) -> list[dict[str, Any]]:
        """Return its rows of JSON, none where it said no list of objects."""
        found = self.data()
        rows = found if isinstance(found, list) else []
        return [row for row in rows if isinstance(row, dict)]

    def data(self) -> Any:
        """Return its JSON, None where it said none."""
        try:
            return json.loads(self.said)
        except ValueError:
            return None


async def start_child(
    words: Sequence[str], out: int | None = asyncio.subprocess.PIPE
) -> asyncio.subprocess.Process:
    """Start a command without a terminal; raise `OSError`."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        # The folder of the desk is no place to import from.
        "-P",
        "-m",
        "tui",
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=out,
        stderr=out,
        env={**os.environ, "COLUMNS": WIDTH},
        # Out of reach of what the terminal sends to the screen.
        start_new_session=True,
    )


async def child_answer(words: Sequence[str]) -> ChildAnswer:
    """Run a command to its end; one that takes too long is ended."""
    try:
        process = await start_child(words)
    except OSError as error:
        return ChildAnswer(-1, "", f"it cannot be started: {error}")
    try:
        async with asyncio.timeout(PATIENCE_S):
            said, complaint = await process.communicate()
    except TimeoutError:
        return ChildAnswer(-1, "", f"no answer within {PATIENCE_S:.0f} s")
    finally:
        # Also where the screen is left: nobody would read what it says any more.
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    lines = complaint.decode("utf-8", "replace").strip().splitlines()
    last = lines[-1].removeprefix("patang: ") if lines else ""
    return ChildAnswer(process.returncode or 0, said.decode("utf-8", "replace"), last)
