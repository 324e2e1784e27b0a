"""Exit codes of the commands; `docs/cli.md` lists them for programs."""

from typing import Final

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3
KILLED: Final = 4
INTERRUPTED: Final = 130
