"""The hours beside an independent reading of the circulars, `aion-indian-market-calendar`."""

import os
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

os.environ["AION_IN_CALENDAR_OFFLINE"] = "1"  # it would look for newer data on the network
aion = pytest.importorskip("aion_indian_market_calendar")

from engine.market.calendar import Calendar  # noqa: E402
from tests.engine.market.test_hours import at  # noqa: E402

IST = ZoneInfo("Asia/Kolkata")
CALENDAR = Calendar.load()
FIRST, LAST = date(2026, 8, 3), date(2026, 12, 24)
UNKNOWN = date(2026, 11, 8)
"""The muhurat of 2026, whose clock time nobody knows and the package makes up."""
SEGMENTS = {
    "NSE_EQUITY_FNO_UNDERLYING": ("NSE", "EQ", True),
    "NSE_EQUITY_DERIVATIVES": ("NFO", "FUT", False),
}
NAMES = {
    "CONTINUOUS": {"continuous"},
    "CLOSING_AUCTION": {
        "auction reference",
        "auction entry",
        "auction limit-only",
        "auction match",
    },
}


def days():
    return [
        FIRST + timedelta(days=n)
        for n in range((LAST - FIRST).days + 1)
        if FIRST + timedelta(days=n) != UNKNOWN
    ]


@pytest.mark.parametrize("segment", SEGMENTS)
def test_trading_and_auction_phases_are_the_same_at_every_five_minutes(segment):
    for day in days():
        for minute in range(9 * 60 + 15, 15 * 60 + 40, 5):
            clock = f"{minute // 60:02d}:{minute % 60:02d}"
            moment = datetime.fromisoformat(f"{day} {clock}").replace(tzinfo=IST)
            theirs = aion.get_market_phase(moment, segment)
            ours = CALENDAR.phase(at(day, clock), *SEGMENTS[segment]).name
            if theirs in NAMES:
                assert ours in NAMES[theirs], (day, clock, theirs)
            else:
                assert ours not in NAMES["CONTINUOUS"] | NAMES["CLOSING_AUCTION"], (
                    day,
                    clock,
                    theirs,
                )


def test_settlement_days_are_the_same():
    for number in range((LAST - date(2026, 1, 2)).days):
        day = date(2026, 1, 2) + timedelta(days=number)
        assert CALENDAR.settles(day) == aion.is_settlement_day(day), day
