"""Bounds of the numbers in a request; beyond them it is no order, whatever the limits say."""

from compiled.model.number_bounds import (
    HELD,
    LEGS,
    MINUTES,
    MONEY,
    PERCENT,
    PRICE,
    RUNGS,
    SECONDS,
)
from compiled.model.order_terms import OrderChange
from compiled.trading.ladder import EntryPlan, LadderPlan


def plan_out_of_bounds(plan: LadderPlan) -> str:
    """Return the first number of a plan that is out of its bounds, empty where there is none."""
    if len(plan.rungs) == 0 or len(plan.rungs) > RUNGS:
        return _bounds_text("rungs", float(len(plan.rungs)), 1.0, float(RUNGS))
    # Written as `not low <= x <= high`, so that a NaN is out of bounds.
    for rung in plan.rungs:
        if not 0.0 <= rung.trigger_percent <= PERCENT:
            return _bounds_text("trigger_percent", rung.trigger_percent, 0.0, PERCENT)
        if not 0.0 <= rung.stop_percent < 100.0:
            return _bounds_text("stop_percent", rung.stop_percent, 0.0, 100.0)
        if not 0.0 <= rung.target_percent <= PERCENT:
            return _bounds_text("target_percent", rung.target_percent, 0.0, PERCENT)
        if not 0 <= rung.quantity <= HELD:
            return _bounds_text("quantity", float(rung.quantity), 0.0, float(HELD))
    if not 0 <= plan.quantity <= HELD:
        return _bounds_text("quantity", float(plan.quantity), 0.0, float(HELD))
    if not 0 <= plan.capital <= MONEY:
        return _bounds_text("capital", float(plan.capital), 0.0, float(MONEY))
    if not 0 <= plan.risk <= MONEY:
        return _bounds_text("risk", float(plan.risk), 0.0, float(MONEY))
    if not 0.0 <= plan.swing <= PRICE:
        return _bounds_text("swing", plan.swing, 0.0, PRICE)
    if not 0.0 <= plan.stop_gap_percent < 100.0:
        return _bounds_text("stop_gap_percent", plan.stop_gap_percent, 0.0, 100.0)
    if not 0.0 <= plan.trail_step_percent <= 100.0:
        return _bounds_text("trail_step_percent", plan.trail_step_percent, 0.0, 100.0)
    if not 0 <= plan.trail_seconds <= SECONDS:
        return _bounds_text("trail_seconds", float(plan.trail_seconds), 0.0, float(SECONDS))
    if not 0 <= plan.entry_seconds <= SECONDS:
        return _bounds_text("entry_seconds", float(plan.entry_seconds), 0.0, float(SECONDS))
    return _entry_out_of_bounds(plan.entry)


def _entry_out_of_bounds(entry: EntryPlan) -> str:
    terms = entry.terms
    if not 0.0 <= entry.price <= PRICE:
        return _bounds_text("price", entry.price, 0.0, PRICE)
    if not 0.0 <= entry.trigger <= PRICE:
        return _bounds_text("trigger", entry.trigger, 0.0, PRICE)
    if not -1.0 <= entry.protection <= 100.0:
        return _bounds_text("protection", entry.protection, -1.0, 100.0)
    if not 0 <= terms.minutes <= MINUTES:
        return _bounds_text("minutes", float(terms.minutes), 0.0, float(MINUTES))
    if not 0 <= terms.legs <= LEGS:
        return _bounds_text("legs", float(terms.legs), 0.0, float(LEGS))
    if not 0 <= terms.disclosed <= HELD:
        return _bounds_text("disclosed", float(terms.disclosed), 0.0, float(HELD))
    return ""


def change_out_of_bounds(change: OrderChange) -> str:
    """Return the first number of a modification out of its bounds, empty without one."""
    if not 0 <= change.quantity <= HELD:
        return _bounds_text("quantity", float(change.quantity), 0.0, float(HELD))
    if not 0.0 <= change.price <= PRICE:
        return _bounds_text("price", change.price, 0.0, PRICE)
    if not 0.0 <= change.trigger <= PRICE:
        return _bounds_text("trigger", change.trigger, 0.0, PRICE)
    return ""


def _bounds_text(name: str, number: float, low: float, high: float) -> str:
    return f"{name} {number:g} is not from {low:g} to {high:g}"
