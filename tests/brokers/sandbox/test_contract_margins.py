"""Margins of futures and options, and the value of a commodity's lot."""

import math
from statistics import NormalDist

import pytest

CALL = "NIFTY26NOV26000CE"


@pytest.fixture
def rich(make_client):
    client = make_client(exchanges=("NSE", "NFO", "MCX"), cash=10**11)
    client.seconds(60)
    return client


def item(symbol, side, quantity, exchange="NFO", **more):
    return {
        "exchange": exchange,
        "tradingsymbol": symbol,
        "transaction_type": side,
        "variety": "regular",
        "product": "NRML",
        "order_type": "MARKET",
        "quantity": quantity,
        **more,
    }


def trade(client, symbol, side, quantity, exchange="NFO"):
    form = client.form(
        symbol, side, quantity, "NRML", "MARKET", exchange=exchange, market_protection=-1
    )
    order = client.ok("POST", "/orders/regular", form)["order_id"]
    client.seconds(5)
    assert client.order(order)["status"] == "COMPLETE"


def equity(client):
    return client.ok("GET", "/user/margins/equity")


def call_price(spot, strike, years, sigma):
    """Black and Scholes at 6.5 %, written down once more."""
    root, present = sigma * math.sqrt(years), strike * math.exp(-0.065 * years)
    d1 = math.log(spot / present) / root + root / 2
    return spot * NormalDist().cdf(d1) - present * NormalDist().cdf(d1 - root)


def test_a_sold_call_blocks_the_worst_of_sixteen_scenarios(rich):
    # three days to expiry (23 November), 13 % volatility, index at 26,000; scan range 9.3 %,
    # volatility a quarter
    years, lot = 3 / 365, 65
    now = call_price(26_000, 26_000, years, 0.13)
    worst = call_price(26_000 * 1.093, 26_000, years, 0.13 * 1.25) - now
    extreme = 0.35 * (call_price(26_000 * 1.186, 26_000, years, 0.13) - now)
    assert worst > extreme
    (row,) = rich.ok("POST", "/margins/orders", body=[item(CALL, "SELL", lot)])
    assert row["span"] == pytest.approx(lot * worst, rel=1e-6)
    assert row["exposure"] == pytest.approx(lot * 26_000 * 0.02)


def test_far_from_the_money_the_extreme_move_counts(rich):
    (row,) = rich.ok("POST", "/margins/orders", body=[item("NIFTY26NOV28000CE", "SELL", 65)])
    now = call_price(26_000, 28_000, 3 / 365, 0.13)
    extreme = 0.35 * (call_price(26_000 * 1.186, 28_000, 3 / 365, 0.13) - now)
    assert row["span"] == pytest.approx(65 * extreme, rel=1e-6)


def test_a_spread_blocks_no_more_than_it_can_lose(rich):
    legs = [item(CALL, "SELL", 65), item("NIFTY26NOV26200CE", "BUY", 65)]
    basket = rich.ok("POST", "/margins/basket", query=[("consider_positions", "True")], body=legs)
    initial, final = basket["initial"], basket["final"]
    assert initial["total"] == pytest.approx(sum(row["total"] for row in basket["orders"]))
    for row in (initial, final):
        assert row["total"] == pytest.approx(row["span"] + row["exposure"] + row["option_premium"])
    bought = rich.exchange.listings["NFO:NIFTY26NOV26200CE"]
    assert final["span"] <= 65 * 200, "the distance of the strikes"
    assert initial["span"] > 10 * final["span"]
    assert final["option_premium"] == pytest.approx(65 * bought.ltp)


