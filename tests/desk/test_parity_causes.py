"""What a desk does otherwise under a fault, and the cause that parity finds for it.

Several names in one run, each with its own fault; their minutes move from bar to bar.
"""

import json
import random
from datetime import date
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tui.run.broker
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.faults import fault_from_text
from engine.market.calendar import midnight
from engine.operator_requests import CancelRequest
from store.sqlite_journal import SqliteJournal
from tests.desk import scripted
from tests.desk.support import PATIENCE_S, rows
from tests.engine.backtest.histories import history, walk
from tui.commands.cli import run_command
from tui.run import launch
from tui.run.session import RunPlan
from tui.run.wiring import open_desk

DAY = "2024-06-04"
NAMES = ("INFY", "SBIN", "TCS", "ITC", "NTPC", "MARUTI", "RELIANCE", "LT", "WIPRO")
TEXT = """
[strategy.momentum_ladder]
enabled = false
[strategy.moving_average_cross]
enabled = false
[strategy.told]
source = "tests.desk.scripted:Scripted"
enter = "{enter}"
leave = "{leave}"
"""
THIN = 20
"""Shares that trade in a minute of LT: its book shows one at each price."""


def script(enter, leave=""):
    return TEXT.format(enter=enter, leave=leave)


@pytest.fixture
def tape(tmp_path, monkeypatch):
    """Return a folder with two days whose prices move within each minute: the history, too."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "tape"
    folder.mkdir()
    series = {}
    for seed, name in enumerate(NAMES, start=1):
        bars = walk((date(2024, 6, 3), date(2024, 6, 4)), seed)
        if name == "LT":
            bars = bars._replace(volume=bars.volume * 0 + THIN)
        series[name] = bars
        stamps = pa.array((bars.start // 1_000_000).tolist(), pa.timestamp("ms", tz="Asia/Kolkata"))
        columns = {name: getattr(bars, name) for name in ("open", "high", "low", "close", "volume")}
        pq.write_table(pa.table({"timestamp": stamps} | columns), folder / f"{name}.parquet")
    history(tmp_path / "state" / "patang" / "history", series)
    return folder


@pytest.fixture
def run(station, tape, monkeypatch, capsys):
    """Return what plays half an hour and compares it: `told`, and its differences by symbol."""

    def play(text, *, mode="replay", faults=(), acts=None, kite=None, start="15:00"):
        rules = tuple(map(fault_from_text, faults))
        monkeypatch.setattr(tui.run.broker, "SandboxConfig", partial(SandboxConfig, faults=rules))
        plan = RunPlan(mode, tape, DAY, (), 0.0, start=start)
        if kite is not None:
            real = {"live": True, "confirm": kite.endpoint.user_id}
            plan = RunPlan(mode, **real if mode in {"live", "shadow"} else {})
            text = kite.text + text
        made = station(plan, text)
        scripted.ACTS.update({clock: partial(act, made) for clock, act in (acts or {}).items()})
        launch.authorise_session(made)
        open_desk(made).join(PATIENCE_S)
        made.close()
        assert made.desk.error is None
        return made

    def compare(text, *, judged=True, **more):
        made = play(text, **more)
        capsys.readouterr()
        mode = more.get("mode", "replay")
        assert run_command(["parity", "--mode", mode, "--date", DAY, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert round(sum(told["causes"].values()), 2) == round(told["delta"], 2)
        assert told["desk"] == pytest.approx(made.summary()["net"], abs=0.001)
        if judged:
            assert told["causes"]["unexplained"] == told["inferred"] == 0.0
        return made, told

    compare.play = play
    yield compare
    scripted.ACTS.clear()


def first_of(told):
    """Return cause and reason of the first difference of each symbol."""
    found = {}
    for each in told["differences"]:
        found.setdefault(each["symbol"], (each["cause"], each["why"]))
    return found


def test_each_fault_of_an_order_has_its_cause(run):
    enter = ", ".join(f"15:05 {name}" for name in NAMES)
    leave = ", ".join(f"15:20 {name}" for name in NAMES)
    _, told = run(
        script(enter, leave),
        faults=[
            "reject where.tradingsymbol=INFY times=1 message='RMS: no margin'",
            "slow where.tradingsymbol=SBIN seconds=25 times=1",
            "slow where.tradingsymbol=TCS seconds=90 times=1",
            "partial where.tradingsymbol=ITC share=0.4 seconds=90 times=1",
            "drop on='POST /orders/*' where.tradingsymbol=NTPC times=1",
            "reject where.tradingsymbol=MARUTI times=1 message='outside the circuit limit'",
            "504 on='POST /orders/*' accept=true where.tradingsymbol=RELIANCE times=1",
            "refuse on='POST /orders/*' where.tradingsymbol=WIPRO times=1",
        ],
    )
    found = first_of(told)
    causes = {symbol: cause for symbol, (cause, _) in found.items()}
    assert causes == {
        "INFY": "broker",
        "SBIN": "timing",
        "TCS": "fill",
        "ITC": "fill",
        "NTPC": "broker",
        "MARUTI": "fill",
        "RELIANCE": "cost",
        "LT": "fill",
        "WIPRO": "broker",
    }
    for symbol, words in {
        "INFY": "refused: rejected, RMS: no margin",
        "SBIN": "latency: 25 s until its first share",
        "TCS": "protection: stood at",
        "ITC": "partial: 4 of 10 shares",
        "NTPC": "lost, not in the broker's books",
        "MARUTI": "band: outside the circuit limit",
        "LT": "partial: in 2 parts within 20 s",
    }.items():
        assert words in found[symbol][1]
    # at 15:05:25 the replayed print of SBIN is 50 paise below the minute's first
    assert (
        next(each for each in told["differences"] if each["symbol"] == "SBIN")["parts"]["timing"]
        == 10 * 0.5
    )
    # what was never held is not sold: that follows, and what it follows is named
    assert {each["why"] for each in told["differences"] if each["desk"] == "nothing"} == {
        f"after that of 15:05:00 in {name}" for name in ("INFY", "TCS", "NTPC", "MARUTI", "WIPRO")
    }


def test_each_fault_of_the_feed_is_data(run):
    enter = "15:05 INFY, 15:12 SBIN, 15:20 TCS, 15:26 ITC"
    made, told = run(
        script(enter),
        faults=[
            "silent at=15:03 lasts=150",
            "delay on=ticks seconds=30 at=15:10 lasts=150",
            "skew seconds=900 at=15:18 lasts=150",
        ],
    )
    assert first_of(told) == {
        "INFY": (
            "data",
            "2 of the 30 bars before it differ; on what the desk heard the backtest does the same",
        ),
        "SBIN": ("data", "last heard 11 s ago, the limit is 10 s"),
        "TCS": ("data", first_of(told)["TCS"][1]),
        "ITC": ("cost", "other charges"),
    }
    assert "packets kept out: a time in the future" in first_of(told)["TCS"][1]
    assert told["same"] == 1
    assert len(rows(made.database, "SELECT * FROM fills")) == 1


def test_a_session_that_died_is_the_brokers_and_a_cancelled_order_the_operators(run):
    _, told = run(
        script("15:05 INFY, 15:15 SBIN"),
        faults=["slow where.tradingsymbol=INFY seconds=90", "token on='GET *' at=15:10"],
        acts={"15:05": lambda made: made.desk.submit(CancelRequest("1"))},
    )
    found = first_of(told)
    assert found["INFY"] == ("operator", "cancelled by hand")
    assert found["SBIN"][0] == "broker"
    assert "the access token has died" in found["SBIN"][1]


def test_a_position_that_the_broker_squared_off_is_his(run):
    text = script("15:05 INFY") + 'product = "MIS"\n[risk]\nsquare_off_before_s = 5\n'
    refuse = "refuse on='POST /orders*' at=15:14 message='RMS: blocked'"
    made, told = run(text, faults=[refuse])
    assert first_of(told) == {
        "INFY": (
            "broker",
            "its exit was refused: rejected, OrderException: RMS: blocked (HTTP 400)",
        )
    }
    told_differences = rows(made.database, "SELECT text FROM events WHERE name = 'difference'")
    assert "not ours: SELL 10" in told_differences[0]["text"], "he did"


def test_a_desk_that_was_opened_again_with_other_parameters_differs_by_configuration(run, capsys):
    made, _ = run(script("15:05 INFY"), start="15:03")
    opened = rows(made.database, "SELECT value FROM meta WHERE key LIKE 'ran:%'")[0]["value"]
    journal = SqliteJournal(made.database, print)
    other = opened.replace("15:05 INFY", "15:06 SBIN")
    journal.append("meta", {"key": f"ran:{DAY}:{midnight(date(2024, 6, 4))}", "value": other})
    journal.close()
    assert run_command(["parity", "--mode", "replay", "--json", "--no-keep"]) == 0
    told = json.loads(capsys.readouterr().out)
    cause = ("code or configuration", "the desk was started again with other parameters")
    assert first_of(told) == {"INFY": cause, "SBIN": cause}


# modes on a broker that is configured as Kite


def test_a_live_day_is_compared_like_any_other(run, kite_like, tape):
    kite = kite_like(speed=None, date=DAY, tape=tape, start="15:00")
    _, told = run(script("15:05 INFY, 15:10 SBIN", "15:20 INFY"), mode="live", kite=kite)
    assert (told["mode"], told["parity"], told["same"]) == ("live", 100.0, 3)


def test_what_real_orders_cost_beside_their_twins_is_part_of_the_sum(run, kite_like, tape, capsys):
    kite = kite_like(speed=None, date=DAY, tape=tape, start="15:00")
    slow = "[paper]\nlatency_ms = 10000\n"
    _, told = run(script("15:05 INFY, 15:10 SBIN", "15:20 INFY") + slow, mode="shadow", kite=kite)
    assert run_command(["shadow", "--date", DAY, "--json"]) == 0
    shadow = json.loads(capsys.readouterr().out)
    assert shadow["summary"]["both"] == 3
    assert shadow["summary"]["cost"] != 0.0
    assert told["causes"]["live beside its twin"] == pytest.approx(-shadow["summary"]["cost"])
    # the twins were late on the bars of the backtest, and the real orders were not
    assert told["causes"]["timing"] == pytest.approx(shadow["summary"]["cost"])
    assert (told["parity"], told["same"]) == (100.0, 3)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(4))
def test_a_whole_day_under_faults_of_every_kind_has_a_cause_for_each_rupee(run, seed):
    rng = random.Random(seed)
    chance = {kind: rng.uniform(0.0, 0.2) for kind in ("reject", "slow", "partial", "504", "cut")}
    faults = [
        f"reject chance={chance['reject']} message='RMS: no margin'",
        f"slow chance={chance['slow']} seconds=25",
        f"partial chance={chance['partial']} share=0.4 seconds=45",
        f"504 on='POST *' accept=true chance={chance['504']}",
        f"cut on='POST *' chance={chance['cut']}",
        f"silent at=11:{rng.randint(10, 50)} lasts=200",
        f"delay on=ticks seconds=25 at=13:{rng.randint(10, 50)} lasts=150",
    ]
    text = (
        "[strategy.momentum_ladder]\nmomentum_percent = 0.1\nmomentum_bars = 3\ncooldown_s = 60\n"
    )
    _, told = run(text, faults=faults, start="", judged=False)
    assert told["decisions"] > 40
    assert told["causes"]["unexplained"] == 0.0
    for each in told["differences"]:
        assert each["cause"] != "unexplained", each
