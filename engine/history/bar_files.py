"""Tables of bars from CSV (any separator, gzipped or not) and Parquet files, columns by role."""

import csv
import gzip
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from engine.errors import DataError, in_words
from engine.history.bar_series import Floats
from engine.history.column_layouts import (
    CONTRACT,
    DATE,
    EXPIRY,
    INTEREST,
    OPEN,
    PRICES,
    RIGHT,
    ROLE_OF,
    SERIES,
    STAMP,
    STRIKE,
    SYMBOL,
    TIME,
    VOLUME,
    ColumnLayout,
    layout_of,
    normal_name,
)
from engine.history.time_stamps import TimeStamps, iso_kind, join_date_and_time, read_stamps
from engine.market.arrow_columns import packed_numbers, packed_texts

ENDINGS = (".csv", ".csv.gz", ".parquet", ".pq", ".txt")
# 64 KB are far more than the lines that are searched.
HEAD = 1 << 16
GZIP = b"\x1f\x8b"
# Indian and other groups: 1,23,456.50 and 123,456.50.
THOUSANDS = r"^-?\d{1,3}(,\d{2,3})*,\d{3}(\.\d*)?$"
Words = np.ndarray[tuple[int], np.dtype[np.str_]]
SEARCHED = 40
"""Lines among which the header is looked for."""
FIELDS = ("symbol", "date", "time", "open", "high", "low", "close", "volume", "oi")
"""What a file without a header holds, as AmiBroker and MetaStock write it.

Without a symbol where there are fewer.
"""


class RawTable(NamedTuple):
    """The rows of one file, in its order.

    `symbols` is None where the file's name says it; prices that are empty are NaN.
    """

    file: Path
    layout: ColumnLayout
    rows: int
    symbols: Words | None
    series: Words | None
    stamps: TimeStamps
    prices: tuple[Floats, Floats, Floats, Floats]
    volume: Floats


def files_in(path: Path) -> list[Path]:
    """Return a file, or the files of bars below a folder, by name.

    Raise `DataError` where there is none.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise DataError(f"{path}: no such file or folder")
    found = sorted(
        file for file in path.rglob("*") if file.is_file() and file.name.lower().endswith(ENDINGS)
    )
    if not found:
        raise DataError(f"{path}: no file in it ends with {', '.join(ENDINGS)}")
    return found


def read_table(file: Path, given: Mapping[str, str]) -> RawTable:
    """Return the content of a file; `given` names columns by role. Raise `DataError`."""
    try:
        table = (
            _read_parquet(file, given) if _begins_with(file, b"PAR1") else _read_csv(file, given)
        )
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
    opened, high, low, close = (_number_column(table, name[role], file) for role in PRICES)
    volume = _number_column(table, name[VOLUME], file) if VOLUME in name else np.zeros(len(table))
    symbols = _row_symbols(table, name, file)
    series = _word_column(table, name[SERIES]) if SERIES in name else None
    return RawTable(
        file,
        layout,
        rows=len(table),
        symbols=symbols,
        series=series,
        stamps=stamps,
        prices=(opened, high, low, close),
        volume=volume,
    )


def _begins_with(file: Path, mark: bytes) -> bool:
    with file.open("rb") as opened:
        return opened.read(len(mark)) == mark


def _read_parquet(file: Path, given: Mapping[str, str]) -> pa.Table:
    source = pq.ParquetFile(file)
    wanted = layout_of(source.schema_arrow.names, given, file).column.values()
    return source.read(columns=list(wanted), use_threads=False)


def _read_csv(file: Path, given: Mapping[str, str]) -> pa.Table:
    """Read the text below the header, wherever that stands.

    Columns of several tickers, as yfinance writes them, come one below the other.
    """
    lines = list(_first_lines(file))
    if not any(line.strip() for line in lines):
        raise DataError(f"{file}: empty")
    # Five lines: a title above the header may hold a comma or two.
    mark = max(",;\t|", key="".join(lines[:5]).count)
    cells = [next(csv.reader([line], delimiter=mark), []) for line in lines]
    header = next(
        (
            n
            for n, row in enumerate(cells)
            if {"open", "close"} & {normal_name(cell) for cell in row}
        ),
        None,
    )
    header = next(
        (
            n
            for n, row in enumerate(cells)
            if {"opnpric", "open_price"} & {normal_name(cell) for cell in row}
        ),
        header,
    )
    tickers: list[str] = []
    if header is None and not any(map(_is_number, cells[0])):
        header = 0  # a table of something else: its columns say so below
    if header is None:
        names, skipped = _headless_names(cells[0], file), 0
    else:
        names, skipped = [cell.strip() for cell in cells[header]], header + 1
        # Price,… / Ticker,… / Date,,, or 2, 1, 3
        for above, last in ((header + 1, header + 2), (header - 1, header + 1)):
            if (
                above >= 0
                and last < len(cells)
                and _is_index_line(cells[last])
                and len(cells[above]) == len(names)
            ):
                tickers, skipped = [cell.strip() for cell in cells[above][1:]], last + 1
                names[0] = cells[last][0]
    names = [name or f"column {number + 1}" for number, name in enumerate(names)]
    if not tickers:
        column = layout_of(names, given, file).column
        first = dict(zip(names, cells[skipped] if skipped < len(cells) else [], strict=False))
        return _read_columns(file, mark, names, skipped, column, _stamp_kind(column, first))
    parts = []
    for ticker in dict.fromkeys(tickers):
        own = [
            names[0],
            *(name if of == ticker else "" for name, of in zip(names[1:], tickers, strict=True)),
        ]
        shown = [name or f"column {number + 1}" for number, name in enumerate(own)]
        part = _read_columns(file, mark, shown, skipped, layout_of(shown, given, file).column)
        parts.append(part.append_column("ticker", pa.array([ticker] * len(part), pa.string())))
    return pa.concat_tables(parts)


def _is_index_line(cells: list[str]) -> bool:
    """Return whether a line holds only the name of the times, as the last of yfinance's header."""
    return (
        bool(cells) and ROLE_OF.get(normal_name(cells[0])) in {DATE, STAMP} and not any(cells[1:])
    )


