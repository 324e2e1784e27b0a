"""Every number there is through the real doors of a running desk.

Nobody's number ends a thread, or latches, or is sent.
"""

import itertools
import json
import socket
import threading
import time
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from engine.config.risk_limits import NAMES
from engine.operator_requests import OutcomeRequest
from engine.ops.control_socket import send_request, socket_path
from tests.desk.support import get, rows, status, wait_for
from tests.desk.test_lying_network import CONFIG, SYMBOLS, Between

NUMBERS = [
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "-1e999",
    "1e300",
    "-1e300",
    "1e12",
    "-5.0",
    "-7",
    str(2**63),
    str(-(2**63)),
    "9000000000000000000",
    "1" + "0" * 25,
    "1" + "0" * 400,
]
FIELDS = (
    "quantity",
    "stop",
    "target",
    "price",
    "trigger",
    "minutes",
    "legs",
    "disclosed",
    "protection",
)
CHANGES = ("quantity", "price", "trigger")
FIGURES = {
    "/orders": (
        "quantity",
        "filled_quantity",
        "instrument_token",
        "price",
        "trigger_price",
        "average_price",
    ),
    "/trades": ("quantity", "instrument_token", "average_price"),
    "/gtt/triggers": ("id", "last_price", "quantity", "price", "trigger_values"),
    "/portfolio/positions": ("quantity", "instrument_token", "average_price", "multiplier"),
    "/portfolio/holdings": ("opening_quantity", "instrument_token", "average_price"),
    "/user/margins/equity": ("net", "live_balance"),
    "/quote": ("lower_circuit_limit", "upper_circuit_limit", "close"),
}
SPEED = 10
"""Of the exchange while every number is told: books are compared every five seconds of its time."""
LIES = [(path, key, number) for path, keys in FIGURES.items() for key in keys for number in NUMBERS]


class Numbers(Between):
    """Answers every second reading of a book with one figure of it replaced."""

    def __init__(self, rest):
        super().__init__(rest)
        self.waiting = {path: iter(()) for path in FIGURES}
        self.told, self._reads, self._lock = [], dict.fromkeys(FIGURES, 0), threading.Lock()

    def spoilt(self, path, content):
        """Return what is answered to a reading."""
        with self._lock:
            self._reads[path] = self._reads.get(path, 0) + 1
            if (
                self._reads[path] % 2
                or (lie := next(self.waiting.get(path, iter(())), None)) is None
            ):
                return content
            key, number = lie
            mark = "\x1fnumber\x1f"
            text = json.dumps(_with(json.loads(content), key, mark))
            if json.dumps(mark) in text:
                self.told.append((path, key, number))
            return text.replace(json.dumps(mark), number).encode()

    def answer(self, handler):
        read, path = handler.command == "GET", handler.path.partition("?")[0]
        if read and path in FIGURES:
            handler.wfile = _Spoiler(handler.wfile, lambda content: self.spoilt(path, content))
        super().answer(handler)
        if isinstance(handler.wfile, _Spoiler):
            handler.wfile = handler.wfile.done()


class _Spoiler:
    """Holds an answer back until it is whole."""

    def __init__(self, file, spoil):
        self._file, self._spoil, self._held = file, spoil, b""

    def write(self, data):
        self._held += data

    def flush(self):
        pass

    def done(self):
        head, _, content = self._held.partition(b"\r\n\r\n")
        content = self._spoil(content)
        lines = [
            line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")
        ]
        self._file.write(
            b"\r\n".join([*lines, b"Content-Length: %d" % len(content), b"", b""]) + content
        )
        self._file.flush()
        return self._file


def _with(item, key, value):
    """Return JSON with every figure of this name replaced."""
    if isinstance(item, list):
        return [_with(each, key, value) for each in item]
    if not isinstance(item, dict):
        return item
    whole = {
        name: [value] if isinstance(part, list) else value
        for name, part in item.items()
        if name == key
    }
    return {
        name: whole[name] if name in whole else _with(part, key, value)
        for name, part in item.items()
    }


@pytest.fixture
def exchange(patang, request):
    """An exchange; where every number is to be told, a fast one with shares of the owner's."""
    every = request.node.get_closest_marker("soak") is not None
    with patang.serving(
        SPEED if every else 1, options=("--holding", "WIPRO:10:250") if every else ()
    ) as endpoint:
        yield endpoint


@pytest.fixture
def between(exchange):
    made = Numbers(exchange["rest"])
    yield made
    made.close()


@pytest.fixture
def desk(patang, exchange, between):
    endpoint = exchange | {"rest": between.rest}
    text = CONFIG.format(watched=json.dumps(SYMBOLS), **endpoint).replace(
        "poll_s = 2.0", "poll_s = 1.0"
    )
    (patang.home / "config.toml").write_text(text.replace("[feed]", "[feed]\nbands_every_s = 1"))
    with patang.running("read-only") as running:
        yield running
        assert running.poll() is None


def well(patang):
    """Return how the desk stands where it runs and nothing has latched it."""
    now = status(patang)
    return now if now and now["state"] == "running" and not now["kill"] else None


