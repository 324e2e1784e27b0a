"""The depth that is shown can be met: in every instrument, from the first order on."""

import gzip

import pytest
from kiteconnect import KiteConnect

from brokers.sandbox.api import admin_key

SECOND = 1_000_000_000
DUMP = """
instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,instrument_type,segment,exchange
256265,1001,NIFTY 50,NIFTY 50,0.0,,0.0,0.0,0,EQ,INDICES,NSE
408065,1594,INFY,INFOSYS,0.0,,0.0,0.1,1,EQ,NSE,NSE
5633,22,ACC,"ACC, LIMITED",0.0,,0.0,0.1,1,EQ,NSE,NSE
128083204,500325,INFY,INFOSYS,0.0,,0.0,0.05,1,EQ,BSE,BSE
15000066,58594,INFY26AUGFUT,INFY,0.0,2026-08-25,0.0,0.1,400,FUT,NFO-FUT,NFO
15000578,58596,INFY26AUG1540CE,INFY,0.0,2026-08-25,1540.0,0.05,400,CE,NFO-OPT,NFO
15001346,58599,NIFTY26AUG24600CE,NIFTY,0.0,2026-08-25,24600.0,0.05,65,CE,NFO-OPT,NFO
15001602,58600,NIFTY26AUGFUT,NIFTY,0.0,2026-08-25,0.0,0.1,65,FUT,NFO-FUT,NFO
""".strip()
SOURCES = {
    "default": (
        {"exchanges": ("NSE", "NFO", "BSE", "MCX")},
        (
            "NSE:INFY",
            "NFO:NIFTY26NOVFUT",
            "NFO:INFY26NOVFUT",
            "NFO:NIFTY26NOV26000PE",
            "NFO:INFY26NOV1540CE",
            "BSE:INFY",
            "MCX:GOLD26DECFUT",
        ),
    ),
    "size": ({"size": 60}, ("NSE:INFY", "NSE:SBX00001", "NSE:SBX00057")),
    "dump": (
        {"date": "2026-08-18"},
        (
            "NSE:INFY",
            "NSE:ACC",
            "BSE:INFY",
            "NFO:INFY26AUGFUT",
            "NFO:INFY26AUG1540CE",
            "NFO:NIFTY26AUG24600CE",
            "NFO:NIFTY26AUGFUT",
        ),
    ),
}


class Trader:
    """An ordinary program: quotes, then orders, over real sockets, while the clock stands."""

    def __init__(self, endpoint):
        self.kite = KiteConnect(endpoint.api_key, endpoint.access_token, root=endpoint.rest)
        self._rest = endpoint.rest
        self.seconds(3)

    def seconds(self, count):
        now = admin_key.call_admin(self._rest, "GET", "/sandbox/clock")["now"]
        until = now + count * SECOND
        while now < until:
            now = admin_key.call_admin(self._rest, "POST", "/sandbox/advance", {"until": until})[
                "now"
            ]

    def order(self, key, side, quantity, price=0.0, **more):
        exchange, _, symbol = key.partition(":")
        kind = (
            {"order_type": "LIMIT", "price": price}
            if price
            else {"order_type": "MARKET", "market_protection": -1}
        )
        product = "MIS" if exchange in {"NSE", "BSE"} else "NRML"
        return self.kite.place_order(
            "regular", exchange, symbol, side, quantity, product, **(kind | more)
        )

    def fills(self, order_id):
        return [
            (trade["average_price"], trade["quantity"])
            for trade in self.kite.order_trades(order_id)
        ]


def walked(levels, quantity, limit=None):
    """Return the fills of an order that takes these levels in turn."""
    fills = []
    for level in levels:
        part = min(quantity, level["quantity"])
        if part and (limit is None or level["price"] <= limit):
            fills.append((level["price"], part))
            quantity -= part
    return fills


@pytest.fixture
def trader(request, start, tmp_path):
    config, keys = SOURCES[request.param]
    if request.param == "dump":
        config = config | {"instruments": tmp_path / "dump.csv.gz"}
        config["instruments"].write_bytes(gzip.compress(DUMP.encode()))
    _, endpoint = start(symbols=("INFY",), cash=10**12, limits="off", **config)
    return Trader(endpoint), keys


