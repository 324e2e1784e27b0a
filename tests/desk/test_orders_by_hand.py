"""Orders by hand of every kind, from the command line to a real exchange and back."""

import json
import signal

import pytest

from engine.errors import OperatorError
from engine.operator_requests import PreviewRequest
from engine.ops.control_socket import socket_path
from tests.desk.support import PATIENCE_S, get, rows, status, wait_for
from tui.commands.desk import order_requests

WATCHED = ["INFY", "TCS", "ITC", "SBIN"]
CONFIG = """
[broker]
rest = "{rest}"
ws = "{ws}"
api_key = "{api_key}"
access_token = "{access_token}"
[feed]
stale_after_s = 600
watch = {watched}
[risk]
price_range_percent = 8.0
[strategy.momentum_ladder]
enabled = false
[strategy.moving_average_cross]
enabled = false
"""


@pytest.fixture
def exchange(patang):
    """Serve an exchange in a process of its own, and point the configuration at it."""
    with patang.serving(3, CONFIG, watched=json.dumps(WATCHED)) as endpoint:
        yield endpoint


@pytest.fixture
def desk(patang, exchange):
    """Run a desk without strategies; it is stopped at the end."""
    with patang.running() as running:
        for symbol in WATCHED:  # it runs before every instrument has ticked
            last_price(patang, symbol)
        yield running


