"""Lists of the screen as CSV files."""

import csv
import io
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from engine.errors import OperatorError, in_words
from engine.indian_time import INDIA
from engine.system.whole_files import write_whole
from engine.texts import csv_cell

_FIGURE: Final = re.compile(r"-[\d,.]*( ?%)?")
"""A negative figure, or the hyphen of none: a number to a spreadsheet, and no formula."""


def time_stamp(ns: int) -> str:
    """Return a time (ns UTC) as part of a file's name, in IST: 20261201-093015."""
    return datetime.fromtimestamp(ns // 1_000_000_000, INDIA).strftime("%Y%m%d-%H%M%S")


def write_rows(file: Path, rows: Sequence[Sequence[str]]) -> Path:
    """Write rows of texts to a file, whole or not at all; return the file.

    Raise `OperatorError` where it cannot be written.
    """
    text = io.StringIO()
    csv.writer(text).writerows([_harmless_text(each) for each in row] for row in rows)

    def write(fresh: Path) -> None:
        fresh.write_text(text.getvalue(), encoding="utf-8")

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, write)
    except OSError as error:
        raise OperatorError(f"{file}: {in_words(error)}") from None
    return file


def _harmless_text(text: str) -> str:
    # a strategy or a broker's message names itself as it likes
    return text if _FIGURE.fullmatch(text) else csv_cell(text)
