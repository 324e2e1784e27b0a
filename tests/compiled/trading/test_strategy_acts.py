"""A strategy that the operator stops, starts and changes while the kernel runs."""

import pytest

from compiled.indicators.price import SMA
from compiled.model.events import (
    CancelOrder,
    ModifyGtt,
    PlaceOrder,
    RequestOutcome,
    RequestVerb,
)
from compiled.model.values import MINUTE, SECOND, Bar, Side
from compiled.trading.ladder import LadderPlan, RungPlan
from compiled.trading.risk import RefusalReason
from compiled.trading.strategy import Strategy, StrategyAct, StrategyInstruction
from tests.compiled.trading.scripted import BEL, CANBK, OPEN, Scene, Script, only, some


class Told(Script):
    """A script that writes down what it hears of the operator's acts."""

    def __init__(self, keeps=False):
        super().__init__()
        self.heard = []
        self.keeps = keeps
        self.at = []

    def follow(self, token):
        self.average = SMA(3)
        return [self.average]

    def on_bar(self, ctx, bar):
        self.heard.append((bar.close, ctx.warming))

    def on_start(self, ctx):
        self.heard.append(("start", ctx.now, ctx.warming))
        for act in self.at:
            act(ctx)

    def on_stop(self, ctx, reason):
        self.heard.append(("stop", reason))
        for act in self.at:
            act(ctx)

    def on_parameters(self, ctx, parameters):
        self.heard.append(("parameters", parameters))
        return self.keeps


def enter(ctx):
    ctx.enter(CANBK, Side.BUY, 0, 2.0, quantity=10)


def instruct(scene, act, **more):
    event = StrategyInstruction(scene.now, act, "script", "by tester: enough", **more)
    commands = scene.tell(event)
    return event, commands


def bars(token=CANBK, count=4):
    return [
        Bar(token, OPEN - (count - n) * MINUTE, 60, 1.0, 1.0, 1.0, float(n), 5)
        for n in range(count)
    ]


def slot_of(scene):
    return scene.kernel.state.slots[0]


def verdict_of(scene):
    scene.script.todo.append(enter)
    scene.tick(100.0)
    return scene.kernel.decisions.fresh[-1].verdict


def begun(scene, made, **more):
    event, commands = instruct(scene, StrategyAct.START, made=made, **more)
    scene.script = made
    return event, commands


def test_a_stopped_strategy_is_called_no_more_and_enters_nothing():
    scene = Scene()
    instruct(scene, StrategyAct.STOP)
    scene.script.todo.append(enter)
    scene.tick(100.0)
    # It was not called: what it was to do still waits.
    assert scene.script.todo
    assert slot_of(scene).stopped == "by tester: enough"
    assert not [each for each in scene.asked if isinstance(each, PlaceOrder)]


def test_what_it_asks_for_as_it_is_stopped_may_leave_and_not_enter():
    scene = Scene()
    told = Told()
    begun(scene, told)
    told.at = [enter]
    instruct(scene, StrategyAct.STOP)
    assert told.heard[-1] == ("stop", "by tester: enough")
    refused = scene.kernel.decisions.fresh[-1]
    assert refused.verdict is RefusalReason.STRATEGY_STOPPED
    assert refused.detail == "by tester: enough"
    scene = Scene()
    scene.hold(10)
    told = Told()
    begun(scene, told)
    told.at = [lambda ctx: ctx.exit(CANBK, "over")]
    instruct(scene, StrategyAct.STOP)
    assert [ladder.leaving for ladder in scene.kernel.state.ladders.values()] == [True]


def resting(scene):
    scene.script.todo.append(lambda ctx: ctx.buy(CANBK, 10, 2.0, price=99.0))
    [placed] = some(scene.tick(100.0), PlaceOrder)
    return placed.order


def test_a_stop_cancels_an_entry_whose_id_is_not_known_yet_as_soon_as_it_is():
    scene = Scene()
    order = resting(scene)
    _, commands = instruct(scene, StrategyAct.STOP)
    assert not some(commands, CancelOrder)
    found = scene.accept(order, "B1") + scene.seconds(2)
    assert [each.order for each in some(found, CancelOrder)] == [order]


def test_a_stop_cancels_an_entry_again_that_the_broker_was_too_busy_to_cancel():
    scene = Scene()
    order = resting(scene)
    scene.accept(order, "B1")
    _, commands = instruct(scene, StrategyAct.STOP)
    assert [each.order for each in some(commands, CancelOrder)] == [order]
    scene.answer(order.intent, RequestOutcome.BUSY, verb=RequestVerb.CANCEL, wait=2 * SECOND)
    assert [each.order for each in some(scene.seconds(10), CancelOrder)] == [order]


def test_what_a_stopped_strategy_holds_stays_protected_and_is_trailed():
    scene = Scene()
    scene.hold(10)
    instruct(scene, StrategyAct.STOP)
    [moved] = some(scene.tick(110.0, after=120.0) + scene.seconds(3), ModifyGtt)
    # 2 % below the new high of ₹110.00
    assert [leg.trigger for leg in moved.gtt.pending] == [107.8]
    assert scene.kernel.view.naked() == 0
    assert scene.rung.exit is None


