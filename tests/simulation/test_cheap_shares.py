"""Simulated days of shares below ₹50: the broker wants their GTTs in rupees away from the price."""

import random

import pytest

from brokers.sandbox.orders import gtt_desk
from brokers.sandbox.universe import known_shares
from tests.simulation.day import build, limits_of, live, lived, weathered

PRICES = {"SBIN": 12.05, "WIPRO": 21.34, "ITC": 38.6}
CALM_DAYS, STORMY_DAYS = 6, 12
SOAK = 400


@pytest.fixture(autouse=True)
def refused(monkeypatch):
    """Make the day's shares cheap; return the triggers refused for their distance, as they come."""
    for symbol, price in PRICES.items():
        share = known_shares.KNOWN[symbol]._replace(price=price)
        monkeypatch.setitem(known_shares.KNOWN, symbol, share)
    check, found = gtt_desk._check_triggers, []

    def noted(condition, *, far):
        try:
            check(condition, far=far)
        except Exception as error:
            if "away from the last price" in str(error):
                found.append((condition.listing.ltp, condition.triggers))
            raise

    monkeypatch.setattr(gtt_desk, "_check_triggers", noted)
    return found


def test_no_gtt_of_a_cheap_share_is_refused_for_its_distance(refused):
    placed = 0
    for seed in range(CALM_DAYS):
        rng = random.Random(f"{seed}:cheap")
        placed += lived(*weathered(seed, rng, 60.0, limits_of(rng), lambda *_: None), live).gtts
    assert placed > 5 * CALM_DAYS
    assert refused == []


def test_whatever_a_day_of_cheap_shares_brings_every_promise_holds():
    for seed in range(STORMY_DAYS):
        lived(*build(seed), live)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", range(STORMY_DAYS, STORMY_DAYS + SOAK, 20))
def test_many_more_days_of_cheap_shares_hold(first):
    for seed in range(first, first + 20):
        lived(*build(seed), live)
