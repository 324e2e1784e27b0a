"""The unmodified official ticker, threaded, against a sandbox that runs by itself."""

import threading
import time

import pytest
from kiteconnect import KiteConnect, KiteTicker

TOKENS = [408065, 779521, 256265]


def waited(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def ticker(start):
    """A connected ticker on a sandbox at ten times the pace, and everything it has heard."""
    _, endpoint = start(speed=10.0, limits="off")
    heard = {"ticks": [], "orders": [], "errors": [], "frames": []}
    made = KiteTicker(endpoint.api_key, endpoint.access_token, root=endpoint.ws)
    opened = threading.Event()

    def connected(ws, _response):
        ws.subscribe(TOKENS)
        ws.set_mode(ws.MODE_FULL, TOKENS)
        opened.set()

    made.on_connect = connected
    made.on_ticks = lambda _ws, ticks: heard["ticks"].append(ticks)
    made.on_order_update = lambda _ws, data: heard["orders"].append(data)
    made.on_error = lambda _ws, code, reason: heard["errors"].append((code, reason))
    made.on_message = lambda _ws, payload, binary: heard["frames"].append((payload, binary))
    made.connect(threaded=True)
    assert opened.wait(60)
    yield made, endpoint, heard
    made.stop_retry()
    made.close()


def test_the_ticker_hears_ticks_order_updates_and_errors(ticker):
    made, endpoint, heard = ticker
    kite = KiteConnect(endpoint.api_key, endpoint.access_token, root=endpoint.rest)
    waited(lambda: len(heard["ticks"]) >= 10)
    infy = [
        tick for ticks in heard["ticks"] for tick in ticks if tick["instrument_token"] == 408065
    ]
    assert {tick["mode"] for tick in infy} == {"full"}
    stamps = [tick["exchange_timestamp"] for tick in infy]
    assert stamps == sorted(set(stamps)), "at most one tick per instrument per second"
    volumes = [tick["volume_traded"] for tick in infy]
    assert volumes == sorted(volumes)
    assert infy[-1]["depth"]["buy"][0]["price"] < infy[-1]["depth"]["sell"][0]["price"]
    assert infy[-1]["ohlc"]["close"] == 1538.7
    index = [
        tick for ticks in heard["ticks"] for tick in ticks if tick["instrument_token"] == 256265
    ]
    assert index[-1]["tradable"] is False
    assert index[-1]["ohlc"]["close"] == 26_000

    resting = kite.place_order("regular", "NSE", "INFY", "BUY", 5, "CNC", "LIMIT", price=1400)
    filled = kite.place_order(
        "regular", "NSE", "INFY", "BUY", 5, "CNC", "MARKET", market_protection=-1, tag="t"
    )
    kite.cancel_order("regular", resting)
    waited(lambda: len(heard["orders"]) >= 2)
    seen = [(data["order_id"], data["status"]) for data in heard["orders"]]
    assert seen == [(filled, "COMPLETE"), (resting, "CANCELLED")], "nothing is said of a placement"
    assert heard["orders"][0]["filled_quantity"] == 5
    assert heard["orders"][0]["unfilled_quantity"] == 0

    made.subscribe(list(TOKENS))
    made.ws.sendMessage(b"nonsense")
    waited(lambda: heard["errors"])
    assert heard["errors"][0] == (0, "Invalid message.")
    assert made.is_connected()
