"""The account's rate limits: no window is ever over its limit, and exits keep their reserve."""

from hypothesis import given
from hypothesis import strategies as st

from compiled.model.values import SECOND, OrderPurpose
from engine.config.schema import GovernorSettings
from engine.orders.governor import Governor

RATES = GovernorSettings(
    orders_per_second=9, orders_per_minute=40, orders_per_day=1_000, reserve_per_second=3
)


def sent(governor, purposes, start=0):
    """Send as early as allowed, one after the other; return (time, purpose) of what left."""
    now, left = start, []
    for purpose in purposes:
        due = governor.order_due(purpose, now)
        if due < 0:
            continue
        now = max(now, due)
        governor.order_sent(now)
        left.append((now, purpose))
    return left


@given(st.lists(st.sampled_from([OrderPurpose.ENTRY, OrderPurpose.EXIT]), max_size=120))
def test_no_second_and_no_minute_is_ever_over_its_limit(purposes):
    times = [ts for ts, _ in sent(Governor(RATES), purposes)]
    for index, ts in enumerate(times):
        assert sum(1 for other in times[: index + 1] if other > ts - SECOND) <= 9
        assert sum(1 for other in times[: index + 1] if other > ts - 60 * SECOND) <= 40


def test_an_exit_leaves_at_once_after_as_many_entries_as_a_second_allows():
    governor = Governor(RATES)
    entries = sent(governor, [OrderPurpose.ENTRY] * 6)
    assert [ts for ts, _ in entries] == [0] * 6
    assert governor.order_due(OrderPurpose.ENTRY, 0) == SECOND
    assert [ts for ts, _ in sent(governor, [OrderPurpose.EXIT] * 3)] == [0] * 3
    assert governor.order_due(OrderPurpose.EXIT, 0) == SECOND


def test_gtt_changes_leave_the_reserve_of_the_second_to_exits():
    governor = Governor(RATES)
    while governor.call_due(OrderPurpose.PROTECT, 0) == 0:
        governor.call_sent(0)
    assert governor.order_due(OrderPurpose.EXIT, 0) == 0
    assert governor.call_due(OrderPurpose.EXIT, 0) == 0


def test_entries_stop_before_the_day_is_used_up_and_exits_do_not():
    governor = Governor(RATES)
    governor.orders_today = 800
    assert governor.order_due(OrderPurpose.ENTRY, 0) == -1
    assert governor.order_due(OrderPurpose.EXIT, 0) == 0


def test_a_broker_that_asks_for_patience_holds_back_that_class_only():
    governor = Governor(RATES)
    governor.back_off(OrderPurpose.ENTRY, 5 * SECOND)
    assert governor.order_due(OrderPurpose.ENTRY, 0) == 5 * SECOND
    assert governor.order_due(OrderPurpose.EXIT, 0) == 0


def test_a_busy_broker_makes_way_for_exits_and_never_holds_one_back():
    governor = Governor(RATES)
    governor.back_off(OrderPurpose.EXIT, 5 * SECOND)
    assert governor.order_due(OrderPurpose.EXIT, 0) == 0
    assert governor.call_due(OrderPurpose.EXIT, 0) == 0
    assert governor.call_due(OrderPurpose.PROTECT, 0) == 5 * SECOND
    assert governor.order_due(OrderPurpose.ENTRY, 0) == 5 * SECOND


def test_protection_that_is_turned_away_holds_entries_back_too():
    governor = Governor(RATES)
    governor.back_off(OrderPurpose.PROTECT, 5 * SECOND)
    assert governor.order_due(OrderPurpose.ENTRY, 0) == 5 * SECOND
    assert governor.call_due(OrderPurpose.EXIT, 0) == 0
