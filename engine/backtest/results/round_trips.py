"""The round trips of a run, made of its fills: costs, slippage, and excursions."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

import numpy as np

from compiled.backtest.session_loop import RungRecord
from compiled.model.values import Product, paise
from compiled.trading.order_store import BookedFill
from engine.backtest.run_outcome import RoundTrip
from engine.history.bar_series import BarSeries, Floats, Ints
from engine.market.calendar import ist_day
from engine.texts import valid_text

OPEN = "open"
"""Why a round trip ended that has not."""


class FillColumns(NamedTuple):
    """Fills as arrays.

    `symbol` counts into a list, `side` is 1 or -1, amounts are paise, prices rupees.
    """

    ts: Ints
    symbol: Ints
    rung: Ints
    side: Ints
    quantity: Ints
    price: Floats
    value: Ints
    charges: Ints
    slippage: Ints


def fill_columns(
    fills: Sequence[BookedFill], symbols: Mapping[int, int], series: Sequence[BarSeries]
) -> FillColumns:
    """Return fills as arrays.

    `symbols` numbers the tokens, and `series` has the bars that were replayed by that number. The
    loss of a fill is the distance from the price it met: the open it came with, or the trigger that
    the price reached.
    """
    rows = [
        (
            fill.ts,
            symbols[int(fill.order.token)],
            fill.order.rung,
            int(fill.order.side),
            fill.quantity,
            paise(fill.price, fill.quantity),
            fill.charges,
        )
        for fill in fills
    ]
    ts, symbol, rung, side, quantity, value, charges = (
        np.array(rows, np.int64).reshape(len(rows), 7).T
    )
    price = np.array([fill.price for fill in fills])
    triggers = np.array([fill.order.trigger for fill in fills])
    columns = FillColumns(
        ts,
        symbol,
        rung=rung,
        side=side,
        quantity=quantity,
        price=price,
        value=value,
        charges=charges,
        slippage=np.zeros(len(rows), np.int64),
    )
    for number, bars in enumerate(series):
        mine = np.flatnonzero(columns.symbol == number)
        if not len(mine):
            continue
        at = np.searchsorted(bars.start, columns.ts[mine], side="right") - 1
        # A fill at the start of a bar met its open, one within it the trigger that the price
        # reached.
        met = np.where(bars.start[at] == columns.ts[mine], bars.open[at], triggers[mine])
        lost = columns.side[mine] * (columns.price[mine] - met) * columns.quantity[mine] * 100.0
        columns.slippage[mine] = np.where(met > 0.0, np.rint(np.maximum(lost, 0.0)), 0.0).astype(
            np.int64
        )
    return columns


def kept_overnight(
    fills: Sequence[BookedFill], symbols: Mapping[int, int], names: Sequence[str]
) -> list[str]:
    """Name the intraday positions without a bar to be left with, as "INFY on 2024-06-04"."""
    held: dict[tuple[date, int], int] = {}
    for fill in fills:
        if fill.order.product is Product.MIS:
            key = ist_day(int(fill.ts)), symbols[int(fill.order.token)]
            held[key] = held.get(key, 0) + int(fill.order.side) * int(fill.quantity)
    shares: dict[int, int] = {}
    found = []
    for (day, symbol), moved in sorted(held.items()):
        shares[symbol] = shares.get(symbol, 0) + moved
        if shares[symbol]:
            found.append(f"{names[symbol]} on {day}")
    return found


class _TripBuilder:
    """A round trip as its fills come: shares and paise."""

    def __init__(self, fill: BookedFill, number: int) -> None:
        self.order, self.symbol = fill.order, number
        self.side = int(fill.order.side)
        self.first = self.last = int(fill.ts)
        self.bought = self.paid = self.sold = self.got = self.charges = self.slippage = 0

    def add_fill(
        self, ts: int, side: int, quantity: int, value: int, charges: int, slippage: int
    ) -> None:
        self.last = ts
        self.charges, self.slippage = self.charges + charges, self.slippage + slippage
        if side == self.side:
            self.bought, self.paid = self.bought + quantity, self.paid + value
        else:
            self.sold, self.got = self.sold + quantity, self.got + value


def trades_of(
    fills: Sequence[BookedFill],
    columns: FillColumns,
    rungs: Iterable[RungRecord],
    names: Sequence[str],
    series: Sequence[BarSeries],
) -> list[RoundTrip]:
    """Return the round trips in the order of their entries.

    Shares still held stand at their last close. `names` and `series` are by the number of a symbol.
    """
    trips: dict[int, _TripBuilder] = {}
    rows = zip(*(column.tolist() for column in columns), strict=True)
    for fill, (ts, symbol, rung, side, quantity, _, *amounts) in zip(fills, rows, strict=True):
        trip = trips.get(rung)
        if trip is None:
            trip = trips[rung] = _TripBuilder(fill, symbol)
        trip.add_fill(ts, side, quantity, *amounts)
    records = {int(each.rung_id): each for each in rungs}
    found: list[RoundTrip] = []
    for number, (rung, trip) in enumerate(
        sorted(trips.items(), key=lambda item: item[1].first), start=1
    ):
        bars, done = series[trip.symbol], records.get(rung)
        held = trip.bought - trip.sold
        # Without a record it is a bare position of the fast path: a ladder of one rung, which has
        # the number after its ladder's.
        last = float(bars.close[-1])
        got = trip.got + (int(paise(last, held)) if held else 0)
        found.append(
            RoundTrip(
                number=number,
                strategy=trip.order.strategy,
                symbol=names[trip.symbol],
                side=trip.side,
                ladder=int(done.ladder_id) if done is not None else rung - 1,
                rung=int(done.number) if done is not None else 1,
                quantity=trip.bought,
                entry_ts=trip.first,
                entry_price=round(trip.paid / trip.bought / 100.0, 4),
                exit_ts=0 if held else trip.last,
                exit_price=round(got / trip.bought / 100.0, 4),
                gross=trip.side * (got - trip.paid),
                charges=trip.charges,
                slippage=trip.slippage,
                mae=0,
                mfe=0,
                entry_reason=valid_text(done.reason) if done is not None else "",
                exit_reason=OPEN if held else (valid_text(done.ended) if done is not None else ""),
            )
        )
    return _with_excursions(found, names, series)


def _with_excursions(
    trades: list[RoundTrip], names: Sequence[str], series: Sequence[BarSeries]
) -> list[RoundTrip]:
    """Return the trades with their worst and best values between entry and the bar of the exit."""
    by_symbol: dict[str, list[int]] = {}
    for k, trade in enumerate(trades):
        by_symbol.setdefault(trade.symbol, []).append(k)
    number = {name: k for k, name in enumerate(names)}
    for symbol, rows in by_symbol.items():
        bars = series[number[symbol]]
        entries = np.array([trades[k].entry_ts for k in rows], np.int64)
        exits = np.array([trades[k].exit_ts or int(bars.start[-1]) + 1 for k in rows], np.int64)
        # The entry's bar counts whole, for most entries meet its open; of the exit's bar only the
        # exit's price does, for its extremes may have come later.
        low = np.searchsorted(bars.start, entries, side="right") - 1
        high = np.maximum(np.searchsorted(bars.start, exits, side="right") - 1, low)
        for k, start, end in zip(rows, low.tolist(), high.tolist(), strict=True):
            trade = trades[k]
            prices = [trade.entry_price, trade.exit_price]
            if end > start:
                prices += [float(bars.low[start:end].min()), float(bars.high[start:end].max())]
            worst, best = (
                (min(prices), max(prices)) if trade.side > 0 else (max(prices), min(prices))
            )
            trades[k] = trade._replace(
                mae=round(trade.side * (worst - trade.entry_price) * trade.quantity * 100.0),
                mfe=round(trade.side * (best - trade.entry_price) * trade.quantity * 100.0),
            )
    return trades
