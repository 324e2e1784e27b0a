"""Futures, options, other exchanges, and thousands of instruments."""

import csv
import datetime as dt
import io
import json
import math

import pytest

from brokers.sandbox.market.fair_value import premium
from brokers.sandbox.universe.generated_universe import monthly_expiries

ALL = ("NSE", "NFO", "BSE", "MCX")
SECOND = 1_000_000_000


@pytest.fixture
def wide(make_client):
    client = make_client(exchanges=ALL, cash=10**11)
    client.seconds(60)
    return client


def dump(client, exchange=""):
    path = "/instruments" + (f"/{exchange}" if exchange else "")
    session = client.exchange.session
    from brokers.sandbox.http import SandboxRequest

    header = f"token {session.api_key}:{session.access_token}"
    answer = client.api.respond(SandboxRequest("GET", path, authorization=header))
    return list(csv.DictReader(io.StringIO(answer.content.decode())))


def test_the_dump_has_every_exchange_and_its_tokens_carry_the_segment(wide):
    rows = dump(wide)
    segments = {"NSE": 1, "INDICES": 1, "NFO-FUT": 2, "NFO-OPT": 2, "BSE": 4, "MCX-FUT": 7}
    assert {row["segment"] for row in rows} == set(segments)
    tokens = [int(row["instrument_token"]) for row in rows]
    assert len(set(tokens)) == len(tokens)
    for row in rows:
        token = int(row["instrument_token"])
        if row["segment"] != "INDICES":
            assert (token & 0xFF, str(token >> 8)) == (
                segments[row["segment"]],
                row["exchange_token"],
            )
    assert {row["exchange"] for row in dump(wide, "NFO")} == {"NFO"}


def test_contracts_carry_expiry_strike_and_lot(wide):
    by_symbol = {row["tradingsymbol"]: row for row in dump(wide, "NFO")}
    future = by_symbol["NIFTY26NOVFUT"]
    # the last Tuesday, the 24th, is a holiday
    assert (future["expiry"], future["lot_size"], future["instrument_type"]) == (
        "2026-11-23",
        "65",
        "FUT",
    )
    option = by_symbol["NIFTY26NOV26000CE"]
    assert (option["strike"], option["instrument_type"], option["tick_size"]) == (
        "26000.0",
        "CE",
        "0.05",
    )
    assert all(float(row["tick_size"]) > 0 for row in by_symbol.values())


def test_monthly_contracts_expire_on_the_last_tuesday():
    found = monthly_expiries(dt.date(2026, 11, 25), 3, 1, "NFO")
    assert found == [dt.date(2026, 12, 29), dt.date(2027, 1, 26), dt.date(2027, 2, 23)]


def test_calls_less_puts_are_worth_the_forward():
    for strike in (900.0, 1_000.0, 1_100.0):
        call, put = (premium(1_000.0, strike, 0.1, sign) for sign in (1, -1))
        assert call - put == pytest.approx(1_000.0 - strike)
    # at the money a call is worth about 0.4 of spot times the root of variance
    assert premium(1_000.0, 1_000.0, 0.1, 1) == pytest.approx(
        1_000 * 0.1 / math.sqrt(2 * math.pi), rel=1e-3
    )


def test_a_future_follows_its_underlying(wide):
    wide.seconds(300)
    for name in ("NSE:INFY", "NSE:SBIN"):
        symbol = name.split(":")[1]
        future = wide.exchange.listings[f"NFO:{symbol}26NOVFUT"]
        assert future.ltp == pytest.approx(wide.exchange.listings[name].ltp, rel=0.003)


