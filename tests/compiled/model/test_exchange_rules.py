"""Limits within a band stand on the grid, also where its edges do not."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from compiled.model.exchange_rules import TriggerDistance, limit_beyond, protected_limit
from compiled.model.values import Instrument, Side

BUY, SELL = 1, -1


@pytest.mark.parametrize(
    ("sign", "percent", "limit"),
    [
        (BUY, 3.0, 103.0),
        (SELL, 3.0, 97.0),
        # 120.00 and 80.00 lie off the band of 89.98 to 110.03
        (BUY, 20.0, 110.0),
        (SELL, 20.0, 90.0),
    ],
)
def test_a_protection_is_held_to_the_grid_prices_of_the_band(sign, percent, limit):
    instrument = Instrument(257, "NSE", "CANBK", 0.05, lower=89.98, upper=110.03)
    assert protected_limit(instrument, sign, 100.0, percent) == limit


def test_one_known_edge_of_a_band_is_kept_to():
    floor = Instrument(257, "NSE", "CANBK", 0.05, lower=90.0)
    assert protected_limit(floor, SELL, 100.0, 20.0) == 90.0
    assert protected_limit(floor, BUY, 100.0, 20.0) == 120.0


@pytest.mark.parametrize(
    ("last", "least"), [(1000.0, 2.5), (50.0, 0.125), (49.99, 0.09), (20.0, 0.09), (0.05, 0.09)]
)
def test_a_trigger_stands_a_part_of_the_price_away_or_nine_paise_below_fifty_rupees(last, least):
    rule = TriggerDistance(0.25, cheap_below=50.0, cheap=0.09)
    assert rule.least(last) == least
    for sign in (BUY, SELL):
        assert not rule.refuses(last + sign * least, last)
        assert rule.refuses(last + sign * (least - 0.001), last)


@given(
    last=st.floats(1.0, 200.0),
    away=st.floats(0.0, 1.0),
    moved=st.floats(-0.0003, 0.0003),
    sign=st.sampled_from((BUY, SELL)),
)
@example(last=49.98, away=0.12, moved=0.0003, sign=BUY)
def test_a_trigger_that_clears_the_price_is_taken_although_it_moves_meanwhile(
    last, away, moved, sign
):
    rule = TriggerDistance(0.25, cheap_below=50.0, cheap=0.09)
    if not rule.with_clearance().is_too_near(away, last):
        assert not rule.refuses(last + sign * away, last * (1.0 + moved))


def test_no_limit_is_rounded_down_to_nothing():
    option = Instrument(257, "NFO", "X", 0.05)
    # a tick is all there is: 2 % and half a percent below it are no price
    assert protected_limit(option, SELL, 0.05, 2.0) == 0.05
    assert limit_beyond(option, Side.SELL, 0.05, 0.5) == 0.05
