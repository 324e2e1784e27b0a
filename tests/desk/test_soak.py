"""An accelerated day with random faults, over real sockets.

Both sides end with equal books, and nothing was sent twice.
"""

import json
import random
import signal
import time

import pytest

from brokers.sandbox.api import admin_key
from tests.desk.support import PATIENCE_S, get, status, wait_for
from tests.desk.test_restart import CONFIG, compare

FAULTS = (
    {"kind": "delay", "on": "* *", "chance": 0.2, "seconds": 1.0},
    {"kind": "drop", "on": "* *", "chance": 0.1},
    {"kind": "drop", "on": "POST *", "chance": 0.3, "accept": True},
    {"kind": "504", "on": "POST *", "chance": 0.4, "accept": True},
    {"kind": "503", "on": "* /orders*", "chance": 0.3},
    {"kind": "429", "on": "POST *", "chance": 0.3},
    {"kind": "html", "on": "GET *", "chance": 0.3},
    {"kind": "cut", "on": "* *", "chance": 0.2},
    {"kind": "refuse", "on": "* /gtt/*", "chance": 0.3},
    {"kind": "drop", "on": "updates", "chance": 0.5},
    {"kind": "duplicate", "on": "updates", "chance": 0.5},
    {"kind": "reorder", "on": "updates", "chance": 0.5},
    {"kind": "close", "on": "ticks", "times": 1},
    {"kind": "partial", "on": "orders", "chance": 0.5, "seconds": 20.0},
    {"kind": "slow", "on": "orders", "chance": 0.5, "seconds": 10.0},
    {"kind": "trade-first", "on": "fills", "chance": 0.5, "seconds": 10.0},
)

MINUTE = 60_000_000_000


def live_through(patang, speed, minutes, seed):
    """Let the desk trade for minutes of the exchange under one fault after the other, and compare.

    The exchange's clock is stopped first: it runs on while the desk ends, and a GTT would fire for
    nobody.
    """
    rng = random.Random(seed)
    serving = patang.start("sandbox", "--seed", seed, "--speed", speed, "--json", stdout=-1)
    endpoint = json.loads(serving.stdout.readline())
    (patang.home / "config.toml").write_text(CONFIG.format(**endpoint))
    desk = patang.start("run", "--no-ui", stdout=-3, stderr=-3)
    try:
        wait_for(lambda: (s := status(patang)) and s["state"] == "running", "the desk runs")
        clock = endpoint["rest"] + "/sandbox/clock"
        end = get(clock)["start"] + minutes * MINUTE
        while get(clock)["now"] < end and desk.poll() is None:
            rule = rng.choice(FAULTS) | {"lasts": rng.uniform(2.0, 6.0) * speed}
            admin_key.call_admin(endpoint["rest"], "POST", "/sandbox/faults", rule)
            time.sleep(rng.uniform(0.5, 3.0))
        assert desk.poll() is None, "the desk has died"
        admin_key.call_admin(endpoint["rest"], "DELETE", "/sandbox/faults")
        time.sleep(8.0)
        assert patang.run("kill", "--reason", "compare").returncode == 0
        wait_for(
            lambda: (s := status(patang)) and s["kill"] == "halt" and s["naked"] == 0,
            "halted, nothing naked",
        )
        admin_key.call_admin(endpoint["rest"], "POST", "/sandbox/hold")
        time.sleep(2.0)
        desk.send_signal(signal.SIGTERM)
        assert desk.wait(PATIENCE_S) in {0, 4, 130}
        compare(patang, get(endpoint["rest"] + "/sandbox/books"))
    finally:
        for process in (desk, serving):
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait(PATIENCE_S)


def test_a_stretch_of_a_day_with_random_faults_ends_with_equal_books(patang):
    live_through(patang, speed=30, minutes=12, seed=12)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [21, 22, 23, 24])
def test_a_whole_accelerated_day_with_random_faults_ends_with_equal_books(patang, seed):
    live_through(patang, speed=60, minutes=345, seed=seed)
