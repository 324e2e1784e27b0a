"""The last price of an earlier day makes no bar, no signal, no entry and no fill of today."""

import pytest

from compiled.adapters.kite_frames import FULL, QUOTE, FrameDecoder, encode_frame
from compiled.market_data.depth_block import pack_depth
from compiled.model.events import (
    OperatorAct,
    OperatorInstruction,
    PlaceOrder,
    TickBatch,
    TimerEvent,
)
from compiled.model.values import MINUTE, SECOND, Bar, Side, Tick, day_start
from compiled.trading.ladder import LadderPlan, RungPlan
from compiled.trading.risk import RefusalReason
from compiled.trading.risk_gate import check_entry_gate
from compiled.trading.strategy import Strategy
from tests.compiled.backtest.test_replay import DAY, OPEN, Planned, desk
from tests.reference.exchange import TOKEN, Exchange

YESTERDAY = OPEN - DAY + 375 * MINUTE


class Listener(Strategy):
    """Hears everything, and enters with its first tick."""

    def __init__(self, span=60):
        super().__init__("listener", span, wants_ticks=True)
        self.ticks, self.bars = [], []

    def on_tick(self, ctx, tick):
        self.ticks.append(tick.ltp)
        if len(self.ticks) == 1:
            ctx.ladder(
                tick.token,
                Side.BUY,
                LadderPlan([RungPlan(0.0, 2.5), RungPlan(1.0, 2.5)], 10_000_00),
            )

    def on_bar(self, ctx, bar):
        self.bars.append((bar.open, bar.high, bar.low, bar.close, bar.volume))


def full(second, ltp, volume, trade):
    """Return a tick of a full packet, as the decoder reads it from the wire."""
    tick = Tick(
        257, OPEN + second * SECOND, ltp, volume, last_trade_ts=trade, bid=39.9, bid_quantity=10
    )
    tick.depth = pack_depth(257, [(39.9, 10, 1)], [(40.1, 10, 1)])
    return FrameDecoder().decode(encode_frame([tick], [FULL]), OPEN)[0]


def quote(second, ltp, volume, _trade):
    """Return a tick of a quote packet, which has no time of the last trade."""
    tick = FrameDecoder().decode(
        encode_frame([Tick(257, 0, ltp, volume)], [QUOTE]), OPEN + second * SECOND
    )[0]
    assert tick.last_trade_ts == 0
    return tick


@pytest.mark.parametrize("packet", [full, quote])
def test_the_last_price_of_yesterday_is_in_no_bar_of_today_and_nobody_hears_it(packet):
    listener = Listener()
    kernel, _ = desk([listener], (257,))
    kernel.handle(OperatorInstruction(OPEN, OperatorAct.READY))
    morning = [
        packet(0, 100.0, 0, YESTERDAY),
        packet(3, 100.0, 0, YESTERDAY),
        packet(5, 40.0, 100, OPEN + 5 * SECOND),
        packet(20, 41.0, 150, OPEN + 20 * SECOND),
    ]
    kernel.handle(TickBatch(OPEN, morning[:2]))
    assert listener.ticks == []
    assert kernel.state.markets[257].last == 100.0  # what is held is valued by it
    (placed,) = kernel.handle(TickBatch(OPEN, morning[2:]))
    assert isinstance(placed, PlaceOrder)
    assert placed.order.quantity == 250  # ₹ 10,000 at 40
    kernel.handle(TimerEvent(OPEN + MINUTE))
    assert listener.bars == [(40.0, 41.0, 40.0, 41.0, 150)]


def test_yesterdays_volume_with_yesterdays_price_counts_for_nothing_either():
    listener = Listener()
    kernel, _ = desk([listener], (257,))
    kernel.handle(
        TickBatch(OPEN, [full(0, 100.0, 90_000, YESTERDAY), full(5, 40.0, 100, OPEN + 5 * SECOND)])
    )
    kernel.handle(TimerEvent(OPEN + MINUTE))
    assert listener.bars == [(40.0, 40.0, 40.0, 40.0, 100)]