def _stamp_kind(column: Mapping[str, str], first: Mapping[str, str]) -> dict[str, pa.DataType]:
    """Return the column of times that are read as such, as the first row has them; else none."""
    name = column.get(STAMP) or column.get(DATE, "")
    kind = None if TIME in column and STAMP not in column else iso_kind(first.get(name, ""))
    return {} if kind is None else {name: kind}


def _read_columns(
    file: Path,
    mark: str,
    names: list[str],
    skipped: int,
    column: Mapping[str, str],
    stamps: Mapping[str, pa.DataType] | None = None,
) -> pa.Table:
    """Read the columns of roles; numbers with thousands apart, "1,23,456.50", where any are."""
    numbers = {column[role] for role in (*PRICES, VOLUME, INTEREST) if role in column}

    def read(kind: pa.DataType, times: Mapping[str, pa.DataType]) -> pa.Table:
        packing = "gzip" if _begins_with(file, GZIP) else None
        with pa.input_stream(str(file), compression=packing) as source:
            return pacsv.read_csv(
                source,
                read_options=pacsv.ReadOptions(
                    column_names=names, skip_rows=skipped, use_threads=False
                ),
                parse_options=pacsv.ParseOptions(delimiter=mark),
                convert_options=pacsv.ConvertOptions(
                    column_types={
                        name: kind if name in numbers else times.get(name, pa.string())
                        for name in column.values()
                    },
                    include_columns=list(column.values()),
                    strings_can_be_null=True,
                    null_values=[
                        "",
                        "null",
                        "NULL",
                        "NaN",
                        "nan",
                        "NA",
                        "N/A",
                        "#N/A",
                        "-",
                        "--",
                        " ",
                    ],
                ),
            )

    for times in [stamps, {}] if stamps else [{}]:
        try:
            return read(pa.float64(), times)
        except pa.ArrowInvalid as error:
            # Read again, as text, only where times or numbers were the fault.
            if "conversion error" not in str(error):
                raise
            fault = error
    return _without_thousands(read(pa.string(), {}), numbers, fault)


