"""Parity as it is read: on a narrow and on a wide terminal, and the days that are kept."""

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from engine.backtest.parity.attribution import compare_days, split_parity
from engine.backtest.parity.day_records import GAP, DayIncident
from engine.backtest.parity.parity_curves import parity_curves
from store.backtest_results import ParityDay, ResultStore
from tests.engine.backtest.parity_days import SYMBOL, backtest, desk, leg, signal, trip, when
from tui.commands.backtest.parity_report import history_text, parity_lines
from tui.commands.backtest.parity_run import ParityResult, StrategyParity, parity_rows

LONG = "a_strategy_with_a_long_name"

NEWER = "DROP TABLE backtest_notes; DROP TABLE IF EXISTS bias_checks; "
"""What versions after that one have added."""


def result():
    """Return a day with a match filled otherwise, a refusal, a short, and a backtest's extra."""
    gap = DayIncident(
        GAP, when("12:00"), when("12:10"), "the feed was not heard: gap unread", symbol=SYMBOL
    )
    mine = desk(
        [
            signal("10:00"),
            signal("11:00", rung=0, verdict="SIZE_ZERO"),
            signal("13:00", rung=4, strategy=LONG, side=-1),
        ],
        [
            trip(leg("10:00", 100.2), leg("10:30", 101.0)),
            trip(leg("13:00", 100.0), mark=99.0, rung=4, strategy=LONG, side=-1),
        ],
        [gap],
    )
    theirs = backtest(
        [signal("10:00"), signal("12:05", rung=2)],
        [
            trip(leg("10:00", 100.0), leg("10:30", 101.0)),
            trip(leg("12:05", 100.0), mark=100.0, rung=2),
        ],
    )
    parity, curves = compare_days(mine, theirs), parity_curves(mine, theirs)
    return ParityResult(
        "paper",
        date(2024, 6, 4),
        Path("desk.db"),
        "live",
        parity,
        curves,
        {name: StrategyParity(part, curves) for name, part in split_parity(parity).items()},
        [],
    )


def test_the_percent_and_the_difference_come_first_then_the_causes_then_what_does_not_match():
    found = list(parity_lines(result(), 80, every=False))
    assert found[0] == "Parity 40.00%   Δ₹ +₹8.00"
    assert found[1] == "paper, Tue 4 Jun 2024: 2 of 5 decisions are the same"
    fall = found[5:15]
    assert [line.split()[0] for line in fall] == [
        "backtest",
        "data",
        "timing",
        "fill",
        "cost",
        "operator",
        "broker",
        "code",
        "unexplained",
        "desk",
    ]
    assert [line.split()[1] for line in fall[:4]] == ["+₹8.50", "+₹0.50", "₹0.00", "-₹2.00"]
    assert fall[8].split()[1:] == ["+₹9.50", "+" * 24]
    at = found.index("Decisions that do not match (3)")
    assert found[at + 1 : at + 4] == [
        "11:00:00  INFY  enter P1 long    ₹0.00  told",
        "    unexplained: nothing on record",
        "    desk 11:00:00 SIZE_ZERO; backtest nothing",
    ]
    assert "The same decisions, another result (1)" in found


@pytest.mark.parametrize("width", [80, 120, 160, 200])
def test_no_line_is_wider_than_the_terminal(width):
    found = list(parity_lines(result(), width, every=False))
    assert max(map(len, found)) <= width
    whole = "\n".join(found)
    assert all(
        text in whole
        for text in (LONG, "SIZE_ZERO", "short", "data: the feed was not heard", "10 at 100.20")
    )


def test_a_wide_terminal_has_a_line_for_each():
    found = list(parity_lines(result(), 200, every=False))
    head = next(line for line in found if line.startswith("time"))
    assert head.split()[:6] == ["time", "strategy", "symbol", "what", "desk", "backtest"]
    assert sum("SIZE_ZERO" in line and "unexplained" in line for line in found) == 1


def test_each_strategy_has_its_part():
    found = list(parity_lines(result(), 120, every=False))
    at = next(at for at, line in enumerate(found) if line.startswith("strategy"))
    rows = [line.split() for line in found[at + 1 : at + 3]]
    assert [row[:6] for row in rows] == [
        [LONG, "0.00%", "0/1", "+₹9.50", "₹0.00", "+₹9.50"],
        ["told", "50.00%", "2/4", "+₹7.00", "+₹8.50", "-₹1.50"],
    ]
    assert rows[0][6:] == ["unexplained", "+₹9.50"]


