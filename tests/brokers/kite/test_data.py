"""Positions, funds, instruments, bands and history.

How they are asked for, and what the answers become.
"""

import asyncio
import gzip
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from brokers.kite.kite_broker import KiteBroker
from brokers.kite.request_pacer import OTHERS, RequestPacer
from compiled.model.values import Instrument, Order, OrderPurpose, OrderType, Product, Side
from engine.errors import DataError, RetryableError
from engine.ports import BrokerHolding, BrokerPosition

OPEN_NS = 1_767_325_500_000_000_000  # 2026-01-02 09:15:00 IST
SECOND = 1_000_000_000
DAY = 86_400 * SECOND


async def test_positions_are_the_net_ones_with_the_flat(stub, broker, script):
    def row(symbol, quantity, average):
        return {
            "tradingsymbol": symbol,
            "instrument_token": 1,
            "product": "MIS",
            "quantity": quantity,
            "average_price": average,
        }

    stub.on(
        "GET /portfolio/positions",
        script.ok({"net": [row("INFY", -5, 1500.05), row("TCS", 0, 0)], "day": []}),
    )
    assert await broker.positions() == [
        BrokerPosition(1, "INFY", "MIS", -5, 1500.05),
        BrokerPosition(1, "TCS", "MIS", 0, 0.0),
    ]


async def test_holdings_count_what_came_from_earlier_days(stub, broker, script):
    def row(symbol, **quantities):
        return {"tradingsymbol": symbol, "instrument_token": 1, "average_price": 100.5} | quantities

    rows = [
        row("SETTLED", quantity=10, t1_quantity=0, used_quantity=0, opening_quantity=10),
        row("YESTERDAY", quantity=0, t1_quantity=7, used_quantity=0, opening_quantity=7),
        row("SOLD", quantity=6, t1_quantity=0, used_quantity=4, opening_quantity=10),
        row("UNSETTLED", quantity=0, t1_quantity=7, used_quantity=3, opening_quantity=0),
        row("BRIEF", quantity=6, t1_quantity=2, used_quantity=4),
    ]
    stub.on("GET /portfolio/holdings", script.ok(rows))
    assert await broker.holdings() == [
        BrokerHolding(1, "SETTLED", 10, 100.5),
        BrokerHolding(1, "YESTERDAY", 7, 100.5),
        BrokerHolding(1, "SOLD", 10, 100.5),
        BrokerHolding(1, "UNSETTLED", 10, 100.5),
        BrokerHolding(1, "BRIEF", 12, 100.5),
    ]


async def test_a_holding_says_what_it_is_and_what_may_be_sold_of_it_today(stub, broker, script):
    row = {
        "tradingsymbol": "SBIN",
        "exchange": "BSE",
        "instrument_token": 128_028_676,
        "isin": "INE062A01020",
        "average_price": 800.0,
        "quantity": 7,
        "t1_quantity": 0,
        "used_quantity": 3,
        "opening_quantity": 10,
        "authorised_quantity": 2,
        "mtf": {
            "quantity": 4,
            "used_quantity": 1,
            "average_price": 810.5,
            "value": 0,
            "initial_margin": 0,
        },
    }
    stub.on("GET /portfolio/holdings", script.ok([row]))
    own = BrokerHolding(
        128_028_676, "SBIN", 10, 800.0, "CNC", "BSE", "INE062A01020", unauthorised=5
    )
    financed = own._replace(quantity=5, average=810.5, product="MTF", unauthorised=0)
    assert await broker.holdings() == [own, financed]


@pytest.mark.parametrize(
    ("meta", "consents"),
    [
        ({"demat_consent": "consent"}, True),
        ({"demat_consent": "physical"}, False),
        ({"demat_consent": ""}, False),
        ({}, None),
        (None, None),
    ],
)
async def test_the_profile_tells_whether_holdings_may_be_sold_at_any_time(
    stub, broker, script, meta, consents
):
    stub.on("GET /user/profile", script.ok({"user_id": "AB1234", "meta": meta}))
    assert broker.consents() is None
    assert await broker.account() == "AB1234"
    assert broker.consents() is consents


async def test_funds_are_the_live_balance_in_paise(stub, broker, script):
    for available, expected in (
        ({"live_balance": 96426.32999999999}, 9_642_633),
        ({"live_balance": -12.345}, -1_235),
        ({"live_balance": 0}, 0),
        ({}, 100_050),
    ):
        stub.on("GET /user/margins/equity", script.ok({"net": 1000.5, "available": available}))
        assert await broker.funds() == expected


HEADER = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,instrument_type,"
    "segment,exchange\n"
)


