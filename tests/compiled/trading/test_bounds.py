"""Numbers over the whole range of 64 bits.

Every check of money against a reckoning in whole numbers of any size.
"""

import math
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from compiled.accounting.charges import LIMIT
from compiled.model import number_bounds
from compiled.model.events import KernelAlert, ModifyOrder
from compiled.model.order_terms import OrderChange, OrderTerms
from compiled.model.values import E4, Instrument, OrderType, Side, Validity, paise
from compiled.trading.ladder import AT_MARKET, EntryPlan, LadderPlan, RungPlan
from compiled.trading.request_bounds import plan_out_of_bounds
from compiled.trading.risk import (
    LimitUsage,
    RefusalReason,
    RiskLimits,
    check_order,
    check_usage,
    halt_reason,
    rung_size,
    stop_reason,
    whole_lots,
)
from compiled.trading.strategy import OPERATOR, ManualRequest, StrategyRequest
from tests.compiled.trading.scripted import BEL, CANBK, Scene, some

I64 = st.integers(-(2**63), 2**63 - 1)
COUNTS = st.one_of(I64, st.integers(0, 62).map(lambda n: 2**n), st.integers(-5, 10**9))
MONEY = int(number_bounds.MONEY)
AMOUNTS = st.one_of(st.integers(0, 2**63 - 1), st.integers(0, MONEY))
PRICES = st.one_of(
    st.floats(), st.floats(0.0, 1e7), st.sampled_from([0.0, 0.05, 1500.0, 1e7, 1e12, 1e300])
)
SHARE = Instrument(1, "NSE", "SHARE", 0.05)


def worth(price, quantity):
    """Return the exact value in paise: prices in ten-thousandths, halves away from zero."""
    e4 = (
        int(Fraction(price * E4) + Fraction(1, 2))
        if price >= 0
        else -int(Fraction(1, 2) - Fraction(price * E4))
    )
    exact = abs(e4 * quantity)
    return (exact + 50) // 100 * (1 if e4 * quantity >= 0 else -1)


@given(PRICES, COUNTS)
@example(1500.0, 9_000_000_000_000_000_000)
@example(1e7, 10**9)
@example(0.0001, 2**63 - 1)
def test_a_value_is_exact_or_the_most_there_is_and_never_small_for_being_large(price, quantity):
    found = int(paise(price, quantity))
    if quantity == 0:
        assert found == 0
    elif not math.isfinite(price) or abs(Fraction(price) * quantity * 100) >= MONEY * (
        1 + Fraction(1, 10**12)
    ):
        less = math.isfinite(price) and Fraction(price) * quantity < 0
        assert found == (-MONEY if less else MONEY) or (math.isinf(price) and abs(found) == MONEY)
    elif abs(Fraction(price) * quantity * 100) < MONEY * (1 - Fraction(1, 10**12)):
        assert found == worth(price, quantity)
    else:
        assert abs(found) <= MONEY + quantity


@given(PRICES, COUNTS, AMOUNTS, st.booleans())
@example(1500.0, 9_000_000_000_000_000_000, 20_000_000, True)
@example(1500.0, 6_148_914_691_236_517, 20_000_000, True)
def test_no_order_passes_that_is_worth_more_than_its_limit(price, quantity, limit, several):
    reason = check_order(SHARE, quantity, price, price, RiskLimits(max_order_value=limit), several)
    if reason is not RefusalReason.OK:
        return
    assert 0 < quantity <= number_bounds.ORDER
    assert 0.0 <= price <= number_bounds.PRICE
    value = worth(price, quantity)
    assert value < MONEY
    assert limit == 0 or value <= limit


@given(COUNTS)
def test_where_no_freeze_quantity_is_known_a_bound_of_our_own_stands(quantity):
    reason = check_order(SHARE, quantity, 1.0, 1.0, RiskLimits(), several=True)
    assert reason is (
        RefusalReason.SIZE_ZERO
        if quantity <= 0
        else RefusalReason.OK
        if quantity <= 10_000_000
        else RefusalReason.FREEZE_QUANTITY
    )


LIMITED = {
    "exposure": ("max_exposure", RefusalReason.EXPOSURE),
    "symbol_exposure": ("max_symbol_exposure", RefusalReason.SYMBOL_EXPOSURE),
    "strategy_exposure": ("", RefusalReason.STRATEGY_BUDGET),
}


