"""The market of `patang sandbox`: wide, and asleep until somebody looks."""

import datetime as dt
from dataclasses import replace

import msgspec
import pytest
from kiteconnect import KiteConnect

from brokers.sandbox import overnight
from brokers.sandbox.account import carried_account
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.exchange import SandboxExchange
from brokers.sandbox.http import SandboxRequest
from brokers.sandbox.state import SandboxStateFile
from brokers.sandbox.universe.generated_universe import weekly_expiries

SECOND = 1_000_000_000
WIDE = {"wide": True, "exchanges": ("NSE", "NFO", "BSE", "BFO")}
INDICES = ("NSE:NIFTY 50", "NSE:NIFTY BANK", "NSE:NIFTY FIN SERVICE", "NSE:INDIA VIX", "BSE:SENSEX")
CONTRACTS = (
    "NFO:BANKNIFTY26NOVFUT",
    "NFO:FINNIFTY26NOVFUT",
    "BFO:SENSEX26NOVFUT",
    "NFO:RELIANCE26NOVFUT",
    "NFO:NIFTY26D0126000CE",
    "NFO:BANKNIFTY26NOV59000PE",
    "BFO:SENSEX26D0385000CE",
)


def test_a_first_program_finds_what_it_asks_for_and_is_filled(start):
    _, endpoint = start(**WIDE, speed=1.0, cash=10**12, limits="off")
    kite = KiteConnect(endpoint.api_key, endpoint.access_token, root=endpoint.rest)
    rows = {f"{row['exchange']}:{row['tradingsymbol']}": row for row in kite.instruments()}
    assert {*INDICES, *CONTRACTS} <= {*rows}
    shares = [key for key, row in rows.items() if row["segment"] == "NSE"]
    assert len(shares) == 50
    assert len({row["instrument_token"] for row in rows.values()}) == len(rows)
    assert len(kite.ltp(*INDICES, *shares)) == len(INDICES) + 50
    for key in (*CONTRACTS, "NSE:ADANIENT", "BSE:M&M"):
        assert kite.quote(key)[key]["depth"]["sell"][0]["quantity"] > 0, key
        exchange, _, symbol = key.partition(":")
        product = "MIS" if exchange in {"NSE", "BSE"} else "NRML"
        order = kite.place_order(
            "regular",
            exchange,
            symbol,
            "BUY",
            rows[key]["lot_size"],
            product,
            "MARKET",
            market_protection=-1,
        )
        assert kite.order_history(order)[-1]["status"] == "COMPLETE", key


def test_weekly_options_expire_on_their_weekday_or_the_trading_day_before():
    # Tuesday the 24th of November 2026 is a holiday
    assert weekly_expiries(dt.date(2026, 11, 20), 1, "NFO")[:2] == [
        dt.date(2026, 11, 23),
        dt.date(2026, 12, 1),
    ]
    assert weekly_expiries(dt.date(2026, 11, 24), 1, "NFO")[0] == dt.date(2026, 12, 1), (
        "this week's has gone"
    )
    assert weekly_expiries(dt.date(2026, 11, 20), 3, "BFO")[0] == dt.date(2026, 11, 26)


def test_indices_move_with_their_own_shares_and_the_volatility_against_them(make_client):
    client = make_client(symbols=(), **WIDE)
    client.seconds(90)
    listings = client.exchange.listings
    moved = {key: listings[key].ltp / listings[key].instrument.close - 1.0 for key in INDICES}
    share = {
        name: client.ltp(name) / client.share(name).instrument.close - 1.0
        for name in ("HDFCBANK", "ICICIBANK", "SBIN", "AXISBANK", "KOTAKBANK")
    }
    assert moved["NSE:NIFTY BANK"] == pytest.approx(sum(share.values()) / 5, abs=1e-6)
    assert moved["BSE:SENSEX"] == pytest.approx(moved["NSE:NIFTY 50"], abs=1e-6)
    assert moved["NSE:INDIA VIX"] == pytest.approx(-5 * moved["NSE:NIFTY 50"], abs=1e-3)


@pytest.mark.parametrize(
    "key", ["NSE:NIFTY BANK", "NSE:ADANIENT", "NFO:BANKNIFTY26NOVFUT", "NFO:NIFTY26D0126000CE"]
)
def test_who_looks_late_finds_the_day_so_far(make_client, key):
    client = make_client(symbols=(), start="09:45", **WIDE)
    client.seconds(60)
    one = client.exchange.listings[key]
    query = [("from", "2026-11-20 09:15:00"), ("to", "2026-11-20 15:30:00")]
    path = f"/instruments/historical/{one.instrument.token}/minute"
    candles = client.ok("GET", path, query=query)["candles"]
    assert [row[0][11:16] for row in candles] == [f"09:{minute}" for minute in range(15, 47)]
    assert all(
        low <= min(opened, closed) <= max(opened, closed) <= high
        for _, opened, high, low, closed, _ in candles
    )
    quote = client.ok("GET", "/quote/ohlc", query=[("i", key)])[key]
    assert quote["ohlc"]["high"] == max(row[2] for row in candles)
    assert quote["ohlc"]["low"] == min(row[3] for row in candles)
    assert quote["ohlc"]["open"] == candles[0][1]
    assert quote["last_price"] == candles[-1][4]
    if key == "NFO:BANKNIFTY26NOVFUT":
        # the future's day is its index's: cost of carry for three days at 6.5 %
        index = client.exchange.listings["NSE:NIFTY BANK"]
        assert one.ltp == pytest.approx(index.ltp * (1 + 0.065 * 3 / 365), rel=2e-5)
        past = {start: close for start, _, _, _, close, _ in index.candles()}
        carried = [
            (close, past[start] * (1 + 0.065 * 3 / 365))
            for start, _, _, _, close, _ in one.candles()
        ]
        assert all(close == pytest.approx(worth, rel=2e-4) for close, worth in carried[:-1])


