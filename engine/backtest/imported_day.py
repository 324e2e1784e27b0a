"""A day of a backtest on ticks of others, which an import has kept."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import final

import numpy as np

from compiled.backtest.tick_packing import TickPacker
from compiled.model.events import BandUpdate
from compiled.model.values import SECOND, Instrument
from engine.backtest.run_ticks import CHUNK
from engine.backtest.traded_market import instruments_by_prices
from engine.day.dead_letters import AHEAD_S
from engine.errors import OperatorError, in_words
from engine.history.kept_ticks import KeptTicks, read_prices, read_ticks, tick_count
from engine.market.instruments import InstrumentList


@final
class ImportedDay:
    """The kept ticks of some symbols on one day, on one clock: those of one time by symbol.

    `listed` has the instruments by symbol. There are no bands, no depth, and no timers: one goes
    off every second.
    """

    def __init__(
        self, files: Sequence[KeptTicks], listed: Mapping[str, Instrument], late_s: float
    ) -> None:
        self._files = files
        self.day: date = files[0].day
        self.listed = listed
        self.hashes: Mapping[str, str] = {
            f"{each.symbol}/{each.day}": file_hash([each.path]) for each in files
        }
        self.size = tick_count(files)
        self.ahead = AHEAD_S * SECOND
        self.late = int(late_s * SECOND)
        self.timed = False
        self.remarks: list[str] = []

    def fill(self, packer: TickPacker) -> Iterator[BandUpdate | None]:
        """Pack the day; stop at every chunk."""
        read = [read_ticks(each) for each in self._files]
        tokens = np.concatenate(
            [
                np.full(len(times), int(self.listed[each.symbol].token), np.int64)
                for each, (times, _, _) in zip(self._files, read, strict=True)
            ]
        )
        times, prices, volumes = (np.concatenate(columns) for columns in zip(*read, strict=True))
        # Stable: of one second the files' order stands, and with it the digest.
        order = np.argsort(times, kind="stable")
        for first in range(0, len(order), CHUNK):
            rows = order[first : first + CHUNK]
            packer.add_columns(
                *(column[rows].tobytes() for column in (tokens, times, prices, volumes))
            )
            yield None


def imported_days(
    files: Sequence[KeptTicks], listed: InstrumentList | None, last: date, late_s: float
) -> list[ImportedDay]:
    """Return the days of some files, by `listed` instruments of the `last` of them.

    What the list has not is told by its prices. `late_s` is the age from which on a tick is late,
    which it gets by a latency of the feed alone. Raises `DataError` for a contract.
    """
    prices: dict[str, list[np.ndarray[tuple[int], np.dtype[np.float64]]]] = {}
    for each in files:
        # Prices are few where ticks are many: what is kept of a year of them is small.
        found = np.unique(read_prices(each))
        if len(found := found[found > 0.0]):
            prices.setdefault(each.symbol, []).append(found)
    instruments = instruments_by_prices(prices, listed, last)
    by_day: dict[date, list[KeptTicks]] = {}
    for each in files:
        if each.symbol in instruments:
            by_day.setdefault(each.day, []).append(each)
    return [
        ImportedDay(kept, {each.symbol: instruments[each.symbol] for each in kept}, late_s)
        for _, kept in sorted(by_day.items())
    ]


def file_hash(paths: Sequence[Path]) -> str:
    """Return the SHA-256 over some files, one behind the other; raise `OperatorError`."""
    sha = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                while piece := file.read(1 << 20):
                    sha.update(piece)
        except OSError as error:
            raise OperatorError(f"{path}: {in_words(error)}") from None
    return sha.hexdigest()
