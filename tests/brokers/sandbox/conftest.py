"""Fixtures of the sandbox: an exchange without sockets, and a started one."""

import json

import pytest

from brokers.sandbox.api.kite_routes import SandboxApi
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.exchange import SandboxExchange
from brokers.sandbox.http import SandboxRequest
from brokers.sandbox.server import Sandbox

SECOND = 1_000_000_000


class Client:
    """Speaks to an exchange in process, as the socketless REST client would."""

    def __init__(self, **config):
        self.exchange = SandboxExchange(
            SandboxConfig(
                **({"speed": None, "symbols": ("INFY", "SBIN"), "salt": "a test"} | config)
            )
        )
        self.api = SandboxApi(self.exchange)

    def call(self, method, path, form=None, query=(), body=None):
        session = self.exchange.session
        header = f"token {session.api_key}:{session.access_token}"
        response = self.api.respond(
            SandboxRequest(method, path, list(query), form or {}, body, header)
        )
        return response.status, json.loads(response.content)

    def ok(self, *args, **kwargs):
        status, answer = self.call(*args, **kwargs)
        assert status == 200, answer
        return answer["data"]

    def refusal(self, *args, **kwargs):
        status, answer = self.call(*args, **kwargs)
        assert answer["status"] == "error"
        assert answer["data"] is None
        return status, answer["error_type"], answer["message"]

    def form(
        self, symbol="INFY", side="BUY", quantity=10, product="MIS", order_type="LIMIT", **more
    ):
        fields = {
            "exchange": "NSE",
            "tradingsymbol": symbol,
            "transaction_type": side,
            "quantity": quantity,
            "product": product,
            "order_type": order_type,
            **more,
        }
        return {key: str(value) for key, value in fields.items()}

    def place(self, **fields):
        return self.ok("POST", "/orders/regular", self.form(**fields))["order_id"]

    def refused(self, **fields):
        return self.refusal("POST", "/orders/regular", self.form(**fields))

    def buy(self, quantity=10, **fields):
        return self.place(
            **({"quantity": quantity, "order_type": "MARKET", "market_protection": -1} | fields)
        )

    def order(self, order_id):
        return next(row for row in self.ok("GET", "/orders") if row["order_id"] == order_id)

    def statuses(self, order_id):
        return [row["status"] for row in self.ok("GET", f"/orders/{order_id}")]

    def seconds(self, count):
        self.exchange.run(self.exchange.now + count * SECOND)

    def share(self, symbol="INFY"):
        return self.exchange.listings[f"NSE:{symbol}"]

    def ltp(self, symbol="INFY"):
        return self.share(symbol).ltp

    def at(self, percent, symbol="INFY"):
        """Return a price so many percent from the last, on the grid."""
        share = self.share(symbol)
        return share.instrument.snap(share.ltp * (1 + percent / 100))


@pytest.fixture
def client():
    """An exchange in lockstep, a minute after the open."""
    made = Client()
    made.seconds(60)
    return made


@pytest.fixture
def make_client():
    return Client


@pytest.fixture(scope="module")
def make_module_client():
    return Client


@pytest.fixture
def start():
    """Start sandboxes; they end with the test."""
    running = []

    def begin(**config):
        sandbox = Sandbox(SandboxConfig(**({"speed": None} | config)))
        endpoint = sandbox.start()
        running.append(sandbox)
        return sandbox, endpoint

    yield begin
    for sandbox in running:
        sandbox.stop()
