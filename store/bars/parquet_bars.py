"""Bars in Parquet files: one per version, span, symbol and year, each replaced whole.

    root/version=live/span=60/symbol=RELIANCE/2024.parquet      the bars, by time
    root/version=live/span=60/recent/00000007.parquet           batches that are not folded in yet

A batch of many symbols costs one small file and one fsync; `fold` moves the batches into the files
of their symbols. A crash between the two leaves bars in both places, where the same bar replaces
itself.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, final
from urllib.parse import quote, unquote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from compiled.model.values import Bar
from engine.errors import DataError, OperatorError
from engine.history.bar_series import (
    BarSeries,
    Floats,
    Ints,
    StoredSeries,
    from_bars,
    merge,
    to_bars,
    without_rows,
)
from engine.indian_time import IST
from engine.market.arrow_columns import (
    array_of_numbers,
    array_of_texts,
    packed_numbers,
    packed_texts,
)
from engine.system.whole_files import replacing, sync
from store.bars.bar_encoding import ENCODINGS, decode_bars, encode_bars

ROW_GROUP = 8_192
"""About a month of minutes: what a question about a month has to read."""

RECENT_FILES = 64
"""So many batches wait before they are folded in."""

BULK = 20_000
"""A batch of so many bars is folded in at once."""

WRITERS = 4
"""Files that are written at the same time."""

LAST = 2**62
REMOVALS = "removals"


@final
class ParquetBars:
    """An `engine.ports.BarStore` under the folder `root`, for any number of processes.

    Raises `DataError` for a bar that cannot be stored or a file that cannot be read,
    `OperatorError` when the disk refuses; what was stored before then stands unchanged.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._waiting: tuple[list[object], dict[str, BarSeries]] = ([], {})

    def write(self, bars: Sequence[Bar], symbols: dict[int, str], version: str) -> None:
        """Store bars of any spans, durably; the same bar (token, span, start) again replaces it."""
        unnamed = {bar.token for bar in bars} - symbols.keys()
        if unnamed:
            raise DataError(
                f"no symbol is known for the tokens {sorted(unnamed)} of {len(bars)} bars"
            )
        batches = []
        for span in sorted({bar.span for bar in bars}):
            chosen = [bar for bar in bars if bar.span == span]
            names = array_of_texts([symbols[bar.token] for bar in chosen])
            batches.append((span, encode_bars(from_bars(chosen)).append_column("symbol", names)))
        with self._write_lock():
            for span, batch in batches:
                self._add_batch(self._span_folder(version, span), batch)

    def read(self, symbol: str, span: int, start: int, end: int, version: str) -> list[Bar]:
        """Return the bars of a symbol that start in [start, end), oldest first."""
        return to_bars(self.columns(symbol, span, start, end, version), span)

    def read_many(
        self, symbols: Sequence[str], span: int, start: int, end: int, version: str
    ) -> dict[str, list[Bar]]:
        """Return what `read` returns of each symbol; the batches are looked through once."""
        folder = self._span_folder(version, span)
        start, end = max(start, -LAST), min(end, LAST)
        with _storage_errors(folder):
            # the batches first: one that is folded in meanwhile is then found in the files
            recent = self._waiting_series(folder)
            first, last = str(_file_period(start, span)), str(_file_period(end, span))
            found = {}
            for symbol in symbols:
                years = [
                    path
                    for path in _parquet_files(_symbol_folder(folder, symbol))
                    if first <= path.stem <= last
                ]
                parts = [_read_between(path, start, end) for path in years]
                columns = merge(
                    [_empty_series(), *parts, *([recent[symbol]] if symbol in recent else [])]
                )
                low, high = np.searchsorted(columns.start, [start, end])
                found[symbol] = to_bars(columns.pick(slice(int(low), int(high))), span)
        return found

    def symbols(self, span: int, version: str) -> list[str]:
        """Return the symbols that have bars, in order."""
        folder = self._span_folder(version, span)
        found = {unquote(path.name.removeprefix("symbol=")) for path in folder.glob("symbol=*")}
        return sorted(found | self._waiting_series(folder).keys())

    def identity(self, symbols: Sequence[str], span: int, version: str) -> str:
        """Return a hash of names, sizes and times of the files: each is replaced, never changed."""
        folder = self._span_folder(version, span)
        places = [folder / "recent", *(_symbol_folder(folder, symbol) for symbol in symbols)]
        said = hashlib.sha256()
        with _storage_errors(folder):
            for path in (path for place in places for path in _parquet_files(place)):
                try:
                    at = path.stat()
                except FileNotFoundError:
                    return ""  # it is just being written
                facts = at.st_size, at.st_mtime_ns, at.st_ctime_ns, at.st_ino
                said.update(f"{path} {facts}\n".encode())
        return said.hexdigest()

    def contents(self) -> list[StoredSeries]:
        """Return the stored series by version, span and symbol.

        Bars that wait in batches count without their size.
        """
        found: list[StoredSeries] = []
        with _storage_errors(self._root):
            for folder, span in self._span_folders():
                version = unquote(folder.parent.name.removeprefix("version="))
                for symbol in self.symbols(span, version):
                    size = sum(
                        path.stat().st_size
                        for path in _parquet_files(_symbol_folder(folder, symbol))
                    )
                    found.append(StoredSeries(version, span, symbol, size))
        return sorted(found)

    def starts(self, symbol: str, span: int, version: str) -> Ints:
        """Return when the bars of a symbol start (ns UTC), each time once.

        It takes a fraction of the time that reading the bars takes.
        """
        folder = self._span_folder(version, span)
        with _storage_errors(folder):
            recent = self._waiting_series(folder).get(symbol, _empty_series()).start
            stored = [_read_starts(path) for path in _parquet_files(_symbol_folder(folder, symbol))]
            there: Ints = np.unique(np.concatenate([recent, *stored]))
        return there

    def write_columns(self, symbol: str, span: int, version: str, columns: BarSeries) -> None:
        """Store many bars of one symbol, straight into its files."""
        with self._write_lock():
            folder = self._span_folder(version, span)
            _fold_batches(folder, span)
            _merge_into_files(folder, span, symbol, columns)

    def write_many(self, parts: Mapping[str, BarSeries], span: int, version: str) -> None:
        """Store bars of several symbols: a few as one batch, many straight into their files."""
        there = {symbol: columns for symbol, columns in parts.items() if len(columns.start)}
        folder, counts = self._span_folder(version, span), [len(c.start) for c in there.values()]
        with self._write_lock():
            # One bar each of 2,000 symbols would rewrite 2,000 files.
            if len(there) > 1 and sum(counts) < BULK:
                whole = BarSeries(*map(np.concatenate, zip(*there.values(), strict=True)))
                names = array_of_texts(np.repeat([*there], counts).tolist())
                self._add_batch(folder, encode_bars(whole).append_column("symbol", names))
            else:
                _fold_batches(folder, span)
                _merge_all(folder, span, there)

    def columns(self, symbol: str, span: int, start: int, end: int, version: str) -> BarSeries:
        """Return what `read` returns, as arrays."""
        folder = self._span_folder(version, span)
        start, end = max(start, -LAST), min(end, LAST)
        first, last = str(_file_period(start, span)), str(_file_period(end, span))
        with _storage_errors(folder):
            # the batches first: one that is folded in meanwhile is then found in the files
            recent = self._waiting_series(folder).get(symbol, _empty_series())
            years = [
                path
                for path in _parquet_files(_symbol_folder(folder, symbol))
                if first <= path.stem <= last
            ]
            found = merge(
                [_empty_series(), *(_read_between(path, start, end) for path in years), recent]
            )
        low, high = np.searchsorted(found.start, [start, end])
        return found.pick(slice(int(low), int(high)))

    def write_averages(
        self, symbol: str, span: int, version: str, starts: Ints, columns: Mapping[str, Floats]
    ) -> None:
        """Store averages by the start of their bar, in place of all there were; NaN is none yet."""
        table = pa.table(
            {"start": array_of_numbers(starts).cast(pa.timestamp("ns", "UTC"))}
            | {
                name: pc.if_else(
                    pc.is_nan(array_of_numbers(values)), None, array_of_numbers(values)
                )
                for name, values in columns.items()
            }
        )
        with self._write_lock():
            path = self._averages_path(symbol, span, version)
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as fresh:
                pq.write_table(
                    table,
                    fresh,
                    compression="zstd",
                    use_dictionary=False,
                    write_statistics=["start"],
                )

    def averages(self, symbol: str, span: int, version: str) -> tuple[Ints, dict[str, Floats]]:
        """Return the starts of bars with stored averages, and those by name.

        Nothing where there are none.
        """
        path = self._averages_path(symbol, span, version)
        with _storage_errors(path):
            if not path.exists():
                return np.zeros(0, np.int64), {}
            table = pq.ParquetFile(path).read(use_threads=False)
        starts = packed_numbers(table.column("start").cast(pa.int64()), np.int64)
        names = table.column_names[1:]
        return starts, {
            name: packed_numbers(pc.fill_null(table.column(name), np.nan), np.float64)
            for name in names
        }

    def remove(self, symbol: str, span: int, version: str, columns: BarSeries) -> None:
        """Remove bars where they still are as given: another bar of the same time stays.

        The removal is counted before they go.
        """
        with self._write_lock():
            folder = self._span_folder(version, span)
            _fold_batches(folder, span)
            # counted first: a reader lists the archive anew by this count, and must before the bars
            # go
            with replacing(self._root / REMOVALS) as fresh:
                fresh.write_text(str(self.removals() + 1))
            for path in _parquet_files(_symbol_folder(folder, symbol)):
                with _opened_file(path) as file:
                    there = decode_bars(file.read(use_threads=False))
                left = without_rows(there, columns)
                if not len(left.start):
                    path.unlink()
                elif len(left.start) < len(there.start):
                    _replace_file(path, encode_bars(left))
            if not _parquet_files(_symbol_folder(folder, symbol)):
                shutil.rmtree(_symbol_folder(folder, symbol), ignore_errors=True)

    def removals(self) -> int:
        """Return how often bars have been removed.

        Once it is read, a removal that began before is counted.
        """
        with _storage_errors(self._root):
            try:
                return int((self._root / REMOVALS).read_text(encoding="ascii"))
            except FileNotFoundError:
                return 0

    def claim(self, version: str) -> bool:
        """Make the folder of a version; return False where there is one already."""
        with self._write_lock():
            try:
                (self._root / f"version={quote(version, safe='')}").mkdir()
            except FileExistsError:
                return False
            sync(self._root)
            return True

    def fold(self) -> None:
        """Move every batch into the files of its symbols.

        Writing does this now and then by itself; the end of a day is the best time for it.
        """
        with self._write_lock():
            for folder, span in self._span_folders():
                _fold_batches(folder, span)

    def _waiting_series(self, folder: Path) -> dict[str, BarSeries]:
        """Return what waits in the batches, by symbol: they are read once for many symbols."""
        there: list[object] = []
        for path in _parquet_files(folder / "recent"):
            with contextlib.suppress(FileNotFoundError):
                at = path.stat()
                # a number is used again after a fold
                there.append((path, at.st_mtime_ns, at.st_ctime_ns, at.st_ino))
        known, found = self._waiting
        if there != known:
            found = _recent_series(folder)
            self._waiting = there, found
        return found

    def _add_batch(self, folder: Path, batch: pa.Table) -> None:
        waiting = _parquet_files(folder / "recent")
        number = int(waiting[-1].stem) + 1 if waiting else 1
        _replace_file(folder / "recent" / f"{number:08}.parquet", batch)
        if len(waiting) >= RECENT_FILES or len(batch) >= BULK:
            _fold_batches(folder, int(folder.name.removeprefix("span=")))

    def _span_folder(self, version: str, span: int) -> Path:
        return self._root / f"version={quote(version, safe='')}" / f"span={span}"

    def _span_folders(self) -> Iterator[tuple[Path, int]]:
        for folder in sorted(self._root.glob("version=*/span=*")):
            # Whatever else somebody puts there, as a copy, is none of ours.
            if (seconds := folder.name.removeprefix("span=")).isdecimal():
                yield folder, int(seconds)

    def _averages_path(self, symbol: str, span: int, version: str) -> Path:
        return (
            self._root
            / "averages"
            / f"version={quote(version, safe='')}"
            / f"span={span}"
            / f"{quote(symbol, safe='')}.parquet"
        )

    @contextlib.contextmanager
    def _write_lock(self) -> Iterator[None]:
        """Keep other writers out, in this process or another."""
        with _storage_errors(self._root):
            self._root.mkdir(parents=True, exist_ok=True)
            lock = os.open(self._root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                # the kernel releases it with the process, however that ends; readers need none, for
                # files are replaced whole
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
            finally:
                os.close(lock)


@contextlib.contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowInvalid, KeyError) as error:
        raise DataError(
            f"bars under {path} cannot be read: {str(error).splitlines()[0]}"
        ) from error
    except OSError as error:
        raise OperatorError(
            f"bars under {path}: {error.strerror or error}; check the folder, its disk and rights"
        ) from (error)


