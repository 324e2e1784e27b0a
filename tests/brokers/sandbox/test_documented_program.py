"""Programs written from the official client's public documentation, run as they are.

Only the addresses are replaced.
"""

import json
import os
import subprocess
import sys

import pytest

ADDRESSES = """
import json, os, sys
import requests
from kiteconnect import KiteConnect, KiteTicker

KiteConnect._default_root_uri = os.environ["REST"]
KiteConnect._default_login_uri = os.environ["REST"] + "/connect/login"
KiteTicker.ROOT_URI = os.environ["WS"]
"""

REST = """
kite = KiteConnect(api_key=os.environ["KEY"])
# the user opens kite.login_url() in a browser, which is sent back with a request_token
landed = requests.get(kite.login_url(), timeout=5).url
request_token = landed.split("request_token=")[1].split("&")[0]
data = kite.generate_session(request_token, api_secret=os.environ["SECRET"])
kite.set_access_token(data["access_token"])

told = {}
try:
    order_id = kite.place_order(
        tradingsymbol="INFY",
        exchange=kite.EXCHANGE_NSE,
        transaction_type=kite.TRANSACTION_TYPE_BUY,
        quantity=1,
        variety=kite.VARIETY_REGULAR,
        order_type=kite.ORDER_TYPE_MARKET,
        product=kite.PRODUCT_CNC,
        validity=kite.VALIDITY_DAY,
        market_protection=-1,
    )
    told["placed"] = order_id
except Exception as e:
    told["failed"] = str(e)

told["orders"] = [order["order_id"] for order in kite.orders()]
told["status"] = kite.order_history(order_id)[-1]["status"]
told["instruments"] = len(kite.instruments())
told["candles"] = len(kite.historical_data(408065, "2026-11-18", "2026-11-19", "day"))
last = kite.ltp("NSE:INFY")["NSE:INFY"]["last_price"]
placed = kite.place_gtt(
    trigger_type=kite.GTT_TYPE_OCO,
    tradingsymbol="INFY",
    exchange="NSE",
    trigger_values=[round(last * 0.98, 1), round(last * 1.02, 1)],
    last_price=last,
    orders=[
        {"exchange": "NSE", "tradingsymbol": "INFY", "quantity": 1,
         "transaction_type": kite.TRANSACTION_TYPE_SELL,
         "order_type": "LIMIT", "product": "CNC", "price": round(last * factor, 1)}
        for factor in (0.975, 1.02)
    ],
)
told["gtt"] = kite.get_gtt(placed["trigger_id"])["status"]
try:
    kite.place_mf_order(
        tradingsymbol="INF090I01239",
        transaction_type=kite.TRANSACTION_TYPE_BUY,
        amount=5000,
        tag="mytag",
    )
except Exception as e:
    told["fund"] = type(e).__name__
told["funds"] = len(kite.mf_instruments()) > 0
print(json.dumps(told))
"""

TICKER = """
kws = KiteTicker(os.environ["KEY"], os.environ["TOKEN"])
told = {"ticks": 0, "modes": []}


def on_ticks(ws, ticks):
    told["ticks"] += len(ticks)
    told["modes"] += [tick["mode"] for tick in ticks]
    if told["ticks"] >= 8:
        ws.close()


def on_connect(ws, response):
    ws.subscribe([408065, 779521])
    ws.set_mode(ws.MODE_FULL, [408065])


def on_close(ws, code, reason):
    ws.stop()


kws.on_ticks = on_ticks
kws.on_connect = on_connect
kws.on_close = on_close
"""

BLOCKING = """
kws.connect()
print(json.dumps({"ticks": told["ticks"], "modes": sorted(set(told["modes"]))}))
"""

THREADED = """
import time

kws.connect(threaded=True)
# the main thread goes on, and looks at the ticker now and then, as the documentation's example does
count = 0
while told["ticks"] < 8 and count < 400:
    count += 1
    if kws.is_connected() and count == 20:
        kws.set_mode(kws.MODE_LTP, [408065])
    time.sleep(0.05)
print(json.dumps({"ticks": told["ticks"], "modes": sorted(set(told["modes"]))}))
os._exit(0)
"""


def run(program, endpoint):
    names = {
        "REST": endpoint.rest,
        "WS": endpoint.ws,
        "KEY": endpoint.api_key,
        "SECRET": endpoint.api_secret,
        "TOKEN": endpoint.access_token,
    }
    done = subprocess.run(
        [sys.executable, "-c", ADDRESSES + program],
        env=os.environ | names,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_the_rest_program_of_the_documentation_runs_as_it_is(start):
    _, endpoint = start(speed=10.0, limits="off")
    told = run(REST, endpoint)
    assert "failed" not in told
    assert told["orders"] == [told["placed"]]
    assert told["status"] == "COMPLETE"
    assert (told["instruments"], told["candles"], told["gtt"]) == (21, 2, "active")
    assert (told["fund"], told["funds"]) == ("InputException", True)


@pytest.mark.parametrize("how", [BLOCKING, THREADED], ids=["blocking", "threaded"])
def test_the_ticker_program_of_the_documentation_runs_as_it_is(start, how):
    _, endpoint = start(speed=10.0, limits="off")
    told = run(TICKER + how, endpoint)
    assert told["ticks"] >= 8
    assert {"full", "quote"} <= set(told["modes"])
