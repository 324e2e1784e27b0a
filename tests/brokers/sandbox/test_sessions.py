"""Pre-open, closing auction, post-close and special sessions, by date."""

import pytest

from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.exchange import SandboxExchange
from engine.errors import DataError

NEW, OLD = "2026-11-20", "2026-07-31"
SECOND = 1_000_000_000


def to(client, clock):
    hours, minutes, *seconds = (int(part) for part in clock.split(":"))
    due = client.exchange.today + (hours * 3_600 + minutes * 60 + sum(seconds)) * SECOND
    client.exchange.run(due)


def phase(client):
    return client.share().phase


@pytest.mark.parametrize(
    ("date", "times"),
    [
        (
            OLD,
            {
                "09:00": "pre-open entry",
                "09:08": "pre-open match",
                "09:12": "pre-open buffer",
                "09:15": "continuous",
                "15:29:59": "continuous",
                "15:30": "closing",
            },
        ),
        (
            NEW,
            {
                "09:00": "pre-open entry",
                "09:05": "pre-open limit-only",
                "09:10": "pre-open match",
                "09:15": "continuous",
                "15:15": "auction reference",
                "15:20": "auction entry",
                "15:25": "auction limit-only",
                "15:30": "auction match",
                "15:35": "closing",
            },
        ),
    ],
)
def test_the_phases_are_those_of_the_date(make_client, date, times):
    client = make_client(date=date, start="08:59")
    for clock, name in times.items():
        to(client, clock)
        assert phase(client) == name, clock


def test_the_opening_auction_finds_one_price_for_everybody(make_client):
    client = make_client(start="08:59")
    to(client, "09:01")
    dear = client.place(price=client.at(3), quantity=7)
    cheap = client.place(price=client.at(-6), quantity=7)
    market = client.buy(5)
    assert client.ok("GET", "/trades") == []
    assert client.share().volume == 0
    to(client, "09:11")
    share = client.share()
    opening = share.instrument.price(share.open)
    assert share.volume > 12
    assert [client.order(order)["status"] for order in (dear, market, cheap)] == [
        "COMPLETE",
        "COMPLETE",
        "OPEN",
    ]
    assert {trade["average_price"] for trade in client.ok("GET", "/trades")} == {opening}
    to(client, "09:16")
    assert client.order(cheap)["status"] == "OPEN", (
        "what was left over goes on into continuous trading"
    )
    assert share.book.best(1) < share.book.best(-1)


def test_an_auction_takes_only_plain_orders_and_later_no_market_orders(make_client):
    client = make_client(start="08:59")
    to(client, "09:01")
    for fields in (
        {"validity": "IOC"},
        {"order_type": "SL", "trigger_price": client.at(1)},
        {"disclosed_quantity": 5},
    ):
        assert (
            "Only plain MARKET and LIMIT orders"
            in client.refused(price=client.at(1.1), **fields)[2]
        )
    to(client, "09:06")
    refusal = client.refused(order_type="MARKET", market_protection=-1)
    assert refusal == (400, "OrderException", "Market orders are currently not allowed.")
    order = client.place(price=client.at(-6))
    to(client, "09:10:30")
    assert "in this phase" in client.refused(price=client.at(-1))[2]
    assert "in this phase" in client.refusal("DELETE", f"/orders/regular/{order}")[2]


