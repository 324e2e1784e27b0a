"""Sliding price bands, and halts of the whole market."""

import pytest

from brokers.sandbox.faults import Fault
from brokers.sandbox.market.circuit_breakers import LEVELS, REST, halt_minutes

SECOND = 1_000_000_000
MINUTE = 60 * SECOND


def at(client, clock):
    hours, minute = map(int, clock.split(":"))
    return client.exchange.today + (hours * 60 + minute) * MINUTE


def moved(client):
    index = client.exchange.index
    return index.last / index.instrument.close - 1


def crashed(make_client, clock, share, **config):
    """Return an exchange a minute before prices fall, with bands wide enough for the index."""
    client = make_client(**({"symbols": ("INFY",), "exchanges": ("NSE", "NFO", "MCX")} | config))
    client.exchange.run(at(client, clock) - MINUTE)
    for listing in client.exchange.market.listings:
        listing.slide_band(-0.15)
        listing.instrument.upper = listing.instrument.close * 1.1
        listing.high_band = int(listing.instrument.ticks(listing.instrument.upper))
    client.exchange.faults.add(Fault("fall", share=share, seconds=30.0), at(client, clock))
    return client


@pytest.mark.parametrize(
    ("move", "clock", "expected"),
    [
        (0.10, "12:59", 45),
        (0.10, "13:00", 15),
        (0.10, "14:29", 15),
        (0.10, "14:30", 0),
        (0.15, "12:59", 105),
        (0.15, "13:00", 45),
        (0.15, "14:00", REST),
        (0.20, "09:20", REST),
        (0.20, "14:45", REST),
    ],
)
def test_the_length_of_a_halt_follows_the_circular(move, clock, expected):
    hours, minute = map(int, clock.split(":"))
    level = next(level for level in LEVELS if level.move == move)
    assert halt_minutes(level, (hours * 60 + minute) * MINUTE) == expected


def test_a_tenth_off_the_index_halts_everything_but_commodities_and_re_opens_with_a_call(
    make_client,
):
    client = crashed(make_client, "09:20", 0.12)
    resting = client.place(side="SELL", price=client.at(4), quantity=1)
    client.exchange.run(at(client, "09:20") + MINUTE)
    share, gold = client.share(), client.exchange.listings["MCX:GOLD26DECFUT"]
    option = client.exchange.listings["NFO:NIFTY26NOV26000CE"]
    assert moved(client) == pytest.approx(-0.1, abs=0.004), "where it was halted"
    assert (share.phase, option.phase, gold.phase) == ("halted", "halted", "continuous")
    assert client.order(resting)["status"] == "CANCELLED"
    assert client.refused(price=client.at(-1))[1:] == (
        "OrderException",
        "Trading is halted: a market-wide circuit breaker has been triggered.",
    )
    volume, last = share.volume, share.last
    client.seconds(43 * 60)
    assert (share.volume, share.last, share.phase) == (volume, last, "halted"), (
        "nothing trades for three quarters of an hour"
    )
    client.seconds(2 * 60)
    assert (share.phase, option.phase) == ("pre-open", "halted")
    called = client.place(price=client.at(3), quantity=5)
    assert client.order(called)["status"] == "OPEN"
    client.seconds(15 * 60)
    assert (share.phase, option.phase) == ("continuous", "continuous")
    assert client.order(called)["status"] == "COMPLETE", "at the one price of the call"
    assert share.volume > volume


def test_in_the_last_hour_a_tenth_halts_nothing(make_client):
    client = crashed(make_client, "14:40", 0.12, exchanges=("NSE",))
    client.seconds(180)
    assert moved(client) < -0.1
    assert client.share().phase == "continuous"


def test_a_fifth_ends_the_day_without_a_closing_auction(make_client):
    client = crashed(make_client, "09:20", 0.24, exchanges=("NSE",))
    client.exchange.run(at(client, "09:50"))
    assert client.share().phase == "halted", "a tenth came first"
    client.exchange.run(at(client, "10:30"))
    assert moved(client) < -0.2, "the call found the rest of the way"
    assert client.share().phase == "halted"
    volume = client.share().volume
    client.exchange.run(at(client, "15:31"))
    assert (client.share().phase, client.share().in_call_phase, client.share().volume) == (
        "halted",
        False,
        volume,
    )
    client.exchange.run(client.exchange.closes)
    assert client.exchange.is_over


def test_a_fault_moves_every_price_and_gives_it_back_when_it_ends(make_client):
    client = make_client()
    client.seconds(60)
    before = client.ltp()
    client.exchange.faults.add(
        Fault("rise", share=0.05, seconds=20.0, lasts=120.0), client.exchange.now
    )
    client.seconds(60)
    assert client.ltp() == pytest.approx(before * 1.05, rel=0.01)
    client.seconds(120)
    assert client.ltp() == pytest.approx(before, rel=0.02)


def test_an_order_that_a_sliding_band_leaves_behind_is_cancelled(make_client):
    client = make_client()
    client.seconds(60)
    share = client.share()
    low = client.place(price=share.instrument.lower, quantity=1)
    near = client.place(price=client.at(-1), quantity=1)
    client.exchange.circuits.check(client.exchange.now)
    share.last = share.high_band
    client.exchange.circuits.check(client.exchange.now)
    share.last = share.high_band
    client.exchange.circuits.check(client.exchange.now + 15 * MINUTE)
    assert client.order(low)["status"] == "CANCELLED"
    assert "outside the price band" in client.order(low)["status_message"]
    assert client.order(near)["status"] == "OPEN"
