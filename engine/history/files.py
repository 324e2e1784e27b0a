"""Tables of bars from CSV (any separator, gzipped or not) and Parquet files, as they stand there: columns by their role."""

import csv
import gzip
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from engine.errors import DataError, in_words
from engine.history.layouts import (
    DATE,
    INTEREST,
    OPEN,
    PRICES,
    SERIES,
    STAMP,
    SYMBOL,
    TIME,
    VOLUME,
    Layout,
    layout_of,
    normal,
)
from engine.history.series import Floats
from engine.history.stamps import Stamps, join_date_and_time, read_stamps
from engine.market.arrow import packed, texts

ENDINGS = (".csv", ".csv.gz", ".parquet", ".pq", ".txt")
HEAD = 1 << 16
SEARCHED = 40
"""Lines among which the header is looked for."""
FIELDS = ("symbol", "date", "time", "open", "high", "low", "close", "volume", "oi")
"""What a file without a header holds, as AmiBroker and MetaStock write it; without a symbol where there are fewer."""


class RawTable(NamedTuple):
    """The rows of one file, in its order; `symbols` None where the file's name says it. Prices that are empty are NaN."""

    file: Path
    layout: Layout
    rows: int
    symbols: np.ndarray[tuple[int], np.dtype[np.str_]] | None
    series: np.ndarray[tuple[int], np.dtype[np.str_]] | None
    stamps: Stamps
    prices: tuple[Floats, Floats, Floats, Floats]
    volume: Floats


