"""Limits of a strategy, of an instrument, of a minute; sizes by risk and by swing.

Limits that change under way.
"""

import math

import pytest
from msgspec.structs import replace

from compiled.model.events import CancelOrder, LimitUpdate
from compiled.model.values import MINUTE, SECOND, Bar, Instrument, Side
from compiled.trading.ladder import LadderPlan, RungPlan
from compiled.trading.risk import RefusalReason, RiskLimits, rung_size
from engine.config import risk_limits
from engine.errors import ConfigError
from engine.manual import day_limits
from engine.operator_requests import LimitRequest
from tests.compiled.trading.scripted import BEL, CANBK, OPEN, Scene, some

SHARE = Instrument(1, "NSE", "SHARE", 0.05)
LOTS = Instrument(2, "NFO", "FUTURE", 0.05, 50)


def ask(scene, quantity=10, token=CANBK):
    scene.tick(100.0, token)
    scene.script.todo.append(lambda ctx: ctx.enter(token, Side.BUY, 0, 2.0, quantity=quantity))
    scene.tick(100.0, token)
    return scene.kernel.decisions.fresh[-1].verdict


def plan(capital=0, quantity=0, risk=0, swing=0.0):
    return LadderPlan([RungPlan(0.0, 2.0)], capital, quantity=quantity, risk=risk, swing=swing)


# sizing


@pytest.mark.parametrize(
    ("wanted", "instrument", "shares"),
    [
        # ₹10,000 at ₹250
        (plan(capital=1_000_000), SHARE, 40),
        (plan(quantity=7, capital=1_000_000, risk=1), SHARE, 7),
        # ₹500 at risk, ₹5 (2 %) from the stop
        (plan(risk=50_000), SHARE, 100),
        # ... but at most what ₹10,000 buy
        (plan(capital=1_000_000, risk=50_000), SHARE, 40),
        # ₹500 at a swing of ₹12.50
        (plan(risk=50_000, swing=12.5), SHARE, 40),
        # whole lots of 50: ₹500 / (50 * ₹5) = 2
        (plan(risk=50_000), LOTS, 100),
        (plan(risk=24_999), LOTS, 0),
    ],
)
def test_a_rung_is_as_large_as_its_plan_allows(wanted, instrument, shares):
    assert rung_size(instrument, wanted, 2.0, 250.0) == shares


# before an entry


def test_a_strategy_enters_only_so_often_within_a_minute():
    scene = Scene(limits=RiskLimits(max_orders_per_minute=1))
    assert ask(scene) is RefusalReason.OK
    scene.now += 59 * SECOND
    assert ask(scene, token=BEL) is RefusalReason.THROTTLE
    assert scene.kernel.decisions.fresh[-1].detail == "1 of 1 within a minute"
    scene.now += SECOND
    assert ask(scene, token=BEL) is RefusalReason.OK


def test_the_positions_of_one_instrument_have_a_limit_of_their_own():
    scene = Scene(limits=RiskLimits(max_symbol_exposure=150_000))
    assert ask(scene, 15) is RefusalReason.OK
    assert ask(scene, 16, BEL) is RefusalReason.SYMBOL_EXPOSURE
    assert scene.kernel.decisions.fresh[-1].detail == "₹0.00 + ₹1600.00 is above ₹1500.00"


def test_an_instrument_that_has_a_history_and_no_tick_yet_was_never_heard():
    scene = Scene(quoted=False)
    scene.kernel.strategy_host.warm_up(
        [Bar(CANBK, OPEN - MINUTE, 60, 99.0, 101.0, 99.0, 100.0, 10)]
    )
    scene.script.todo.append(lambda ctx: ctx.enter(CANBK, Side.BUY, 0, 2.0, quantity=1))
    scene.tick(100.0, BEL)
    decision = scene.kernel.decisions.fresh[-1]
    assert (decision.verdict, decision.price) == (RefusalReason.STALE_DATA, 100.0)
    assert decision.detail == f"never heard, the limit is {RiskLimits().stale_after // SECOND} s"


# after


def test_a_strategy_that_has_lost_its_share_is_stopped_and_keeps_its_protection():
    scene = Scene(limits=RiskLimits(strategy_daily_loss=15_000))
    scene.hold(100)
    scene.tick(98.6)
    scene.timer()
    assert scene.kernel.state.slots[0].stopped == ""
    scene.tick(98.5)
    scene.timer()
    assert scene.kernel.state.slots[0].stopped == "daily loss limit"
    assert "strategy_stopped" in scene.alarms()
    assert not scene.kernel.state.halted
    assert scene.kernel.view.naked() == 0
    assert scene.exits() == []


def test_a_stopped_strategys_working_entries_are_cancelled():
    scene = Scene(limits=RiskLimits(strategy_drawdown=10_000))
    scene.hold(100)
    scene.tick(100.0, BEL)
    scene.script.todo.append(lambda ctx: ctx.enter(BEL, Side.BUY, 0, 2.0, quantity=5))
    scene.tick(100.0)
    order = next(order for order in scene.kernel.order_store.orders.values() if order.token == BEL)
    scene.accept(order, "B9")
    scene.tick(99.0)
    assert [command.order.token for command in some(scene.timer(), CancelOrder)] == [BEL]


def test_the_next_session_lifts_a_stop_by_a_limit_but_not_a_failure():
    scene = Scene(limits=RiskLimits(strategy_daily_loss=10_000))
    scene.hold(100)
    scene.tick(98.5)
    scene.timer()
    slot = scene.kernel.state.slots[0]
    assert slot.stopped
    scene.kernel.begin_session(scene.kernel.state.close, scene.kernel.state.close + MINUTE)
    assert slot.stopped == ""
    slot.stopped = "ValueError: odd"
    scene.kernel.begin_session(scene.kernel.state.close, scene.kernel.state.close + MINUTE)
    assert slot.stopped == "ValueError: odd"


