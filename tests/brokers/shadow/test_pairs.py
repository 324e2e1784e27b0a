"""Figures of a pair of a real and a simulated order, worked out by hand."""

import pytest

from brokers.shadow.order_pairs import OrderPair, PairHalf, pair_of, shadow_summary, twin_difference
from compiled.model.values import Side

SECOND = 1_000_000_000


def pair(
    side=Side.BUY, real=(), twin=(), sent=100 * SECOND, answered=100 * SECOND, status="COMPLETE"
):
    """Fills are (seconds after sending, shares, rupees)."""
    made = OrderPair(1, "order", "s", 408065, "INFY", side, 10, sent, answered, "17")
    for half, fills in ((made.real, real), (made.twin, twin)):
        half.status = status
        for after, quantity, price in fills:
            half.add_fill(sent + after * SECOND, quantity, price)
    return made


def test_a_purchase_that_cost_more_than_its_twin_is_worse_by_the_difference():
    told = twin_difference(pair(real=[(2, 5, 100.10), (3, 5, 100.30)], twin=[(1, 10, 100.00)]))
    assert told.price == pytest.approx(0.20)
    assert told.bps == pytest.approx(20.0)
    assert (told.filled, told.delay) == (0, SECOND)


def test_a_sale_that_brought_less_than_its_twin_is_worse_too():
    assert twin_difference(
        pair(Side.SELL, real=[(1, 10, 99.5)], twin=[(1, 10, 100.0)])
    ).price == pytest.approx(0.5)
    assert twin_difference(
        pair(Side.SELL, real=[(1, 10, 100.5)], twin=[(1, 10, 100.0)])
    ).price == pytest.approx(-0.5)


def test_where_one_side_has_not_filled_only_the_shares_are_compared():
    told = twin_difference(pair(twin=[(1, 10, 100.0)]))
    assert told == (-10, None, None, None)


def test_a_summary_counts_money_on_the_shares_both_have_filled():
    told = shadow_summary(
        [
            pair(real=[(1, 4, 101.0)], twin=[(1, 10, 100.0)], answered=100 * SECOND + SECOND // 2),
            pair(Side.SELL, real=[(5, 10, 101.0)], twin=[(1, 10, 100.0)], answered=101 * SECOND),
            pair(real=[(1, 10, 100.0)]),
            pair(twin=[(1, 10, 100.0)]),
            pair(),
            pair(real=[(1, 10, 100.0)], status="none"),
        ]
    )
    assert (told.orders, told.both, told.only_live, told.only_twin, told.neither) == (5, 2, 1, 1, 1)
    assert told.cost == 4.0 - 10.0
    assert (told.bps, told.worst_bps) == (0.0, 100.0)
    assert told.delay_s == 2.0
    assert told.answer_s == 0.0


def test_nothing_to_compare_is_not_zero():
    told = shadow_summary([])
    assert (told.orders, told.cost) == (0, 0.0)
    assert told.bps is told.worst_bps is told.delay_s is told.answer_s is None


def test_a_pair_is_read_as_it_was_written():
    made = pair(real=[(2, 5, 100.10)], twin=[(1, 10, 100.00)])
    assert pair_of(made.row()) == made
    assert made.real == PairHalf("COMPLETE", 5, 50_050, 102 * SECOND, 102 * SECOND)