def raw(path, text):
    """Send a line as it is written: JSON of Python takes and gives numbers that others do not."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(path))
        connection.sendall(text.encode() + b"\n")
        return json.loads(connection.makefile().readline())


def table(act, **fields):
    """Return a request of which each field is written as it is."""
    return f'{{"request": "{act}", ' + ", ".join(f'"{k}": {v}' for k, v in fields.items()) + "}"


def tickets():
    """Yield a request of the engine for every number in every field."""
    for act, key, number in itertools.product(("preview", "order"), FIELDS, NUMBERS):
        fields = {
            "symbol": '"INFY"',
            "side": '"BUY"',
            "quantity": "1",
            "stop": "2",
            "price": "1500",
        } | {key: number}
        yield table(act, **fields)
    for key, number in itertools.product(CHANGES, NUMBERS):
        yield table("modify", order='"1"', **{key: number})
    for number in NUMBERS:
        yield table("modify", order=f'"{number}"', quantity=5)
        yield table("cancel", order=f'"{number}"')
        yield table("reconcile", key='"INFY:CNC"', choice='"adopt"', stop=number)
        yield table("exit", token=number)


def asked_for(patang, exchange):
    """Try every number in every field of the control socket; return how many were tried."""
    door, tried, numbers = socket_path(patang.state()), 0, []
    for text in tickets():
        told = raw(door, text)
        assert told["verdict"] in {"refused", "pending"}, told
        assert "\n" not in told["text"]
        numbers += [told["data"]["number"]] if told["verdict"] == "pending" else []
        tried += 1
    for name, number in itertools.product([*NAMES, "budget.mine"], NUMBERS):
        fields = {"name": f'"{name}"', "value": number, "reason": '"r"', "confirmed": "true"}
        told = raw(door, table("limit", **fields))
        pending = told["verdict"] == "pending"
        assert pending or "value: expected a number" in told["text"], told
        numbers += [told["data"]["number"]] if pending else []
        tried += 1
    texts = (
        ("kill", "flatten"),
        ("kill", "reason"),
        ("resume", "who"),
        ("acknowledge", "strategy"),
    )
    for act, key in (("nothing", "x"), *texts):
        for number in NUMBERS:
            assert raw(door, table(act, **{key: number}))["verdict"] == "refused"
            tried += 1
    for number in NUMBERS:
        raw(door, table("outcome", number=number))
        tried += 1
    for number in numbers:
        outcome = wait_for(
            lambda number=number: (
                (found := send_request(door, OutcomeRequest(number))).verdict != "pending" and found
            ),
            "an answer",
        )
        assert not outcome.ok, outcome
    assert well(patang)
    assert get(exchange["rest"] + "/sandbox/books")["orders"] == []
    assert rows(patang.state() / "desk.db", "SELECT * FROM limits") == []
    return tried


def lied_to(patang, between, lies, seconds, meanwhile=lambda: None):
    """Have a desk with a position told lies, a reading apart, for so long or until all are told.

    Return how many were.
    """
    done = None
    while done is None or done.returncode:
        done = patang.call("order", "buy", "INFY", 10, "--stop", 15, "--yes")
    wait_for(
        lambda: (s := status(patang)) and s["positions"] and not s["naked"],
        "a position with its stop",
    )
    for path in FIGURES:
        between.waiting[path] = iter([lie[1:] for lie in lies if lie[0] == path])
    ends = time.monotonic() + seconds
    while len(between.told) < len(lies) and time.monotonic() < ends:
        time.sleep(0.05)
        meanwhile()
    for path in FIGURES:
        between.waiting[path] = iter(())
    wait_for(lambda: well(patang), lambda: f"it is well: {status(patang)}")
    now = status(patang)
    assert (now["positions"], now["naked"], now["kill"]) == (1, 0, "")
    [fill] = rows(patang.state() / "desk.db", "SELECT quantity, price FROM fills")
    assert fill["quantity"] == 10
    assert 1 < fill["price"] < 10_000
    return len(between.told)


@pytest.mark.usefixtures("desk")
def test_no_number_from_outside_harms_the_desk(patang, exchange, between):
    assert asked_for(patang, exchange) == 690
    assert lied_to(patang, between, LIES[:: len(LIES) // 12], 6) >= 3


class Owner:
    """Buys and sells a share past the desk, now and then: trades are read when there are some."""

    def __init__(self, exchange):
        self._exchange, self._next = exchange, 0.0

    def trade(self):
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + 0.5
        for side in ("BUY", "SELL"):
            fields = {
                "exchange": "NSE",
                "tradingsymbol": "ITC",
                "transaction_type": side,
                "quantity": 1,
                "product": "MIS",
                "order_type": "MARKET",
                "validity": "DAY",
                "market_protection": -1,
            }
            token = f"token {self._exchange['api_key']}:{self._exchange['access_token']}"
            request = Request(
                self._exchange["rest"] + "/orders/regular", urlencode(fields).encode()
            )
            request.add_header("Authorization", token)
            urlopen(request, timeout=10).close()


@pytest.mark.soak
@pytest.mark.usefixtures("desk")
def test_every_number_in_every_figure_of_every_book(patang, exchange, between):
    assert patang.call("reconcile", "all", "ignore").returncode == 0
    wait_for(lambda: well(patang), "the owner's shares are ignored")
    told = lied_to(patang, between, LIES, 240, Owner(exchange).trade)
    assert sorted(set(LIES) - set(between.due_verdicts)) == []
    assert told == len(LIES)