def test_contracts_are_traded_in_lots_as_nrml_and_blocked_by_their_kind(wide):
    future = wide.exchange.listings["NFO:INFY26NOVFUT"]
    lot = int(future.instrument.lot)
    form = wide.form(
        "INFY26NOVFUT",
        exchange="NFO",
        product="NRML",
        quantity=lot,
        order_type="MARKET",
        market_protection=-1,
    )
    wide.ok("POST", "/orders/regular", form)
    wide.seconds(3)
    [position] = wide.ok("GET", "/portfolio/positions")["net"]
    assert (position["quantity"], position["exchange"], position["product"]) == (lot, "NFO", "NRML")
    used = wide.ok("GET", "/user/margins/equity")["utilised"]
    # a share's price scan range and exposure margin, of the previous close
    assert used["span"] == pytest.approx(0.142 * lot * future.instrument.close)
    assert used["exposure"] == pytest.approx(0.035 * lot * future.instrument.close)
    refusals = (
        ({"quantity": str(lot + 1)}, "multiple of the lot size"),
        (
            {"product": "CNC"},
            (
                "Trading in NFO is not allowed using CNC product type. Try placing an order in "
                "NRML/MIS."
            ),
        ),
        ({"disclosed_quantity": str(lot)}, "not allowed on NFO"),
    )
    for change, words in refusals:
        assert words in wide.refusal("POST", "/orders/regular", form | change)[2]


def test_an_option_costs_its_premium_to_buy_and_a_margin_to_sell(wide):
    symbol = "NIFTY26NOV26000CE"
    option = wide.exchange.listings[f"NFO:{symbol}"]
    lot, price = int(option.instrument.lot), option.ltp
    item = {
        "exchange": "NFO",
        "tradingsymbol": symbol,
        "variety": "regular",
        "product": "NRML",
        "order_type": "LIMIT",
        "quantity": lot,
        "price": price,
    }
    bought, sold = wide.ok(
        "POST",
        "/margins/orders",
        body=[item | {"transaction_type": side} for side in ("BUY", "SELL")],
    )
    assert (bought["option_premium"], bought["span"]) == (pytest.approx(lot * price), 0)
    assert sold["option_premium"] == 0
    assert sold["total"] == pytest.approx(sold["span"] + sold["exposure"])
    assert bought["charges"]["transaction_tax"] == 0, "STT on options is the seller's"
    assert sold["charges"]["transaction_tax"] == pytest.approx(0.0015 * lot * price, rel=1e-6)


def test_mcx_trades_into_the_night_and_takes_no_ioc(make_client):
    client = make_client(exchanges=("NSE", "MCX"), symbols=("INFY",), cash=10**9)
    client.exchange.run(client.exchange.today + 16 * 3_600_000_000_000)
    assert not client.exchange.is_over
    gold = client.exchange.listings["MCX:GOLD26DECFUT"]
    form = client.form(
        "GOLD26DECFUT",
        exchange="MCX",
        product="NRML",
        quantity=1,
        price=gold.instrument.snap(gold.ltp),
    )
    assert (
        "not allowed on MCX"
        in client.refusal("POST", "/orders/regular", form | {"validity": "IOC"})[2]
    )
    client.ok("POST", "/orders/regular", form)
    assert client.refused(price=client.at(-1), product="CNC")[0] == 400, (
        "shares are done for the day"
    )


def test_thousands_of_instruments_move_when_they_are_watched_and_only_what_is_traded_has_a_book(
    make_client,
):
    client = make_client(size=2_000)
    client.seconds(3)
    tokens = [int(row["instrument_token"]) for row in dump(client)]
    assert len(tokens) == 2_000
    listings = client.exchange.market.listings
    assert len(listings) == 2, "nobody looks at the others"
    client.exchange.connect().receive(json.dumps({"a": "subscribe", "v": tokens}))
    client.seconds(3)
    assert len(listings) + 1 == 2_000
    assert all(listing.volume > 0 for listing in listings)
    assert sum(listing.has_book for listing in listings) == 2
    dim = client.exchange.listings["NSE:SBX00001"]
    quote = client.ok("GET", "/quote", query=[("i", "NSE:SBX00001")])["NSE:SBX00001"]
    assert (
        quote["depth"]["buy"][0]["price"]
        <= quote["last_price"]
        < quote["depth"]["sell"][0]["price"]
    )
    order = client.buy(5, symbol="SBX00001")
    client.seconds(5)
    assert dim.has_book
    assert client.order(order)["status"] == "COMPLETE"


