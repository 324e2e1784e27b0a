"""A backtest that nobody ran: seeded, of a likely shape, with books that add up to the paisa."""

from datetime import date, timedelta

import numpy as np

from compiled.model.values import MINUTE
from engine.backtest.run_outcome import (
    DailyColumns,
    DataManifest,
    RoundTrip,
    RunManifest,
    RunOutcome,
)
from engine.history.bar_series import BarSeries, day_number, numbered_day
from engine.market.calendar import DAY

OPEN = (9 * 60 + 15 - 330) * MINUTE
BARS = 75
"""Of five minutes, in a session."""
START = 200_000_000
SYMBOLS = (
    "RELIANCE",
    "HDFCBANK",
    "INFY",
    "TCS",
    "ICICIBANK",
    "SBIN",
    "ITC",
    "LT",
    "AXISBANK",
    "KOTAKBANK",
    "BHARTIARTL",
    "MARUTI",
    "M&M",
    "TITAN",
    "SUNPHARMA",
    "ASIANPAINT",
    "NESTLEIND",
    "BAJFINANCE",
    "MRF",
    "TATASTEEL",
)
STRATEGIES = {"momentum_ladder": 0.17, "moving_average_cross": 0.11, "opening_range": 0.02}
"""What each makes of a trade, as a share of its stop."""
PARTS = {"brokerage": 0.34, "STT": 0.36, "exchange": 0.12, "SEBI": 0.005, "stamp duty": 0.045}
"""Shares of the charges; the rest is GST."""


def sessions(number, first=date(2023, 5, 2)):
    """Return the numbers of so many weekdays, and of weekend days that had a session."""
    special = {
        date(2024, 1, 20),
        date(2024, 3, 2),
        date(2024, 5, 18),
        date(2025, 2, 1),
        date(2026, 2, 1),
        date(2023, 11, 12),
    }
    found, day = [], first
    while len(found) < number:
        if day.weekday() < 5 or day in special:
            found.append(day_number(day))
        day += timedelta(days=1)
    return np.array(found, np.int64)


def demo(trades=5_000, days=750, seed=7, edge=None, loud=None):
    """Return an outcome, and a function that returns the bars around its trades.

    `loud` is put into every name.
    """
    chance = np.random.default_rng(seed)
    day = sessions(days)
    times = (day[:, None] * DAY + OPEN + np.arange(1, BARS + 1) * 5 * MINUTE).ravel()
    symbols = tuple(f"{each}{loud}" if loud else each for each in SYMBOLS)
    paths = _paths(chance, len(times), len(day), len(symbols), day)
    made = _trades(chance, trades, times, paths, symbols, edge, loud)
    curve, gross, charges, exposure, turnover, closed = _books(made, times, paths, symbols)
    ends = np.arange(1, days + 1) * BARS - 1
    held = START * (paths[:, ends] / paths[:, ends[:1]]).mean(axis=0) if days else np.zeros(0)
    daily = DailyColumns(
        day=day,
        equity=curve[ends],
        gross=START + gross[ends],
        charges=np.diff(charges[ends], prepend=0),
        exposure=exposure[ends],
        turnover=turnover.reshape(-1, BARS).sum(axis=1),
        closed=closed.reshape(-1, BARS).sum(axis=1),
        benchmark=held,
        market=24_000 * held / START,
    )
    total = int(charges[-1]) if len(times) else 0
    costs = {name: round(total * share) for name, share in PARTS.items()}
    costs["GST"] = total - sum(costs.values())
    outcome = RunOutcome(
        manifest=_manifest(day, symbols, loud),
        daily=daily,
        times=times,
        curve=curve,
        trades=made,
        costs=costs,
        refused={"POSITIONS": 41, "PRICE_BAND": 3},
        bars=len(times) * len(symbols),
        orders=len(made) * 2 + 44,
    )
    return outcome, _candles(times, paths, symbols)


