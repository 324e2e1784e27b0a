"""Every request becomes a decision: what caused it, what it was judged on, and what it led to."""

from compiled.model.events import OperatorAct
from compiled.model.values import MINUTE, SECOND, Product, Side
from compiled.trading.decision_log import BAR, TICK
from compiled.trading.ladder import LadderPlan, RungPlan
from compiled.trading.risk import RefusalReason, RiskLimits
from tests.compiled.trading.scripted import CANBK, OPEN, Scene


def fresh(scene):
    found, scene.kernel.decisions.fresh = scene.kernel.decisions.fresh, []
    return found


def ask(scene, price=100.0, quantity=100, token=CANBK):
    scene.script.todo.append(
        lambda ctx: ctx.enter(token, Side.BUY, 0, 2.0, quantity=quantity, reason="because")
    )
    scene.tick(price)


def test_a_request_is_a_decision_with_the_tick_that_caused_it_its_size_and_its_order():
    scene = Scene()
    ask(scene, 101.0)
    [decision] = fresh(scene)
    assert (decision.strategy, decision.reason, decision.side, decision.token) == (
        "script",
        "because",
        Side.BUY,
        CANBK,
    )
    assert (decision.cause.what, decision.cause.ts, decision.cause.price) == (
        TICK,
        scene.now,
        101.0,
    )
    assert (decision.quantity, decision.price, decision.verdict) == (100, 101.0, RefusalReason.OK)
    order = scene.kernel.order_store.orders[decision.intent]
    assert (order.rung, order.quantity) == (decision.rung, 100)


def test_a_tick_that_causes_nothing_leaves_no_decision():
    scene = Scene()
    for price in (100.0, 101.0, 99.0):
        scene.tick(price)
    assert fresh(scene) == []


def test_a_refusal_names_the_figure_and_the_limit():
    scene = Scene(limits=RiskLimits(max_order_value=500_000))
    ask(scene, 100.0, 51)
    [decision] = fresh(scene)
    assert (decision.verdict, decision.intent) == (RefusalReason.ORDER_VALUE, 0)
    assert decision.detail == "₹5100.00 is above ₹5000.00"


def test_exposure_in_a_refusal_counts_what_is_held_already():
    scene = Scene(limits=RiskLimits(max_exposure=1_500_000))
    scene.hold()
    fresh(scene)
    scene.script.todo.append(lambda ctx: ctx.enter(CANBK, Side.BUY, 0, 2.0, quantity=60))
    scene.tick(100.0)
    assert [each.verdict for each in fresh(scene)] == [RefusalReason.DUPLICATE]
    scene.tick(100.0, 513)
    ask(scene, 100.0, 51, 513)
    ask(scene, 100.0, 51, 513)
    [decision] = fresh(scene)
    assert decision.verdict is RefusalReason.EXPOSURE
    assert decision.detail == "₹10000.00 + ₹5100.00 is above ₹15000.00"


def test_the_same_refusal_within_a_minute_is_counted_on_the_first_one():
    scene = Scene(limits=RiskLimits(max_order_value=1))
    for _ in range(5):
        ask(scene)
        scene.now += SECOND
    [decision] = fresh(scene)
    assert (decision.times, decision.last - decision.ts) == (5, 4 * SECOND)
    scene.now += MINUTE
    ask(scene)
    [later] = fresh(scene)
    assert (later.times, later.number) == (1, decision.number + 1)


def test_two_reasons_are_two_decisions():
    scene = Scene(limits=RiskLimits(max_order_value=1))
    ask(scene)
    scene.operate(OperatorAct.HALT)
    ask(scene)
    assert [each.verdict for each in fresh(scene)] == [
        RefusalReason.ORDER_VALUE,
        RefusalReason.KILLED,
    ]


def test_a_rung_that_a_price_reaches_is_a_decision_of_its_own():
    scene = Scene()
    plan = LadderPlan([RungPlan(0.0, 2.0), RungPlan(1.0, 2.0)], 0, Product.CNC, quantity=10)
    scene.script.todo.append(lambda ctx: ctx.ladder(CANBK, Side.BUY, plan, "up"))
    scene.tick(100.0)
    [first] = fresh(scene)
    scene.fill(scene.kernel.order_store.orders[first.intent])
    scene.tick(101.5)
    [second] = fresh(scene)
    assert (second.kind, second.ladder, second.rung) == ("rung", first.ladder, first.rung + 1)
    assert second.reason == "P2 at 1.00 % up"
    assert scene.kernel.order_store.orders[second.intent].rung == second.rung


def test_an_exit_is_a_decision_once_and_only_where_something_is_held():
    scene = Scene()
    scene.script.todo.append(lambda ctx: ctx.exit(CANBK, "enough"))
    scene.tick(100.0)
    assert fresh(scene) == []
    scene.hold()
    [entry] = fresh(scene)
    for _ in range(3):
        scene.script.todo.append(lambda ctx: ctx.exit(CANBK, "enough"))
        scene.tick(100.0)
    [decision] = fresh(scene)
    assert (decision.kind, decision.reason, decision.ladder) == ("exit", "enough", entry.ladder)


def test_a_bar_is_named_by_its_end_and_its_close():
    scene = Scene()
    scene.script.on_bar = lambda ctx, bar: ctx.enter(CANBK, Side.BUY, 0, 2.0, quantity=1)
    scene.tick(100.5)
    scene.seconds(70)
    [decision] = fresh(scene)
    assert (decision.cause.what, decision.cause.ts, decision.cause.price) == (
        BAR,
        OPEN + 2 * MINUTE,
        100.5,
    )