def test_a_cause_that_no_record_shows_is_called_likely_and_its_sum_is_told():
    gap = DayIncident(GAP, when("12:00"), when("12:10"), "not heard", symbol=SYMBOL)
    late = backtest([signal("12:20", rung=2)], [trip(leg("12:20", 100.0), mark=105.0, rung=2)])
    parity = compare_days(desk(incidents=[gap]), late)
    found = list(parity_lines(result()._replace(parity=parity), 120, every=False))
    assert "₹49.50 of it (without signs) is likely only: no record shows the cause" in found
    assert sum("likely data: not heard" in line for line in found) == 1


def test_of_many_the_first_are_shown_and_all_where_that_is_asked_for():
    mine = desk([signal("10:00", seconds=k * 70, rung=0, verdict="FUNDS") for k in range(60)])
    many = result()._replace(parity=compare_days(mine, backtest()))
    short, whole = (list(parity_lines(many, 80, every=every)) for every in (False, True))
    assert "and 20 more: --all" in short
    assert len(whole) - len(short) == 3 * 20 - 1


# what is kept


def row(mode="paper", day="2024-06-04", **fields):
    usual = dict.fromkeys(ParityDay._fields, 0) | {
        "strategy": "",
        "bars": "live",
        "database": "desk.db",
        "correlation": None,
        "percent": 50.0,
    }
    return ParityDay(**(usual | {"mode": mode, "date": day} | fields))


def test_a_day_is_kept_once_for_each_mode_the_last_comparison_of_it(tmp_path):
    store = ResultStore(tmp_path / "results.db")
    assert store.parity_days() == []
    first, other = row(), row("replay", fill=-12, desk=-12, correlation=0.5)
    again = row(percent=75.0, timing=34, desk=30, backtest=-4)
    for each in (first, other, row(day="2024-06-03"), again):
        store.keep_parity([each])
    assert store.parity_days() == [again, other, row(day="2024-06-03")]
    assert store.parity_days("replay") == [other]
    assert {name: paise for name, paise in again.causes.items() if paise} == {"timing": 34}
    shown = history_text(store.parity_days()).splitlines()
    assert shown[0].split() == ["date", "mode", "parity", "same", "delta", "timing", "fill"]
    assert shown[1].split() == ["2024-06-04", "paper", "75.00%", "0/0", "+₹0.34", "+₹0.34"]


def test_the_part_of_a_strategy_is_kept_beside_the_whole(tmp_path):
    store, compared = ResultStore(tmp_path / "results.db"), result()
    store.keep_parity(parity_rows(compared))
    store.keep_parity(parity_rows(compared))
    (whole,), (part,) = store.parity_days(), store.parity_days("paper", "told")
    assert (whole.strategy, whole.same, whole.decisions) == ("", 2, 5)
    assert (part.strategy, part.same, part.decisions, part.desk - part.backtest) == (
        "told",
        2,
        4,
        -150,
    )
    assert sum(part.causes.values()) == -150
    assert store.parity_days("paper", "another") == []


def test_comparisons_of_the_version_before_are_those_of_the_whole_desk(tmp_path):
    path = tmp_path / "results.db"
    store = ResultStore(path)
    store.keep_parity([row(percent=75.0)])
    columns = ", ".join(ParityDay._fields[:-3])
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            f"CREATE TABLE old AS SELECT {columns} FROM parity_days; DROP TABLE parity_days; "
            "ALTER TABLE old RENAME TO parity_days; "
            f"{NEWER}PRAGMA user_version = 2"
        )
    assert store.parity_days() == [row(percent=75.0)]
    store.keep_parity([row(percent=80.0), row(strategy="told")])
    assert store.parity_days() == [row(percent=80.0)]


def test_a_file_of_results_of_an_earlier_version_gets_the_table(tmp_path):
    path = tmp_path / "results.db"
    store = ResultStore(path)
    store.keep_parity([row()])
    with closing(sqlite3.connect(path)) as database:
        database.executescript(f"DROP TABLE parity_days; {NEWER}PRAGMA user_version = 1")
    assert store.parity_days() == []
    store.keep_parity([row()])
    assert store.parity_days() == [row()]