def many(outcome, times=15, seed=3):
    """Return an outcome with so many times the trades, none like another.

    Its books stay as they are.
    """
    trades = outcome.trades * times
    made = []
    for each, (a, b, c, d, e) in zip(
        trades, np.random.default_rng(seed).uniform(0.5, 2, (len(trades), 5)).tolist(), strict=True
    ):
        entry, quantity = round(each.entry_price * a, 2), int(each.quantity * b)
        exit_ = round(entry * each.exit_price / each.entry_price, 2)
        later = int(c * 20) * 5 * MINUTE
        gross = each.side * round((exit_ - entry) * 100) * quantity
        made.append(
            RoundTrip(
                each.number,
                each.strategy,
                each.symbol,
                each.side,
                each.ladder,
                each.rung,
                quantity,
                each.entry_ts + later,
                entry,
                each.exit_ts and each.exit_ts + later,
                exit_,
                gross,
                int(each.charges * c),
                int(each.slippage * d),
                int(each.mae * d),
                int(each.mfe * e),
                each.entry_reason,
                each.exit_reason,
            )
        )
    made.sort(key=lambda each: each.entry_ts)
    return outcome._replace(trades=made)


def _paths(chance, moments, days, symbols, day):
    steps = chance.normal(0.000_004, 0.001_05, (symbols, moments)) + chance.normal(
        0, 0.000_8, moments
    )
    first = np.arange(days) * BARS
    steps[:, first] += chance.normal(0, 0.006, (symbols, days))
    crash = np.flatnonzero(day == day_number(date(2024, 6, 4)))
    for i in crash:
        steps[:, i * BARS : i * BARS + 40] -= 0.0017
    return np.exp(np.cumsum(steps, axis=1)) * chance.uniform(150, 4_000, (symbols, 1))