def test_only_what_is_watched_moves(make_client):
    client = make_client(symbols=(), **WIDE)
    exchange = client.exchange
    client.seconds(5)
    assert len(exchange.dump.rows) > 5_000
    assert len(exchange.market.listings) == 20, "the names of the index, which is always shown"
    client.ok("GET", "/quote", query=[("i", "NFO:INFY26NOVFUT")])
    assert client.exchange.dump_text.count("\n") == len(exchange.dump.rows) + 1
    assert [one.key for one in exchange.market.listings[20:]] == ["NFO:INFY26NOVFUT"]


def test_a_late_start_skips_the_morning_and_shows_it(make_client):
    client = make_client(symbols=(), start="11:00", exchanges=("NSE", "NFO"))
    share = client.share("INFY")
    steps = [start for start, *_ in share.candles()]
    assert len(steps) == 105, "every minute since the open"
    assert len(client.exchange.market._lived) <= 105 * 3 + 1, "in long steps"
    assert share.has_book
    order = client.buy(10, symbol="INFY")
    assert client.order(order)["status"] == "COMPLETE"
    again = make_client(symbols=(), start="11:00", exchanges=("NSE", "NFO"))
    assert list(again.share("INFY").candles()) == list(share.candles())[: len(steps)]


@pytest.mark.parametrize(
    ("symbol", "awake"), [("SBIN26NOVFUT", {"SBIN", "INFY"}), ("NIFTY26NOVFUT", None)]
)
def test_the_next_day_begins_with_what_the_whole_market_would_have_left(
    tmp_path, symbol, awake, monkeypatch
):
    made = []
    begin = SandboxExchange.__init__

    def counted(self, config, carried=None, watched=None):
        begin(self, config, carried, watched)
        made.append((config.date, watched))

    monkeypatch.setattr(SandboxExchange, "__init__", counted)
    config = SandboxConfig(
        speed=None,
        exchanges=("NSE", "NFO"),
        date="2026-11-19",
        start="15:25",
        cash=10**11,
        state=tmp_path / "state.db",
        post_close=True,
        square_off=False,
    )
    with SandboxStateFile(config.state) as state:
        exchange, api = state.open_exchange(config)
        header = f"token {exchange.session.api_key}:{exchange.session.access_token}"

        def order(exchange_name, name, quantity, product, **more):
            form = {
                "exchange": exchange_name,
                "tradingsymbol": name,
                "transaction_type": "BUY",
                "product": product,
                "quantity": str(quantity),
                "order_type": "MARKET",
                "market_protection": "-1",
            } | more
            answer = api.respond(
                SandboxRequest("POST", "/orders/regular", form=form, authorization=header)
            )
            assert answer.status == 200, answer.content

        exchange.run(exchange.now + 10 * SECOND)
        # watched, and never traded
        api.respond(
            SandboxRequest(
                "GET", "/quote", [("i", "NFO:TCS26NOVFUT"), ("i", "NSE:TCS")], authorization=header
            )
        )
        lot = int(exchange.listings[f"NFO:{symbol}"].instrument.lot)
        order("NFO", symbol, lot, "NRML")
        order(
            "NSE",
            "INFY",
            10,
            "CNC",
            order_type="LIMIT",
            price=str(exchange.listings["NSE:INFY"].ltp),
        )
        exchange.run(exchange.now + 20 * SECOND)
        # a limit below the market is filled later, by whoever comes
        future = exchange.listings[f"NFO:{symbol}"]
        price = future.instrument.snap(future.ltp * 0.9995)
        order("NFO", symbol, lot, "NRML", order_type="LIMIT", price=f"{price}")
        state.remember_time(config.date, exchange.now)
        state.remember_prices(exchange)
        shown = overnight.last_prices(exchange)
        exchange.run(exchange.closes)
        left = overnight.collect_account(exchange)
    told = []
    with SandboxStateFile(config.state, lambda date, now: told.append((date, now))) as state:
        state.open_exchange(replace(config, date="2026-11-20"))
        [(packed,)] = state._db.execute(
            "select carried from day where date = '2026-11-20'"
        ).fetchall()
    began = msgspec.json.decode(packed, type=carried_account.CarriedAccount)
    # what nobody named is not played to its close: it goes on from where it was seen last
    closes = shown | {
        key: left.closes[key]
        for key in began.closes
        if awake is None or key.partition(":")[2] in awake
    }
    assert began == msgspec.structs.replace(left, closes=closes)
    assert left.positions
    replays = [watched for date, watched in made if date == "2026-11-19"][1:]
    assert replays == [awake]
    assert told[-1] == ("2026-11-19", exchange.closes), "and somebody hears how far it is"