def test_a_share_that_first_trades_at_ten_has_no_earlier_bar_and_all_of_that_trades_volume():
    listener = Listener()
    kernel, _ = desk([listener], (257,))
    kernel.handle(TickBatch(OPEN, [full(0, 100.0, 0, YESTERDAY)]))
    later = 45 * 60
    kernel.handle(TickBatch(OPEN + later * SECOND, [full(later, 40.0, 100, OPEN + later * SECOND)]))
    kernel.handle(TimerEvent(OPEN + later * SECOND + MINUTE))
    assert listener.bars == [(40.0, 40.0, 40.0, 40.0, 100)]


def test_what_traded_in_the_pre_open_has_traded_today():
    listener = Listener()
    kernel, _ = desk([listener], (257,))
    kernel.handle(TickBatch(OPEN, [full(0, 42.0, 500, OPEN - 7 * MINUTE)]))
    assert listener.ticks == [42.0]


def test_an_entry_waits_for_a_price_of_today():
    kernel, _ = desk([Planned(60, 0, 9, 2.5)], (257,))
    kernel.handle(OperatorInstruction(OPEN, OperatorAct.READY))
    market = kernel.state.markets[257]
    plan = LadderPlan([RungPlan(0.0, 2.5)], 10_000_00)
    entry = plan.entry
    kernel.handle(TickBatch(OPEN, [full(1, 100.0, 0, YESTERDAY)]))
    assert (
        check_entry_gate(kernel.view, market, "planned", Side.BUY, plan, entry)
        is RefusalReason.STALE_DATA
    )
    kernel.handle(TickBatch(OPEN, [full(2, 40.0, 10, OPEN + 2 * SECOND)]))
    assert (
        check_entry_gate(kernel.view, market, "planned", Side.BUY, plan, entry) is RefusalReason.OK
    )


def test_the_simulated_exchange_fires_nothing_by_a_price_of_yesterday():
    exchange = Exchange()
    exchange.venue.begin_session(OPEN, OPEN + 375 * MINUTE)
    exchange.tick(100.0, traded=10)
    exchange.gtt(100.0, (95.0, 90.0), quantity=10)
    exchange.events()
    exchange.venue.meet_tick(
        Tick(TOKEN, exchange.now + SECOND, 90.0, exchange.volume, last_trade_ts=day_start(OPEN) - 1)
    )
    assert exchange.events() == []
    exchange.now += 2 * SECOND
    exchange.tick(94.0, traded=10)
    assert exchange.tick(93.0, traded=10) == [(10, 93.0)]


# days: what is asked with the day before waits for the open


def days_before(count):
    return [
        Bar(257, OPEN - (count - k) * DAY, 86_400, 100.0, 102.0, 99.0, 101.0, 1_000)
        for k in range(count)
    ]


def morning(now, enters):
    kernel, _ = desk([Planned(86_400, enters, 99, 2.5)], (257,), spans=(60, 86_400))
    kernel.order_store.begin_moment(now)
    kernel.strategy_host.warm_up(days_before(3))
    kernel.handle(OperatorInstruction(now, OperatorAct.READY))
    return kernel


def orders(commands):
    return [command.order for command in commands if isinstance(command, PlaceOrder)]


def test_what_a_strategy_asks_with_the_newest_day_leaves_with_the_first_price_of_the_session():
    kernel = morning(OPEN - 15 * MINUTE, enters=2)
    assert orders(kernel.handle(TimerEvent(OPEN - MINUTE))) == []
    assert orders(kernel.handle(TimerEvent(OPEN))) == []
    kernel.handle(TickBatch(OPEN + SECOND, [full(1, 100.0, 0, YESTERDAY)]))
    assert orders(kernel.handle(TimerEvent(OPEN + SECOND))) == []
    kernel.handle(TickBatch(OPEN + 2 * SECOND, [full(2, 40.0, 10, OPEN + 2 * SECOND)]))
    (order,) = orders(kernel.handle(TimerEvent(OPEN + 2 * SECOND)))
    assert order.quantity == 250
    assert orders(kernel.handle(TimerEvent(OPEN + 3 * SECOND))) == []


def test_older_days_and_a_start_after_the_open_only_warm_up():
    for now, enters in ((OPEN - 15 * MINUTE, 1), (OPEN + MINUTE, 2)):
        kernel = morning(now, enters)
        kernel.handle(TickBatch(OPEN + 2 * MINUTE, [full(120, 40.0, 10, OPEN + 120 * SECOND)]))
        assert orders(kernel.handle(TimerEvent(OPEN + 2 * MINUTE))) == []
        assert kernel.strategy_host.overnight == []
