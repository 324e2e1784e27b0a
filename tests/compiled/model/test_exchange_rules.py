"""Limits within a band stand on the grid, also where its edges do not."""

import pytest

from compiled.model.exchange_rules import protected_limit
from compiled.model.values import Instrument

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
