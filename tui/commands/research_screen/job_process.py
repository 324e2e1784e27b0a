"""A command of the shell in a process of its own, which leaves its code behind.

    python -m tui.commands.research_screen.job_process FOLDER WORD ...

FOLDER/lock   held while it runs
FOLDER/code   its exit code, written last
"""

import fcntl
import os
import sys
from pathlib import Path

LOCK = "lock"
CODE = "code"
NICE = 10
"""How far it steps back: the desk and its screen come first."""


def run_job(folder: Path, words: list[str]) -> int:
    """Run a command and write its exit code down."""
    held = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(held, fcntl.LOCK_EX)
    os.nice(NICE)
    # a sweep writes down by which command it goes on
    sys.argv = ["patang", *words]
    from tui.commands.cli import main

    # what dies by an exception that nobody foresaw has failed
    code = 1
    try:
        main(words)
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    # without it a job that was killed and one that is over look alike
    finally:
        (folder / CODE).write_text(f"{code}\n")
    return code


if __name__ == "__main__":
    sys.exit(run_job(Path(sys.argv[1]), sys.argv[2:]))
