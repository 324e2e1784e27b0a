"""The trace of a run: one id from its tick to its fills, and why a symbol went no further."""

import json
import sqlite3
from types import SimpleNamespace

import pytest

from engine.errors import DataError
from store.decision_trace import trace_decision, verdicts_of_symbol
from strategies import load_config
from tests.desk.support import rows, wait_for
from tests.engine.market.test_hours import clock
from tui.commands.cli import run_command
from tui.run.opening import OpeningDesk
from tui.run.session import DeskSession, RunPlan
from tui.run.wiring import open_desk
from tui.trace_text import trace_lines

NAMES = ("INFY", "TCS", "SBIN", "ITC", "RELIANCE", "HDFCBANK")
LIMITED = """
[risk]
max_positions = 2
[strategy.momentum_ladder]
momentum_percent = 0.05
[[strategy.momentum_ladder.rung]]
trigger_percent = 0.0
stop_percent = 0.5
target_percent = 0.5
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Return the database of a morning to ten in lockstep, with at most two positions."""
    folder = tmp_path_factory.mktemp("trace")
    (folder / "config.toml").write_text(LIMITED + f'[desk]\nstate_dir = "{folder}"\n')
    station = DeskSession(
        load_config(folder / "config.toml").values,
        RunPlan(seed=7, speed=0.0, start="09:20", symbols=NAMES),
    )
    open_desk(station)
    wait_for(lambda: "10:00" < clock(station.board.header.now) < "15:00", "it is ten o'clock")
    station.close()
    return station.database


def first(database, query, *parameters):
    return rows(database, query, *parameters)[0]


def test_the_trace_of_a_decision_goes_from_its_cause_to_its_fill_and_its_protection(ran):
    row = first(
        ran,
        "SELECT * FROM decisions WHERE verdict = 'OK' AND rung IN (SELECT rung FROM fills) ORDER "
        "BY decision",
    )
    found = trace_decision(ran, f"D{row['decision']}")
    told = [step.what for step in found.steps]
    assert told[:8] == [
        "caused",
        "asked",
        "sized",
        "judged",
        "intended",
        "sent",
        "accepted",
        "filled",
    ]
    fill = first(ran, "SELECT * FROM fills WHERE rung = ? ORDER BY ts, intent", row["rung"])
    assert f"at {fill['price']:.2f}, trade {fill['trade_id']}" in next(
        s.text for s in found.steps if s.what == "fill"
    )
    assert any("GTT" in step.text and step.what == "accepted" for step in found.steps)
    assert [step.ts for step in found.steps] == sorted(step.ts for step in found.steps)
    assert found.steps[0].text.startswith(f"by a {row['cause']} of {row['symbol']}")


def test_a_fill_stamped_with_the_whole_second_still_follows_its_order(ran, tmp_path):
    copied = tmp_path / "desk.sqlite3"
    with sqlite3.connect(ran) as source, sqlite3.connect(copied) as target:
        source.backup(target)
        target.execute("UPDATE fills SET ts = ts / 1000000000 * 1000000000 - 1000000000")
    decisions = rows(
        copied, "SELECT * FROM decisions WHERE verdict = 'OK' AND rung IN (SELECT rung FROM fills)"
    )
    assert len(decisions) > 3
    for decision in decisions:
        found = trace_decision(copied, f"D{decision['decision']}")
        steps = found.steps
        assert steps[0].what == "caused"
        assert not any("-" in line[20:32] for line in trace_lines(found)[1:])
        for place, step in enumerate(steps):
            if step.what == "fill":
                before = [other.what for other in steps[:place] if other.intent == step.intent]
                assert "accepted" in before or "sent" in before
                assert step.ts % 1_000_000_000 == 0


def test_every_name_of_an_order_leads_to_the_decision_behind_it(ran):
    fill = first(ran, "SELECT * FROM fills ORDER BY ts DESC")
    intent = first(ran, "SELECT * FROM intents WHERE intent = ?", fill["intent"])
    decision = first(
        ran, "SELECT decision FROM decisions WHERE rung = ? AND verdict = 'OK'", fill["rung"]
    )["decision"]
    gtt = first(ran, "SELECT * FROM gtts WHERE rung = ?", fill["rung"])
    names = [
        intent["intent"],
        intent["broker_id"],
        fill["trade_id"],
        gtt["gtt_id"],
        gtt["intent"],
        f"d{decision}",
    ]
    names += [intent["tag"]] if intent["tag"] else []
    assert {trace_decision(ran, str(name)).decision["decision"] for name in names} == {decision}


