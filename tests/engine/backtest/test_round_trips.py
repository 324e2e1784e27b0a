"""Round trips out of fills, reckoned by hand."""

from datetime import date
from types import SimpleNamespace

import numpy as np

from compiled.model.values import MINUTE, SECOND, Order, OrderPurpose, OrderType, Product, Side
from compiled.trading.order_store import BookedFill
from engine.backtest.results.round_trips import OPEN, fill_columns, kept_overnight, trades_of
from engine.history.bar_series import BarSeries
from tests.engine.backtest.made_up import at

TOKEN = 7
OPENED = at(date(2024, 6, 4), "09:15")
BARS = BarSeries(
    start=OPENED + MINUTE * np.arange(4),
    open=np.array([100.0, 100.0, 103.0, 105.0]),
    high=np.array([101.0, 104.0, 106.0, 107.0]),
    low=np.array([99.0, 98.0, 102.0, 90.0]),
    close=np.array([100.0, 103.0, 105.0, 95.0]),
    volume=np.full(4, 1_000),
    ticks=np.zeros(4, np.int64),
    token=np.full(4, TOKEN),
)


def fill(minute, rung, shares, price, charges=10, product=Product.MIS, trigger=0.0):
    order = Order(
        rung,
        "tag",
        strategy="hand",
        token=TOKEN,
        side=Side.BUY if shares > 0 else Side.SELL,
        quantity=abs(shares),
        order_type=OrderType.MARKET,
        product=product,
        purpose=OrderPurpose.ENTRY,
        rung=rung,
        created=OPENED,
    )
    order.trigger = trigger
    ts = OPENED + round(minute * MINUTE)
    return BookedFill(ts, "T1", order, abs(shares), price, charges, 0)


def record(rung, ladder, number, reason, ended):
    return SimpleNamespace(
        rung_id=rung, ladder_id=ladder, number=number, reason=reason, ended=ended
    )


def test_fills_in_parts_short_ones_in_one_bar_and_what_is_held():
    fills = [
        fill(0, 2, 10, 100.0),
        fill(1.5, 2, 5, 101.0, trigger=100.5),
        fill(2, 6, -4, 103.0),
        fill(2.5, 6, 4, 102.5),
        fill(3, 9, 2, 105.0, charges=7),
        fill(3.25, 2, -15, 105.0),
    ]
    columns = fill_columns(fills, {TOKEN: 0}, [BARS])
    # in paise: only the second met a trigger below its price, by half a rupee
    assert columns.slippage.tolist() == [0, 5 * 50, 0, 0, 0, 0]
    rungs = [record(2, 1, 1, "momentum", "stop"), record(6, 4, 2, "fade", "target")]
    long, short, held = trades_of(fills, columns, rungs, ["INFY"], [BARS], [94.0])
    assert [each.number for each in (long, short, held)] == [1, 2, 3]
    assert {(each.strategy, each.symbol) for each in (long, short, held)} == {("hand", "INFY")}

    assert (long.ladder, long.rung, long.side, long.quantity) == (1, 1, 1, 15)
    assert (long.entry_price, long.exit_price) == (100.3333, 105.0)  # 1505 / 15
    assert (long.entry_ts, long.exit_ts) == (OPENED, OPENED + 195 * SECOND)
    assert (long.gross, long.charges, long.slippage) == (100 * (15 * 105 - 1505), 30, 250)
    # from 98 to 106; the bar of its exit fell to 90 only later, for all one knows
    assert (long.mae, long.mfe) == (-3500, 8500)
    assert (long.entry_reason, long.exit_reason) == ("momentum", "stop")

    assert (short.ladder, short.rung, short.side, short.quantity) == (4, 2, -1, 4)
    assert (short.gross, short.charges) == (4 * 50, 20)
    assert (short.mae, short.mfe) == (0, 200)

    # without a record it is a bare position: number 8 of a ladder of one rung
    assert (held.ladder, held.rung, held.entry_reason) == (8, 1, "")
    assert (held.exit_ts, held.exit_price, held.exit_reason) == (0, 94.0, OPEN)
    # heard behind the last bar, as in a closing session
    assert (held.gross, held.charges, held.mae, held.mfe) == (-2_200, 7, -2_200, 0)


def test_a_run_without_a_fill_has_no_round_trip():
    columns = fill_columns([], {TOKEN: 0}, [BARS])
    assert trades_of([], columns, [], ["INFY"], [BARS], [0.0]) == []
    assert kept_overnight(columns, ["INFY"]) == []


def test_what_is_held_over_a_night_is_named_by_each_day_that_it_moved():
    day = 24 * 60
    fills = [
        fill(0, 2, 10, 100.0),
        fill(1, 3, 10, 100.0, product=Product.CNC),
        fill(day, 2, -4, 100.0),
        fill(2 * day, 2, -6, 100.0),
    ]
    columns = fill_columns(fills, {TOKEN: 0}, [BARS])
    assert kept_overnight(columns, ["INFY"]) == ["INFY on 2024-06-04", "INFY on 2024-06-05"]