def _trades(chance, number, times, paths, symbols, edge, loud):
    names = [f"{each}{loud}" if loud else each for each in STRATEGIES]
    edges = list(STRATEGIES.values()) if edge is None else [edge] * 3
    made = []
    entries = np.sort(chance.integers(0, max(len(times) - 2, 1), number)).tolist()
    draws = zip(
        chance.choice(3, number, p=(0.5, 0.3, 0.2)).tolist(),
        chance.integers(0, len(symbols), number).tolist(),
        np.where(chance.random(number) < 0.68, 1, -1).tolist(),
        chance.integers(1, 4, number).tolist(),
        (chance.random(number) < 0.5).tolist(),
        chance.random(number).tolist(),
        chance.uniform(0, 2, number).tolist(),
        strict=True,
    )
    for i, (at, (s, k, side, rung, night, longer, slip)) in enumerate(
        zip(entries, draws, strict=True)
    ):
        overnight = s == 1 and night
        last = min(at + 3 + int(longer * (197 if overnight else 57)), len(times) - 1)
        if not overnight:
            last = max(min(last, (at // BARS + 1) * BARS - 1), at + 1)
        price, stop = float(paths[k, at]), 0.006 * rung
        path = side * (paths[k, at : last + 1] / price - 1)
        hit = (path <= -stop) | (path >= stop * 1.6)
        end = int(hit.argmax()) if hit.any() else len(path) - 1
        why = "time" if not hit.any() else "stop" if path[end] < 0 else f"target P{rung}"
        quantity = max(int(30_000_000 / (price * 100)), 1)
        entry = round(price, 2)
        exit_ = round(float(paths[k, at + end]) + side * edges[s] * stop * price, 2)
        value = round(entry * quantity * 100)
        is_open = i >= number - 3 and len(times) > BARS
        made.append(
            RoundTrip(
                number=i + 1,
                strategy=names[s],
                symbol=symbols[k],
                side=side,
                ladder=i // 3 + 1,
                rung=rung,
                quantity=quantity,
                entry_ts=int(times[at]),
                entry_price=entry,
                exit_ts=0 if is_open else int(times[at + end]),
                exit_price=exit_,
                gross=side * round((exit_ - entry) * 100) * quantity,
                charges=round(value * 0.000_28) + 2_000,
                slippage=round(value * 0.000_05 * slip),
                mae=min(round(value * float(path[: end + 1].min())), 0),
                mfe=max(round(value * float(path[: end + 1].max())), 0),
                entry_reason=(
                    f"breakout{loud}" if loud else "breakout",
                    "cross up",
                    "opening range",
                )[s],
                exit_reason=f"{why}{loud}" if loud else why,
            )
        )
    return made


def _books(trades, times, paths, symbols):
    place = {int(ts): i for i, ts in enumerate(times.tolist())}
    row = {name: i for i, name in enumerate(symbols)}
    gross, charges, exposure, turnover, closed = np.zeros((5, len(times)))
    for each in trades:
        first, last = place[each.entry_ts], place.get(each.exit_ts, len(times) - 1)
        held = each.side * each.quantity * 100 * np.diff(paths[row[each.symbol], first : last + 1])
        gross[first + 1 : last] += held[:-1]
        gross[last] += each.gross - held[:-1].sum()
        charges[last] += each.charges
        value = each.entry_price * each.quantity * 100
        exposure[first:last] += value
        turnover[first] += value
        turnover[last] += 0 if each.is_open else each.exit_price * each.quantity * 100
        closed[last] += not each.is_open
    gross, charges = np.rint(gross.cumsum()).astype(np.int64), charges.cumsum().astype(np.int64)
    return (
        START + gross - charges,
        gross,
        charges,
        exposure.astype(np.int64),
        turnover.astype(np.int64),
        closed.astype(np.int64),
    )


def _manifest(day, symbols, loud):
    first, last = (
        (str(numbered_day(int(each))) for each in (day[0], day[-1])) if len(day) else ("", "")
    )
    held = (
        {
            name: DataManifest(
                version="golden-v3",
                bars=len(day) * BARS,
                first=int(day[0]) * DAY + OPEN,
                last=int(day[-1]) * DAY,
                sha256="9f2c4e" * 10 + "abcd",
            )
            for name in symbols
        }
        if len(day)
        else {}
    )
    return RunManifest(
        run="20261129-201500-4f2a",
        made="2026-11-29 14:45:00",
        name=f"Three strategies on twenty stocks{loud or ''}",
        strategies={
            f"{name}{loud or ''}": {"span": 20, "rungs": 3, "risk": 0.006} for name in STRATEGIES
        },
        sources=dict.fromkeys(STRATEGIES, "c0ffee" * 8),
        symbols=list(symbols),
        first=first,
        last=last,
        span=300,
        data=held,
        golden=True,
        slippage="1 tick",
        config="5ca1ab1e" * 8,
        code="deadbeef" * 8,
        versions={"patang": "0.1.0", "python": "3.12.4", "numpy": "2.4.0"},
        native=True,
        start_cash=START,
        limits={"orders_per_second": 10, "positions": 12},
        digest="0123456789abcdef" * 4,
        seconds=3.42,
        warnings=["MRF has 14 missing bars on 2024-05-18"],
        command="patang backtest run --strategy momentum_ladder",
    )


def _candles(times, paths, symbols):
    row = {name: i for i, name in enumerate(symbols)}

    def bars(symbol, first, last):
        a, b = np.searchsorted(times, (first, last + 1))
        close = paths[row[symbol], a:b]
        open_ = np.concatenate((close[:1], close[:-1]))
        wiggle = 0.0006 * close * np.random.default_rng(a).random((2, b - a))
        zero = np.zeros(b - a, np.int64)
        high, low = np.maximum(open_, close) + wiggle[0], np.minimum(open_, close) - wiggle[1]
        return BarSeries(times[a:b], open_, high, low, close, zero + 1_000, zero, zero)

    return bars