async def test_instruments_come_from_the_csv_and_an_index_is_an_index(stub, broker, script):
    rows = (
        "256265,1001,NIFTY 50,NIFTY 50,0.0,,0.0,0.0,0,EQ,INDICES,NSE\n"
        "2953217,11536,TCS,TATA CONSULTANCY,0.0,,0.0,0.1,1,EQ,NSE,NSE\n"
        "9004034,35172,NIFTY26JAN25000CE,NIFTY,0.0,2026-01-27,25000.0,0.05,65,CE,NFO-OPT,NFO\n"
    )
    stub.on("GET /instruments/NSE", script.http(200, (HEADER + rows).encode(), "text/csv"))
    stub.on("POST /orders/regular", script.ok({"order_id": "1"}))
    index, share, option = await broker.instruments("NSE")
    assert [
        (each.token, each.symbol, each.tick, each.lot, each.kind) for each in (index, share, option)
    ] == [
        (256265, "NIFTY 50", 0.01, 1, "INDEX"),
        (2953217, "TCS", 0.1, 1, "EQ"),
        (9004034, "NIFTY26JAN25000CE", 0.05, 65, "CE"),
    ]
    order = Order(
        1,
        "t",
        "s",
        2953217,
        Side.BUY,
        5,
        OrderType.LIMIT,
        Product.CNC,
        OrderPurpose.ENTRY,
        price=3000.1,
    )
    assert await broker.place(order) == "1"
    assert stub.requests[1].form["tradingsymbol"] == "TCS"


async def test_the_instrument_dump_is_handed_on_as_kite_wrote_it(stub, broker, script):
    body = (HEADER + "2953217,11536,TCS,,0.0,,0.0,0.1,1,EQ,NSE,NSE\n").encode()
    for route in ("GET /instruments/NSE", "GET /instruments"):
        stub.on(route, script.http(200, body, "text/csv"))
    assert [await broker.dump("NSE"), await broker.dump()] == [body, body]
    for answer in (
        script.http(200, b"<html>", "text/csv"),
        script.ok([]),
        script.error(503, "NetworkException"),
    ):
        stub.on("GET /instruments", answer)
        with pytest.raises(RetryableError):
            await broker.dump()


async def test_kites_clock_is_read_from_its_answers(stub, broker, script):
    answer = script.ok({"user_id": "AB1234"})
    stub.on(
        "GET /user/profile",
        answer.replace(b"\r\n", b"\r\nDate: Fri, 02 Jan 2026 03:45:07 GMT\r\n", 1),
    )
    assert await broker.server_time() == OPEN_NS + 7 * SECOND
    stub.on("GET /user/profile", answer)
    with pytest.raises(RetryableError):
        await broker.server_time()


async def test_a_list_without_instruments_is_no_list(stub, broker, script):
    stub.on("GET /instruments/NSE", script.http(200, HEADER.encode(), "text/csv"))
    with pytest.raises(RetryableError):
        await broker.instruments("NSE")


@pytest.mark.real_data
async def test_the_whole_instrument_dump_of_a_real_day_is_read(stub, clock, script, market_data):
    dump = market_data / "instruments" / "kite_combined_NSE_NFO_BFO_2026-08.csv.gz"
    body = gzip.decompress(dump.read_bytes())
    stub.on("GET /instruments/ALL", script.http(200, body, "text/csv"))
    broker = KiteBroker(stub.url, "key", "token", clock, timeout=60.0)
    found = await broker.instruments("ALL")
    await broker.close()
    assert len(found) == 49_926
    assert sum(each.kind == "INDEX" for each in found) == 136
    assert min(each.tick_e4 for each in found) == 100


async def test_bands_are_asked_for_500_at_a_time_once_a_second(stub, broker, script, clock):
    async def quotes(request, writer):
        quote = {
            "lower_circuit_limit": 90.05,
            "upper_circuit_limit": 110.0,
            "ohlc": {"close": 100.05},
        }
        writer.write(script.ok({name: quote for name in request.query["i"] if name != "NSE:S7"}))

    stub.on("GET /quote", quotes)
    instruments = [Instrument(n, "NSE", f"S{n}", 0.05) for n in range(1_001)]
    bands = await broker.bands(instruments)
    assert [len(each.query["i"]) for each in stub.requests] == [500, 500, 1]
    assert clock.slept == [OPEN_NS + 1_100_000_000, OPEN_NS + 2_200_000_000]
    assert [each.token for each in bands] == [n for n in range(1_001) if n != 7]
    assert {each[1:] for each in bands} == {(90.05, 110.0, 100.05)}


async def test_an_index_has_no_band_but_a_close(stub, broker, script):
    stub.on("GET /quote", script.ok({"NSE:NIFTY 50": {"ohlc": {"close": 25000.35}}}))
    nifty = Instrument(256265, "NSE", "NIFTY 50", 0.01, kind="INDEX")
    assert await broker.bands([nifty]) == [(256265, 0.0, 0.0, 25000.35)]


