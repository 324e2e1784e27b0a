"""Faults of an author's code, in one line with its file and line."""

import traceback
from pathlib import Path
from typing import Final

from engine.errors import PatangError

OURS: Final = (
    *(
        str(Path(__file__).with_name(name))
        for name in (
            "__init__.py",
            "composed.py",
            "feed_bars.py",
            "native_strategies.py",
            "replaced_models.py",
            "strategy_sources.py",
        )
    ),
    "compiled/",
    "<frozen ",
)
"""How the files begin that are not the author's; those of the core are named as it was
compiled, and those frozen into Python in brackets."""


AUTHOR_FAULTS: Final = (Exception, SystemExit)
"""What an author's code may raise: `exit` in it must not end the command without a word."""


class PartFailed(PatangError):
    """A part of the author's own raised: there is no result."""


def failure_text(error: BaseException) -> str:
    """Return an author's error in one line, with file and line where there are any."""
    from compiled.trading.strategy_host import error_text  # noqa: PLC0415  only what fails needs it

    return author_line(error) + " ".join(error_text(error).split()).removesuffix(":")


def author_line(error: BaseException) -> str:
    """Return file and line of the author's code that raised, where there is any.

    Lines of ours and of Python's own are passed over.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: "
    steps = traceback.extract_tb(error.__traceback__)
    # The last line of the author's own: a wrong argument is raised in ours, but written in his.
    own = [
        step
        for step in steps
        if not step.filename.startswith(OURS) and "importlib" not in step.filename
    ]
    return f"{own[-1].filename}:{own[-1].lineno}: " if own else ""
