"""Recorded days with hours of their own, and one with a hole, through the whole desk."""

import json

import pytest

from tests.desk.support import rows
from tests.engine.market.test_hours import clock

pytestmark = pytest.mark.real_data


def day(patang, market_data, date, symbols="CANBK,INFY"):
    """Replay a day; return its figures, and the lines of its event log by name."""
    done = patang.run(
        "replay",
        market_data / "nse_1min",
        "--date",
        date,
        "--symbols",
        symbols,
        "--no-ui",
        "--speed",
        "max",
        "--json",
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    (database,) = patang.state("replay").glob("run-*.db")
    events = {}
    for row in rows(database, "SELECT ts, level, name, text FROM events ORDER BY seq"):
        events.setdefault(row["name"], []).append((clock(row["ts"]), row["level"], row["text"]))
    fills = [clock(row["ts"]) for row in rows(database, "SELECT ts FROM fills ORDER BY ts")]
    return figures, events, fills


def test_a_saturday_in_two_parts_is_traded_in_its_parts_and_has_no_gap(patang, market_data):
    figures, events, fills = day(patang, market_data, "2024-05-18", "CANBK,BEL,INFY")
    assert figures["fills"] > 0
    assert all("09:15" <= time < "10:00" or "11:30" <= time < "12:30" for time in fills)
    assert [time for time, *_ in events["day_over"]] == ["12:30"]
    assert "gap" not in events
    assert figures["naked_positions"] == 0


def test_an_evening_of_one_hour_is_traded_in_that_hour(patang, market_data):
    figures, events, fills = day(patang, market_data, "2024-11-01")
    assert figures["fills"] > 0
    assert all("18:00" <= time < "19:00" for time in fills)
    assert [time for time, *_ in events["day_over"]] == ["19:00"]
    assert "gap" not in events


def test_the_hole_in_a_recorded_day_is_found_and_nothing_else(patang, market_data):
    _, events, _ = day(patang, market_data, "2025-01-07", "CANBK,BEL,INFY")
    # the record of two begins at 13:25 (what the subscription shows before is yesterday's price, no
    # bar), the third stops at 10:08
    assert [(level, text) for _, level, text in events["gap"]] == [
        ("warn", "no bars of CANBK, BEL: 250 minutes, 07 Jan 09:15 to 07 Jan 13:25"),
        ("warn", "no bars of INFY: 250 minutes, 07 Jan 10:09 to 07 Jan 14:19"),
    ]
