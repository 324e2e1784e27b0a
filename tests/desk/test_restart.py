"""The desk killed at any moment and started again, against an exchange in a process of its own."""

import random
import signal
import time
from collections import Counter

import pytest

from tests.desk.support import PATIENCE_S, get, rows, status, wait_for

# an exchange thirty times as fast as life: a busy machine is silent for seconds of its time
CONFIG = """
[broker]
rest = "{rest}"
ws = "{ws}"
api_key = "{api_key}"
access_token = "{access_token}"
[feed]
stale_after_s = 600
[gateway]
settle_s = 1.0
lookup_every_s = 0.5
lookups = 3
[risk]
max_positions_per_symbol = 4
"""


@pytest.fixture
def exchange(patang):
    """Serve an exchange in a process of its own, thirty times as fast, in the configuration."""
    with patang.serving(30, CONFIG) as endpoint:
        yield endpoint


def survive(patang, endpoint, deaths, seed):
    """Kill the desk `deaths` times at random moments, let it settle, halted, and compare all."""
    rng = random.Random(seed)
    for _ in range(deaths):
        desk = patang.start("run", "--no-ui", stdout=-3, stderr=-3)
        time.sleep(rng.uniform(0.8, 4.0))
        desk.kill()
        desk.wait(PATIENCE_S)
    desk = patang.start("run", "--no-ui", stdout=-3, stderr=-3)
    try:
        wait_for(lambda: (s := status(patang)) and s["state"] == "running", "the desk runs again")
        wait_for(lambda: status(patang).get("positions"), "it holds something")
        time.sleep(2.0)
        assert patang.run("kill", "--reason", "compare").returncode == 0
        wait_for(
            lambda: (s := status(patang)) and s["kill"] == "halt" and s["naked"] == 0,
            "halted, nothing naked",
        )
        agree(patang, endpoint)
    finally:
        desk.send_signal(signal.SIGTERM)
        assert desk.wait(PATIENCE_S) in {0, 4, 130}


def agree(patang, endpoint):
    """Wait until both sides agree.

    The exchange goes on, so that one look may fall between a trade and its news.
    """
    said = []

    def look():
        try:
            compare(patang, get(endpoint["rest"] + "/sandbox/books"))
        except AssertionError as error:
            said.append(error)
            return False
        return True

    wait_for(look, lambda: f"both sides agree; at last: {said[-1]}")


def compare(patang, books):
    database = patang.state() / "desk.db"
    intents = rows(database, "SELECT * FROM intents")
    ours = [order for order in books["orders"] if order["tag"]]
    # nothing twice: a tag names one order, and every order of ours has its intent
    assert max(Counter(order["tag"] for order in ours).values()) == 1
    known = {row["tag"]: row for row in intents if row["tag"]}
    assert {order["tag"] for order in ours} <= known.keys()
    # nothing lost: what we hold sent is at the exchange, and only what was refused or given up is
    # not
    missing = [row for tag, row in known.items() if tag not in {order["tag"] for order in ours}]
    assert {row["status"] for row in missing} <= {"LOST", "REJECTED"}
    # the same trades, each once
    kept = rows(database, "SELECT trade_id FROM fills")
    assert sorted(row["trade_id"] for row in kept) == sorted(
        trade["trade_id"] for trade in books["trades"]
    )
    # the same positions, each protected once
    held = {p["tradingsymbol"]: p["quantity"] for p in books["positions"] if p["quantity"]}
    booked = rows(
        database,
        "SELECT symbol, SUM(CASE side WHEN 'BUY' THEN quantity ELSE -quantity END) AS q FROM "
        "fills GROUP BY symbol",
    )
    assert {row["symbol"]: row["q"] for row in booked if row["q"]} == held
    assert held
    guarded = Counter()
    for gtt in books["gtts"]:
        if gtt["status"] == "active":
            guarded[gtt["condition"]["tradingsymbol"]] += gtt["orders"][0]["quantity"]
    assert dict(guarded) == held


def test_a_desk_killed_at_random_moments_comes_back_to_the_same_positions(patang, exchange):
    survive(patang, exchange, deaths=8, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_desk_killed_a_hundred_times_comes_back_to_the_same_positions(patang, exchange):
    survive(patang, exchange, deaths=100, seed=2)


def test_a_second_desk_on_the_same_database_is_refused(patang, exchange):
    first = patang.start("run", "--no-ui", stdout=-3, stderr=-3)
    try:
        wait_for(lambda: status(patang), "the first desk runs")
        second = patang.run("run", "--no-ui")
        assert second.returncode == 2
        assert (
            f"is held by process {first.pid}; patang attach puts its screen up here"
            in second.stderr
        )
        assert str(first.pid) in second.stderr
        assert len(second.stderr.splitlines()) == 1
    finally:
        first.send_signal(signal.SIGTERM)
        first.wait(PATIENCE_S)


def test_a_halted_desk_is_still_halted_after_a_restart(patang, exchange):
    first = patang.start("run", "--no-ui", stdout=-3, stderr=-3)
    wait_for(lambda: (s := status(patang)) and s["state"] == "running", "the desk runs")
    began = time.time_ns()
    patang.run("kill", "--reason", "enough")
    first.send_signal(signal.SIGTERM)
    assert first.wait(PATIENCE_S) == 4
    second = patang.start("run", "--no-ui", stdout=-3, stderr=-3)
    found = wait_for(
        lambda: (s := status(patang)) and s["state"] == "running" and s, "the desk runs again"
    )
    assert (found["kill"], found["kill_reason"]) == ("halt", "enough")
    assert patang.run("resume", "--reason", "looked into it").returncode == 0
    wait_for(lambda: status(patang).get("kill") == "", "resumed")
    second.send_signal(signal.SIGTERM)
    assert second.wait(PATIENCE_S) == 0
    kept = rows(patang.state() / "desk.db", "SELECT act, reason, ts FROM kill_log ORDER BY seq")
    assert "resume" in {row["act"] for row in kept}
    assert "enough" in {row["reason"] for row in kept}
    # by the machine's clock, though the desk of this exchange lives on another day
    assert all(began <= row["ts"] <= time.time_ns() for row in kept)
