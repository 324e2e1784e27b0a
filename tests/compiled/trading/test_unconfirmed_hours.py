"""Two schedules, of which nobody knows which holds: the kernel does what is right under both."""

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
from compiled.model.order_terms import OrderTerms, Variety
from compiled.model.values import MINUTE, SECOND, OrderStatus, Product, TradingHours
from tests.compiled.trading.scripted import CANBK, CLOSE, OPEN, Scene, only, some
from tests.compiled.trading.test_trading_hours import ask, refused

AMO = OrderTerms(Variety.AMO)
EARLIER, LATER = CLOSE - 15 * MINUTE, CLOSE + 15 * MINUTE
LAST_ENTRY = EARLIER - 2 * MINUTE


def unsure(now=LAST_ENTRY - MINUTE, *, clears=False):
    hours = TradingHours(
        OPEN,
        EARLIER,
        ends=LATER,
        square_off=EARLIER - 5 * MINUTE,
        last_entry=LAST_ENTRY,
        clears=clears,
    )
    return Scene(now, LATER, hours={CANBK: hours})


def held_until(now):
    """Return a scene with a position under its GTT, at a time after the last entry."""
    scene = unsure()
    scene.hold()
    scene.now = now
    return scene


def test_nothing_is_entered_in_the_last_minutes_before_the_earlier_close_nor_after_it():
    assert some(ask(unsure(LAST_ENTRY - SECOND)), PlaceOrder)
    for now in (LAST_ENTRY, EARLIER, EARLIER + 5 * MINUTE, CLOSE):
        assert refused(ask(unsure(now))) == ["SESSION"]


def test_an_entry_that_rests_is_taken_back_before_the_earlier_close():
    scene = unsure(LAST_ENTRY - 5 * SECOND)
    order = only(scene.act(lambda ctx: ctx.buy(CANBK, 100, 2.0, price=99.0)), PlaceOrder).order
    scene.accept(order, "B1")
    scene.book("B1", OrderStatus.OPEN, tag=order.tag, quantity=100, price=99.0)
    assert not some(scene.seconds(4), CancelOrder)
    assert only(scene.timer(), CancelOrder).order is order


def test_an_after_market_entry_of_the_evening_is_left_alone():
    scene = unsure(LATER + 30 * MINUTE)
    order = only(
        scene.act(lambda ctx: ctx.buy(CANBK, 100, 2.0, price=99.0, terms=AMO)), PlaceOrder
    ).order
    scene.accept(order, "B1")
    scene.book("B1", OrderStatus.OPEN, tag=order.tag, quantity=100, price=99.0)
    assert not some(scene.seconds(60), CancelOrder)


def test_no_order_goes_into_an_auction_that_may_be_on_and_the_gtt_stays():
    scene = unsure()
    scene.hold()
    scene.now = EARLIER
    scene.act(lambda ctx: ctx.exit(CANBK))
    found = scene.seconds(int((LATER - EARLIER) // SECOND) + 60)
    assert not some(found, PlaceOrder)
    assert not some(found, DeleteGtt)


def test_an_exit_that_rests_at_the_earlier_close_is_taken_back_and_a_gtt_stands_instead():
    scene = held_until(EARLIER - 5 * SECOND)
    exit_ = scene.leave()
    scene.accept(exit_, "X1")
    scene.book("X1", OrderStatus.OPEN, tag=exit_.tag, quantity=100, price=97.0, side=exit_.side)
    found = scene.seconds(15)
    assert only(found, CancelOrder).order is exit_
    assert scene.now > EARLIER
    scene.answer(exit_.intent, RequestOutcome.ACCEPTED, "X1", RequestVerb.CANCEL)
    found = scene.book(
        "X1", OrderStatus.CANCELLED, tag=exit_.tag, quantity=100, price=97.0, side=exit_.side
    )
    assert only(found + scene.seconds(3), PlaceGtt).gtt.legs[0].trigger == 98.0


def test_a_cancellation_that_the_exchange_refuses_is_asked_for_again_at_the_pace_of_the_exits():
    scene = held_until(EARLIER - 5 * SECOND)
    exit_ = scene.leave()
    scene.accept(exit_, "X1")
    scene.book("X1", OrderStatus.OPEN, tag=exit_.tag, quantity=100, price=97.0, side=exit_.side)
    tries = 0
    for _ in range(65):
        if some(scene.timer(), CancelOrder):
            tries += 1
            scene.answer(
                exit_.intent, RequestOutcome.REFUSED, "X1", RequestVerb.CANCEL, "not in this phase"
            )
    assert 5 <= tries <= 7  # the exit's patience is 10 s


@pytest.mark.parametrize(("late", "level"), [(False, "alarm"), (True, "info")])
def test_a_refusal_after_the_earlier_close_is_expected_and_one_before_it_is_not(late, level):
    scene = held_until(EARLIER - 3 * SECOND)
    exit_ = scene.leave()
    scene.now = EARLIER if late else EARLIER - 2 * SECOND
    found = scene.answer(
        exit_.intent, RequestOutcome.REFUSED, reason="Markets are closed right now."
    )
    told = next(each for each in some(found, KernelAlert) if each.name == "order_refused")
    assert told.level == level
    assert ("expected: its hours are not confirmed" in told.text) is late
    assert scene.rung.rejections == (0 if late else 1)


def test_protection_that_is_refused_after_the_earlier_close_is_never_given_up_for_it():
    scene = unsure()
    order = scene.enter()
    gtt = only(scene.fill(order), PlaceGtt).gtt
    scene.now = EARLIER
    for _ in range(5):
        found = scene.answer(
            gtt.intent, RequestOutcome.REFUSED, reason="Markets are closed right now."
        )
        found += scene.seconds(120)
        gtt = some(found, PlaceGtt)[-1].gtt
    assert scene.rung.refusals == 0
    assert not scene.rung.leaving
    assert "gtt_refused" not in scene.alarms()


def test_what_expires_is_left_whatever_its_product_before_the_earlier_close():
    scene = unsure(EARLIER - 6 * MINUTE, clears=True)
    scene.hold()
    assert not some(scene.seconds(59), DeleteGtt)
    assert only(scene.timer(), DeleteGtt)
    assert scene.rung.exit_reason == "square-off"
    late = unsure(EARLIER - 5 * MINUTE, clears=True)
    assert refused(ask(late, product=Product.CNC)) == ["SQUARE_OFF"]


def test_other_positions_stay():
    scene = unsure(EARLIER - 6 * MINUTE)
    scene.hold()
    assert not some(scene.seconds(120), DeleteGtt)