def test_a_name_that_runs_into_its_circuit_has_no_sellers_left_until_the_band_slides(make_client):
    from random import Random

    # INFY's fate of this seed is a run upwards
    seed = next(
        s
        for s in range(10_000)
        if (fate := Random(f"{s}:INFY:circuit")).random() < 0.02
        and (fate.randrange(3_600, 14_400), fate.choice((-1.0, 1.0)))[1] > 0
    )
    client = make_client(seed=seed, symbols=("INFY",))
    share, edge = client.share(), client.share().high_band
    while share.last < edge:
        client.seconds(10)
        assert client.exchange.now < client.exchange.today + 14 * 3600 * SECOND
    assert share.book.best(-1) == -1, "nobody sells"
    assert client.refused(
        order_type="SL", price=share.instrument.upper + 5, trigger_price=share.instrument.upper + 5
    )
    upper = client.ok("GET", "/quote", query=[("i", "NSE:INFY")])["NSE:INFY"]["upper_circuit_limit"]
    client.seconds(14 * 60)
    assert share.high_band == edge
    client.seconds(3 * 60)
    quote = client.ok("GET", "/quote", query=[("i", "NSE:INFY")])["NSE:INFY"]
    assert quote["upper_circuit_limit"] == pytest.approx(
        upper + 0.05 * share.instrument.close, abs=share.instrument.tick
    )
    assert share.last > edge, "it trades on above the old limit"
    assert share.book.best(-1) > 0


@pytest.mark.parametrize(
    ("month", "expiry"),
    [
        ("2026-11-02", "2026-11-23"),  # Tuesday the 24th is a holiday
        ("2026-03-02", "2026-03-30"),  # Tuesday the 31st, too
        ("2026-06-01", "2026-06-30"),
    ],
)
def test_an_expiry_on_a_holiday_moves_to_the_trading_day_before(month, expiry):
    assert monthly_expiries(dt.date.fromisoformat(month), 1, 1, "NFO") == [
        dt.date.fromisoformat(expiry)
    ]


def test_a_commodity_that_would_expire_on_a_sunday_does_so_on_the_friday():
    assert monthly_expiries(dt.date(2026, 9, 1), 1, None, "MCX") == [dt.date(2026, 9, 18)]


@pytest.mark.parametrize(
    ("date", "called"),
    [
        ("2025-12-05", set()),
        ("2025-12-08", {"INFY25DECFUT"}),
        ("2026-11-16", {"INFY26NOVFUT"}),  # the expiry is six trading days away, itself counted
        ("2026-11-17", {"INFY26NOVFUT", "INFY26DECFUT"}),
    ],
)
def test_only_the_futures_the_date_says_have_a_pre_open_and_no_option_has(
    make_client, date, called
):
    client = make_client(date=date, start="09:04", symbols=("INFY",), exchanges=("NSE", "NFO"))
    client.seconds(1)
    keys = [
        key
        for key, row in client.exchange.dump.rows.items()
        if row.exchange == "NFO" and row.name == "INFY"
    ]
    derivatives = [client.exchange.listings[key] for key in keys]
    named = {
        one.instrument.symbol
        for one in derivatives
        if one.in_call_phase and one.instrument.name == "INFY"
    }
    assert named == called
    assert any(one.instrument.kind == "CE" for one in derivatives)


def test_a_share_without_a_book_prints_its_auctions(make_client):
    client = make_client(start="09:04", size=40)
    share = client.exchange.listings["NSE:SBX00001"]
    client.exchange.run(client.exchange.today + (9 * 3600 + 9 * 60) * SECOND)
    assert share.volume == 0
    client.exchange.run(client.exchange.today + (9 * 3600 + 12 * 60) * SECOND)
    assert share.open == share.last == share.high == share.low > 0
    assert share.volume > 0
    assert not share.has_book


def test_the_twin_on_bse_closes_in_an_auction_near_its_reference(make_client):
    client = make_client(start="15:14", symbols=("INFY",), exchanges=("NSE", "BSE"))
    client.exchange.run(client.exchange.today + (15 * 3600 + 29 * 60 + 59) * SECOND)
    twin = client.exchange.listings["BSE:INFY"]
    before = twin.volume
    client.exchange.run(client.exchange.today + (15 * 3600 + 31 * 60) * SECOND)
    assert twin.volume > before
    assert abs(twin.last - twin.reference) <= twin.reference * 0.03
