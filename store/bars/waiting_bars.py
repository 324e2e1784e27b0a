"""Bars for a server that may be away.

Meanwhile they wait in files on the local disk, and follow when it is back.
"""

import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import final

import numpy as np

from compiled.model.values import Bar
from engine.board_rows import ATTENTION
from engine.errors import OperatorError
from engine.history.bar_series import BarSeries, Floats, Ints, StoredSeries, merge, to_bars
from engine.ops.health_sources import PulseReading
from engine.ports import BarStore
from store.bars.parquet_bars import ParquetBars

END_OF_TIME = 2**62


@final
class WaitingBars:
    """A `BarStore` in front of another that may be away.

    Bars the other refuses are kept in `folder`, and handed on with the next write. `tell` is called
    once when the server is away and bars wait, and once when they have followed. Waiting bars are
    read, too. Raises `OperatorError` only where the local disk refuses as well.
    """

    def __init__(self, server: BarStore, folder: Path, tell: Callable[[str], None]) -> None:
        self._server, self._folder, self._tell = server, folder, tell
        self._kept = ParquetBars(folder)
        self._lock = threading.RLock()
        self._away = False

    def health(self) -> PulseReading:
        """Return whether the server of the bars is there, by the last write; never waits."""
        if self._away:
            mend = (
                "Bars wait on this disk and follow by themselves: start the server, mend [store]."
            )
            return PulseReading("bars server", "away", ATTENTION, mend)
        return PulseReading("bars server", "takes them")

    def write(self, bars: Sequence[Bar], symbols: dict[int, str], version: str) -> None:
        """Store bars, there or here; what waits goes first, so that the newest of two stays."""
        with self._lock:
            if not self._try_server(lambda: self._server.write(bars, symbols, version)):
                self._kept.write(bars, symbols, version)

    def write_columns(self, symbol: str, span: int, version: str, columns: BarSeries) -> None:
        """Store many bars of one symbol, there or here."""
        with self._lock:
            if not self._try_server(
                lambda: self._server.write_columns(symbol, span, version, columns)
            ):
                self._kept.write_columns(symbol, span, version, columns)

    def write_many(self, parts: Mapping[str, BarSeries], span: int, version: str) -> None:
        """Store bars of several symbols, there or here."""
        with self._lock:
            if not self._try_server(lambda: self._server.write_many(parts, span, version)):
                self._kept.write_many(parts, span, version)

    def read(self, symbol: str, span: int, start: int, end: int, version: str) -> list[Bar]:
        """Return the bars of a symbol that start in [start, end), oldest first.

        Raise `OperatorError` without a server.
        """
        return to_bars(self.columns(symbol, span, start, end, version), span)

    def read_many(
        self, symbols: Sequence[str], span: int, start: int, end: int, version: str
    ) -> dict[str, list[Bar]]:
        """Return what `read` returns of each symbol."""
        return {symbol: self.read(symbol, span, start, end, version) for symbol in symbols}

    def columns(self, symbol: str, span: int, start: int, end: int, version: str) -> BarSeries:
        """Return what `read` returns, as arrays."""
        with self._lock:
            stores = (self._server, self._kept)
            return merge([store.columns(symbol, span, start, end, version) for store in stores])

    def starts(self, symbol: str, span: int, version: str) -> Ints:
        """Return when the bars of a symbol start, each time once."""
        with self._lock:
            stores = (self._server, self._kept)
            return np.unique(
                np.concatenate([store.starts(symbol, span, version) for store in stores])
            )

    def symbols(self, span: int, version: str) -> list[str]:
        """Return the symbols that have bars, in order."""
        with self._lock:
            return sorted(
                {*self._server.symbols(span, version), *self._kept.symbols(span, version)}
            )

    def identity(self, symbols: Sequence[str], span: int, version: str) -> str:
        """Return that of what the server has, with what waits for it."""
        with self._lock:
            stores = (self._server, self._kept)
            both = [store.identity(symbols, span, version) for store in stores]
            return " ".join(both) if all(both) else ""

    def contents(self) -> list[StoredSeries]:
        """Return what the server has, and what waits for it."""
        with self._lock:
            # the server's entry counts: it has the size of what is stored
            there = {each[:3]: each for each in (*self._kept.contents(), *self._server.contents())}
            return sorted(there.values())

    def write_averages(
        self, symbol: str, span: int, version: str, starts: Ints, columns: Mapping[str, Floats]
    ) -> None:
        """Store averages with the server; they can be made again, and do not wait."""
        with self._lock:
            self._server.write_averages(symbol, span, version, starts, columns)

    def averages(self, symbol: str, span: int, version: str) -> tuple[Ints, dict[str, Floats]]:
        """Return the averages that the server has."""
        with self._lock:
            return self._server.averages(symbol, span, version)

    def remove(self, symbol: str, span: int, version: str, columns: BarSeries) -> None:
        """Remove bars from the server; what waits stays."""
        with self._lock:
            self._server.remove(symbol, span, version, columns)

    def removals(self) -> int:
        """Return how often the server has removed bars."""
        with self._lock:
            return self._server.removals()

    def claim(self, version: str) -> bool:
        """Take the name of a version with the server."""
        with self._lock:
            return self._server.claim(version)

    def fold(self) -> None:
        """Hand on what waits, if the server is there."""
        with self._lock:
            self._try_server(self._server.fold)

    def _try_server(self, work: Callable[[], None]) -> bool:
        """Hand on what waits and do some work; return False while the server is away."""
        try:
            handed = self._hand_on_waiting()
            work()
        except OperatorError as error:
            if not self._away:
                # once: a server may be away all day
                self._tell(f"{error}: bars wait in {self._folder} until it is back")
            self._away = True
            return False
        if self._away or handed:
            self._tell(f"the store of bars is back: {handed:,} bars that waited have followed")
        self._away = False
        return True

    def _hand_on_waiting(self) -> int:
        """Store waiting bars and forget all of them at once.

        Of two batches with the same bar the older must not stay behind alone.
        """
        gone, count = self._folder.with_name(f".{self._folder.name}.handed-on"), 0
        shutil.rmtree(gone, ignore_errors=True)
        for version, span, symbol, *_ in self._kept.contents() if self._folder.is_dir() else ():
            series = self._kept.columns(symbol, span, -END_OF_TIME, END_OF_TIME, version)
            # a bar that has arrived already replaces itself
            self._server.write_columns(symbol, span, version, series)
            count += len(series.start)
        if self._folder.is_dir():
            # the one step that forgets them all; the rest of a removal that was broken off goes
            # next time
            self._folder.rename(gone)
            shutil.rmtree(gone)
        return count
