"""Simulated evenings: square-off, closing auction, the end of orders, night and morning."""

import pytest

from tests.simulation.evening import live_through

EVENINGS, SOAK = 2, 200


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(EVENINGS))
def test_whatever_an_evening_brings_every_promise_holds(seed):
    live_through(seed)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(EVENINGS, SOAK))
def test_many_more_evenings_hold(seed):
    live_through(seed)