def test_the_call_phase_ends_at_a_random_second_of_its_last_two_minutes(make_client):
    ends = set()
    for seed in range(6):
        client = make_client(start="09:07:30", seed=seed)
        while phase(client) == "pre-open limit-only":
            client.seconds(1)
        assert phase(client) == "frozen"
        ends.add((client.exchange.now - client.exchange.today) // SECOND - 9 * 3_600)
    assert len(ends) > 2
    assert all(8 * 60 <= end < 10 * 60 for end in ends)


def test_the_closing_auction_drops_stops_keeps_limits_and_trades_at_one_price(make_client):
    client = make_client(start="15:10", square_off=False)
    client.seconds(5)
    stop = client.place(
        order_type="SL-M", side="SELL", market_protection=-1, trigger_price=client.at(-5)
    )
    hidden = client.place(price=client.at(-5), quantity=100, disclosed_quantity=10)
    limit = client.place(price=client.at(2), product="CNC", quantity=3) and client.place(
        price=client.at(-2.5)
    )
    to(client, "15:15")
    assert [client.order(order)["status"] for order in (stop, hidden, limit)] == [
        "CANCELLED",
        "CANCELLED",
        "OPEN",
    ]
    assert "before the auction" in client.order(stop)["status_message"]
    volume = client.share().volume
    to(client, "15:20:01")
    assert client.share().volume == volume, "nothing trades between 15:15 and the auction print"
    share = client.share()
    outside = share.instrument.price(round(share.reference * 1.031))
    assert "outside 3%" in client.refused(price=outside, product="CNC")[2]
    inside = share.instrument.snap(share.instrument.price(share.reference) * 1.025)
    buyer = client.place(price=inside, product="CNC")
    to(client, "15:30")
    row = client.order(buyer)
    assert row["status"] == "COMPLETE"
    assert row["average_price"] == client.ltp()
    assert client.share().volume > volume
    assert not client.exchange.is_over
    to(client, "15:35")
    assert client.exchange.is_over
    assert client.order(limit)["status"] == "CANCELLED"


def test_the_reference_price_is_the_average_of_the_last_quarter_of_an_hour(make_client):
    client = make_client(start="14:59")
    to(client, "15:14:59")
    share = client.share()
    start = client.exchange.today + 15 * 3_600 * SECOND
    last = [minute for minute in share.minutes if minute[0] >= start]
    low, high = min(m[3] for m in last), max(m[2] for m in last)
    to(client, "15:16")
    assert low <= share.reference <= high
    volume, turnover = sum(m[5] for m in last), sum(m[6] for m in last)
    assert share.reference == round(turnover / volume)


def test_the_post_close_session_trades_at_the_closing_price_only_when_it_is_asked_for(make_client):
    client = make_client(date=OLD, start="15:29", post_close=True)
    client.seconds(30)
    resting = client.place(price=client.at(-3), product="CNC")
    to(client, "15:30")
    assert client.order(resting)["status"] == "CANCELLED"
    assert "in this phase" in client.refused(price=client.at(0), product="CNC")[2]
    to(client, "15:41")
    close = client.ltp()
    assert f"{close:.2f} only" in client.refused(price=client.at(1), product="CNC")[2]
    assert "Only CNC orders" in client.refused(price=close, product="MIS")[
        2
    ] or client.exchange.varieties.is_squared_off(client.share())
    order = client.buy(product="CNC")
    client.seconds(2)
    assert client.order(order)["average_price"] == close
    to(client, "16:00")
    assert client.exchange.is_over
    plain = make_client(date=OLD, start="15:29")
    to(plain, "15:30")
    assert plain.exchange.is_over


def test_a_day_with_two_sessions_stands_still_between_them(make_client):
    client = make_client(date="2024-05-18", start="09:59", square_off=False)
    client.seconds(30)
    order = client.place(price=client.at(-4))
    to(client, "10:30")
    assert phase(client) == "closed"
    assert client.refused(price=client.at(-1))[2].startswith("Markets are closed")
    volume = client.share().volume
    to(client, "11:14")
    assert client.share().volume == volume
    to(client, "11:31")
    assert phase(client) == "continuous"
    assert client.share().volume > volume
    assert client.order(order)["status"] == "OPEN"
    to(client, "12:30")
    assert client.exchange.is_over


def test_a_muhurat_session_is_in_the_evening(make_client):
    client = make_client(date="2024-11-01")
    assert client.exchange.clock_row()["start"] == client.exchange.today + 18 * 3_600 * SECOND
    to(client, "19:00")
    assert client.exchange.is_over


def test_a_day_without_trading_is_refused():
    with pytest.raises(DataError, match="2026-11-22 is no trading day of NSE"):
        SandboxExchange(SandboxConfig(date="2026-11-22"))


def test_a_quote_shows_the_band_of_the_closing_auction_from_its_opening_on(make_client):
    client = make_client(start="15:10")
    share = client.share()
    name = share.key

    def band():
        quote = client.ok("GET", "/quote", query=[("i", name)])[name]
        return quote["lower_circuit_limit"], quote["upper_circuit_limit"]

    before = band()
    to(client, "15:14:59")
    assert band() == before
    to(client, "15:15:01")
    middle, tick = share.instrument.price(share.reference), share.instrument.tick
    lower, upper = band()
    assert middle * 0.97 <= lower < middle * 0.97 + tick
    assert middle * 1.03 - tick < upper <= middle * 1.03
    to(client, "15:29:59")
    assert band() == (lower, upper)