def test_a_stop_that_leaves_lets_go_of_its_positions_and_of_no_others():
    scene = Scene()
    scene.hold(10)
    [ladder] = scene.kernel.state.ladders.values()
    ladder.strategy = "another"
    instruct(scene, StrategyAct.STOP, leave=True)
    assert not ladder.leaving
    ladder.strategy = "script"
    instruct(scene, StrategyAct.STOP, leave=True)
    assert ladder.leaving
    assert scene.rung.exit_reason == "operator"


def test_a_stopped_strategy_does_not_ask_for_its_further_rungs_until_it_is_started():
    scene = Scene()
    plan = LadderPlan([RungPlan(0.0, 20.0), RungPlan(1.0, 20.0)], 0, quantity=10)
    scene.fill(only(scene.act(lambda ctx: ctx.ladder(CANBK, Side.BUY, plan)), PlaceOrder).order)
    instruct(scene, StrategyAct.STOP)
    for price in (102.0, 103.0, 104.0):
        scene.tick(price, after=60.0)
    assert scene.kernel.state.refusal_count == 0
    begun(scene, Told())
    [entry] = some(scene.tick(105.0, after=60.0), PlaceOrder)
    assert entry.order.quantity == 10


def test_a_strategy_that_is_started_is_shown_its_past_and_then_told():
    scene = Scene()
    instruct(scene, StrategyAct.STOP)
    told = Told()
    begun(scene, told, bars=bars())
    assert told.heard == [
        (0.0, True),
        (1.0, True),
        (2.0, True),
        (3.0, True),
        ("start", scene.now, False),
    ]
    assert slot_of(scene).stopped == ""
    assert verdict_of(scene) is RefusalReason.OK


def test_what_it_asks_for_as_it_is_started_is_judged_like_any_request():
    scene = Scene()
    told = Told()
    told.at = [enter]
    begun(scene, told)
    [decision] = scene.kernel.decisions.fresh
    assert (decision.verdict, decision.cause.what) == (RefusalReason.OK, 4)


def test_one_that_has_failed_can_be_started_anew():
    scene = Scene()

    def boom(ctx):
        raise ValueError("boom")

    scene.script.todo.append(boom)
    scene.tick(100.0)
    assert slot_of(scene).error is not None
    begun(scene, Told())
    assert slot_of(scene).error is None
    assert verdict_of(scene) is RefusalReason.OK


def test_a_start_makes_it_hear_each_tick_once():
    scene = Scene()
    for _ in range(3):
        begun(scene, Told())
    market = scene.kernel.state.markets[CANBK]
    assert len(market.tickers) == len(market.listeners) == 1


@pytest.mark.parametrize("keeps", [True, False])
def test_parameters_are_taken_as_it_runs_or_it_is_made_anew(keeps):
    scene = Scene()
    told, other = Told(keeps), Told()
    begun(scene, told)
    event, _ = instruct(scene, StrategyAct.CHANGE, made=other, parameters={"bars": 5}, bars=bars())
    assert told.heard[-1] == ("parameters", {"bars": 5})
    assert event.taken is keeps
    assert slot_of(scene).strategy is (told if keeps else other)
    assert len(other.heard) == (0 if keeps else 4)


def test_one_that_stands_hears_nothing_of_other_parameters():
    scene = Scene()
    told = Told()
    begun(scene, told)
    instruct(scene, StrategyAct.STOP)
    heard = list(told.heard)
    instruct(scene, StrategyAct.CHANGE, made=Told(), parameters={})
    assert told.heard == heard
    assert slot_of(scene).strategy is told


@pytest.mark.parametrize("name", ["on_start", "on_stop", "on_parameters"])
def test_a_fault_in_a_callback_stops_that_strategy_and_not_the_desk(name):
    scene = Scene()

    def boom(*_):
        raise SystemExit(3)

    told = type("Faulty", (Told,), {name: boom})()
    begun(scene, told)
    act = {"on_stop": StrategyAct.STOP, "on_parameters": StrategyAct.CHANGE}.get(name)
    if act is not None:
        assert slot_of(scene).error is None
        instruct(scene, act, made=Told())
    assert isinstance(slot_of(scene).error, SystemExit)
    assert slot_of(scene).call_count % 2 == 0


def test_its_indicators_wait_for_as_many_bars_as_they_need():
    scene = Scene()
    begun(scene, Told(), bars=bars(CANBK, 3) + bars(BEL, 2))
    assert slot_of(scene).count_unready() == 1


def test_timers_of_one_that_was_started_ring_on_their_beat():
    class Beating(Strategy):
        def __init__(self):
            super().__init__("script", 60, every=60)
            self.rung = []

        def on_timer(self, ctx, ts):
            self.rung.append(int(ts))

    scene = Scene()
    beating = Beating()
    scene.now += 17 * SECOND
    begun(scene, beating)
    scene.seconds(120)
    first = OPEN + 2 * MINUTE + int(scene.kernel.strategy_host.grace)
    assert beating.rung == [first, first + MINUTE]


def test_a_stop_of_the_operator_ends_with_its_day():
    scene = Scene()
    instruct(scene, StrategyAct.STOP)
    scene.kernel.begin_session(OPEN + 86_400 * SECOND, OPEN + 90_000 * SECOND)
    assert slot_of(scene).stopped == ""
    assert not slot_of(scene).hand_stopped


def test_an_act_on_a_strategy_that_is_not_there_changes_nothing():
    scene = Scene()
    before = scene.kernel.digest()
    scene.tell(StrategyInstruction(scene.now, StrategyAct.STOP, "nobody", ""))
    assert scene.kernel.digest() == before
    assert slot_of(scene).stopped == ""
