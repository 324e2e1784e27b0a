"""A month of real NSE minutes.

The shortcut against the long way, and what every fill must satisfy.
"""

import struct
from datetime import datetime, timedelta, timezone

import duckdb
import pytest

from compiled.backtest.backtest import run_bars
from compiled.backtest.recording import BarColumns, RecordedSessions
from compiled.backtest.sample_strategy import SmaCross
from compiled.model.values import MINUTE, SECOND, Side
from compiled.venue.slippage import FixedTicks
from tests.compiled.backtest.test_replay import desk
from tests.reference.replay import LongWay

IST = timezone(timedelta(hours=5, minutes=30))
SYMBOLS = {257: "INFY", 513: "HDFCBANK", 769: "ITC"}


@pytest.fixture(scope="module")
def july(market_data):
    """Return the rows of July 2024 in order of (start, token), and its sessions."""
    rows = []
    for token, symbol in SYMBOLS.items():
        file = market_data / "nse_1min" / f"{symbol}.parquet"
        query = f"""select epoch_ns(timestamp), open, high, low, close, volume
        from read_parquet('{file}')
                    where timestamp >= timestamptz '2024-07-01 00:00:00+05:30'
                      and timestamp < timestamptz '2024-08-01 00:00:00+05:30' order by 1"""
        seen = {}
        for start, *prices, volume in duckdb.sql(query).fetchall():
            seen[start] = (
                token,
                start,
                *(round(round(p / 0.05) * 0.05, 2) for p in prices),
                int(volume),
            )
        rows += seen.values()
    rows.sort(key=lambda row: (row[1], row[0]))
    days = sorted({datetime.fromtimestamp(row[1] // SECOND, IST).date() for row in rows})
    opens = [
        int(datetime(d.year, d.month, d.day, 9, 15, tzinfo=IST).timestamp()) * SECOND for d in days
    ]
    return rows, [(begun, begun + 375 * MINUTE) for begun in opens]


def columns(rows):
    tokens = list(SYMBOLS)
    packed = [struct.pack(f"<{len(rows)}q", *(tokens.index(row[0]) for row in rows))]
    for k, letter in enumerate("qddddq", start=1):
        packed.append(struct.pack(f"<{len(rows)}{letter}", *(row[k] for row in rows)))
    return BarColumns(tokens, *packed)


def setup():
    return desk(
        [SmaCross("cross", 60, 20, 50, 100, stop_percent=0.5)],
        tuple(SYMBOLS),
        slippage=FixedTicks(1),
    )


@pytest.mark.real_data
def test_a_month_of_real_minutes_gives_the_same_digest_both_ways(july):
    rows, sessions = july
    result = run_bars(
        *setup(),
        columns(rows),
        60,
        RecordedSessions([s[0] for s in sessions], [s[1] for s in sessions]),
    )
    kernel, venue = setup()
    way = LongWay(kernel, venue)
    way.run(rows, 60, sessions)
    assert len(sessions) == 22
    assert len(result.fills) > 300
    assert result.digest == kernel.digest()
    assert list(zip(result.times, result.equity, strict=True)) == way.curve


@pytest.mark.real_data
def test_every_fill_of_a_real_month_lies_within_its_bar_and_its_slippage(july):
    rows, sessions = july
    result = run_bars(
        *setup(),
        columns(rows),
        60,
        RecordedSessions([s[0] for s in sessions], [s[1] for s in sessions]),
    )
    bars = {(row[0], row[1]): row for row in rows}
    held = dict.fromkeys(SYMBOLS, 0)
    for fill in result.fills:
        _, _, _, high, low, *_ = bars[fill.order.token, fill.ts - fill.ts % MINUTE]
        assert low - 0.051 <= fill.price <= high + 0.051
        held[fill.order.token] += fill.quantity * fill.order.side
        assert held[fill.order.token] in {0, 100}
    cash = sum(-f.order.side * round(f.price * 100) * f.quantity - f.charges for f in result.fills)
    assert cash == result.ledger.cash - result.ledger.start_cash
    assert {f.order.side for f in result.fills} == {Side.BUY, Side.SELL}
