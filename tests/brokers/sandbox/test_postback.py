"""Order updates over HTTP, and how many sockets a key may have."""

import asyncio
import json
import threading
import time
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer

import aiohttp
import pytest
from kiteconnect import KiteConnect


@pytest.fixture
def receiver():
    heard = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/kite", heard
    server.shutdown()
    server.server_close()


def test_updates_are_posted_with_their_checksum_and_placing_is_not(start, receiver):
    url, heard = receiver
    _, end = start(postback=url)
    kite = KiteConnect(end.api_key, end.access_token, root=end.rest)
    order = kite.place_order("regular", "NSE", "INFY", "BUY", 1, "CNC", "LIMIT", price=1400)
    kite.cancel_order("regular", order)
    end_by = time.monotonic() + 60
    while not heard and time.monotonic() < end_by:
        time.sleep(0.01)
    [update] = heard
    assert (update["order_id"], update["status"], update["unfilled_quantity"]) == (
        order,
        "CANCELLED",
        1,
    )
    signed = f"{update['order_id']}{update['order_timestamp']}{end.api_secret}"
    assert update["checksum"] == sha256(signed.encode()).hexdigest()
    assert not {"tags", "modified", "validity_ttl", "account_id"} & set(update)


def test_a_fourth_socket_is_warned_and_a_crowd_of_them_is_refused(start):
    _, end = start()
    url = f"{end.ws}/?api_key={end.api_key}&access_token={end.access_token}"

    async def connect():
        async with aiohttp.ClientSession() as http:
            sockets = [await http.ws_connect(url) for _ in range(4)]
            warning = (await sockets[3].receive(timeout=5)).json()
            sockets += [await http.ws_connect(url) for _ in range(16)]
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await http.ws_connect(url)
            for socket in sockets:
                await socket.close()
            return warning, refused.value.status

    warning, status = asyncio.run(connect())
    assert warning == {"type": "error", "data": "More than 3 connections with one api_key."}
    assert status == 429
