"""Each instrument keeps its own hours.

When the kernel enters, leaves, squares off and calls its strategies.
"""

import pytest

from compiled.model.events import (
    CancelOrder,
    DeleteGtt,
    KernelAlert,
    PlaceGtt,
    PlaceOrder,
    RequestOutcome,
    RequestVerb,
)
from compiled.model.values import (
    MINUTE,
    SECOND,
    Instrument,
    OrderPurpose,
    OrderStatus,
    Product,
    Side,
    TradingHours,
)
from compiled.trading.desk_state import StrategyState
from compiled.trading.kernel import Kernel, KernelSetup
from compiled.trading.risk import RiskLimits
from compiled.trading.strategy import Strategy
from tests.compiled.trading.scripted import BEL, CANBK, CLOSE, OPEN, Scene, only, some

AUCTION = CLOSE - 15 * MINUTE  # continuous trading of CANBK ends a quarter of an hour before BEL's
BY_AUCTION = TradingHours(
    OPEN,
    AUCTION,
    auction=AUCTION + 5 * MINUTE,
    auction_ends=AUCTION + 10 * MINUTE,
    ends=AUCTION + 20 * MINUTE,
)
IN_TWO_PARTS = TradingHours(OPEN, OPEN + 195 * MINUTE, OPEN + 45 * MINUTE, OPEN + 135 * MINUTE)
MIS = (Product.CNC, Product.MIS)


def by_auction(now=AUCTION - MINUTE):
    return Scene(now, hours={CANBK: BY_AUCTION})


def refused(found):
    return [
        command.text.rpartition(" ")[2] for command in found if isinstance(command, KernelAlert)
    ]


def ask(scene, token=CANBK, product=Product.CNC, stop=2.0):
    """Ask for ten shares at the market; return what came of it."""
    scene.tick(100.0, token)
    return scene.act(lambda ctx: ctx.enter(token, Side.BUY, 0, stop, product=product, quantity=10))


def test_a_share_that_closes_by_auction_takes_no_entry_after_continuous_trading_another_does():
    scene = by_auction(AUCTION - SECOND)
    assert some(ask(scene), PlaceOrder)
    scene = by_auction(AUCTION)
    assert refused(ask(scene)) == ["SESSION"]
    assert only(ask(scene, BEL), PlaceOrder).order.token == BEL
    scene = by_auction(CLOSE)
    assert refused(ask(scene, BEL)) == ["SESSION"]


@pytest.mark.parametrize(
    ("minute", "enters"),
    [(-1, False), (0, True), (44, True), (45, False), (134, False), (135, True), (195, False)],
)
def test_a_day_in_two_parts_takes_entries_inside_its_parts_only(minute, enters):
    scene = Scene(OPEN + minute * MINUTE, hours={CANBK: IN_TWO_PARTS})
    assert bool(some(ask(scene), PlaceOrder)) is enters


def test_an_exit_asked_for_before_the_closing_auction_waits_for_it_behind_its_gtt():
    scene = by_auction()
    scene.hold()
    scene.now = AUCTION
    scene.act(lambda ctx: ctx.exit(CANBK))
    assert not some(scene.seconds(299), DeleteGtt)
    only(scene.timer(), DeleteGtt)
    exit_ = only(
        scene.answer(scene.rung.gtt.intent, RequestOutcome.ACCEPTED, "7", RequestVerb.CANCEL),
        PlaceOrder,
    ).order
    assert exit_.purpose is OrderPurpose.EXIT
    assert scene.now == BY_AUCTION.auction


def test_an_exit_in_the_closing_auction_rests_until_it_is_matched():
    scene = by_auction()
    scene.hold()
    scene.now = int(BY_AUCTION.auction)
    exit_ = scene.leave()
    scene.accept(exit_, "X1")
    assert not some(scene.seconds(899), CancelOrder)  # to 15:34:59
    scene.timer(2)
    assert some(scene.asked, CancelOrder)


def test_an_exit_that_came_too_late_for_the_auction_is_protected_over_night():
    scene = by_auction()
    scene.hold()
    scene.now = int(BY_AUCTION.auction_ends) - SECOND
    gtt = scene.rung.gtt
    scene.leave()
    exit_ = scene.exits()[-1]
    scene.now += SECOND
    found = scene.answer(
        exit_.intent, RequestOutcome.REFUSED, reason="Market orders are currently not allowed."
    )
    found += scene.seconds(3)
    carried = only(found, PlaceGtt).gtt
    assert carried is not gtt
    assert carried.legs[0].trigger == 98.0  # 2 % below the last price