def hand(patang, *words):
    """Place, change or cancel; return our number of the order."""
    done = patang.run(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("order ")[1].split()[0].rstrip(":\n")


def ours(patang, number):
    found = rows(patang.state() / "desk.db", "SELECT * FROM intents WHERE intent = ?", int(number))
    return found[0] if found else None


def there(exchange, tag):
    """Return the exchange's orders under a tag."""
    return [row for row in get(exchange["rest"] + "/sandbox/books")["orders"] if row["tag"] == tag]


def last_price(patang, symbol):
    """Return the last price in rupees, as soon as the preview of one share has it."""
    wanted = PreviewRequest(symbol=symbol, side="BUY", quantity=1, stop=2.0)
    door, said = (socket_path(patang.state()), "SANDBOX"), []

    def worth():
        try:
            return order_requests.submit_request(door, wanted).data["value"]
        except OperatorError as refusal:
            said.append(str(refusal))
            return None

    return wait_for(worth, lambda: f"a price of {symbol}; the desk said {said[-1]}")


def test_orders_of_every_kind_reach_the_exchange_as_what_they_are_and_come_back(
    patang, exchange, desk
):
    price = round(last_price(patang, "ITC") * 0.96 * 20) / 20
    limit = hand(
        patang,
        "order",
        "buy",
        "ITC",
        100,
        "--stop",
        2,
        "--price",
        price,
        "--disclosed",
        20,
        "--yes",
    )
    wait_for(lambda: ours(patang, limit)["status"] == "OPEN", "the limit order rests")
    [row] = there(exchange, ours(patang, limit)["tag"])
    assert (row["order_type"], row["price"], row["disclosed_quantity"], row["status"]) == (
        "LIMIT",
        price,
        20,
        "OPEN",
    )

    lower = round(price - 0.05, 2)
    hand(patang, "modify", limit, "--price", lower, "--quantity", 120)
    wait_for(lambda: there(exchange, row["tag"])[0]["price"] == lower, "the change is there")
    wait_for(lambda: ours(patang, limit)["quantity"] == 120, "the change is known here")
    hand(patang, "cancel", limit)
    wait_for(lambda: ours(patang, limit)["status"] == "CANCELLED", "it is cancelled")

    ttl = hand(
        patang,
        "order",
        "buy",
        "ITC",
        10,
        "--stop",
        2,
        "--price",
        price,
        "--validity",
        "TTL",
        "--minutes",
        1,
        "--yes",
    )
    iceberg = hand(
        patang,
        "order",
        "buy",
        "ITC",
        100,
        "--stop",
        2,
        "--price",
        price,
        "--variety",
        "iceberg",
        "--legs",
        4,
        "--yes",
    )
    wait_for(lambda: ours(patang, iceberg)["status"] == "OPEN", "the iceberg rests")
    [leg] = there(exchange, ours(patang, iceberg)["tag"])
    assert (leg["variety"], leg["quantity"]) == ("iceberg", 25)
    wait_for(
        lambda: ours(patang, ttl)["status"] == "CANCELLED", "a minute of the exchange has passed"
    )

    waits = hand(
        patang, "order", "buy", "INFY", 10, "--stop", 2, "--trigger", rise(patang), "--yes"
    )
    wait_for(lambda: ours(patang, waits)["status"] == "TRIGGER_PENDING", "the SL-M order waits")
    assert there(exchange, ours(patang, waits)["tag"])[0]["order_type"] == "SL-M"

    refused = patang.run(
        "order", "buy", "ITC", 10, "--stop", 2, "--price", price, "--variety", "amo", "--yes"
    )
    assert refused.returncode == 2
    assert refused.stderr.startswith("patang: refused: SESSION: "), refused.stderr


def rise(patang):
    return round(last_price(patang, "INFY") * 1.06, 0)


def test_intraday_and_cover_positions_stand_protected_survive_a_death_and_leave(
    patang, exchange, desk
):
    short = hand(patang, "order", "sell", "TCS", 10, "--stop", 2, "--product", "MIS", "--yes")
    cover = hand(
        patang,
        "order",
        "buy",
        "SBIN",
        10,
        "--stop",
        2,
        "--product",
        "MIS",
        "--variety",
        "co",
        "--yes",
    )
    gone = hand(patang, "order", "buy", "ITC", 100, "--bare", "--validity", "IOC", "--yes")
    wait_for(lambda: len(waiting(exchange)) == 2, "both stops wait for their triggers")
    stops = {row["tradingsymbol"]: row for row in waiting(exchange)}
    assert (
        stops["TCS"]["transaction_type"],
        stops["TCS"]["quantity"],
        stops["TCS"]["product"],
    ) == ("BUY", 10, "MIS")
    assert (stops["SBIN"]["variety"], stops["SBIN"]["parent_order_id"]) == (
        "co",
        there(exchange, ours(patang, cover)["tag"])[0]["order_id"],
    )
    wait_for(
        lambda: ours(patang, gone)["status"] in {"COMPLETE", "CANCELLED"},
        "the immediate order is over",
    )
    wait_for(lambda: status(patang).get("naked") == 0, "nothing is naked")
    assert ours(patang, short)["status"] == "COMPLETE"

    desk.kill()
    desk.wait(PATIENCE_S)
    again = patang.start("run", "--no-ui", stdout=-3, stderr=-3)
    try:
        wait_for(
            lambda: (s := status(patang)) and s["state"] == "running" and s["naked"] == 0,
            "as it was",
        )
        assert {row["order_id"] for row in waiting(exchange)} == {
            row["order_id"] for row in stops.values()
        }
        assert patang.run("kill", "--flatten", "--reason", "enough").returncode == 0
        wait_for(
            lambda: not any(position["quantity"] for position in positions(exchange)),
            "everything is flat",
        )
        assert waiting(exchange) == []
    finally:
        again.send_signal(signal.SIGTERM)
        again.wait(PATIENCE_S)


def waiting(exchange):
    books = get(exchange["rest"] + "/sandbox/books")
    return [row for row in books["orders"] if row["status"] == "TRIGGER PENDING"]


def positions(exchange):
    return get(exchange["rest"] + "/sandbox/books")["positions"]


def test_nothing_is_sent_without_a_word(patang, exchange, desk):
    done = patang.run("order", "buy", "INFY", 10, "--stop", 2)
    assert done.returncode == 2
    assert "nothing was sent; say --yes" in done.stderr, done.stderr
    assert "charges ₹" in done.stderr
    assert "by the broker, ₹" in done.stderr
    told = patang.run("order", "buy", "INFY", 10, "--stop", 2, "--product", "MIS", "--json")
    preview = json.loads(told.stdout)["preview"]
    assert preview["margin_broker"] == pytest.approx(preview["margin_estimate"], rel=0.01)
    assert preview["margin_broker"] == pytest.approx(preview["value"] / 5, rel=0.01)
    assert get(exchange["rest"] + "/sandbox/books")["orders"] == []
