"""Impossible ticks close no bar, move no stop and fire no strategy.

What is true, however wild, is not held back.
"""

import pytest

from compiled.market_data.tick_filter import TickFilter
from compiled.model.events import BandUpdate, ModifyOrder, TickBatch, TimerEvent
from compiled.model.values import MINUTE, SECOND, Instrument, Tick
from compiled.trading.desk_state import StrategyState
from compiled.trading.kernel import Kernel, KernelSetup
from compiled.trading.risk import RiskLimits
from compiled.trading.strategy import Strategy
from tests.compiled.trading.scripted import Scene, only

NINE = 1_780_285_500_000_000_000  # 2026-06-01 09:15:00 IST
CLOSE = NINE + 375 * MINUTE
SHARE, INDEX, OPTION = 257, 265, 514


class Listener(Strategy):
    """Hears every tick and bar, and asks for nothing."""

    def __init__(self):
        super().__init__("listener", 60, wants_ticks=True)
        self.prices, self.bars = [], []

    def on_tick(self, ctx, tick):
        self.prices.append(tick.ltp)

    def on_bar(self, ctx, bar):
        self.bars.append((bar.open, bar.high, bar.low, bar.close))


class Desk:
    def __init__(self):
        self.instruments = [
            Instrument(SHARE, "NSE", "INFY", 0.05, lower=900.0, upper=1_100.0),
            Instrument(INDEX, "NSE", "NIFTY 50", 0.05, kind="INDEX"),
            Instrument(OPTION, "NFO", "NIFTY26JUNCE", 0.05, kind="CE"),
        ]
        self.heard = Listener()
        slot = StrategyState(self.heard, [SHARE, INDEX, OPTION])
        self.kernel = Kernel(
            KernelSetup(NINE, CLOSE, 10_000_000, RiskLimits(), [60]), self.instruments, [slot], {}
        )
        self.kernel.market_feed.tick_filter = TickFilter(300 * SECOND)
        self.volume = 0

    def trade(
        self, second, price, token=SHARE, *, stamp=None, traded=None, volume=None, received=None
    ):
        """A trade at so many seconds past the open."""
        at = NINE + int(second * SECOND)
        self.volume += 10
        tick = Tick(
            token, at if stamp is None else stamp, price, self.volume if volume is None else volume
        )
        tick.last_trade_ts = at if traded is None else traded
        self.kernel.handle(TickBatch(at if received is None else received, [tick]))

    @property
    def dead(self):
        return [(each.reason, each.tick.ltp) for each in self.kernel.market_feed.tick_filter.dead]

    def minute(self):
        self.kernel.handle(TimerEvent(NINE + 61 * SECOND))
        return self.heard.bars


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"token": 999}, "token"),
        ({"price": 1_000.02}, "grid"),
        ({"stamp": NINE + 3_600 * SECOND}, "future"),
        ({"traded": NINE + 24 * 3_600 * SECOND}, "future"),
        ({"stamp": NINE - 24 * 3_600 * SECOND}, "day"),
        ({"price": 1_300.0}, "band"),
        ({"price": 10.0}, "band"),
        ({"price": 899.0}, "band"),
    ],
)
def test_one_bad_tick_closes_no_bar_and_reaches_no_strategy(wrong, reason):
    desk = Desk()
    desk.trade(1, 1_000.0)
    desk.trade(2, **{"price": 1_001.0, **wrong})
    desk.trade(3, 1_000.5)
    desk.trade(4, 1_000.2 + 0.05)
    assert [each for each, _ in desk.dead] == [reason]
    assert desk.heard.bars == [], "no bar has closed"
    assert desk.heard.prices == [1_000.0, 1_000.5, 1_000.25]
    assert desk.minute() == [(1_000.0, 1_000.5, 1_000.0, 1_000.25)]
    assert desk.kernel.state.markets[SHARE].ltp == 1_000.25


def test_a_jump_inside_the_band_that_the_next_trade_takes_back_was_none():
    desk = Desk()
    desk.kernel.handle(BandUpdate(NINE, SHARE, 0.0, 0.0))
    desk.trade(1, 1_000.0)
    desk.trade(2, 700.0)
    assert desk.kernel.state.markets[SHARE].ltp == 1_000.0
    desk.trade(3, 1_000.0)
    assert desk.dead == [("jump", 700.0)]
    assert desk.minute() == [(1_000.0, 1_000.0, 1_000.0, 1_000.0)]


