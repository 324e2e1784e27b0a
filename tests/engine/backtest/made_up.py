"""Outcomes of backtests that were never run.

Small ones, whose figures can be worked out by hand.
"""

from datetime import date, datetime, timedelta, timezone

import numpy as np

from compiled.model.values import MINUTE, SECOND
from engine.backtest.run_outcome import (
    DailyColumns,
    DataManifest,
    RoundTrip,
    RunManifest,
    RunOutcome,
)
from engine.history.bar_series import day_number

IST = timezone(timedelta(hours=5, minutes=30))
MONDAY = date(2024, 6, 3)
CASH = 100_000_00


def at(day, clock):
    """Return a moment of a day, ns UTC."""
    return int(datetime.fromisoformat(f"{day} {clock}").replace(tzinfo=IST).timestamp()) * SECOND


def weekdays(count, first=MONDAY):
    days = (first + timedelta(days=k) for k in range(2 * count + 7))
    return [day for day in days if day.weekday() < 5][:count]


def trade(number=1, gross=0, charges=0, **given):
    """Return a trade of 10 shares bought at 10:00 on the first Monday and sold at 10:30."""
    plain = {
        "strategy": "one",
        "symbol": "INFY",
        "side": 1,
        "ladder": number,
        "rung": 1,
        "quantity": 10,
        "entry_ts": at(MONDAY, "10:00"),
        "entry_price": 100.0,
        "exit_ts": at(MONDAY, "10:30"),
        "exit_price": 101.0,
        "slippage": 0,
        "mae": 0,
        "mfe": 0,
        "entry_reason": "signal",
        "exit_reason": "target",
    }
    return RoundTrip(number=number, gross=gross, charges=charges, **(plain | given))


def outcome(
    equity=(),
    trades=(),
    *,
    cash=CASH,
    days=None,
    curve=None,
    times=None,
    charges=None,
    turnover=None,
    benchmark=None,
    market=None,
    costs=None,
    refused=None,
    orders=0,
    **manifest,
):
    """Return an outcome whose account is `equity` (paise) at the closes.

    Without a `curve` at no other moment.
    """
    days = weekdays(len(equity)) if days is None else days
    nothing = np.zeros(len(equity), np.int64)
    paid = nothing if charges is None else np.array(charges, np.int64)
    closes = np.array(equity, np.int64)
    daily = DailyColumns(
        day=np.array([day_number(day) for day in days], np.int64),
        equity=closes,
        gross=closes + np.cumsum(paid),
        charges=paid,
        exposure=nothing,
        turnover=nothing if turnover is None else np.array(turnover, np.int64),
        closed=nothing,
        benchmark=np.full(len(equity), float(cash))
        if benchmark is None
        else np.array(benchmark, float),
        market=np.full(len(equity), np.nan) if market is None else np.array(market, float),
    )
    if times is None:
        times = [at(day, "15:30") for day in days]
    made = RunManifest(
        **{
            "run": "r",
            "made": "2024-06-30T00:00:00Z",
            "name": "made up",
            "strategies": {"one": {"fast": 5}},
            "sources": {},
            "symbols": ["INFY"],
            "first": "",
            "last": "",
            "span": 60,
            "data": {},
            "golden": True,
            "slippage": "",
            "config": "",
            "code": "",
            "versions": {},
            "native": True,
            "start_cash": cash,
            "limits": {},
            "digest": "",
            "seconds": 1.0,
        }
        | manifest
    )
    return RunOutcome(
        manifest=made,
        daily=daily,
        times=np.array(times, np.int64),
        curve=closes if curve is None else np.array(curve, np.int64),
        trades=list(trades),
        costs=costs or {},
        refused=refused or {},
        bars=len(times),
        orders=orders,
    )


def walk(days, seed=1, drift=0.0005, spread=0.01, start=CASH):
    """Return a random walk of an account, paise, one value for each day."""
    steps = np.random.default_rng(seed).normal(drift, spread, days)
    return np.rint(start * np.cumprod(1.0 + steps)).astype(np.int64)


def minutes(day, count, first="09:16"):
    return [at(day, first) + k * MINUTE for k in range(count)]


def adjusted_data():
    return {
        "INFY": DataManifest(version="golden-1", bars=1, first=0, last=0, sha256="", adjusted=True)
    }
