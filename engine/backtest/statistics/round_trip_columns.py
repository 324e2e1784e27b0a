"""Round trips as arrays."""

from collections.abc import Sequence
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.backtest.run_outcome import RoundTrip
from engine.history.bar_series import Floats, Ints


class RoundTripColumns(NamedTuple):
    """Round trips, one array per field, as `RoundTrip` has them; `net` is gross less charges."""

    side: Ints
    rung: Ints
    quantity: Ints
    entry_ts: Ints
    entry_price: Floats
    exit_ts: Ints
    exit_price: Floats
    gross: Ints
    charges: Ints
    slippage: Ints
    mae: Ints
    mfe: Ints
    net: Ints

    def pick(self, rows: npt.NDArray[np.intp]) -> "RoundTripColumns":
        """Return some of them."""
        side, rung, quantity, entry_ts, entry_price, exit_ts, exit_price, *amounts = self
        times = entry_ts[rows], entry_price[rows], exit_ts[rows], exit_price[rows]
        return RoundTripColumns(
            side[rows], rung[rows], quantity[rows], *times, *(amount[rows] for amount in amounts)
        )


def round_trip_columns(trades: Sequence[RoundTrip]) -> RoundTripColumns:
    """Return trades as arrays, in the order given."""

    def whole(name: str) -> Ints:
        return np.fromiter(
            map(itemgetter(RoundTrip._fields.index(name)), trades), np.int64, len(trades)
        )

    def price(name: str) -> Floats:
        return np.fromiter(
            map(itemgetter(RoundTrip._fields.index(name)), trades), np.float64, len(trades)
        )

    gross, charges = whole("gross"), whole("charges")
    return RoundTripColumns(
        side=whole("side"),
        rung=whole("rung"),
        quantity=whole("quantity"),
        entry_ts=whole("entry_ts"),
        entry_price=price("entry_price"),
        exit_ts=whole("exit_ts"),
        exit_price=price("exit_price"),
        gross=gross,
        charges=charges,
        slippage=whole("slippage"),
        mae=whole("mae"),
        mfe=whole("mfe"),
        net=gross - charges,
    )


def names_and_places(trades: Sequence[RoundTrip], field: str) -> tuple[list[str], Ints]:
    """Return the names in a field of trades, as they appear, and each trade's place among them."""
    names = list(map(itemgetter(RoundTrip._fields.index(field)), trades))
    place = {name: at for at, name in enumerate(dict.fromkeys(names))}
    return list(place), np.fromiter(map(place.__getitem__, names), np.int64, len(names))


def closed_places(every: RoundTripColumns) -> npt.NDArray[np.intp]:
    """Return the places of those that were left, in the order of their exits."""
    order = np.argsort(every.exit_ts, kind="stable")
    left: npt.NDArray[np.intp] = order[every.exit_ts[order] != 0]
    return left
