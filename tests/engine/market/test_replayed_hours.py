"""Recorded days in the compiled replay: each instrument keeps the hours of its date."""

from datetime import date

import pyarrow.parquet as pq
import pytest

from compiled.backtest.backtest import run_bars
from compiled.model.values import MINUTE, Instrument, Product, Side
from compiled.trading.ladder import LadderPlan, RungPlan
from compiled.trading.strategy import Strategy
from tests.compiled.backtest.test_replay import columns, desk
from tests.engine.market.test_hours import BEFORE, HOURS, SINCE, at, clock

SHARE, SMALL = 1, 2
NAMES = {SHARE: "CANBK", SMALL: "SMALLCAP"}


class Eager(Strategy):
    """Asks for one share whenever it holds none, with a product; leaves only when it must."""

    def __init__(self, product=Product.CNC):
        super().__init__("eager", 60)
        self.product = product
        self.bars = []

    def on_bar(self, ctx, bar):
        self.bars.append((int(bar.token), clock(bar.start)))
        if not ctx.ladders(bar.token):
            plan = LadderPlan([RungPlan(0.0, 0.0)], 0, self.product, quantity=1)
            ctx.ladder(bar.token, Side.BUY, plan)
        elif self.product is Product.CNC:
            ctx.exit(bar.token)


def replayed(days, minutes, product=Product.CNC):
    """Replay flat minutes (token, day, first, count); return the strategy and the result."""
    strategy = Eager(product)
    kernel, venue = desk([strategy], NAMES)
    for token, symbol in NAMES.items():
        kernel.state.markets[token].instrument.symbol = symbol
        kernel.state.rates[8 * token + int(Product.MIS)] = kernel.state.rates[
            8 * token + int(Product.CNC)
        ]
    instruments = [market.instrument for market in kernel.state.markets.values()]
    rows = [
        (token, at(day, first) + n * MINUTE, 100.0, 100.0, 100.0, 100.0, 1_000)
        for token, day, first, count in minutes
        for n in range(count)
    ]
    sessions = HOURS.sessions(days, instruments)
    return strategy, run_bars(kernel, venue, columns(rows, NAMES), 60, sessions), kernel


def fills(result, token, purpose=None):
    return [
        clock(fill.ts)
        for fill in result.fills
        if int(fill.order.token) == token
        and (purpose is None or fill.order.purpose.name == purpose)
    ]


def test_a_share_that_closes_by_auction_trades_to_15_15_since_august_2026_and_to_15_30_before():
    minutes = [(token, day, "15:00", 30) for day in (BEFORE, SINCE) for token in NAMES]
    _, result, _ = replayed([BEFORE, SINCE], minutes)
    last = {(token, day): "" for token in NAMES for day in (BEFORE, SINCE)}
    for fill in result.fills:
        day = BEFORE if fill.ts < at(SINCE, "00:00") else SINCE
        if fill.order.purpose.name == "ENTRY":
            last[int(fill.order.token), day] = clock(fill.ts)
    assert last[SHARE, BEFORE] == last[SMALL, BEFORE] == "15:29"
    assert last[SHARE, SINCE] < "15:15" <= last[SMALL, SINCE]


def test_intraday_positions_are_left_in_time_for_each_instruments_own_square_off():
    minutes = [(token, day, "15:00", 29) for day in (BEFORE, SINCE) for token in NAMES]
    _, result, kernel = replayed([BEFORE, SINCE], minutes, Product.MIS)
    assert fills(result, SHARE, "EXIT") == ["15:20", "15:12"]
    assert fills(result, SMALL, "EXIT") == ["15:20", "15:25"]
    assert kernel.view.open_positions() == 0


def test_an_exit_asked_for_at_the_close_goes_into_the_auction_and_fills_with_its_print():
    minutes = [(SHARE, SINCE, "15:13", 2), (SHARE, SINCE, "15:34", 1), (SMALL, SINCE, "15:13", 17)]
    _, result, kernel = replayed([SINCE], minutes)
    assert fills(result, SHARE) == ["15:14", "15:34"]
    (exit_,) = [
        order
        for order in kernel.order_store.orders.values()
        if order.token == SHARE and order.purpose.name == "EXIT"
    ]
    assert clock(exit_.created) == "15:20"


def test_days_without_trading_have_no_session():
    sessions = HOURS.sessions(
        [date(2026, 8, 1), date(2026, 8, 2), SINCE], [Instrument(1, "NSE", "CANBK", 0.05)]
    )
    assert [clock(int(ts)) for ts in (*sessions.opens, *sessions.closes)] == ["09:15", "15:35"]


@pytest.mark.real_data
def test_a_real_week_with_a_saturday_in_two_parts_is_replayed_whole(market_data):
    table = pq.read_table(market_data / "nse_1min" / "CANBK.parquet").to_pandas()
    kept = table[
        (table.timestamp >= "2024-05-17 00:00+05:30") & (table.timestamp < "2024-05-22 00:00+05:30")
    ]
    kept = kept.drop_duplicates("timestamp")
    strategy = Eager()
    kernel, venue = desk([strategy], [SHARE])
    instrument = kernel.state.markets[SHARE].instrument
    instrument.symbol = "CANBK"
    rows = [
        (
            SHARE,
            int(row.timestamp.value) // 1_000_000_000 * 1_000_000_000,
            row.open,
            row.high,
            row.low,
            row.close,
            int(row.volume),
        )
        for row in kept.itertuples()
    ]
    days = HOURS.calendar.trading_days(date(2024, 5, 17), date(2024, 5, 21))
    assert [str(day) for day in days] == ["2024-05-17", "2024-05-18", "2024-05-21"]
    result = run_bars(kernel, venue, columns(rows, [SHARE]), 60, HOURS.sessions(days, [instrument]))
    saturday = [
        clock(fill.ts)
        for fill in result.fills
        if at("2024-05-18", "00:00") <= fill.ts < at("2024-05-19", "00:00")
    ]
    assert len(saturday) > 50
    assert all("09:15" <= time < "10:00" or "11:30" <= time < "12:30" for time in saturday)
    assert len(strategy.bars) == len(rows) == 375 + 105 + 375
