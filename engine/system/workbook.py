"""Tables for spreadsheets: CSV and workbooks in which no text is ever worked out as a formula."""

import csv
import importlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from engine.errors import OperatorError
from engine.system.whole_files import write_whole
from engine.texts import csv_cell, plain_text

# Excel's own bound is 2^20 rows; the header takes one.
MOST_ROWS: Final = 1_048_575
"""Of a sheet in a workbook, below its header."""


class SpreadsheetTable(NamedTuple):
    """One table: its name, its columns, its rows."""

    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


def as_csv(sheet: SpreadsheetTable) -> str:
    """Return a table as CSV with a header."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(sheet.columns)
    lines.writerows(
        [csv_cell(plain_text(value)) if isinstance(value, str) else value for value in row]
        for row in sheet.rows
    )
    return text.getvalue()


def write_workbook(out: Path, sheets: Sequence[SpreadsheetTable]) -> None:
    """Write all tables as the sheets of one workbook, whole or not at all.

    Raise `OperatorError`.
    """
    try:
        openpyxl = importlib.import_module("openpyxl")
    except ImportError:
        raise OperatorError(
            'xlsx needs openpyxl: install the extra, pip install "patang[xlsx]", or write csv'
        ) from None
    for sheet in sheets:
        if len(sheet.rows) > MOST_ROWS:
            raise OperatorError(
                f"{sheet.name} has {len(sheet.rows):,} rows, more than a workbook holds: write "
                f"csv or parquet"
            )
    write_whole(out, lambda fresh: _save_workbook(openpyxl, fresh, sheets))


def _save_workbook(openpyxl: Any, fresh: Path, sheets: Sequence[SpreadsheetTable]) -> None:
    book = openpyxl.Workbook(write_only=True)
    for sheet in sheets:
        page = book.create_sheet(sheet.name)
        page.append(list(sheet.columns))
        for row in sheet.rows:
            page.append(
                [
                    _text_cell(openpyxl, page, value) if isinstance(value, str) else value
                    for value in row
                ]
            )
    book.save(fresh)


def _text_cell(openpyxl: Any, page: Any, text: str) -> Any:
    """Return a cell of a workbook that is a text, whatever it begins with."""
    made = openpyxl.cell.WriteOnlyCell(page, value=plain_text(text))
    # openpyxl takes a text that begins with = for a formula, and a symbol or a reason can begin so.
    made.data_type = "s"
    return made
