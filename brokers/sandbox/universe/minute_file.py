"""A recorded file of one-minute bars, read with every cell checked.

A wrong cell is named with file, row and column.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from brokers.sandbox import kite_times
from compiled.model.values import MINUTE
from engine.errors import DataError
from engine.indian_time import IST
from engine.market.arrow_columns import packed_numbers

PRICES = ("open", "high", "low", "close")
COLUMNS = ("timestamp", *PRICES, "volume")
MOST = 1e12
"""Rupees or shares: beyond it a number is a mistake."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class MinuteColumns(NamedTuple):
    """The bars of one symbol by rows of the file: starts in ns UTC, prices in rupees, shares."""

    starts: Integers
    prices: list[Floats]
    volumes: Integers


def read_minutes(file: Path) -> MinuteColumns:
    """Return the bars of a file; raise `DataError` in one line.

    Stamps without a time zone are IST, volumes may be floats that are whole.
    """
    sheet = MinuteFile(file)
    starts, prices = sheet.stamps("timestamp"), [sheet.prices(name) for name in PRICES]
    opened, high, low, closed = prices
    sheet.refuse_rows(
        "high",
        high < np.maximum(opened, closed),
        lambda row: f"{high[row]:g} is below open or close",
    )
    sheet.refuse_rows(
        "low", low > np.minimum(opened, closed), lambda row: f"{low[row]:g} is above open or close"
    )
    return MinuteColumns(starts, prices, sheet.shares("volume"))


@final
class MinuteFile:
    """The table of one file, column by column."""

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            # neither threads nor `read_table`, which loads the datasets of arrow: both keep memory
            # for good
            source = pq.ParquetFile(file)
            there = source.schema_arrow.names
            lacking = [name for name in COLUMNS if name not in there]
            if not lacking:
                self._table = source.read(columns=list(COLUMNS), use_threads=False)
        except (OSError, ValueError) as error:
            raise DataError(f"tape {file}: {' '.join(str(error).split())}") from error
        if lacking:
            raise DataError(
                f"tape {file}: no column {', '.join(lacking)}; there are "
                f"{', '.join(there) or 'none'}"
            )

    def refuse_rows(
        self, name: str, wrong: npt.NDArray[np.bool_], say: Callable[[int], str]
    ) -> None:
        """Raise `DataError` for the first wrong row, counted from 1.

        `say` takes it counted from 0.
        """
        if wrong.any():
            row = int(np.argmax(wrong))
            raise DataError(f"tape {self._file}: row {row + 1}, column {name}: {say(row)}")

    def stamps(self, name: str) -> Integers:
        """Return times in ns UTC, each the beginning of a minute."""
        column = self._filled_column(name)
        if not pa.types.is_timestamp(column.type):
            raise DataError(
                f"tape {self._file}: column {name}: expected timestamps, got {column.type}"
            )
        try:
            stamps: Integers = packed_numbers(
                column.cast(pa.timestamp("ns", column.type.tz)).cast("int64"), np.int64
            )
        except pa.ArrowInvalid:
            raise DataError(
                f"tape {self._file}: column {name}: a time beyond the years 1678 to 2262"
            ) from None
        if column.type.tz is None:
            stamps = stamps - IST
        self.refuse_rows(
            name,
            stamps % MINUTE != 0,
            lambda row: f"{kite_times.text(int(stamps[row]))} IST begins no minute",
        )
        return stamps

    def prices(self, name: str) -> Floats:
        """Return prices in rupees."""
        numbers = self._number_column(name)
        self.refuse_rows(
            name, ~((numbers > 0) & (numbers < MOST)), lambda row: f"{numbers[row]:g} is no price"
        )
        return numbers

    def shares(self, name: str) -> Integers:
        """Return numbers of shares."""
        numbers = self._number_column(name)
        whole = (numbers >= 0) & (numbers < MOST) & (numbers == np.floor(numbers))
        self.refuse_rows(name, ~whole, lambda row: f"{numbers[row]:g} is no number of shares")
        return numbers.astype(np.int64)

    def _number_column(self, name: str) -> Floats:
        column = self._filled_column(name)
        kind = column.type
        if not (
            pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
        ):
            raise DataError(f"tape {self._file}: column {name}: expected numbers, got {kind}")
        return packed_numbers(column.cast("float64", safe=False), np.float64)

    def _filled_column(self, name: str) -> pa.ChunkedArray:
        column = self._table[name]
        if column.null_count:
            self.refuse_rows(name, column.is_null().to_numpy(), lambda _: "empty")
        return column