def test_the_order_a_gtt_has_sent_belongs_to_the_decision_that_opened_its_rung(ran):
    with sqlite3.connect(ran) as connection:
        sent = connection.execute(
            "SELECT gtts.order_id, rung FROM gtts WHERE status = 'TRIGGERED' AND order_id != "
            "'none' AND order_id != ''"
        ).fetchall()
    assert sent, "no stop was reached in these minutes"
    for order_id, rung in sent:
        assert trace_decision(ran, order_id).decision["rung"] == rung


def test_an_unknown_name_is_one_line(ran):
    for name in ("D999999", "nobody", "999999", "' OR 1=1"):
        with pytest.raises(DataError, match="no decision"):
            trace_decision(ran, name)


def test_why_counts_the_answers_and_names_the_limit_that_was_hit(ran):
    refused = first(
        ran,
        "SELECT symbol, COUNT(*) AS n FROM decisions WHERE verdict = 'POSITIONS' GROUP BY symbol "
        "ORDER BY n DESC",
    )
    found = {answer.code: answer for answer in verdicts_of_symbol(ran, refused["symbol"])}
    counted = rows(
        ran,
        "SELECT times, last FROM decisions WHERE symbol = ? AND verdict = 'POSITIONS'",
        refused["symbol"],
    )
    answer = found["POSITIONS"]
    assert answer.times == sum(row["times"] for row in counted)
    assert answer.last == max(row["last"] for row in counted)
    assert answer.detail == "2 of 2"
    assert verdicts_of_symbol(ran, refused["symbol"], "nobody") == []
    assert verdicts_of_symbol(ran, "NOSUCH") == []


def test_the_command_prints_the_same_as_text_and_as_json(ran, capsys):
    assert run_command(["trace", "D1", "--database", str(ran)]) == 0
    text = capsys.readouterr().out
    assert run_command(["trace", "D1", "--database", str(ran), "--json"]) == 0
    steps = json.loads(capsys.readouterr().out)["steps"]
    assert len(text.splitlines()) == len(steps) + 1
    assert all(
        step["text"] in line for step, line in zip(steps, text.splitlines()[1:], strict=True)
    )
    assert run_command(["trace", "--why", "infy", "--database", str(ran), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["symbol"] == "INFY"
    assert run_command(["trace"]) == 2
    assert run_command(["trace", "D1", "--why", "INFY"]) == 2


def test_the_screen_reads_the_life_of_an_order_by_its_key(ran):
    station = SimpleNamespace(board=None, spans=(), database=ran)
    fill = first(ran, "SELECT * FROM fills ORDER BY ts")
    lines = OpeningDesk(station, print).trace(str(fill["intent"]))
    assert any(f"trade {fill['trade_id']}" in line for line in lines)
    assert OpeningDesk(station, print).trace("x" + fill["order_id"]) == lines
    with pytest.raises(DataError):
        OpeningDesk(station, print).trace("xnobody")


def test_a_strategy_that_failed_is_found_by_its_name_and_told_of_where_nobody_asked(
    ran, tmp_path, capsys
):
    copied = tmp_path / "desk.sqlite3"
    told = (
        'Traceback (most recent call last):\n  File "mine.py", line 7, in on_bar\nValueError: odd'
    )
    with sqlite3.connect(ran) as source, sqlite3.connect(copied) as target:
        source.backup(target)
        row = (1_795_147_200_000_000_000, "mine", "strategy_failed", told)
        target.execute("INSERT INTO audit (ts, who, act, detail) VALUES (?, ?, ?, ?)", row)
    assert run_command(["trace", "mine", "--database", str(copied)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "strategy mine",
        "09:30:00.000  failed: ValueError: odd",
        *(f"  {line}" for line in told.splitlines()),
    ]
    assert (
        run_command(["trace", "--why", "NOSUCH", "--strategy", "mine", "--database", str(copied)])
        == 1
    )
    said = capsys.readouterr()
    assert "mine  failed at 09:30:00" in said.out
    assert said.err == f"patang: NOSUCH: no strategy asked for it on the last day of {copied}\n"
