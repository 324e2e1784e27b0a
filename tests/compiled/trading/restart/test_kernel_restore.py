"""A kernel restored from plain records: what stands in its state, and that nothing is sent."""

from compiled.model.values import (
    MINUTE,
    SECOND,
    Gtt,
    GttLeg,
    GttStatus,
    Order,
    OrderPurpose,
    OrderStatus,
    OrderType,
    Product,
    Side,
)
from compiled.trading.ladder import LadderPlan, RungPlan, RungState
from compiled.trading.restart.kept_records import (
    KeptCost,
    KeptFill,
    KeptLadder,
    KeptRung,
    KernelRecords,
)
from tests.compiled.trading.scripted import BEL, CANBK, OPEN, Scene

MIDNIGHT = OPEN - (9 * 60 + 15) * MINUTE
YESTERDAY = OPEN - 86_400 * SECOND


def ladder(number, token, product, created):
    plan = LadderPlan([RungPlan(0.0, 2.0)], 0, product)
    kept = KeptLadder(
        number,
        "script",
        token=token,
        side=Side.BUY,
        plan=plan,
        created=created,
        closed=0,
        leaving=False,
        reason="",
    )
    rung = KeptRung(number + 1, 1, RungState.OPEN, 97.0, 0.0, high=102.0, closed=0, exit_reason="")
    kept.rungs.append(rung)
    return kept


def order(intent, rung, purpose, status, order_id="", **what):
    given = {
        "strategy": "script",
        "token": CANBK,
        "side": Side.BUY if purpose is OrderPurpose.ENTRY else Side.SELL,
        "order_type": OrderType.LIMIT,
        "product": Product.CNC,
    }
    made = Order(intent, f"T{intent}", purpose=purpose, rung=rung, **{**given, **what})
    made.status, made.order_id, made.proven = status, order_id, True
    return made


def records():
    """Return 100 CANBK bought yesterday at 99.00 with a GTT and an exit sent, 10 BEL of today."""
    kept = KernelRecords(MIDNIGHT)
    kept.ladders = [
        ladder(10, CANBK, Product.CNC, YESTERDAY),
        ladder(20, BEL, Product.MIS, OPEN),
    ]
    stop = Gtt(
        2,
        "script",
        token=CANBK,
        product=Product.CNC,
        rung=11,
        last_price=99.0,
        legs=[GttLeg(97.0, 96.5, Side.SELL, 100)],
        created=YESTERDAY,
    )
    stop.gtt_id, stop.status = 55, GttStatus.ACTIVE
    entry, exit_ = OrderPurpose.ENTRY, OrderPurpose.EXIT
    today = {"token": BEL, "product": Product.MIS, "created": OPEN}
    kept.requests = [
        order(1, 11, entry, OrderStatus.COMPLETE, "A", quantity=100, created=YESTERDAY),
        stop,
        order(3, 11, exit_, OrderStatus.SENT, quantity=100, created=OPEN),
        order(4, 21, entry, OrderStatus.COMPLETE, "B", quantity=10, **today),
    ]
    kept.fills = [
        KeptFill(1, "t1", YESTERDAY, quantity=100, price=99.0, charges=300),
        KeptFill(4, "t2", OPEN, quantity=10, price=50.0, charges=70),
    ]
    kept.evening_costs = [KeptCost("script", CANBK, 100, 990_000)]
    kept.round_trips = [("script", -5), ("script", -6)]
    kept.next_decision, kept.peak, kept.strategy_peaks = 8, 700, {"script": 300}
    return kept


def restored():
    scene = Scene(quoted=False)
    scene.kernel.state.markets[CANBK].instrument.close = 101.0
    return scene.kernel, scene.kernel.restore(records())


def test_rungs_hold_what_was_filled_and_have_their_orders_and_stop_again():
    kernel, unknown = restored()
    state = kernel.state
    first, second = state.rungs[11], state.rungs[21]
    assert (first.quantity, first.average, first.charges, first.opened) == (
        100,
        99.0,
        300,
        YESTERDAY,
    )
    assert (first.stop, first.high, first.gtt.gtt_id, first.gtt.legs[0].trigger) == (
        97.0,
        102.0,
        55,
        97.0,
    )
    assert (first.entry.intent, first.exit.intent, second.entry.intent) == (1, 3, 4)
    assert (second.quantity, second.average) == (10, 50.0)
    assert unknown == [3]
    assert first.exit.status is OrderStatus.UNKNOWN


def test_cash_and_the_days_result_count_from_the_previous_close():
    kernel, _ = restored()
    assert kernel.ledger.cash == 10**10 - 10 * 5_000 - 70, "yesterday's cash moved yesterday"
    assert kernel.ledger.position("script", CANBK).unrealised == 100 * 200
    assert (kernel.state.net_at_open, kernel.state.day_pnl) == (100 * 200, -70)


def test_the_limits_of_the_day_are_as_near_as_before():
    kernel, _ = restored()
    state = kernel.state
    [slot] = state.slots
    assert (state.entry_count, state.round_trips, state.losses, slot.losses) == (1, 2, 2, 2)
    assert (state.peak, slot.peak, slot.net_at_open) == (700, 300, 100 * 200)


def test_numbers_go_on_and_nothing_is_sent_or_written_again():
    kernel, _ = restored()
    assert (kernel.order_store.next_intent, kernel.state.next_number) == (5, 22)
    assert kernel.decisions.next_number == 8
    assert kernel.order_store.commands == []
    assert kernel.digest() == Scene(quoted=False).kernel.digest()
    out = kernel.order_store
    waiting = (kernel.state.changed_rungs, kernel.state.changed_ladders, out.changed_orders)
    assert [len(each) for each in (*waiting, out.changed_gtts)] == [0, 0, 0, 0]
