"""The round trips of a run, made of its fills: costs, slippage, and excursions."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from compiled.backtest.session_loop import RungRecord
from compiled.model.values import Product, paise
from compiled.trading.order_store import BookedFill
from engine.backtest.run_outcome import RoundTrip
from engine.history.bar_series import BarSeries, Floats, Ints, ist_days, numbered_day
from engine.texts import valid_text

OPEN = "open"
"""Why a round trip ended that has not."""


class FillColumns(NamedTuple):
    """Fills as arrays.

    `symbol` counts into a list, `side` is 1 or -1, amounts are paise, prices rupees. `intraday`
    says which are of a product that is not held over night.
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
    intraday: npt.NDArray[np.bool_]


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
        intraday=np.array([fill.order.product is Product.MIS for fill in fills], np.bool_),
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


def volume_shares(fills: FillColumns, series: Sequence[BarSeries]) -> Floats:
    """Return the shares traded in each bar that has a fill, as a part of the bar's volume.

    Bars without a volume are left out.
    """
    found = [np.zeros(0)]
    for number, bars in enumerate(series):
        mine = fills.symbol == number
        if mine.any():
            at = np.searchsorted(bars.start, fills.ts[mine], side="right") - 1
            # several orders of one bar trade against the same volume
            traded = np.bincount(at, fills.quantity[mine], len(bars.start))
            known = (traded > 0) & (bars.volume > 0)
            found.append(traded[known] / bars.volume[known])
    return np.concatenate(found)


def kept_overnight(fills: FillColumns, names: Sequence[str]) -> list[str]:
    """Name the intraday positions without a bar to be left with, as "INFY on 2024-06-04"."""
    days, moved = ist_days(fills.ts), fills.side * fills.quantity
    found: list[tuple[int, int]] = []
    for symbol in range(len(names)):
        mine = np.flatnonzero(fills.intraday & (fills.symbol == symbol))
        ends = np.flatnonzero(np.diff(days[mine], append=0))
        left = np.cumsum(moved[mine])[ends] != 0
        found += [(day, symbol) for day in days[mine[ends[left]]].tolist()]
    return [f"{names[symbol]} on {numbered_day(day)}" for day, symbol in sorted(found)]


class _TripColumns(NamedTuple):
    """Round trips as arrays, in the order of their entries.

    `first` and `last` count into the fills. `bought` and `paid` are shares and paise of the side
    that entered, `sold` and `got` those of the other one.
    """

    first: Ints
    last: Ints
    bought: Ints
    paid: Ints
    sold: Ints
    got: Ints
    charges: Ints
    slippage: Ints


def _trip_columns(fills: FillColumns) -> _TripColumns:
    """Put the fills of each rung together."""
    _, first, place = np.unique(fills.rung, return_index=True, return_inverse=True)
    last = len(place) - 1 - np.unique(fills.rung[::-1], return_index=True)[1]
    enters = fills.side == fills.side[first][place]

    def summed(amounts: Ints) -> Ints:
        # In floats, which are exact below 2^53.
        found: Ints = np.bincount(place, amounts, len(first)).astype(np.int64)
        return found

    columns = _TripColumns(
        first,
        last,
        bought=summed(fills.quantity * enters),
        paid=summed(fills.value * enters),
        sold=summed(fills.quantity * ~enters),
        got=summed(fills.value * ~enters),
        charges=summed(fills.charges),
        slippage=summed(fills.slippage),
    )
    order = np.lexsort((first, fills.ts[first]))
    return _TripColumns(*(column[order] for column in columns))


def trades_of(
    fills: Sequence[BookedFill],
    columns: FillColumns,
    rungs: Iterable[RungRecord],
    names: Sequence[str],
    series: Sequence[BarSeries],
    last: Sequence[float],
) -> list[RoundTrip]:
    """Return the round trips in the order of their entries.

    Shares still held stand at the `last` price of their symbol. `names`, `series` and `last` are
    by the number of a symbol.
    """
    trips = _trip_columns(columns)
    symbol, side = columns.symbol[trips.first], columns.side[trips.first]
    held, got = trips.bought - trips.sold, trips.got
    for at in np.flatnonzero(held).tolist():
        got[at] += paise(last[int(symbol[at])], int(held[at]))
    entry_ts = columns.ts[trips.first]
    exit_ts = np.where(held == 0, columns.ts[trips.last], 0)
    entry, left = (_rounded_prices(amounts / trips.bought / 100.0) for amounts in (trips.paid, got))
    low, high = _price_ranges(entry, left, symbol, between=(entry_ts, exit_ts), series=series)
    worst, best = np.where(side > 0, low, high), np.where(side > 0, high, low)
    records = {int(each.rung_id): each for each in rungs}
    numbers = columns.rung[trips.first].tolist()
    # Without a record it is a bare position of the fast path: a ladder of one rung, which has the
    # number after its ladder's.
    done = [records.get(number) for number in numbers]
    rows = zip(
        range(1, len(numbers) + 1),
        [fills[at].order.strategy for at in trips.first.tolist()],
        [names[at] for at in symbol.tolist()],
        side.tolist(),
        [n - 1 if r is None else int(r.ladder_id) for n, r in zip(numbers, done, strict=True)],
        [1 if record is None else int(record.number) for record in done],
        trips.bought.tolist(),
        entry_ts.tolist(),
        entry.tolist(),
        exit_ts.tolist(),
        left.tolist(),
        (side * (got - trips.paid)).tolist(),
        trips.charges.tolist(),
        trips.slippage.tolist(),
        _whole_paise(side * (worst - entry) * trips.bought * 100.0),
        _whole_paise(side * (best - entry) * trips.bought * 100.0),
        ["" if record is None else valid_text(record.reason) for record in done],
        [
            OPEN if shares else ("" if record is None else valid_text(record.ended))
            for shares, record in zip(held.tolist(), done, strict=True)
        ],
        strict=True,
    )
    return [RoundTrip(*row) for row in rows]


def _rounded_prices(prices: Floats) -> Floats:
    # As decimals are rounded, which numpy's own way is not to the last bit.
    return np.array([round(price, 4) for price in prices.tolist()])


def _whole_paise(amounts: Floats) -> list[int]:
    found: list[int] = np.rint(amounts).astype(np.int64).tolist()
    return found


def _price_ranges(
    entry: Floats,
    left: Floats,
    symbol: Ints,
    between: tuple[Ints, Ints],
    series: Sequence[BarSeries],
) -> tuple[Floats, Floats]:
    """Return the lowest and the highest price of each trip, from its entry to its exit."""
    low, high = np.minimum(entry, left), np.maximum(entry, left)
    for number, bars in enumerate(series):
        mine = np.flatnonzero(symbol == number)
        if not len(mine):
            continue
        # The entry's bar counts whole, for most entries meet its open; of the exit's bar only the
        # exit's price does, for its extremes may have come later.
        entries, exits = (times[mine] for times in between)
        first = np.searchsorted(bars.start, entries, side="right") - 1
        last = np.searchsorted(bars.start, exits, side="right") - 1
        last[exits == 0] = len(bars.start) - 1
        longer = last > first
        of = mine[longer]
        bounds = np.column_stack([first[longer], last[longer]]).ravel()
        low[of] = np.minimum(low[of], np.minimum.reduceat(bars.low, bounds)[::2])
        high[of] = np.maximum(high[of], np.maximum.reduceat(bars.high, bounds)[::2])
    return low, high