@contextlib.contextmanager
def _opened_file(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a file of bars, whose pages are held against their checksums as they are read.

    Raise `DataError` where it is damaged. A page without a checksum is believed.
    """
    try:
        yield pq.ParquetFile(path, page_checksum_verification=True)
    except (pa.ArrowException, OSError, KeyError) as error:
        # The system's errors have a number; those of the format and of a page have none.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DataError(
            f"{path} is damaged ({str(error).splitlines()[0]}): move it away, and bring its bars "
            "in again"
        ) from error


def _symbol_folder(folder: Path, symbol: str) -> Path:
    return folder / f"symbol={quote(symbol, safe='')}"


def _parquet_files(folder: Path) -> list[Path]:
    try:
        return sorted(
            path for path in folder.iterdir() if path.suffix == ".parquet" and path.name[0] != "."
        )
    except FileNotFoundError:
        return []


def _file_period(ts: int, span: int) -> np.datetime64:
    """Return the period whose file holds a time: its year in IST, its month for bars of seconds."""
    period: np.datetime64 = np.datetime64(int(ts) + IST, "ns").astype(
        f"datetime64[{'M' if span < 60 else 'Y'}]"
    )
    return period


def _read_batches(paths: Sequence[Path]) -> Iterator[pa.Table]:
    for path in paths:
        # folded in since it was listed
        with contextlib.suppress(FileNotFoundError), _opened_file(path) as file:
            yield file.read(use_threads=False)


def _recent_series(folder: Path) -> dict[str, BarSeries]:
    batches = list(_read_batches(_parquet_files(folder / "recent")))
    if not batches:
        return {}
    table = pa.concat_tables(batches)
    return _by_symbol(packed_texts(table.column("symbol")), decode_bars(table))


def _by_symbol(names: npt.NDArray[np.str_], columns: BarSeries) -> dict[str, BarSeries]:
    order = np.argsort(names, kind="stable")
    found, firsts = np.unique(names[order], return_index=True)
    bounds = pairwise([*firsts.tolist(), len(order)])
    return {
        str(name): columns.pick(order[first:last])
        for name, (first, last) in zip(found, bounds, strict=True)
    }


def _empty_series() -> BarSeries:
    return from_bars([])


def _read_between(path: Path, start: int, end: int) -> BarSeries:
    """Return the bars of the row groups that may hold some of [start, end)."""
    # removed since it was listed
    with contextlib.suppress(FileNotFoundError), _opened_file(path) as file:
        groups = []
        for number in range(file.metadata.num_row_groups):
            bounds = file.metadata.row_group(number).column(0).statistics
            if bounds.min_raw < end and bounds.max_raw >= start:
                groups.append(number)
        if groups:
            return decode_bars(file.read_row_groups(groups, use_threads=False))
    return _empty_series()


def _read_starts(path: Path) -> Ints:
    # as in `_read_between`
    with contextlib.suppress(FileNotFoundError), _opened_file(path) as file:
        part = file.read(columns=["start"], use_threads=False)
        return packed_numbers(part.column("start").cast(pa.int64()), np.int64)
    return np.zeros(0, np.int64)


def _fold_batches(folder: Path, span: int) -> None:
    paths = _parquet_files(folder / "recent")
    if not paths:
        return
    batches = pa.concat_tables(list(_read_batches(paths)))
    symbols = packed_texts(batches.column("symbol"))
    columns = decode_bars(batches)
    _merge_all(folder, span, _by_symbol(symbols, columns))
    # batches go last: a crash before leaves their bars in both places, where they count once
    for path in paths:
        path.unlink()
    sync(folder / "recent")


def _merge_all(folder: Path, span: int, parts: Mapping[str, BarSeries]) -> None:
    """Merge bars into the files of their symbols, several at a time: a disk takes long to sync."""
    with ThreadPoolExecutor(WRITERS) as pool:
        for _ in pool.map(lambda each: _merge_into_files(folder, span, *each), parts.items()):
            pass


def _merge_into_files(folder: Path, span: int, symbol: str, columns: BarSeries) -> None:
    """Merge bars into the files of a symbol."""
    columns = merge([columns])
    if not len(columns.start):
        return
    periods = np.arange(
        _file_period(columns.start[0], span), _file_period(columns.start[-1], span) + 1
    )
    borders = periods[1:].astype("datetime64[ns]").astype(np.int64) - IST
    bounds = [0, *np.searchsorted(columns.start, borders).tolist(), len(columns.start)]
    tables = []
    for period, (first, last) in zip(periods, pairwise(bounds), strict=True):
        path = _symbol_folder(folder, symbol) / f"{period}.parquet"
        fresh = columns.pick(slice(first, last))
        if path.exists() and last > first:
            with _opened_file(path) as file:
                fresh = merge([decode_bars(file.read(use_threads=False)), fresh])
        if last > first:
            # all are encoded before one is replaced: a price that cannot be stored leaves every
            # file be
            tables.append((path, encode_bars(fresh)))
    for path, table in tables:
        _replace_file(path, table)


def _replace_file(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        # its writer has died: we hold the lock, so nobody is writing it
        leftover.unlink()
    with replacing(path) as fresh:
        write_table(table, fresh)


def write_table(table: pa.Table, out: Path | BinaryIO) -> None:
    """Write encoded bars as a Parquet file."""
    pq.write_table(
        table,
        out,
        row_group_size=ROW_GROUP,
        compression="zstd",
        use_dictionary=["symbol"],
        column_encoding=ENCODINGS,
        write_statistics=["start"],
        write_page_checksum=True,
    )


__all__ = ["BarSeries", "ParquetBars"]