# changed while running


def test_a_changed_limit_holds_from_the_next_request_on():
    scene = Scene(limits=RiskLimits(max_order_value=500_000))
    assert ask(scene, 60) is RefusalReason.ORDER_VALUE
    scene.tell(LimitUpdate(scene.now, "max_order_value", 600_000.0))
    assert ask(scene, 60) is RefusalReason.OK


def test_a_tightened_loss_limit_halts_at_the_next_second():
    scene = Scene(limits=RiskLimits(max_daily_loss=1_000_000))
    scene.hold(100)
    scene.tick(99.0)
    scene.timer()
    assert not scene.kernel.state.halted
    scene.tell(day_limits.limit_event(scene.now, "max_daily_loss", 100))
    scene.timer()
    assert scene.kernel.state.halted


def test_money_is_told_in_rupees_and_kept_in_paise():
    kept = RiskLimits(max_daily_loss=1_000_000)
    change = day_limits.limit_event(5, "max_daily_loss", 15_000)
    kept.set_limit(change.name, change.value)
    assert kept.max_daily_loss == 1_500_000
    assert risk_limits.current_limits(kept)["max_daily_loss"] == 15_000
    budget = day_limits.limit_event(5, "budget.ladder", 2_000)
    kept.set_limit(budget.name, budget.value)
    assert (kept.budgets["ladder"], risk_limits.current_limits(kept)["budget.ladder"]) == (
        200_000,
        2_000,
    )


@pytest.mark.parametrize(
    ("name", "now", "value", "looser"),
    [
        ("max_positions", 5, 6, True),
        ("max_positions", 5, 4, False),
        ("max_consecutive_losses", 5, 0, True),
        ("max_consecutive_losses", 0, 5, False),
    ],
)
def test_a_higher_limit_or_none_is_looser(name, now, value, looser):
    assert day_limits.loosens_limit(RiskLimits(**{name: now}), name, value) is looser


def test_a_looser_limit_asks_to_be_confirmed_and_every_change_needs_a_reason():
    kept = RiskLimits(max_positions=5)
    wanted = LimitRequest("max_positions", 6, "more room")
    with pytest.raises(ConfigError, match="from 5 to 6 allows more than now; confirm with --yes"):
        day_limits.checked_change(kept, wanted)
    change = day_limits.checked_change(kept, replace(wanted, confirmed=True))
    assert change == day_limits.DayLimitChange("max_positions", 6, "more room", "terminal")
    with pytest.raises(ConfigError, match="reason"):
        day_limits.checked_change(kept, replace(wanted, value=4, reason=" "))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("max_position", 5, "no limit max_position"),
        ("max_positions", 0, "max_positions: expected a whole number from 1 to 10_000, got 0"),
        ("max_positions", 2.5, "max_positions: expected a whole number from 1 to 10_000, got 2.5"),
        (
            "max_positions",
            math.inf,
            "max_positions: expected a whole number from 1 to 10_000, got inf",
        ),
        (
            "price_range_percent",
            math.nan,
            "price_range_percent: expected a number from 0.1 to 50, got nan",
        ),
        ("budget.mine", 0, "budget.mine: expected a whole number from 1 to "),
    ],
)
def test_a_limit_is_bounded_as_in_the_configuration(name, value, words):
    with pytest.raises(ConfigError, match=words):
        risk_limits.checked_value(name, value)


def told(*_):
    raise AssertionError("nothing is to be told")


class Kept:
    """A journal that holds the limits of one day."""

    def load(self, table, where="", parameters=()):
        assert (table, where) == ("limits", "day = ?")
        row = {
            "day": "2026-11-20",
            "name": "max_positions",
            "value": 3.0,
            "reason": "less",
            "who": "me",
            "ts": 1,
        }
        return [row] if parameters == ("2026-11-20",) else []


def test_a_changed_limit_ends_with_its_day():
    kept = RiskLimits(max_positions=5, max_daily_loss=1_000_000)
    configured = risk_limits.current_limits(kept)
    assert set(day_limits.restore_limits(kept, configured, Kept(), "2026-11-20", told)) == {
        "max_positions"
    }
    kept.set_limit("budget.ladder", 5_000.0)
    assert (kept.max_positions, kept.max_daily_loss) == (3, 1_000_000)
    assert day_limits.restore_limits(kept, configured, Kept(), "2026-11-21", told) == {}
    assert (kept.max_positions, kept.max_daily_loss, kept.budgets["ladder"]) == (5, 1_000_000, 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_order_value", 1e300),
        ("max_order_value", -1.0),
        ("max_positions", 0.0),
        ("max_daily_loss", 1e15),
        ("price_range_percent", math.inf),
        ("budget.mine", -5.0),
        ("no_such_limit", 5.0),
    ],
)
def test_a_limit_in_the_database_that_could_not_have_been_set_is_told_and_not_believed(name, value):
    class Damaged:
        def load(self, table, where="", parameters=()):
            return [{"day": "d", "name": name, "value": value, "reason": "r", "who": "w", "ts": 1}]

    kept, heard = (
        RiskLimits(max_order_value=20_000_000, max_positions=5, max_daily_loss=1_000_000),
        [],
    )
    configured = risk_limits.current_limits(kept)
    assert (
        day_limits.restore_limits(
            kept, configured, Damaged(), "d", lambda *words: heard.append(words)
        )
        == {}
    )
    assert risk_limits.current_limits(kept) == configured
    assert len(heard) == 1
    assert (heard[0][0], name in heard[0][2]) == ("alarm", True)