def files_in(path: Path) -> list[Path]:
    """Return a file, or the files of bars below a folder, by name; raise `DataError` where there is none."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise DataError(f"{path}: no such file or folder")
    found = sorted(file for file in path.rglob("*") if file.is_file() and file.name.lower().endswith(ENDINGS))
    if not found:
        raise DataError(f"{path}: no file in it ends with {', '.join(ENDINGS)}")
    return found


def read_table(file: Path, given: Mapping[str, str]) -> RawTable:
    """Return what a file holds; `given` names columns by role. Raises `DataError` in one line."""
    try:
        table, ticker = _parquet(file, given) if _is_parquet(file) else _csv(file, given)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, EOFError, gzip.BadGzipFile) as error:
        raise DataError(f"{file}: {' '.join(str(error).split())}") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file}: {in_words(error)}") from None
    layout = layout_of(table.column_names, given, file)
    name = layout.column
    where = f"{file}: column {name.get(STAMP) or name[DATE]}"
    if STAMP in name:
        stamps = read_stamps(table[name[STAMP]], where)
    elif TIME in name:
        stamps = read_stamps(join_date_and_time(table[name[DATE]], table[name[TIME]]), where)
    else:
        stamps = read_stamps(table[name[DATE]], where)
    opened, high, low, close = (_numbers(table, name[role], file) for role in PRICES)
    volume = _numbers(table, name[VOLUME], file) if VOLUME in name else np.zeros(len(table))
    symbols = _words(table, name[SYMBOL]) if SYMBOL in name else None
    if symbols is None and ticker:
        symbols = np.full(len(table), ticker)
    series = _words(table, name[SERIES]) if SERIES in name else None
    return RawTable(file, layout, len(table), symbols, series, stamps, (opened, high, low, close), volume)


def _is_parquet(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(4) == b"PAR1"


def _parquet(file: Path, given: Mapping[str, str]) -> tuple[pa.Table, str]:
    source = pq.ParquetFile(file)
    wanted = layout_of(source.schema_arrow.names, given, file).column.values()
    return source.read(columns=list(wanted), use_threads=False), ""


def _csv(file: Path, given: Mapping[str, str]) -> tuple[pa.Table, str]:
    """Read the text below the header, wherever that stands; return the ticker that yfinance writes above it, too."""
    lines = list(_first_lines(file))
    if not any(line.strip() for line in lines):
        raise DataError(f"{file}: empty")
    mark = max(",;\t|", key="".join(lines[:5]).count)
    cells = [next(csv.reader([line], delimiter=mark), []) for line in lines]
    header = next((n for n, row in enumerate(cells) if {"open", "close"} & {normal(cell) for cell in row}), None)
    header = next(
        (n for n, row in enumerate(cells) if {"opnpric", "open_price"} & {normal(cell) for cell in row}), header
    )
    ticker, skipped = "", 0
    if header is None and not any(map(_is_number, cells[0])):
        header = 0  # a table of something else: its columns say so below
    if header is None:
        names, skipped = _headless(cells[0], file), 0
    else:
        names, skipped = [cell.strip() for cell in cells[header]], header + 1
        below = cells[header + 1] if len(cells) > header + 1 else []
        if below and normal(below[0]) == "ticker":  # yfinance: Price,Close,… / Ticker,INFY.NS,… / Datetime,,,
            ticker, skipped = below[1].partition(".")[0].upper(), header + 3
            names[0] = cells[header + 2][0]
    names = [name or f"column {number + 1}" for number, name in enumerate(names)]
    column = layout_of(names, given, file).column
    kinds = {column[role]: pa.float64() for role in (*PRICES, VOLUME, INTEREST) if role in column}
    kinds |= {column[role]: pa.string() for role in (SYMBOL, SERIES, STAMP, DATE, TIME) if role in column}
    table = pacsv.read_csv(
        file,
        read_options=pacsv.ReadOptions(column_names=names, skip_rows=skipped, use_threads=False),
        parse_options=pacsv.ParseOptions(delimiter=mark),
        convert_options=pacsv.ConvertOptions(
            column_types=kinds, include_columns=list(column.values()), strings_can_be_null=True,
            null_values=["", "null", "NULL", "NaN", "nan", "-", " "],
        ),
    )  # fmt: skip
    return table, ticker


def _first_lines(file: Path) -> Iterator[str]:
    with gzip.open(file) if file.name.lower().endswith(".gz") else file.open("rb") as opened:
        head = opened.read(HEAD)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{file}: UTF-16: save it as CSV (UTF-8)")
    if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise DataError(f"{file}: a spreadsheet or an archive: save it as CSV (UTF-8)")
    yield from head.decode("utf-8-sig", errors="replace").splitlines()[:SEARCHED]


def _headless(cells: list[str], file: Path) -> list[str]:
    names = list(FIELDS if not _is_number(cells[0]) and not cells[0][:4].isdigit() else FIELDS[1:])
    colons = sum(":" in cell for cell in cells[:3])
    if TIME in names and not colons and not _clock(cells[names.index(TIME)] if len(cells) > names.index(TIME) else ""):
        names.remove(TIME)
    if len(cells) < len(names) - 1 or not all(
        _is_number(cell) for cell in cells[names.index(OPEN) : names.index(OPEN) + 4]
    ):
        raise DataError(f"{file}: no header, and its first line is not {','.join(names)}: put a header above it")
    names = names[: len(cells)]
    return names + [f"column {number + 1}" for number in range(len(names), len(cells))]


def _clock(text: str) -> bool:
    """Tell whether a whole number can be a time of day, as 0915 or 091500."""
    return text.isdigit() and len(text) in {3, 4, 5, 6} and int(text[-2:]) < 60


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _numbers(table: pa.Table, name: str, file: Path) -> Floats:
    column = table[name]
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise DataError(f"{file}: column {name}: expected numbers, got {kind}")
    return packed(pc.fill_null(column.cast(pa.float64(), safe=False), np.nan), np.float64)


def _words(table: pa.Table, name: str) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    column = pc.fill_null(table[name].cast(pa.string()), "")
    found: np.ndarray[tuple[int], np.dtype[np.str_]] = np.char.upper(texts(pc.utf8_trim_whitespace(column)))
    return found
