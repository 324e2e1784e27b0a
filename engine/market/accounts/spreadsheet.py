"""Tables exported or saved from a spreadsheet: CSV in any common form, or xlsx.

A table begins at its header, wherever that stands; column names are compared without case, spaces
and dots. Rows without a value are left out. Everything raises `DataError`: one line with file, line
and the remedy.
"""

import csv
import importlib
import re
from calendar import month_abbr
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

from engine.errors import DataError, in_words
from engine.texts import from_csv_cell

SAVE_AS = "save it as CSV (UTF-8) or xlsx"
_NUMBER = re.compile(
    r"[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})(E[+-]?\d{1,2})?", re.ASCII | re.IGNORECASE
)
_EPOCH = date(1899, 12, 30)
"""Day 0 of a spreadsheet."""
_PARTED = re.compile(r"(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4}|\d{2})\b")
_NAMED = re.compile(r"(\d{1,2})[-/ ]([A-Za-z]{3})[A-Za-z]*[-/, ]+(\d{4}|\d{2})\b")
_MONTHS = [name.lower() for name in month_abbr]


class SheetRow(NamedTuple):
    """One row below the header: the number of its line, and its cells by column."""

    line: int
    cells: dict[str, str]


def read_sheet(
    file: Path, needed: Sequence[str], names: Mapping[str, str], what: str
) -> list[SheetRow]:
    """Return the rows of a table with the columns `needed`.

    `names` maps other names of columns to ours; `what` names the expected table in an error.
    """
    lines = list(_file_lines(file))
    best: list[str] = list(needed)
    for start, (_, cells) in enumerate(lines):
        header = [_column_name(cell, names) for cell in cells]
        lacking = [name for name in needed if name not in header]
        if not lacking:
            return list(_sheet_rows(header, lines[start + 1 :]))
        best = min(best, lacking, key=len)
    raise DataError(f"{file}: no {what}, it lacks {', '.join(best)}")


def _sheet_rows(
    header: Sequence[str], lines: Iterable[tuple[int, list[str]]]
) -> Iterator[SheetRow]:
    for number, cells in lines:
        if any(cells):
            # Spreadsheets leave empty cells at the end of a row out.
            padded = [*cells, *[""] * (len(header) - len(cells))]
            yield SheetRow(
                number, {name: cell for name, cell in zip(header, padded, strict=False) if name}
            )


def _column_name(cell: str, names: Mapping[str, str]) -> str:
    name = re.sub(r"[^a-z0-9]+", "_", cell.lower()).strip("_")
    return names.get(name, name)


def _file_lines(file: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file}: {in_words(error)}") from error
    # By content and not by name: a downloaded file is often called .csv whatever it is.
    if content.startswith(b"PK\x03\x04"):
        yield from _workbook_lines(file, content)
        return
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        raise DataError(f"{file}: an old spreadsheet (xls): {SAVE_AS}")
    text = _decoded_text(file, content)
    first = next((line for line in text.splitlines() if line.strip()), "")
    # Excel writes the separator of the machine's region.
    mark = max(",;\t", key=first.count)
    rows = csv.reader(text.splitlines(), delimiter=mark)
    try:
        for cells in rows:
            yield rows.line_num, [from_csv_cell(cell.strip()) for cell in cells]
    except csv.Error as error:
        raise DataError(f"{file}, line {rows.line_num}: {error}: {SAVE_AS}") from error


def _decoded_text(file: Path, content: bytes) -> str:
    coding = "utf-16" if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    try:
        text = content.decode(coding)
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise DataError(f"{file}: its letters cannot be read: {SAVE_AS}")
    return text


def _workbook_lines(file: Path, content: bytes) -> Iterator[tuple[int, list[str]]]:
    try:
        openpyxl = importlib.import_module("openpyxl")
    except ImportError:
        raise DataError(
            f'{file}: xlsx needs openpyxl: install the extra, pip install "patang[xlsx]", or save '
            f"it as CSV (UTF-8)"
        ) from None
    try:
        book = openpyxl.load_workbook(BytesIO(content), read_only=True, data_only=True)
        for page in book.worksheets:
            for number, cells in enumerate(page.iter_rows(values_only=True), start=1):
                yield number, [_cell_text(cell) for cell in cells]
        book.close()
    except (KeyError, ValueError, OSError, BadZipFile) as error:
        raise DataError(f"{file}: no readable workbook ({in_words(error)}): {SAVE_AS}") from error


def _cell_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value)) if abs(value) < 2**53 else f"{value:E}"
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    return str(value).strip()


def decimal_of(text: str) -> Decimal:
    """Return a number as people write it: thousands apart, a currency before it.

    Raise `ValueError`.
    """
    plain = re.sub(r"[,\s₹]|Rs\.?", "", text)
    if not _NUMBER.fullmatch(plain):
        raise ValueError(f"{_short_repr(text)} is no number")
    return Decimal(plain)


def _short_repr(text: str) -> str:
    return repr(text) if len(text) <= 60 else f"{text[:57]!r}..."


def identifier_of(text: str) -> str:
    """Return the number of a trade or an order.

    Raise `ValueError` where a spreadsheet has rounded it.
    """
    if re.fullmatch(r"\d(\.\d+)?[eE]\+?\d+", text):
        raise ValueError(
            f"a spreadsheet has rounded the number {text}: export the file again and save it in "
            f"none"
        )
    return text.removesuffix(".0").lstrip("'")


def month_first(texts: Iterable[str]) -> bool:
    """Return whether dates in figures have their month first.

    They do where one of them cannot be read otherwise.
    """
    parts = [found for text in texts if (found := _PARTED.match(text))]
    return any(int(part[2]) > 12 for part in parts) and not any(int(part[1]) > 12 for part in parts)


def day_of(text: str, *, american: bool = False) -> date:
    """Return a day as exports and spreadsheets write it.

    Read are ISO, 31-01-2024, 31/1/24, 31-Jan-2024, 45322.
    """
    if re.fullmatch(r"\d{5}(\.\d+)?", text):
        return _EPOCH + timedelta(days=int(float(text)))
    if found := _PARTED.match(text):
        first, second, year = (int(each) for each in found.groups())
        day, month = (second, first) if american else (first, second)
        return date(year + 2000 if year < 100 else year, month, day)
    if found := _NAMED.match(text):
        year = int(found[3])
        if found[2].lower() in _MONTHS:
            return date(
                year + 2000 if year < 100 else year, _MONTHS.index(found[2].lower()), int(found[1])
            )
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        raise ValueError(f"{_short_repr(text)} is no date") from None


def seconds_of(text: str) -> int | None:
    """Return the seconds since midnight of a time of day anywhere in a text, None without one."""
    found = re.search(r"(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\.\d+)?\s*([AaPp][Mm])?", text)
    if found is None:
        return None
    hour, minute, second = int(found[1]), int(found[2]), int(found[3] or 0)
    if found[4]:
        hour = hour % 12 + (12 if found[4].lower() == "pm" else 0)
    return hour * 3600 + minute * 60 + second