def test_the_hedge_in_the_book_frees_what_the_sold_option_blocked(rich):
    trade(rich, CALL, "SELL", 65)
    naked = equity(rich)
    trade(rich, "NIFTY26NOV26200CE", "BUY", 65)
    hedged = equity(rich)
    assert hedged["utilised"]["span"] < naked["utilised"]["span"] / 10
    assert hedged["utilised"]["exposure"] == naked["utilised"]["exposure"]
    assert hedged["net"] > naked["net"]
    # closing the hedge alone needs the naked margin again
    rich.exchange.funds.cash -= int(hedged["net"] * 100)
    form = rich.form(
        "NIFTY26NOV26200CE", "SELL", 65, "NRML", "MARKET", exchange="NFO", market_protection=-1
    )
    assert rich.refusal("POST", "/orders/regular", form)[1] == "MarginException"


def test_a_calendar_spread_of_futures_blocks_little_but_both_exposures(rich):
    near, far = (rich.exchange.listings[f"NFO:INFY26{month}FUT"] for month in ("NOV", "DEC"))
    lot = int(near.instrument.lot)
    legs = [item("INFY26NOVFUT", "BUY", lot), item("INFY26DECFUT", "SELL", lot)]
    final = rich.ok("POST", "/margins/basket", body=legs)["final"]
    assert 0 < final["span"] < 0.02 * 0.142 * lot * far.instrument.close, (
        "what the two months differ by"
    )
    assert final["exposure"] == pytest.approx(
        0.035 * lot * (near.instrument.close + far.instrument.close)
    )


def test_a_pending_order_blocks_what_it_was_asked_for(rich):
    before = equity(rich)["net"]
    form = rich.form(CALL, "SELL", 65, "NRML", "LIMIT", exchange="NFO", price=400)
    rich.ok("POST", "/orders/regular", form)
    (row,) = rich.ok("POST", "/margins/orders", body=[item(CALL, "SELL", 65)])
    assert before - equity(rich)["net"] == pytest.approx(row["total"], abs=0.02)


def test_the_compact_mode_gives_the_totals_alone(rich):
    orders = [item(CALL, "SELL", 65)]
    (row,) = rich.ok("POST", "/margins/orders", query=[("mode", "compact")], body=orders)
    assert set(row) == {"type", "tradingsymbol", "exchange", "total"}
    basket = rich.ok("POST", "/margins/basket", query=[("mode", "compact")], body=orders)
    assert basket["orders"] == [row]
    assert basket["initial"]["total"] == row["total"]


def test_a_lot_of_a_commodity_counts_as_its_units_in_money_margin_and_charges(rich):
    gold = rich.exchange.listings["MCX:GOLD26DECFUT"]
    trade(rich, "GOLD26DECFUT", "BUY", 2, "MCX")
    rich.seconds(300)
    [row] = rich.ok("GET", "/portfolio/positions")["net"]
    paid, last = row["average_price"], gold.ltp
    assert (row["quantity"], row["multiplier"]) == (2, 100)
    assert 100_000 < paid < 160_000, "rupees for ten grams, not for a kilogram"
    assert row["buy_value"] == pytest.approx(paid * 2 * 100)
    assert row["pnl"] == pytest.approx((last - paid) * 2 * 100)
    assert row["pnl"] == pytest.approx(row["value"] + 2 * last * 100)
    assert row["m2m"] == pytest.approx(row["pnl"])
    used = equity(rich)["utilised"]
    assert used["span"] == pytest.approx(0.09 * gold.instrument.close * 200)
    trade(rich, "GOLD26DECFUT", "SELL", 2, "MCX")
    [row] = rich.ok("GET", "/portfolio/positions")["net"]
    assert rich.exchange.funds.available([]) == round(10**11 + row["pnl"] * 100)
    note = {"order_id": "x", "average_price": 128_000.0} | item("GOLD26DECFUT", "SELL", 1, "MCX")
    (told,) = rich.ok("POST", "/charges/orders", body=[note])
    # 0.01 % CTT of a kilogram's worth
    assert told["charges"]["transaction_tax"] == pytest.approx(0.0001 * 128_000 * 100)
    assert told["charges"]["transaction_tax_type"] == "ctt"