def test_an_exit_that_is_refused_before_the_auction_waits_for_it_under_a_gtt():
    scene = by_auction()
    scene.hold()
    exit_ = scene.leave()
    scene.now = AUCTION
    found = scene.answer(exit_.intent, RequestOutcome.REFUSED, reason="not in this phase")
    found += scene.seconds(3)
    carried = only(found, PlaceGtt).gtt
    assert carried.legs[0].trigger == 98.0  # 2 % below the last price
    scene.answer(carried.intent, RequestOutcome.ACCEPTED, "8")
    found = scene.seconds(297)
    assert not some(found, KernelAlert)  # the auction takes it, a few minutes on
    assert only(found, DeleteGtt).gtt is carried
    found = scene.answer(carried.intent, RequestOutcome.ACCEPTED, "8", RequestVerb.CANCEL)
    assert only(found, PlaceOrder).order.purpose is OrderPurpose.EXIT


# intraday


def intraday(now):
    hours = TradingHours(OPEN, CLOSE, square_off=CLOSE - 10 * MINUTE)
    return Scene(now, hours={CANBK: hours}, products=MIS)


def test_intraday_entries_end_with_the_square_off_and_others_do_not():
    assert some(
        ask(intraday(CLOSE - 10 * MINUTE - SECOND), product=Product.MIS, stop=0.0), PlaceOrder
    )
    late = intraday(CLOSE - 10 * MINUTE)
    assert refused(ask(late, product=Product.MIS, stop=0.0)) == ["SQUARE_OFF"]
    assert some(ask(late), PlaceOrder)


def test_intraday_positions_are_left_at_the_square_off_and_others_stay():
    scene = intraday(CLOSE - 20 * MINUTE)
    mine = only(ask(scene, product=Product.MIS, stop=0.0), PlaceOrder).order
    scene.fill(mine, "B1")
    assert not some(scene.seconds(599), PlaceOrder)
    exit_ = only(scene.timer(), PlaceOrder).order
    assert (exit_.product, exit_.side, exit_.quantity, exit_.purpose) == (
        Product.MIS,
        Side.SELL,
        10,
        OrderPurpose.EXIT,
    )
    assert scene.rung.exit_reason == "square-off"

    scene = intraday(CLOSE - 20 * MINUTE)
    scene.hold()
    assert not some(scene.seconds(700), PlaceOrder)


def test_a_working_intraday_entry_is_cancelled_at_the_square_off():
    scene = intraday(CLOSE - 10 * MINUTE - 5 * SECOND)
    mine = only(ask(scene, product=Product.MIS, stop=0.0), PlaceOrder).order
    scene.accept(mine, "B1")
    scene.book("B1", OrderStatus.OPEN, tag=mine.tag, quantity=10)
    assert not some(scene.seconds(4), CancelOrder)
    assert only(scene.timer(), CancelOrder).order is mine


# timers and bars


class Clockwork(Strategy):
    """Notes when its timer goes off, and which bars it hears."""

    def __init__(self, every=600):
        super().__init__("clockwork", 900, every)
        self.calls, self.bars = [], []

    def on_timer(self, ctx, ts):
        del ctx
        self.calls.append((ts - OPEN) // MINUTE)

    def on_bar(self, ctx, bar):
        del ctx
        self.bars.append(((bar.start - OPEN) // MINUTE, bar.span))


def clockwork(hours, until):
    """Let a day pass in ticks of a minute and timers of a second; return the strategy."""
    strategy = Clockwork()
    kernel = Kernel(
        KernelSetup(OPEN, CLOSE, 0, RiskLimits(), [60, 900], hours={CANBK: hours}),
        [Instrument(CANBK, "NSE", "CANBK", 0.05)],
        [StrategyState(strategy, [CANBK])],
        {},
    )
    for second in range(int((until - OPEN) // SECOND)):
        ts = OPEN + second * SECOND
        if second % 60 == 0 and hours.is_trading(ts):
            kernel.market_feed.bars.update(CANBK, ts, 100.0, second)
        kernel.order_store.advance_time(ts)
        kernel._handle_timer()
    return strategy, kernel


def test_a_strategys_timer_goes_off_only_while_something_of_its_own_trades():
    strategy, _ = clockwork(IN_TWO_PARTS, OPEN + 200 * MINUTE)
    assert strategy.calls == [0, 10, 20, 30, 40, 135, 140, 150, 160, 170, 180, 190]


def test_the_bars_of_a_day_in_two_parts_are_aligned_to_each_part_and_cut_at_its_end():
    hours = TradingHours(OPEN, OPEN + 120 * MINUTE, OPEN + 40 * MINUTE, OPEN + 70 * MINUTE)
    strategy, kernel = clockwork(hours, OPEN + 125 * MINUTE)
    assert [start for start, _ in strategy.bars] == [0, 15, 30, 70, 85, 100, 115]
    minutes = [bar for bar in kernel.market_feed.closed_bars if bar.span == 60]
    assert len(minutes) == 40 + 50
