"""Adjustment factors against two vendors' files.

Minutes adjusted to April 2025, days adjusted to January 2026.

The minutes are adjusted for splits and bonuses alone, the days for demergers and extraordinary
dividends too. So the ratio of their prices on a day must equal the product of what lies between.
"""

from datetime import date
from functools import cache
from math import prod

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from engine.market.corporate_actions.action_list import CorporateActions
from engine.market.corporate_actions.action_subject import ActionKind

pytestmark = pytest.mark.real_data

END = date(2026, 1, 9)
HOLE = date(2025, 1, 7)


@pytest.fixture(scope="module")
def book(market_data):
    return CorporateActions.load(
        market_data / "corporate_actions" / "nse_corporate_actions_2019_2026H1.parquet"
    )


@cache
def minute_ranges(file):
    """Return by day (middle of the range, last close) and the last day, which may be cut short."""
    table = pq.read_table(file, columns=["timestamp", "high", "low", "close"])
    days = {}
    for stamp, high, low, close in zip(
        *(table[name].to_pylist() for name in table.column_names), strict=True
    ):
        top, bottom, _ = days.get(stamp.date(), (high, low, close))
        days[stamp.date()] = (max(top, high), min(bottom, low), close)
    return {day: (high + low, close) for day, (high, low, close) in days.items()}


@cache
def daily_rows(file):
    table = pq.read_table(file)
    return {(row["symbol"], date.fromisoformat(row["date"])): row for row in table.to_pylist()}


def ratios(market_data, symbol):
    minutes = minute_ranges(market_data / "nse_1min" / f"{symbol}.parquet")
    days = daily_rows(market_data / "daily" / "nifty48_daily.parquet")
    last = max(minutes)
    shared = {
        day: days[symbol, day]
        for day in minutes
        if (symbol, day) in days and day not in {HOLE, last}
    }
    return {day: minutes[day][0] / (row["high"] + row["low"]) for day, row in shared.items()}, last


def closes(market_data, symbol, later):
    """Return unadjusted closes: the minutes', later the days' made raw by the given factors."""
    raw = {
        day: close
        for day, (_, close) in minute_ranges(market_data / "nse_1min" / f"{symbol}.parquet").items()
    }
    days = daily_rows(market_data / "daily" / "nifty48_daily.parquet")
    for (name, day), row in days.items():
        if name == symbol and day > max(raw):
            raw[day] = row["close"] * prod(factor for ex, factor in later.items() if day < ex)
    return raw


@pytest.mark.parametrize(
    ("symbol", "later"),
    [
        ("ASIANPAINT", {}),
        ("AXISBANK", {}),
        ("BHARTIARTL", {}),
        ("BPCL", {date(2025, 11, 7): 1.0208}),
        ("HDFCBANK", {date(2025, 8, 26): 2.0}),
        ("ICICIBANK", {}),
        ("INFY", {}),
        ("ITC", {}),
        ("KOTAKBANK", {}),
        ("LT", {}),
        ("MARUTI", {}),
    ],
)
def test_the_ratio_of_two_vendors_is_the_product_of_the_actions_between_them(
    market_data, book, symbol, later
):
    found, last = ratios(market_data, symbol)
    known = closes(market_data, symbol, later)
    assert len(found) > 150
    off = []
    for day, ratio in found.items():
        theirs = prod(step.price for step in book.steps(symbol, day, END, known))
        ours = prod(step.price for step in book.steps(symbol, day, last, demergers=False))
        off.append(abs(ratio / (theirs / ours) - 1.0))
    assert sorted(off)[len(off) // 2] < 2e-4
    assert sum(each > 2e-3 for each in off) <= 1, sorted(off)[-3:]


@pytest.mark.parametrize(
    ("symbol", "day", "ratio"),
    [
        ("HDFCBANK", date(2024, 6, 4), 2.0),
        ("ITC", date(2025, 1, 3), 1.1562),
        ("ITC", date(2025, 1, 6), 1.0),
        ("BPCL", date(2024, 8, 8), 1.0535),
        ("BPCL", date(2024, 8, 9), 1.0208),
        ("INFY", date(2024, 6, 4), 1.0),
    ],
)
def test_the_recorded_ratios_are_those_that_were_measured(market_data, symbol, day, ratio):
    assert ratios(market_data, symbol)[0][day] == pytest.approx(ratio, abs=3e-4)


def test_the_days_of_unilever_are_not_adjusted_for_its_demerger_and_our_table_knows_none(
    market_data, book
):
    found, _ = ratios(market_data, "HINDUNILVR")
    assert found[date(2024, 6, 4)] == pytest.approx(1.0, abs=2e-4)
    (action,) = [each for each in book.of_symbol("HINDUNILVR") if each.kind is ActionKind.DEMERGER]
    assert book.demerged_symbol(action) == ""


@pytest.mark.parametrize(
    ("symbol", "ex", "before", "price", "share"),
    [
        ("RELIANCE", date(2023, 7, 20), date(2023, 7, 19), 2841.85, 0.9532),
        ("TATAMOTORS", date(2025, 10, 14), date(2025, 10, 13), 660.75, 0.6885),
    ],
)
def test_the_days_before_a_demerger_are_adjusted_by_the_share_of_the_cost(
    market_data, book, symbol, ex, before, price, share
):
    later = prod(step.price for step in book.steps(symbol, ex, END))
    row = daily_rows(market_data / "daily" / "nifty48_daily.parquet")[symbol, before]
    assert row["close"] * later / price == pytest.approx(share, abs=1e-4)
    (step,) = book.steps(symbol, before, ex)
    assert step.price == pytest.approx(1 / share)


def test_no_split_or_bonus_of_an_index_member_leaves_a_step_in_adjusted_days(market_data, book):
    days = daily_rows(market_data / "daily" / "nifty48_daily.parquet")
    symbols = {name for name, _ in days}
    seen = set()
    for symbol in symbols:
        own = sorted(day for name, day in days if name == symbol)
        for action in book.of_symbol(symbol, own[1], own[-1]):
            if action.kind in {ActionKind.SPLIT, ActionKind.BONUS}:
                at = own.index(action.ex)
                gap = days[symbol, action.ex]["open"] / days[symbol, own[at - 1]]["close"]
                assert 0.95 < gap < 1.05, (symbol, action)
                assert action.ratio > 1.3
                seen.add((symbol, action.ex))
    assert ("HDFCBANK", date(2025, 8, 26)) in seen
    assert len(seen) >= 13


def test_every_split_and_bonus_of_seven_years_has_a_ratio(market_data, book):
    file = market_data / "corporate_actions" / "nse_corporate_actions_2019_2026H1.parquet"
    table = pq.read_table(file, columns=["series", "subject"])
    subjects = table.filter(pc.equal(table["series"], "EQ"))["subject"].to_pylist()
    found = [each for actions in book._by_symbol.values() for each in actions]
    splits = sum("Split" in subject for subject in subjects)
    assert splits == 290
    assert sum(each.kind is ActionKind.SPLIT for each in found) >= splits - 5
    assert all(each.ratio > 0 for each in found)
    unknown = [each for each in found if each.kind is ActionKind.DIVIDEND and each.amount < 0]
    assert len(unknown) == 11