def _without_thousands(table: pa.Table, numbers: set[str], fault: pa.ArrowInvalid) -> pa.Table:
    """Return a table of texts with its numbers as such; raise `fault` where they are none."""
    for number, name in enumerate(table.column_names):
        if name in numbers:
            text = pc.utf8_trim_whitespace(table[name])
            apart = pc.match_substring_regex(text, THOUSANDS)
            whole = pc.if_else(apart, pc.replace_substring(text, ",", ""), text)
            try:
                table = table.set_column(number, name, whole.cast(pa.float64()))
            except pa.ArrowInvalid:
                raise fault from None
    return table


def _first_lines(file: Path) -> Iterator[str]:
    with gzip.open(file) if _begins_with(file, GZIP) else file.open("rb") as opened:
        head = opened.read(HEAD)
    # Said here in words: the readers below would only find letters that are none.
    if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise DataError(f"{file}: a spreadsheet or an archive: save it as CSV (UTF-8)")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or head[1:2] == b"\0":
        raise DataError(f"{file}: UTF-16: save it as CSV (UTF-8)")
    if b"\0" in head:
        raise DataError(f"{file}: no text, or damaged: save it as CSV (UTF-8)")
    yield from head.decode("utf-8-sig", errors="replace").splitlines()[:SEARCHED]


def _headless_names(cells: list[str], file: Path) -> list[str]:
    names = list(
        FIELDS[1:] if _is_number(cells[0]) or re.match(r"\d{4}|\d\d?[-/.]", cells[0]) else FIELDS
    )
    # A second column is a time only if it reads as one: it may be the open already.
    day, clock = [*cells[names.index(DATE) :], "", ""][:2]
    if (
        ":" in day
        or (day.isdigit() and len(day) > 8)
        or not (":" in clock or _is_clock_text(clock))
    ):
        names.remove(TIME)
    if len(cells) < len(names) - 1 or not all(
        _is_number(cell) for cell in cells[names.index(OPEN) : names.index(OPEN) + 4]
    ):
        raise DataError(
            f"{file}: no header, and its first line is not {','.join(names)}: put a header above it"
        )
    names = names[: len(cells)]
    return names + [f"column {number + 1}" for number in range(len(names), len(cells))]


def _is_clock_text(text: str) -> bool:
    """Return whether a whole number can be a time of day, as 0915 or 091500."""
    return text.isdigit() and len(text) in {3, 4, 5, 6} and int(text[-2:]) < 60


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number_column(table: pa.Table, name: str, file: Path) -> Floats:
    column = table[name]
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise DataError(f"{file}: column {name}: expected numbers, got {kind}")
    numbers = column.cast(pa.float64(), safe=False)
    return packed_numbers(
        pc.fill_null(numbers, np.nan) if numbers.null_count else numbers, np.float64
    )


def _row_symbols(table: pa.Table, name: Mapping[str, str], file: Path) -> Words | None:
    """Return the symbol of each row, None where only the file's name says it.

    A contract is called by its own name.
    """
    if SYMBOL not in name:
        symbols = _word_column(table, "ticker") if "ticker" in table.column_names else None
    else:
        symbols = _word_column(table, name[SYMBOL])
    terms = [name[role] for role in (EXPIRY, STRIKE, RIGHT) if role in name]
    if symbols is not None and CONTRACT in name and EXPIRY in name:
        return np.where(
            _word_column(table, name[EXPIRY]) == "", symbols, _word_column(table, name[CONTRACT])
        )
    if terms:
        key = symbols if symbols is not None else np.full(len(table), "")
        words = [
            pa.array(key.tolist(), pa.string()),
            *(table[column].cast(pa.string()) for column in terms),
        ]
        pairs = pa.table(dict(zip(["", *terms], words, strict=True)))
        if len(pairs.group_by(pairs.column_names).aggregate([])) > len(np.unique(key)):
            raise DataError(
                f"{file}: contracts that only {', '.join(terms)} tell apart: give each a name in a "
                f"column: --map symbol=COLUMN"
            )
    return symbols


def _word_column(table: pa.Table, name: str) -> Words:
    column = pc.fill_null(table[name].cast(pa.string()), "")
    found: Words = np.char.upper(packed_texts(pc.utf8_trim_whitespace(column)))
    return found
