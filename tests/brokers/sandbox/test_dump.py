"""A real instrument dump as the universe."""

import datetime as dt

import pytest
from kiteconnect import KiteConnect

from engine.errors import ConfigError, DataError

SECOND = 1_000_000_000
DAY = "2026-08-18"
HEAD = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,instrument_type,"
    "segment,exchange"
)
ROWS = """
256265,1001,NIFTY 50,NIFTY 50,0.0,,0.0,0.0,0,EQ,INDICES,NSE
260105,1016,NIFTY BANK,NIFTY BANK,0.0,,0.0,0.0,0,EQ,INDICES,NSE
408065,1594,INFY,INFOSYS,0.0,,0.0,0.1,1,EQ,NSE,NSE
779521,3045,SBIN,STATE BANK OF INDIA,0.0,,0.0,0.1,1,EQ,NSE,NSE
5633,22,ACC,"ACC, LIMITED",0.0,,0.0,0.1,1,EQ,NSE,NSE
128083204,500325,INFY,INFOSYS,0.0,,0.0,0.05,1,EQ,BSE,BSE
15000066,58594,INFY26AUGFUT,INFY,0.0,2026-08-25,0.0,0.1,400,FUT,NFO-FUT,NFO
15000322,58595,INFY26JULFUT,INFY,0.0,2026-07-28,0.0,0.1,400,FUT,NFO-FUT,NFO
15000578,58596,INFY26AUG1100CE,INFY,0.0,2026-08-25,1100.0,0.05,400,CE,NFO-OPT,NFO
15000834,58597,INFY26AUG1120CE,INFY,0.0,2026-08-25,1120.0,0.05,400,CE,NFO-OPT,NFO
15001090,58598,INFY26AUG1140PE,INFY,0.0,2026-08-25,1140.0,0.05,400,PE,NFO-OPT,NFO
15001346,58599,NIFTY26AUG24600CE,NIFTY,0.0,2026-08-25,24600.0,0.05,65,CE,NFO-OPT,NFO
""".strip()


@pytest.fixture
def dump(tmp_path):
    path = tmp_path / "dump.csv"
    path.write_text(f"{HEAD}\n{ROWS}\n")
    return path


@pytest.fixture
def client(make_client, dump):
    made = make_client(instruments=dump, date=DAY, symbols=("INFY", "SBIN"), cash=10**11)
    made.seconds(60)
    return made


def quote(client, key):
    return client.ok("GET", "/quote", query=[("i", key)])[key]


def test_every_row_of_the_dump_is_listed_as_it_was_given(start, dump):
    _, endpoint = start(instruments=dump, date=DAY, symbols=("INFY",), limits="off")
    kite = KiteConnect(endpoint.api_key, endpoint.access_token, root=endpoint.rest)
    rows = kite.instruments()
    assert [row["instrument_token"] for row in rows] == [
        int(line.split(",")[0]) for line in ROWS.splitlines()
    ]
    assert {row["tradingsymbol"] for row in kite.instruments("BSE")} == {"INFY"}
    assert rows[4]["name"] == "ACC, LIMITED"
    assert rows[6]["expiry"] == dt.date(2026, 8, 25)


def test_prices_are_where_the_strikes_are(client):
    assert client.share("INFY").instrument.close == 1_120.0, (
        "the middle of the strikes of the nearest expiry"
    )
    assert quote(client, "NSE:NIFTY 50")["ohlc"]["close"] == 24_600.0
    assert client.share("SBIN").instrument.close == 968.2, "the known price, on a tick of 0.10"
    assert 1_000 < quote(client, "NSE:ACC")["ohlc"]["close"] < 5_000, (
        "what a tick of 0.10 stands for"
    )


def test_what_nobody_asked_for_is_not_there_and_then_moves(client):
    assert set(client.exchange.listings) == {"NSE:INFY", "NSE:SBIN", "NSE:NIFTY 50"}
    acc = quote(client, "NSE:ACC")
    assert acc["volume"] > 0, "as far as anybody can see it has been trading since the open"
    client.seconds(30)
    assert quote(client, "NSE:ACC")["volume"] > acc["volume"]
    assert "NSE:INFY26AUGFUT" not in client.exchange.listings


def test_a_subscription_wakes_and_streams(client):
    connection = client.exchange.connect()
    connection.receive('{"a": "subscribe", "v": [15000066, 15000322, 5633]}')
    client.seconds(3)
    assert set(connection.tokens) == {15000066, 5633}, "an expired contract cannot be subscribed"
    assert {"NFO:INFY26AUGFUT", "NSE:ACC"} <= set(client.exchange.listings)
    assert connection.outbox


