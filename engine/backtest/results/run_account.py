"""The account of a run, day by day: its worth, its costs, and the result of holding the market."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

import numpy as np

from compiled.accounting.charges import CHARGES
from engine.backtest.results.round_trips import FillColumns
from engine.backtest.run_outcome import DailyColumns, RoundTrip
from engine.history.bar_series import BarSeries, Floats, Ints, day_number, ist_days
from engine.market.calendar import ist_day
from engine.market.charges import depository_fee

NAMES: Mapping[str, str] = {
    "brokerage": "brokerage",
    "tax": "STT",
    "txn": "exchange",
    "ipft": "IPFT",
    "sebi": "SEBI",
    "stamp": "stamp duty",
    "gst": "GST",
}
"""What the parts of the charges are called."""
DEPOSITORY = "depository"
"""What it costs that shares leave the account: in no contract note, and not in the desk's books."""


class RunAccount(NamedTuple):
    """The account of a run.

    It has the days, its worth at every moment (paise), the parts of its charges, and the
    depository's debits by day.
    """

    daily: DailyColumns
    curve: Ints
    costs: dict[str, int]
    debits: Ints


def account_of(
    cash: int,
    days: Sequence[date],
    closes: Ints,
    curve: tuple[Ints, Ints],
    notes: Sequence[Sequence[int]],
    fills: FillColumns,
    trades: Sequence[RoundTrip],
    series: Sequence[BarSeries],
    index: BarSeries | None,
) -> RunAccount:
    """Return the account.

    `closes` are the ends of the sessions (ns), `curve` times and P&L after charges (paise). The
    depository's debits, one for each share and day with a delivery, are added to the charges in the
    desk's books.
    """
    done = len(notes)
    days, closes = days[:done], closes[:done]
    lines = np.array(notes, np.int64).reshape(done, len(CHARGES) + 1)
    # The last column of a note counts the shares that were delivered, once each.
    debits = lines[:, -1] * np.array([depository_fee(day) for day in days], np.int64)
    charges = lines[:, :-1].sum(axis=1) + debits
    times, net = curve
    at = np.searchsorted(times, closes, side="right") - 1
    # Before the first bar there is no P&L.
    end = np.where(at >= 0, net[np.maximum(at, 0)] if len(net) else 0, 0)
    owed = np.cumsum(debits)
    equity = cash + end - owed
    numbers = np.array([day_number(day) for day in days], np.int64)
    last = np.array([_closing_prices(bars, closes) for bars in series]).reshape(len(series), done)
    daily = DailyColumns(
        day=numbers,
        equity=equity,
        gross=equity + np.cumsum(charges),
        charges=charges,
        exposure=_exposure_values(fills, closes, last),
        turnover=_day_sums(numbers, ist_days(fills.ts), fills.value),
        closed=_day_sums(
            numbers,
            ist_days(np.array([each.exit_ts for each in trades if each.exit_ts], np.int64)),
            None,
        ),
        benchmark=_buy_and_hold(cash, last),
        market=np.full(done, np.nan) if index is None else _closes_of_days(index, closes, numbers),
    )
    costs = {NAMES[name]: int(lines[:, k].sum()) for k, name in enumerate(CHARGES)}
    worth = (
        cash
        + net
        - np.concatenate([[0], owed])[np.searchsorted(at, np.arange(len(net)), side="right")]
    )
    return RunAccount(daily, worth, {**costs, DEPOSITORY: int(debits.sum())}, debits)


def with_debits(
    trades: Sequence[RoundTrip], days: Sequence[date], debits: Ints, fills: FillColumns
) -> list[RoundTrip]:
    """Return the trades with the depository's debits for each share and day.

    The first trade that delivers some bears it.
    """
    found = list(trades)
    number = {rung: k for k, rung in enumerate(dict.fromkeys(fills.rung.tolist()))}
    of = ist_days(fills.ts)
    for day, debit in zip(days, debits.tolist(), strict=False):
        if not debit:
            continue
        today = slice(*np.searchsorted(of, [day_number(day), day_number(day) + 1]))
        symbols, moved = fills.symbol[today], fills.side[today] * fills.quantity[today]
        sold = np.bincount(symbols, moved) < 0
        bears: dict[int, int] = {}
        for rung, symbol, shares in zip(
            fills.rung[today].tolist(), symbols.tolist(), moved.tolist(), strict=True
        ):
            # Bought and sold on one day never reaches the depository.
            if shares < 0 and sold[symbol] and ist_day(found[number[rung]].entry_ts) < day:
                bears.setdefault(symbol, number[rung])
        for place, k in enumerate(bears.values()):
            # The paise that do not divide go to the first, so that the parts add up.
            part = debit // len(bears) + (debit % len(bears) if place == 0 else 0)
            found[k] = found[k]._replace(charges=found[k].charges + part)
    return found


def _closes_of_days(bars: BarSeries, closes: Ints, days: Ints) -> Floats:
    """Return the last close of each session, NaN where it has no bar."""
    found = _closing_prices(bars, closes)
    found[~np.isin(days, ist_days(bars.start))] = np.nan
    return found


def _closing_prices(bars: BarSeries, closes: Ints) -> Floats:
    """Return the last close before each session's end, NaN before the first bar."""
    at = np.searchsorted(bars.start, closes, side="left") - 1
    if not len(bars.start):
        return np.full(len(closes), np.nan)
    found: Floats = np.where(at >= 0, bars.close[np.maximum(at, 0)], np.nan)
    return found


def _exposure_values(fills: FillColumns, closes: Ints, last: Floats) -> Ints:
    """Return the value of all positions at each close, in paise."""
    value = np.zeros(len(closes))
    for number, closing in enumerate(last):
        mine = fills.symbol == number
        held = np.concatenate([[0], np.cumsum(fills.side[mine] * fills.quantity[mine])])
        at = np.searchsorted(fills.ts[mine], closes, side="right")
        value += np.abs(held[at]) * np.nan_to_num(closing) * 100.0
    found: Ints = np.rint(value).astype(np.int64)
    return found


def _day_sums(days: Ints, of: Ints, what: Ints | None) -> Ints:
    """Return the sums of some days, or the counts."""
    at = np.searchsorted(days, of)
    found: Ints = np.bincount(at, what, minlength=len(days) + 1)[: len(days)].astype(np.int64)
    return found


def _buy_and_hold(cash: int, last: Floats) -> Floats:
    """Return the worth (paise) of the cash in equal parts of all symbols from their first close."""
    first = np.array([row[~np.isnan(row)][0] if (~np.isnan(row)).any() else np.nan for row in last])
    # Before its first close a part is cash.
    grown = np.where(np.isnan(last), 1.0, last / first[:, None])
    found: Floats = cash * np.nanmean(np.where(np.isnan(first)[:, None], np.nan, grown), axis=0)
    return found