async def test_history_is_read_in_the_documented_windows_three_a_second(
    stub, broker, script, clock
):
    stub.on("*", script.ok({"candles": []}))
    assert await broker.history(408065, OPEN_NS, OPEN_NS + 190 * DAY, 60) == []
    assert [(each.query["from"][0], each.query["to"][0]) for each in stub.requests] == [
        ("2026-01-02 09:15:00", "2026-03-03 09:14:59"),
        ("2026-03-03 09:15:00", "2026-05-02 09:14:59"),
        ("2026-05-02 09:15:00", "2026-07-01 09:14:59"),
        ("2026-07-01 09:15:00", "2026-07-11 09:14:59"),
    ]
    assert [ts - OPEN_NS for ts in clock.slept] == [1_100_000_000], (
        "the fourth, a second after the first and some more"
    )


@pytest.mark.parametrize(
    ("span", "interval", "days"),
    [
        (60, "minute", 60),
        (180, "3minute", 100),
        (300, "5minute", 100),
        (600, "10minute", 100),
        (900, "15minute", 200),
        (1800, "30minute", 200),
        (3600, "60minute", 400),
        (86_400, "day", 2_000),
    ],
)
async def test_each_span_has_its_interval_and_its_window(
    stub, broker, script, span, interval, days
):
    stub.on(f"GET /instruments/historical/408065/{interval}", script.ok({"candles": []}))
    await broker.history(408065, OPEN_NS, OPEN_NS + days * DAY, span)
    assert len(stub.requests) == 1
    await broker.history(408065, OPEN_NS, OPEN_NS + days * DAY + SECOND, span)
    assert len(stub.requests) == 3


async def test_bars_are_those_that_start_within_the_range(stub, broker, script):
    candles = [
        [f"2026-01-02T09:{minute}:00+0530", 100.0, 101.5, 99.5, 100.05, 1_200]
        for minute in range(14, 18)
    ]
    stub.on("*", script.ok({"candles": candles}))
    bars = await broker.history(408065, OPEN_NS, OPEN_NS + 120 * SECOND, 60)
    assert [(each.start - OPEN_NS, each.span, each.token) for each in bars] == [
        (0, 60, 408065),
        (60 * SECOND, 60, 408065),
    ]
    assert (bars[0].open, bars[0].high, bars[0].low, bars[0].close, bars[0].volume) == (
        100.0,
        101.5,
        99.5,
        100.05,
        1200,
    )


async def test_a_day_bar_starts_at_midnight_in_india(stub, broker, script):
    stub.on("*", script.ok({"candles": [["2026-01-02T00:00:00+0530", 1.0, 1.0, 1.0, 1.0, 5]]}))
    midnight = int(datetime.fromisoformat("2026-01-01T18:30:00+00:00").timestamp()) * SECOND
    assert [
        each.start for each in await broker.history(408065, midnight, midnight + DAY, 86_400)
    ] == [midnight]


async def test_a_span_that_kite_does_not_keep_is_named(broker):
    with pytest.raises(DataError, match="no bars of 45 s"):
        await broker.history(408065, 0, DAY, 45)


def test_reads_leave_room_for_changes_and_both_together_keep_to_ten_a_second(clock):
    pace = RequestPacer(clock, OTHERS)
    assert [pace.admit() for _ in range(8)] == [True] * 7 + [False]
    assert [pace.admit(change=True) for _ in range(4)] == [True] * 3 + [False]
    clock.time += SECOND
    assert not pace.admit(change=True), "what left a second apart may arrive closer together"
    clock.time += SECOND // 10
    assert [pace.admit() for _ in range(8)] == [True] * 7 + [False]


async def test_a_read_too_many_waits_and_a_change_does_not(stub, clock, script):
    stub.on("GET /orders", script.ok([]))
    stub.on("DELETE /gtt/triggers/5", script.ok({"trigger_id": 5}))
    broker = KiteBroker(stub.url, "key", "token", clock)
    for _ in range(7):
        await broker.orders()
    await broker.delete_gtt(5)
    assert clock.slept == []
    await broker.orders()
    assert clock.slept == [OPEN_NS + 1_100_000_000]
    await broker.close()


async def test_without_limits_nothing_waits(stub, clock, script):
    stub.on("*", script.ok([]))
    broker = KiteBroker(stub.url, "key", "token", clock, limits=False)
    await asyncio.gather(*(broker.orders() for _ in range(30)))
    await broker.close()
    assert clock.slept == []


def test_importing_the_adapter_does_not_import_the_client():
    code = (
        "import sys, brokers.kite.kite_broker, brokers.kite.kite_feed; sys.exit(bool({'twisted', "
        "'kiteconnect'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[3]
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=root, timeout=60, check=False).returncode
        == 0
    )
