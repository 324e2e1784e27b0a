"""Bars of recorded days, against SQL over the same ticks and against a recorder's own candles."""

import duckdb
import pytest

from compiled.market_data.bar_builder import DAY, BarBuilder, batch
from compiled.model.values import NEVER

pytestmark = pytest.mark.real_data

S = 1_000_000_000
SPANS = [1, 60, 300, 3600, DAY]
FIELDS = ("start", "span", "open", "high", "low", "close", "volume", "ticks")
NSE = ["BAJFINANCE", "HDFCBANK", "INFY", "MARUTI", "SBIN", "TCS", "NIFTY_50"]
OPEN = 1_619_408_700 * S  # 2021-04-26 09:15 IST
CLOSE = OPEN + 22_500 * S

KITE = {
    "NIFTY50_256265": "NIFTY50_256265",
    "NIFTY25O0725000CE_9827074": "CALL_9827074_9827074",
    "NIFTY25O0725400PE_9832962": "PUT_9832962_9832962",
}
KITE_OPEN = 1_759_808_700 * S  # 2025-10-07 09:15 IST


def rows(bars):
    return [tuple(getattr(bar, name) for name in FIELDS) for bar in bars]


def recorded(folder, symbol, order):
    """Return a DuckDB connection with the table `ticks`: ts (ns UTC), ltp, volume, seq."""
    db = duckdb.connect()
    db.execute(
        f"""create table ticks as
            select (epoch_us("timestamp") - 19800000000) * 1000 as ts, ltp, volume, seq
            from (select *, row_number() over () as seq
                  from read_csv('{folder}/ticks_nse_2021/2021-04-26_{symbol}.csv.gz',
                  parallel = false))
            order by {order}"""
    )
    return db


def columns(db, order):
    table = db.execute(
        f"select 7::bigint token, ts, ltp, volume from ticks order by {order}"
    ).fetchnumpy()
    kinds = {"token": "<i8", "ts": "<i8", "ltp": "<f8", "volume": "<i8"}
    return [table[name].astype(kind).tobytes() for name, kind in kinds.items()]


def sql_bars(db, span):
    width = CLOSE - OPEN if span == DAY else span * S
    return db.execute(
        f"""with inside as (
                select *, max(volume) over (order by ts, seq) as day, least(ts, {CLOSE - 1}) as t
                from ticks where ts between {OPEN} and {CLOSE}),
            grouped as (
                select {OPEN} + (t - {OPEN}) // {width} * {width} as start, first(ltp
                order by ts, seq) as open,
                       max(ltp) as high, min(ltp) as low, last(ltp
                       order by ts, seq) as close, max(day) as day,
                       count(*) as n, first(day order by ts, seq) as first_day
                from inside group by 1)
            select start, {span}, open, high, low, close,
                   day - coalesce(lag(day) over (order by start), if(start = {OPEN}, 0, first_day)),
                   n
            from grouped order by start"""
    ).fetchall()


@pytest.mark.parametrize("symbol", NSE)
def test_a_recorded_day_in_time_order_has_the_bars_of_a_sql_aggregation(market_data, symbol):
    db = recorded(market_data, symbol, "ts, seq")
    bars = rows(batch(SPANS, OPEN, CLOSE, *columns(db, "ts, seq")))
    for span in SPANS:
        assert [bar for bar in bars if bar[1] == span] == sql_bars(db, span)
    assert len([bar for bar in bars if bar[1] == 60]) == 375


@pytest.mark.parametrize("symbol", NSE[:4])
def test_late_ticks_of_a_recorded_day_move_only_the_minutes_they_belong_to(market_data, symbol):
    db = recorded(market_data, symbol, "seq")
    built = BarBuilder([60])
    built.begin_session(OPEN, CLOSE)
    built.feed(*columns(db, "seq"))
    built.advance(NEVER)
    touched = db.execute(
        f"""select {OPEN} + (least(ts, {CLOSE - 1}) - {OPEN}) // {60 * S} * {60 * S} from (
                select ts, max(ts) over (order by seq rows between unbounded preceding
                and 1 preceding) as newest
                from ticks where ts between {OPEN} and {CLOSE}) where ts < newest"""
    ).fetchall()
    assert built.late == len(touched) > 50
    late_minutes = {start for (start,) in touched}
    # Volume is the matter of another test: a late tick reports it to the minute then open.
    ours = [bar[:6] for bar in rows(built.take_bars()) if bar[0] not in late_minutes]
    assert ours == [bar[:6] for bar in sql_bars(db, 60) if bar[0] not in late_minutes]
    assert len(ours) > 250


@pytest.mark.parametrize("symbol", NSE[:6])
def test_no_recorded_volume_is_lost_or_counted_twice_and_none_is_negative(market_data, symbol):
    db = recorded(market_data, symbol, "seq")
    bars = batch(SPANS, OPEN, CLOSE, *columns(db, "seq"))
    (last, first) = db.execute(
        f"select max(volume), first(volume order by seq) from ticks where ts between {OPEN} and "
        f"{CLOSE}"
    ).fetchone()
    for span in SPANS:
        volumes = [bar.volume for bar in bars if bar.span == span]
        assert sum(volumes) == (last - first if span == 1 else last)
        assert min(volumes) >= 0


def kite_bars(folder, name):
    """Return an instrument's recorded ticks (ns, price), bars, and the last candle of a start."""
    db = duckdb.connect()
    ticks = db.execute(
        f"""select (epoch_us("timestamp") - 19800000000) * 1000, ltp
            from read_csv('{folder}/ticks_kite/ticks_{KITE[name]}_20251007.csv',
            parallel = false)"""
    ).fetchall()
    bars = BarBuilder([60, 300])
    bars.begin_session(KITE_OPEN, KITE_OPEN + 22_500 * S)
    for ts, price in ticks:
        bars.update(1, ts, price, -1)
    bars.advance(NEVER)
    ours = {
        (bar.span, bar.start): (bar.open, bar.high, bar.low, bar.close) for bar in bars.take_bars()
    }
    theirs = {}
    for minutes in (1, 5):
        candles = db.execute(
            f"""select (epoch_us("timestamp") - 19800000000) * 1000, open, high, low, close
                from read_csv('{folder}/ticks_kite/candles_{minutes}min_{name}_20251007.csv',
                parallel = false)"""
        ).fetchall()
        theirs |= {(60 * minutes, start): tuple(candle) for start, *candle in candles}
    return ticks, ours, theirs


@pytest.mark.parametrize("name", KITE)
def test_the_minute_the_recorder_built_from_these_ticks_is_equal_to_ours(market_data, name):
    _, ours, theirs = kite_bars(market_data, name)
    minute = (60, KITE_OPEN + 352 * 60 * S)  # 15:07, the last one the recorder finished
    assert max(start for span, start in theirs if span == 60) == minute[1]
    assert ours[minute] == theirs[minute]


@pytest.mark.parametrize("name", KITE)
def test_our_ranges_lie_inside_the_recorders_but_for_ticks_received_at_a_boundary(
    market_data, name
):
    ticks, ours, theirs = kite_bars(market_data, name)
    compared = 0
    for (span, start), candle in theirs.items():
        if (span, start) not in ours:
            continue
        compared += 1
        for ts, price in ticks:
            if start <= ts < start + span * S and not candle[2] <= price <= candle[1]:
                assert min(ts - start, start + span * S - ts) < 2 * S
    assert compared >= 17