@pytest.mark.parametrize("trader", SOURCES, indirect=True)
def test_the_first_order_gets_what_the_depth_shows(trader):
    trader, keys = trader
    for row in trader.kite.instruments():
        key, lot = f"{row['exchange']}:{row['tradingsymbol']}", row["lot_size"]
        if key not in keys:
            continue
        shown = trader.kite.quote(key)[key]
        asks, bids = shown["depth"]["sell"], shown["depth"]["buy"]
        assert bids[0]["price"] < asks[0]["price"], key
        assert len({level["price"] for level in asks + bids}) == 10, key
        quantity = asks[0]["quantity"] + lot
        if key.startswith("NFO:"):  # no more than one order may have
            quantity = min(quantity, 1_800 // lot * lot if "NIFTY" in key else 40 * lot)
        stock_option = key.startswith("NFO:INFY") and row["instrument_type"] == "CE"
        # a market order in an option of a share is refused, and a limit of 5 % more pays what is
        # offered, too
        far = round(round(asks[0]["price"] * 1.05 / row["tick_size"]) * row["tick_size"], 2)
        order = trader.order(key, "BUY", quantity, far if stock_option or quantity % 2 else 0.0)
        assert trader.fills(order) == walked(asks, quantity), key
        after = trader.kite.quote(key)[key]
        assert after["last_price"] == walked(asks, quantity)[-1][0], key
        assert after["depth"]["buy"] == bids, key
        assert trader.fills(trader.order(key, "SELL", lot, bids[-1]["price"])) == [
            (bids[0]["price"], lot)
        ], key
        trader.seconds(5)
        # nobody trades with an order of ours that is not there any more
        if row["instrument_type"] in {"EQ", "FUT"}:
            assert trader.kite.quote(key)[key]["last_price"] == pytest.approx(
                shown["last_price"], rel=0.01
            ), key
    assert {row["status"] for row in trader.kite.orders()} == {"COMPLETE"}


@pytest.mark.parametrize("trader", ["default"], indirect=True)
def test_a_first_order_far_above_the_ask_fires_no_stop(trader):
    trader, _ = trader
    key = "NFO:NIFTY26NOVFUT"
    shown = trader.kite.quote(key)[key]
    ask = shown["depth"]["sell"][0]["price"]
    near = round(ask * 1.004, 0)
    stop = trader.order(key, "BUY", 65, near + 5, order_type="SL", trigger_price=near)
    trader.kite.place_gtt(
        "single",
        "NIFTY26NOVFUT",
        "NFO",
        [near],
        shown["last_price"],
        [
            {
                "transaction_type": "BUY",
                "quantity": 65,
                "order_type": "LIMIT",
                "product": "NRML",
                "price": near + 5,
            }
        ],
    )
    assert trader.fills(trader.order(key, "BUY", 65, round(ask * 1.05, 0))) == [(ask, 65)]
    trader.seconds(3)
    assert trader.kite.order_history(stop)[-1]["status"] == "TRIGGER PENDING"
    assert [gtt["status"] for gtt in trader.kite.get_gtts()] == ["active"]
    assert trader.kite.quote(key)[key]["ohlc"]["high"] < near


def test_an_order_before_the_open_meets_what_the_depth_shows_at_the_match(make_client):
    client = make_client(start="09:04", size=40)
    quote = client.ok("GET", "/quote", query=[("i", "NSE:SBX00001")])["NSE:SBX00001"]
    best = quote["depth"]["sell"][0]
    dearest = quote["upper_circuit_limit"]
    order = client.place(symbol="SBX00001", quantity=best["quantity"], price=dearest)
    client.exchange.run(client.exchange.today + (9 * 3600 + 15 * 60) * SECOND)
    row = client.order(order)
    assert row["status"] == "COMPLETE"
    assert row["average_price"] == pytest.approx(best["price"], rel=0.02), (
        "one price for everybody, near the depth"
    )


def test_nothing_is_shown_where_nothing_trades(make_client):
    client = make_client(start="09:04", exchanges=("NSE", "NFO"))
    quote = client.ok("GET", "/quote", query=[("i", "NFO:NIFTY26NOV26000CE")])[
        "NFO:NIFTY26NOV26000CE"
    ]
    assert {level["quantity"] for side in quote["depth"].values() for level in side} == {0}, (
        "options have no pre-open"
    )


@pytest.mark.parametrize("key", ["NSE:ACC", "NFO:INFY26AUGFUT", "NFO:NIFTY26AUG24600CE"])
def test_what_is_woken_has_been_trading_all_the_while(make_client, tmp_path, key):
    path = tmp_path / "dump.csv"
    path.write_text(DUMP)
    client = make_client(instruments=path, date="2026-08-18", symbols=("INFY",), cash=10**11)
    client.seconds(1_800)
    spot = client.share("INFY")
    moved = spot.ltp / spot.instrument.close
    quote = client.ok("GET", "/quote", query=[("i", key)])[key]
    assert quote["volume"] > 0
    if key == "NFO:INFY26AUGFUT":
        # it follows its share, today and at the previous close
        assert quote["last_price"] / quote["ohlc"]["close"] == pytest.approx(moved, abs=2e-4)
        assert abs(moved - 1.0) > 1e-3
    exchange, symbol = key.split(":")
    form = client.form(
        symbol,
        exchange=exchange,
        product="MIS",
        quantity={"ACC": 1, "INFY26AUGFUT": 400}.get(symbol, 65),
        order_type="MARKET",
        market_protection=-1,
    )
    order = client.ok("POST", "/orders/regular", form)["order_id"]
    assert client.order(order)["average_price"] == quote["depth"]["sell"][0]["price"]


@pytest.mark.soak
@pytest.mark.real_data
@pytest.mark.parametrize("source", ["size", "dump"])
def test_what_the_depth_shows_can_be_met_all_over_a_large_market(market_data, start, source):
    (path,) = (market_data / "instruments").glob("*.csv.gz")
    config = {"size": 9_000} if source == "size" else {"instruments": path, "date": "2026-08-18"}
    _, endpoint = start(cash=10**14, limits="off", **config)
    trader = Trader(endpoint)
    rows = [row for row in trader.kite.instruments() if row["segment"] != "INDICES"]
    met = 0
    for row in rows[:: len(rows) // 200]:
        key = f"{row['exchange']}:{row['tradingsymbol']}"
        shown = trader.kite.quote(key)
        if key not in shown or not (ask := shown[key]["depth"]["sell"][0])["quantity"]:
            continue
        order = trader.order(key, "BUY", row["lot_size"], shown[key]["depth"]["sell"][-1]["price"])
        assert trader.fills(order) == [(ask["price"], row["lot_size"])], key
        met += 1
    assert met > 150
