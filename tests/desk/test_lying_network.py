"""A proxy between the desk and its exchange that lies.

Real sockets, a desk in a process of its own.
"""

import http.client
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from brokers.sandbox.api import admin_key
from tests.desk.support import PATIENCE_S, get, rows, status, wait_for

SYMBOLS = ["INFY", "TCS", "ITC"]
CONFIG = """
[broker]
rest = "{rest}"
ws = "{ws}"
api_key = "{api_key}"
access_token = "{access_token}"
timeout_s = 1.0
[feed]
stale_after_s = 600
watch = {watched}
[gateway]
settle_s = 1.0
lookup_every_s = 0.5
lookups = 2
late_s = 60
poll_s = 2.0
positions_every_s = 5.0
[strategy.momentum_ladder]
enabled = false
[strategy.moving_average_cross]
enabled = false
"""


class Between:
    """Passes requests on to an exchange; the next new order meets what `lie` says."""

    def __init__(self, rest):
        self._host = urlsplit(rest).netloc
        self.lie = None
        """Called once with a function that passes the next new order in `symbol` on.

        Returns the answer, None for none.
        """
        self.symbol = ""
        self.struck = threading.Event()
        between = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass(self):
                between.answer(self)

            do_GET = do_POST = do_PUT = do_DELETE = _pass  # noqa: N815 (the names the server calls)

            def log_message(self, *_arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.rest = f"http://127.0.0.1:{self._server.server_port}"
        # the clock is passed on, too
        admin_key.write_key(self._server.server_port, admin_key.read_key(rest))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE_S)

    def answer(self, handler):
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        headers = {
            k: v for k, v in handler.headers.items() if k.lower() not in {"host", "content-length"}
        }

        def forward():
            there = http.client.HTTPConnection(self._host, timeout=PATIENCE_S)
            try:
                there.request(handler.command, handler.path, body or None, headers)
                got = there.getresponse()
                return got.status, got.getheader("Content-Type", ""), got.read()
            finally:
                there.close()

        lie, new = None, handler.command == "POST" and handler.path.startswith("/orders/")
        if new and f"tradingsymbol={self.symbol}".encode() in body:
            lie, self.lie = self.lie, None
        told = forward() if lie is None else lie(forward)
        if lie is not None:
            self.struck.set()
        if told is None:
            handler.close_connection = True
            return
        code, kind, content = told
        handler.send_response(code)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)


@pytest.fixture
def exchange(patang):
    with patang.serving(1) as endpoint:
        yield endpoint


@pytest.fixture
def between(exchange):
    made = Between(exchange["rest"])
    yield made
    made.close()


@pytest.fixture
def desk(patang, exchange, between):
    endpoint = exchange | {"rest": between.rest}
    (patang.home / "config.toml").write_text(CONFIG.format(watched=json.dumps(SYMBOLS), **endpoint))
    with patang.running() as running:
        yield running


class Sight:
    """Account of a run by the exchange and the desk's database."""

    def __init__(self, patang, exchange):
        self._patang = patang
        self._rest = exchange["rest"]

    def buy(self, symbol, *words):
        def placed():
            done = self._patang.call("order", "buy", symbol, 10, "--stop", 2, "--yes", *words)
            return done.returncode == 0

        wait_for(placed, f"an order for {symbol} is taken")

    def books(self):
        return get(self._rest + "/sandbox/books")

    def held(self, symbol):
        return sum(p["quantity"] for p in self.books()["positions"] if p["tradingsymbol"] == symbol)

    def guarded(self, symbol):
        gtts = [g for g in self.books()["gtts"] if g["condition"]["tradingsymbol"] == symbol]
        return sum(g["orders"][0]["quantity"] for g in gtts if g["status"] == "active")

    def sold(self, symbol):
        orders = [o for o in self.books()["orders"] if o["tradingsymbol"] == symbol]
        return sum(o["filled_quantity"] for o in orders if o["transaction_type"] == "SELL")

    def told(self, name):
        return rows(
            self._patang.state() / "desk.db", "SELECT text FROM events WHERE name = ?", name
        )

    def at_peace(self):
        now = status(self._patang)
        return (
            now and now["naked"] == 0 and now["state"] == "running" and not self.told("difference")
        )


def test_what_a_proxy_makes_of_orders_ends_in_the_same_books(patang, exchange, between, desk):
    assert desk.poll() is None
    sight = Sight(patang, exchange)

    def twice(forward):
        forward()
        return forward()

    between.lie = twice
    sight.buy("INFY")
    wait_for(lambda: sight.guarded("INFY") == 20, "both orders of one request are protected")
    assert sight.held("INFY") == 20
    assert sight.told("doubled")

    stranger = sight.books()["orders"][0]["order_id"]

    def named(forward):
        code, kind, content = forward()
        body = json.loads(content)
        body["data"]["order_id"] = stranger
        return code, kind, json.dumps(body).encode()

    between.lie = named
    sight.buy("TCS")
    wait_for(lambda: sight.guarded("TCS") == 10, "the tag outranks the id")

    sight.buy("ITC", "--product", "MIS")
    wait_for(
        lambda: any(o["status"] == "TRIGGER PENDING" for o in sight.books()["orders"]),
        "the stop of ITC rests",
    )
    released = threading.Event()

    def held_back(forward):
        released.wait(PATIENCE_S)
        forward()

    before = sight.sold("ITC") + sight.sold("INFY") + sight.sold("TCS")
    assert before == 0
    wait_for(
        sight.at_peace,
        lambda: f"no difference, nothing naked: {status(patang)} {sight.told('difference')}",
    )
    between.struck.clear()
    between.symbol, between.lie = "ITC", held_back
    assert patang.call("kill", "--flatten", "--reason", "late").returncode == 0
    wait_for(
        lambda: all(sight.held(symbol) == 0 for symbol in SYMBOLS), "flat, one exit sent again"
    )
    released.set()
    assert between.struck.wait(PATIENCE_S)
    wait_for(
        lambda: sum(sight.sold(symbol) for symbol in SYMBOLS) > 40,
        "the late exit sells again, or is refused",
    )
    wait_for(
        lambda: all(sight.held(symbol) == 0 for symbol in SYMBOLS),
        "what was sold twice is bought back",
    )
    wait_for(lambda: status(patang).get("naked") == 0, "nothing naked")
    assert not sight.told("difference")