@pytest.mark.parametrize("price", [870.0, 1_200.0], ids=["crash", "beyond the band we know"])
def test_a_jump_that_the_next_trade_bears_out_is_taken_with_the_first_of_it(price):
    desk = Desk()
    desk.trade(1, 1_000.0)
    desk.trade(2, price)
    desk.trade(3, price - 5.0)
    desk.trade(4, price - 10.0)
    assert desk.dead == []
    assert desk.heard.prices == [1_000.0, price, price - 5.0, price - 10.0]


def test_a_jump_after_which_nothing_trades_any_more_stands_after_five_seconds():
    desk = Desk()
    desk.kernel.handle(BandUpdate(NINE, SHARE, 0.0, 0.0))
    desk.trade(1, 1_000.0)
    for second in (2, 3, 6.5, 7.5):
        desk.trade(second, 880.0, volume=50, traded=NINE + 2 * SECOND)
    assert (desk.dead, desk.heard.prices) == ([], [1_000.0, 880.0])


def test_of_two_wrong_prices_neither_bears_the_other_out():
    desk = Desk()
    for second, price in enumerate((1_000.0, 10.0, 5_000.0, 1_001.0)):
        desk.trade(second + 1, price)
    assert desk.dead == [("band", 10.0), ("band", 5_000.0)]
    assert desk.heard.prices == [1_000.0, 1_001.0]


def test_a_band_that_has_moved_is_the_band():
    desk = Desk()
    desk.trade(1, 1_095.0)
    desk.kernel.handle(BandUpdate(NINE, SHARE, 900.0, 1_200.0))
    desk.trade(2, 1_150.0)
    assert desk.heard.prices == [1_095.0, 1_150.0]


def test_a_price_at_its_circuit_leaves_the_band_that_we_know():
    desk = Desk()
    desk.trade(1, 1_100.0)
    desk.trade(900, 1_150.0)  # the exchange has moved the band, and nobody has read it yet
    desk.trade(901, 1_300.0)
    desk.trade(902, 1_151.0)
    assert desk.heard.prices == [1_100.0, 1_150.0, 1_151.0]
    assert desk.dead == [("band", 1_300.0)]


def test_prices_finer_than_the_listed_grid_are_believed_after_three():
    desk = Desk()
    for second in range(1, 7):
        desk.trade(second, 1_000.01)
    assert desk.dead == [("grid", 1_000.01)] * 3
    assert len(desk.heard.prices) == 3


def test_what_is_normal_is_no_letter():
    desk = Desk()
    desk.trade(1, 0.0, volume=0, traded=0)  # rule 8: nothing has traded
    desk.trade(2, 700.0, traded=NINE - 3_600 * 24 * SECOND)  # the last trade is of an earlier day
    desk.trade(3, 23_456.78, INDEX, traded=0, volume=-1)  # an index has no grid
    desk.trade(4, 100.0, OPTION)
    desk.trade(5, 160.0, OPTION)  # an option may
    desk.trade(6, 1_000.0)
    desk.trade(7, 1_000.5, volume=1)  # rule 18: the volume dips
    desk.trade(8, 1_000.0, stamp=NINE + 5 * SECOND)  # rule 13: late
    # a minute and more without a trade says nothing about the next
    desk.trade(90, 880.0 + 25, volume=900)
    assert desk.dead == []


@pytest.mark.parametrize("wrong", [130.0, 50.0], ids=["above", "below the stop"])
def test_one_bad_tick_moves_no_stop_and_leaves_no_position(wrong):
    scene = Scene()
    scene.kernel.market_feed.tick_filter = TickFilter(300 * SECOND)
    scene.hold_intraday()
    scene.tick(100.0, after=1)
    assert scene.tick(wrong, after=6) == []
    assert scene.tick(100.05, after=1) == []
    assert [each.reason for each in scene.kernel.market_feed.tick_filter.dead] == ["jump"]
    assert scene.rung.stop == 98.0
    assert only(scene.tick(103.0, after=6), ModifyOrder).change.trigger == 100.9  # a true one does