def test_contracts_follow_their_underlying_and_trade(client):
    future = quote(client, "NFO:INFY26AUGFUT")
    client.seconds(120)
    future, spot = quote(client, "NFO:INFY26AUGFUT"), client.ltp("INFY")
    assert future["last_price"] == pytest.approx(spot * 1.00125, rel=2e-3), (
        "a week's carry at 6.5 %"
    )
    call = quote(client, "NFO:INFY26AUG1100CE")
    assert call["last_price"] > spot - 1_100
    form = client.form(
        "INFY26AUGFUT",
        exchange="NFO",
        product="NRML",
        quantity=400,
        order_type="MARKET",
        market_protection=-1,
    )
    order = client.ok("POST", "/orders/regular", form)["order_id"]
    client.seconds(5)
    assert client.order(order)["status"] == "COMPLETE"
    quote(client, "BSE:INFY")
    client.seconds(5)
    assert quote(client, "BSE:INFY")["last_price"] == pytest.approx(client.ltp("INFY"), rel=0.01)


def test_an_expired_contract_is_refused_as_kite_does(client):
    form = client.form("INFY26JULFUT", exchange="NFO", product="NRML", quantity=400, price=1100)
    assert (
        "has either expired or does not exist" in client.refusal("POST", "/orders/regular", form)[2]
    )


def test_indices_move_with_the_basket(client):
    before = quote(client, "NSE:NIFTY BANK")
    client.seconds(60)
    bank, nifty = quote(client, "NSE:NIFTY BANK"), quote(client, "NSE:NIFTY 50")
    moved = nifty["last_price"] / nifty["ohlc"]["close"]
    assert bank["last_price"] / before["ohlc"]["close"] == pytest.approx(moved, rel=1e-5)


def test_what_wakes_during_an_auction_is_in_it(make_client, dump):
    client = make_client(instruments=dump, date="2026-08-18", symbols=("INFY",), start="09:04")
    quote(client, "NSE:ACC")
    acc = client.exchange.listings["NSE:ACC"]
    assert (acc.phase, acc.in_call_phase) == ("pre-open entry", True)
    client.exchange.run(client.exchange.today + (9 * 3600 + 20 * 60) * SECOND)
    assert (acc.phase, acc.in_call_phase) == ("continuous", False)
    assert acc.volume > 0


def test_a_restart_wakes_what_was_awake_at_the_same_instant(dump, tmp_path):
    from brokers.sandbox.config import SandboxConfig
    from brokers.sandbox.http import SandboxRequest
    from brokers.sandbox.state import SandboxStateFile

    config = SandboxConfig(
        speed=None, instruments=dump, date=DAY, symbols=("INFY",), state=tmp_path / "state.db"
    )

    def opened(state):
        exchange, api = state.open_exchange(config)
        header = f"token {exchange.session.api_key}:{exchange.session.access_token}"
        return (
            exchange,
            lambda key: (
                api.respond(
                    SandboxRequest("GET", "/quote", [("i", key)], authorization=header)
                ).content
            ),
        )

    with SandboxStateFile(config.state) as state:
        exchange, ask = opened(state)
        exchange.run(exchange.now + 60 * SECOND)
        ask("NSE:ACC")
        exchange.run(exchange.now + 60 * SECOND)
        state.remember_time(config.date, exchange.now)
        before = ask("NSE:ACC")
    with SandboxStateFile(config.state) as state:
        exchange, ask = opened(state)
        assert ask("NSE:ACC") == before


def test_a_dump_that_lists_nothing_to_trade_is_named(make_client, dump):
    with pytest.raises(ConfigError, match=r"'WIPRO'.*dump\.csv does not list it on NSE"):
        make_client(instruments=dump, date=DAY, symbols=("WIPRO",))
    dump.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"dump\.csv.*lacks"):
        make_client(instruments=dump, date=DAY)
    with pytest.raises(DataError, match=r"nowhere\.csv"):
        make_client(instruments=dump.parent / "nowhere.csv", date=DAY)


@pytest.mark.real_data
def test_a_whole_real_dump_is_listed_and_any_of_it_can_be_traded(market_data, make_client):
    (path,) = (market_data / "instruments").glob("*.csv.gz")
    client = make_client(instruments=path, date=DAY, cash=10**11)
    assert len(client.exchange.dump.rows) > 49_000
    assert len(client.exchange.listings) < 30, "asleep until somebody asks"
    client.seconds(30)
    keys = [
        "NFO:NIFTY26AUGFUT",
        "NFO:BANKNIFTY26AUG56300CE",
        "BFO:SENSEX26AUGFUT",
        "NSE:MRF",
        "NSE:NIFTY BANK",
    ]
    client.ok("GET", "/quote", query=[("i", key) for key in keys])
    client.seconds(30)
    quotes = client.ok("GET", "/quote", query=[("i", key) for key in keys])
    assert list(quotes) == keys
    assert all(one["last_price"] > 0 for one in quotes.values())
    assert quotes[keys[0]]["last_price"] == pytest.approx(client.exchange.index.ltp, rel=0.01)