@pytest.mark.parametrize("used", LIMITED)
@given(data=st.tuples(I64, I64, st.integers(1, 2**63 - 2)))
@example(data=(2**63 - 1, 2**63 - 1, 4_500_000))
@example(data=(-(2**63), -(2**63), 4_500_000))
def test_what_is_used_and_what_is_asked_for_add_up_whatever_their_size(used, data):
    there, value, limit = data
    name, reason = LIMITED[used]
    limits, usage = RiskLimits(), LimitUsage(0, "mine")
    usage.funds = 2**63 - 1
    setattr(usage, used, there)
    if name:
        setattr(limits, name, limit)
    else:
        limits.budgets["mine"] = limit
    assert check_usage(value, usage, limits) is (
        reason if there + value > limit else RefusalReason.OK
    )


@given(I64, I64)
def test_funds_are_compared_whatever_their_size(value, funds):
    usage = LimitUsage()
    usage.funds = funds
    assert check_usage(value, usage, RiskLimits()) is (
        RefusalReason.FUNDS if value > funds else RefusalReason.OK
    )


@given(I64, st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
@example(-(2**63), 2**63 - 1, 0, 1)
def test_a_loss_halts_whatever_its_size(net, peak, loss, drawdown):
    lost = loss > 0 and net <= -loss
    fell = drawdown > 0 and peak - net >= drawdown
    wanted = "daily loss limit" if lost else "drawdown limit" if fell else ""
    assert (
        halt_reason(net, peak, 0, RiskLimits(max_daily_loss=loss, max_drawdown=drawdown)) == wanted
    )
    assert (
        stop_reason(net, peak, 0, RiskLimits(strategy_daily_loss=loss, strategy_drawdown=drawdown))
        == wanted
    )


@given(st.integers(0, 2**63 - 1), PRICES, st.integers(1, 10**9))
def test_a_size_never_costs_more_than_its_capital(capital, price, lot):
    instrument = Instrument(1, "NFO", "LOTS", 0.05, lot)
    shares = int(whole_lots(instrument, capital, price))
    assert 0 <= shares <= number_bounds.HELD
    if shares and math.isfinite(price) and 0 < Fraction(price) * lot * 100 < MONEY // 2:
        assert shares // lot * worth(price, lot) <= capital


@given(st.floats(), st.floats(), st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_a_size_by_risk_and_swing_is_a_number(price, swing, capital, risk):
    plan = LadderPlan([RungPlan(0.0, 2.0)], capital, risk=risk, swing=swing)
    assert 0 <= rung_size(SHARE, plan, 2.0, price) <= number_bounds.HELD


@given(I64, I64)
def test_a_sum_is_held_at_the_ends(a, b):
    found = int(number_bounds.saturating_add(a, b))
    assert found == max(-(2**63), min(a + b, 2**63 - 1)) or (
        a + b < -(2**63) + 1 and found == -(2**63) + 1
    )


def test_what_charges_are_reckoned_of_is_one_number():
    assert number_bounds.TURNOVER == LIMIT


# requests of strategies and of the operator

ODD = [math.nan, math.inf, -math.inf, 1e300, -1.0, 1e12]
COUNTED = [-1, 2**62, 9_000_000_000_000_000_000, -(2**63)]


def plan(**fields):
    return LadderPlan([RungPlan(0.0, 2.0)], 0, quantity=1, **fields)


PLANS = [
    *(LadderPlan([RungPlan(0.0, 2.0)], 0, quantity=n) for n in COUNTED),
    *(LadderPlan([RungPlan(0.0, 2.0)], n) for n in COUNTED),
    *(plan(risk=n) for n in COUNTED),
    *(plan(swing=x) for x in ODD),
    *(plan(trail_seconds=n) for n in COUNTED),
    *(plan(entry_seconds=n) for n in COUNTED),
    *(plan(stop_gap_percent=x) for x in ODD),
    *(plan(trail_step_percent=x) for x in ODD),
    *(plan(entry=EntryPlan(OrderType.LIMIT, x)) for x in ODD),
    *(plan(entry=EntryPlan(OrderType.SL, 100.0, x)) for x in ODD),
    *(plan(entry=EntryPlan(protection=x)) for x in [*ODD[:4], -2.0]),
    *(plan(entry=EntryPlan(validity=Validity.TTL, terms=OrderTerms(minutes=n))) for n in COUNTED),
    *(plan(entry=EntryPlan(terms=OrderTerms(legs=n))) for n in COUNTED),
    *(plan(entry=EntryPlan(terms=OrderTerms(disclosed=n))) for n in COUNTED),
    *(LadderPlan([RungPlan(0.0, x)], 100) for x in ODD),
    *(LadderPlan([RungPlan(0.0, 2.0, x)], 100) for x in ODD),
    *(LadderPlan([RungPlan(0.0, 2.0), RungPlan(x, 2.0)], 100) for x in ODD),
    LadderPlan([], 100),
]


@pytest.mark.parametrize("which", range(len(PLANS)))
@pytest.mark.parametrize("hand", [False, True])
def test_a_request_out_of_bounds_is_refused_with_its_number_and_harms_nobody(which, hand):
    scene, asked = Scene(), PLANS[which]
    scene.tick(100.0)
    if hand:
        wish = ManualRequest(scene.now, StrategyRequest(CANBK, Side.BUY, asked, "by hand"))
        assert scene.tell(wish) is not None
        assert wish.verdict is RefusalReason.BOUNDS
    else:
        scene.script.todo.append(lambda ctx: ctx.ladder(CANBK, Side.BUY, asked))
        scene.tick(100.0)
    told = scene.kernel.decisions.fresh[-1]
    assert (told.verdict, told.strategy == OPERATOR) == (RefusalReason.BOUNDS, hand)
    assert "is not from" in told.detail
    assert math.isfinite(told.price)
    assert scene.kernel.order_store.orders.values() == []
    assert not scene.kernel.state.halted
    assert all(not slot.stopped for slot in scene.kernel.state.slots)


def test_a_plain_plan_is_within_the_bounds():
    assert plan_out_of_bounds(plan()) == ""
    assert plan_out_of_bounds(plan(entry=AT_MARKET)) == ""


@pytest.mark.parametrize(
    "change",
    [
        *(OrderChange(n) for n in COUNTED),
        *(OrderChange(price=x) for x in ODD),
        *(OrderChange(trigger=x) for x in ODD),
    ],
)
def test_a_change_out_of_bounds_is_refused_with_its_number(change):
    scene = Scene()
    scene.tick(100.0)
    scene.script.todo.append(lambda ctx: ctx.buy(CANBK, 10, 2.0, price=99.0))
    scene.tick(100.0)
    order = next(iter(scene.kernel.order_store.orders.values()))
    scene.accept(order, "B1")
    wish = ManualRequest(
        scene.now, StrategyRequest(order.token, order.side, None, "", order, change)
    )
    assert some(scene.tell(wish), ModifyOrder) == []
    assert wish.verdict is RefusalReason.BOUNDS
    assert "is not from" in scene.kernel.decisions.fresh[-1].detail


def test_a_modification_whose_outcome_nobody_knows_counts_as_made():
    scene = Scene(limits=RiskLimits(max_exposure=10_000_00))
    scene.tick(100.0)
    scene.script.todo.append(lambda ctx: ctx.buy(CANBK, 10, 2.0, price=100.0))
    scene.tick(100.0)
    order = next(iter(scene.kernel.order_store.orders.values()))
    scene.accept(order, "B1")
    wish = ManualRequest(
        scene.now, StrategyRequest(order.token, order.side, None, "", order, OrderChange(90))
    )
    scene.tell(wish)
    assert wish.verdict is RefusalReason.OK
    assert order.quantity == 10
    scene.tick(100.0, BEL)  # ₹9,000 may be bought by now, ₹10,000 are allowed
    scene.script.todo.append(lambda ctx: ctx.buy(BEL, 11, 2.0))
    scene.tick(100.0, BEL)
    assert scene.kernel.decisions.fresh[-1].verdict is RefusalReason.EXPOSURE


# trades


@pytest.mark.parametrize(
    ("quantity", "price"),
    [
        (-7, 100.0),
        (0, 100.0),
        (10**10, 100.0),
        (10, -5.0),
        (10, 0.0),
        (10, math.nan),
        (10, math.inf),
        (10, 1e300),
    ],
)
def test_a_trade_that_cannot_be_is_told_and_not_booked(quantity, price):
    scene = Scene()
    scene.tick(100.0)
    scene.script.todo.append(lambda ctx: ctx.enter(CANBK, Side.BUY, 0, 2.0, quantity=10))
    scene.tick(100.0)
    order = next(iter(scene.kernel.order_store.orders.values()))
    scene.accept(order, "B1")
    told = [
        alert
        for _ in range(2)
        for alert in some(scene.trade("T1", "B1", quantity, price), KernelAlert)
    ]
    assert [alert.name for alert in told] == ["unbookable"]
    assert (order.traded, scene.kernel.ledger.cash) == (0, scene.kernel.ledger.start_cash)
    scene.trade("T2", "B1", 10, 100.0)
    assert order.traded == 10
