"""Ladders that no price of a bar concerns: those are not walked point by point."""

import pytest

from compiled.model.values import Instrument, Product, Side
from compiled.trading.desk_state import InstrumentState
from compiled.trading.ladder import Ladder, LadderPlan, Rung, RungPlan, RungState
from compiled.trading.protection import NO_PRICE, is_idle, is_idle_at_any_price


def ladder(side, plans):
    """Return a ladder whose first rung holds 10 shares of ₹100 without a stop."""
    plan = LadderPlan(plans, 10_000_00, Product.CNC, trail=False)
    made = Ladder(1, "one", Instrument(257, "NSE", "INFY", 0.05), side, plan)
    made.rungs = [Rung(number + 1, 1, number, each) for number, each in enumerate(plans, start=1)]
    first = made.rungs[0]
    first.state, first.bought, first.bought_value = RungState.OPEN, 10, 1_000_00
    return made


PLANS = [RungPlan(0.0, 0.0), RungPlan(1.0, 0.0), RungPlan(2.0, 0.0)]


@pytest.mark.parametrize(
    ("side", "high", "low", "idle"),
    [
        (Side.BUY, 100.95, 80.0, True),
        (Side.BUY, 101.0, 100.0, False),
        (Side.SELL, 120.0, 99.05, True),
        (Side.SELL, 100.0, 99.0, False),
        (Side.BUY, 0.0, NO_PRICE, True),
        (Side.SELL, 0.0, NO_PRICE, True),
    ],
)
def test_a_waiting_rung_is_idle_short_of_its_trigger(side, high, low, idle):
    assert is_idle(ladder(side, PLANS), high, low) is idle


def test_a_ladder_with_a_waiting_rung_is_never_idle_at_any_price():
    assert not is_idle_at_any_price(ladder(Side.BUY, PLANS))
    assert is_idle_at_any_price(ladder(Side.BUY, PLANS[:1]))


def test_an_open_rung_behind_a_waiting_one_counts_too():
    made = ladder(Side.BUY, PLANS)
    made.rungs[2].state = RungState.ENTERING
    assert not is_idle(made, 100.0, 100.0)


def test_prices_between_idle_bars_are_idle_until_a_ladder_changes():
    market = InstrumentState(Instrument(257, "NSE", "INFY", 0.05))
    market.note_idle(101.0, 99.5)
    market.note_idle(100.5, 98.0)
    assert (market.idle_high, market.idle_low) == (101.0, 98.0)
    market.wake()
    assert not market.idle_at_any_price
    assert market.idle_high == 0.0
    assert market.idle_low == NO_PRICE
