"""A backtest on a recording does what a desk on paper does with it, to the digest.

Parity says the same: of the shipped strategies, and of one's own.
"""

import json

import pytest

from tests.desk.support import rows, wait_for
from tui.commands.backtest.backtest_job import BacktestJob
from tui.commands.backtest.backtest_request import BacktestRequest
from tui.run.configured import configuration
from tui.run.recordings import recorded_runs
from tui.run.session import RunPlan
from tui.run.wiring import open_desk

RECORDING = '[feed]\nrecord = true\nstale_after_s = 600\n[sandbox]\ndate = "2026-07-15"\n'
WATCHED = 'watch = ["INFY", "TCS", "ITC", "SBIN", "WIPRO"]\n'
TRADING = """
[strategy.momentum_ladder]
momentum_bars = 1
momentum_percent = 0.01
ema_fast = 1
ema_slow = 2
[strategy.moving_average_cross]
fast = 1
slow = 2
stop_percent = 0.3
product = "MIS"
[strategy.told]
source = "tests.desk.scripted:Scripted"
enter = "09:20 INFY, 09:23 SBIN, 09:26 TCS"
leave = "09:25 INFY"
"""


def recorded(station, text, bars, speed):
    """Have a desk without strategies record so many bars; return the name of the recording."""
    made = station(RunPlan(speed=speed, start="09:16"), text)
    desk = open_desk(made)
    wait_for(lambda: made.board.header.state == "running", "it runs")
    wait_for(lambda: desk.kernel.state.bar_count > bars, "bars close")
    made.close()
    assert desk.error is None
    [run] = recorded_runs(made.state / "recordings", "sandbox")
    return run.name


def held_against_paper(patang, name):
    """Play a recording through a desk and through a backtest; return the fills of both.

    Besides the digests: the desk's, and the backtest's before its session comes to its end.
    """
    done = patang.run("replay", name, "--no-ui", "--json", "--speed", "max")
    assert done.returncode == 0, done.stderr
    [database] = patang.state("replay").glob("run-*.db")
    desk = [
        (row["intent"], row["ts"], row["quantity"], row["price"], row["charges"])
        for row in rows(
            database, "SELECT * FROM fills ORDER BY CAST(SUBSTR(trade_id, 2) AS INTEGER)"
        )
    ]
    request = BacktestRequest(ticks=True, bars=name, latency="0", warm_up=1)
    job = BacktestJob(configuration(patang.home / "config.toml"), request)
    strategies = job.strategies()
    run = job.make_backtest(job.prepare(strategies), strategies)
    digests = []

    def note(_done, _all):
        digests.append(run.kernel.digest())
        return True

    run.run(note)
    assert run.failures == []
    fills = [
        (int(each.order.intent), int(each.ts), int(each.quantity), each.price, int(each.charges))
        for each in run.fills
    ]
    return desk, fills[: len(desk)], json.loads(done.stdout)["digest"], digests[-1]


def assert_parity(patang, name):
    """Compare the desk that played a recording with a backtest on it: all is the same."""
    done = patang.run("parity", "--mode", "replay", "--bars", name, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["bars"] == "ticks"
    assert (told["parity"], told["delta"]) == (100.0, 0.0)
    # an entry of the last minute, which the recording breaks off, is valued by another last bar
    for each in told["differences"]:
        assert (each["same"], each["amount"]) == (True, 0.0), each
    causes = told["causes"]
    assert causes.pop("data") == -causes.pop("fill")
    assert {*causes.values()} == {0.0}
    assert {*told["strategies"]} == {"momentum_ladder", "moving_average_cross", "told"}
    for part in told["strategies"].values():
        assert (part["parity"], part["delta"]) == (100.0, 0.0)
        assert part["same"] == part["decisions"] > 0


@pytest.mark.parametrize(
    ("watch", "bars", "speed", "least"),
    [
        pytest.param(WATCHED, 120, 100.0, 5, id="minutes"),
        pytest.param("", 20 * 150, 100.0, 100, id="hours", marks=pytest.mark.soak),
    ],
)
def test_paper_and_a_backtest_without_latency_fill_the_same_orders_at_the_same_prices(
    station, patang, watch, bars, speed, least
):
    idle = "[strategy.momentum_ladder]\nenabled = false\n"
    idle += "[strategy.moving_average_cross]\nenabled = false\n"
    text = RECORDING.replace("[sandbox]", watch + "[sandbox]")
    name = recorded(station, text + idle, bars, speed)
    (patang.home / "config.toml").write_text(text.replace("record = true\n", "") + TRADING)
    desk, backtest, theirs, ours = held_against_paper(patang, name)
    assert len(desk) >= least
    assert backtest == desk
    assert ours == theirs
    assert_parity(patang, name)
