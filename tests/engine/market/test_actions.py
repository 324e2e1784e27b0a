"""Corporate actions: the exchange's words, and their effect on prices, bars and orders."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiled.model.values import Bar
from engine.errors import DataError
from engine.history.bar_adjustment import adjusted_series, adjustment_factor, adjustment_steps
from engine.history.bar_series import from_bars, to_bars
from engine.market.corporate_actions.action_list import (
    FILE,
    AdjustmentStep,
    CorporateActions,
    StandingItem,
    parsed_actions,
)
from engine.market.corporate_actions.action_subject import ActionEffect, ActionKind, subject_effects

IST = ZoneInfo("Asia/Kolkata")
EX = date(2025, 8, 26)


def actions(*rows):
    return CorporateActions(
        each
        for symbol, ex, text in rows
        for each in parsed_actions(symbol, date.fromisoformat(ex), text)
    )


def bar(day, price, volume, minute=15):
    start = (
        int(datetime.fromisoformat(f"{day} 09:{minute}").replace(tzinfo=IST).timestamp())
        * 1_000_000_000
    )
    return Bar(1, start, 60, price, price + 2.0, price - 2.0, price + 1.0, volume, 7)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Bonus 1:1", [ActionEffect(ActionKind.BONUS, 2.0)]),
        ("Bonus- 1:2", [ActionEffect(ActionKind.BONUS, 1.5)]),
        (" Bonus 1:3", [ActionEffect(ActionKind.BONUS, 4 / 3)]),
        (
            "Face Value Split (Sub-Division) - From Rs 10/- Per Share To Re 1/- Per Share",
            [ActionEffect(ActionKind.SPLIT, 10.0)],
        ),
        (
            "Face Value Split (Sub-Division) - From Rs10/- Per Share To Rs 2/- Per Share",
            [ActionEffect(ActionKind.SPLIT, 5.0)],
        ),
        (
            "Consolidation Of Equity Shares From Re 1 Per Share To Rs 10 Per Share",
            [ActionEffect(ActionKind.CONSOLIDATION, 0.1)],
        ),
        ("Dividend - Rs 10.5 Per Share", [ActionEffect(ActionKind.DIVIDEND, 1.0, 10.5)]),
        (
            "Annual General Meeting/Special Dividend - Rs 8 Per Share /Dividend - Rs 20 Per Share",
            [ActionEffect(ActionKind.DIVIDEND, 1.0, 28.0)],
        ),
        (
            "Annual General MeetingDividend - Rs 4 Per Share",
            [ActionEffect(ActionKind.DIVIDEND, 1.0, 4.0)],
        ),
        ("Interim Dividned - Rs 135 Per Share", [ActionEffect(ActionKind.DIVIDEND, 1.0, 135.0)]),
        ("Interim Dividend", [ActionEffect(ActionKind.DIVIDEND, 1.0, -1.0)]),
        (
            "Interim Dividend - Rs 5 Per Share/Special Dividend",
            [ActionEffect(ActionKind.DIVIDEND, 1.0, -1.0)],
        ),
        ("Demerger", [ActionEffect(ActionKind.DEMERGER)]),
        ("Rights 1:8 @ Premium Rs 358/-", [ActionEffect(ActionKind.RIGHTS)]),
        (
            "Scheme Of Arangement- Bonus - 1 Debenture For 1 Equity Share Held",
            [ActionEffect(ActionKind.SCHEME)],
        ),
        ("Bonus Ncrps 1:116", [ActionEffect(ActionKind.SCHEME)]),
        ("Annual General Meeting", []),
        ("Buy Back", []),
    ],
)
def test_the_words_of_the_exchange_are_understood(text, expected):
    assert subject_effects(text) == expected


def test_prices_before_a_bonus_are_halved_and_those_of_its_day_are_not():
    book = actions(("X", "2025-08-26", "Bonus 1:1"))
    assert book.factor("X", date(2025, 8, 25), date(2026, 1, 9)) == 2.0
    assert book.factor("X", EX, date(2026, 1, 9)) == 1.0
    assert book.factor("X", date(2025, 8, 1), date(2025, 8, 25)) == 1.0
    assert book.factor("Y", date(2025, 8, 1), date(2026, 1, 9)) == 1.0


def test_a_split_and_a_bonus_of_one_day_are_multiplied():
    book = actions(
        ("BAJFINANCE", "2025-06-16", "Bonus 4:1"),
        (
            "BAJFINANCE",
            "2025-06-16",
            "Face Value Split (Sub-Division) - From Rs 2/- Per Share To Re 1/- Per Share",
        ),
    )
    assert book.factor("BAJFINANCE", date(2025, 6, 13), date(2025, 7, 1)) == 10.0


def test_the_same_line_twice_is_one_action():
    book = actions(("X", "2025-08-26", "Bonus 1:1"), ("X", "2025-08-26", " Bonus  1:1"))
    assert book.factor("X", date(2025, 8, 25), date(2026, 1, 9)) == 2.0


def test_a_demerger_takes_the_share_of_the_cost_with_it():
    book = actions(("ITC", "2025-01-06", "Demerger"))
    assert book.factor("ITC", date(2025, 1, 3), date(2025, 4, 1)) == pytest.approx(1 / 0.8649)
    assert book.steps("ITC", date(2025, 1, 3), date(2025, 4, 1), demergers=False) == []


def test_a_demerger_without_a_known_share_is_refused_and_the_file_named():
    book = actions(("HINDUNILVR", "2025-12-05", "Demerger"))
    assert book.factor("HINDUNILVR", date(2025, 12, 5), date(2026, 1, 9)) == 1.0
    with pytest.raises(DataError, match=r"HINDUNILVR on 2025-12-05.*corporate_actions\.json"):
        book.factor("HINDUNILVR", date(2025, 12, 4), date(2026, 1, 9))


def test_a_share_that_was_renamed_is_found_by_its_old_name():
    book = actions(("TMPV", "2025-10-14", "Demerger"))
    assert book.factor("TATAMOTORS", date(2025, 10, 13), date(2025, 10, 14)) == pytest.approx(
        1 / 0.6885
    )


def test_a_dividend_of_two_percent_and_more_is_taken_out_and_a_smaller_one_is_not():
    book = actions(("BPCL", "2024-08-09", "Dividend - Rs 10.5 Per Share"))
    before, after = date(2024, 8, 8), date(2024, 8, 9)
    assert book.factor("BPCL", before, after) == 1.0
    assert book.factor("BPCL", before, after, {before: 338.5, after: 1.0}) == pytest.approx(
        338.5 / 328.0
    )
    assert book.factor("BPCL", before, after, {before: 525.0}) == pytest.approx(525.0 / 514.5)
    assert book.factor("BPCL", before, after, {before: 525.1}) == 1.0


def test_a_dividend_that_cannot_be_judged_is_refused():
    book = actions(("X", "2025-08-26", "Interim Dividend"))
    with pytest.raises(DataError, match="no amount"):
        book.factor("X", date(2025, 8, 25), EX, {date(2025, 8, 25): 100.0})
    with pytest.raises(DataError, match="no close before"):
        book.factor("X", date(2025, 8, 25), EX, {EX: 100.0})


def test_rights_are_listed_as_not_adjusted():
    book = actions(("UPL", "2024-11-26", "Rights 1:8 @ Premium Rs 358/-"))
    assert book.factor("UPL", date(2024, 11, 25), date(2024, 11, 26)) == 1.0
    assert [
        each.kind for each in book.not_adjusted("UPL", date(2024, 11, 25), date(2024, 11, 26))
    ] == [ActionKind.RIGHTS]
    assert book.not_adjusted("UPL", date(2024, 11, 26), date(2025, 1, 1)) == []


def test_bars_before_the_ex_date_are_adjusted_and_the_raw_ones_stay():
    raw = [
        bar("2025-06-13", 9000.0, 100),
        bar("2025-06-16", 900.0, 1100),
        bar("2025-08-25", 1000.0, 50),
    ]
    steps = [AdjustmentStep(date(2025, 6, 16), 10.0, 10.0), AdjustmentStep(EX, 2.0, 2.0)]
    view = to_bars(adjusted_series(from_bars(raw), steps), 60)
    assert [(each.open, each.high, each.low, each.close, each.volume) for each in view] == [
        (450.0, 450.1, 449.9, 450.05, 2000),
        (450.0, 451.0, 449.0, 450.5, 2200),
        (500.0, 501.0, 499.0, 500.5, 100),
    ]
    assert (raw[0].open, raw[0].volume) == (9000.0, 100)
    assert [(each.token, each.start, each.span, each.ticks) for each in view] == [
        (each.token, each.start, each.span, each.ticks) for each in raw
    ]


def test_the_day_bar_of_the_ex_date_which_begins_at_midnight_is_not_adjusted():
    midnight = int(datetime(2025, 8, 26, tzinfo=IST).timestamp()) * 1_000_000_000
    days = [
        Bar(1, midnight - 86_400_000_000_000, 86_400, 9.0, 9.0, 9.0, 9.0, 5),
        Bar(1, midnight, 86_400, 9.0, 9.0, 9.0, 9.0, 5),
    ]
    view = to_bars(adjusted_series(from_bars(days), [AdjustmentStep(EX, 2.0, 2.0)]), 86_400)
    assert [(each.close, each.volume) for each in view] == [(4.5, 10), (9.0, 5)]


def test_a_demerger_moves_prices_and_leaves_volumes():
    (view,) = to_bars(
        adjusted_series(
            from_bars([bar("2025-01-03", 1000.0, 10)]),
            [AdjustmentStep(date(2025, 1, 6), 1 / 0.8649, 1.0)],
        ),
        60,
    )
    assert (view.open, view.volume) == (864.9, 10)


def test_a_volume_beyond_exact_floats_is_kept_where_no_share_changes():
    huge = 2**62 + 1
    (view,) = to_bars(
        adjusted_series(
            from_bars([bar("2025-01-03", 1000.0, huge)]),
            [AdjustmentStep(date(2025, 1, 6), 2.0, 1.0)],
        ),
        60,
    )
    assert view.volume == huge


@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(1, 200_000)), min_size=1, max_size=30),
    st.lists(
        st.tuples(
            st.integers(1, 400),
            st.sampled_from([(10.0, 10.0), (2.0, 2.0), (0.2, 0.2), (1.25, 1.0)]),
        ),
        max_size=4,
    ),
)
def test_an_adjusted_price_times_its_factor_is_the_raw_one(rows, acts):
    first = date(2024, 1, 1)
    raw = from_bars(
        [
            bar(str(first + timedelta(days=day)), ticks / 20 + 1, 10)
            for day, ticks in sorted(dict(rows).items())
        ]
    )
    steps = [
        AdjustmentStep(first + timedelta(days=day), *step)
        for day, step in sorted(dict(acts).items())
    ]
    view = adjusted_series(raw, steps)
    for start, before, after in zip(
        raw.start.tolist(), raw.close.tolist(), view.close.tolist(), strict=True
    ):
        factor = adjustment_factor(steps, start)
        assert abs(after * factor - before) <= 0.00005 * factor + 1e-9, (
            "no more than the grid of 0.0001 takes"
        )


def test_the_steps_of_bars_reach_to_the_day_of_the_last():
    book = actions(("X", "2025-08-26", "Bonus 1:1"), ("X", "2025-09-26", "Bonus 1:1"))
    days = from_bars(
        [bar("2025-08-25", 900.0, 1), bar("2025-08-26", 450.0, 1), bar("2025-09-25", 500.0, 1)]
    )
    assert adjustment_steps(days, book, "X") == [AdjustmentStep(EX, 2.0, 2.0)]
    assert adjustment_steps(days.pick(slice(0, 0)), book, "X") == []


def test_what_waits_on_an_ex_date_is_flagged_with_its_new_prices():
    book = actions(
        ("X", "2025-08-26", "Bonus 1:1"),
        ("Y", "2025-08-26", "Dividend - Rs 1 Per Share"),
        ("Z", "2025-08-26", "Dividend - Rs 5 Per Share"),
        ("W", "2025-08-26", "Demerger"),
        ("V", "2025-08-27", "Bonus 1:1"),
    )
    standing = [StandingItem(f"GTT {name}", name, (95.0, 110.0)) for name in "XYZWV"]
    found = book.flags(EX, standing, dict.fromkeys("XYZWV", 100.0))
    assert [(each.what, each.action.kind, each.prices) for each in found] == [
        ("GTT X", ActionKind.BONUS, (47.5, 55.0)),
        ("GTT Z", ActionKind.DIVIDEND, (90.25, 104.5)),
        ("GTT W", ActionKind.DEMERGER, ()),
    ]
    assert "disables" in found[0].consequence
    assert "not known" in found[2].consequence


def test_without_a_close_no_dividend_passes_for_ordinary():
    book = actions(("Y", "2025-08-26", "Dividend - Rs 1 Per Share"))
    (flag,) = book.flags(EX, [StandingItem("ladder 3", "Y", (95.0,))], {})
    assert flag.prices == ()


def test_the_actions_of_a_day_are_listed_by_symbol():
    book = actions(
        ("B", "2025-08-26", "Bonus 1:1"),
        ("A", "2025-08-26", "Demerger"),
        ("C", "2025-08-27", "Demerger"),
    )
    assert [each.symbol for each in book.on_ex_date(EX)] == ["A", "B"]


def test_the_list_is_read_for_shares_alone(tmp_path):
    rows = [("X", "EQ", "Bonus 1:1"), ("Y", "GS", "Bonus 1:1")]
    table = {
        "symbol": [row[0] for row in rows],
        "series": [row[1] for row in rows],
        "exDate": [datetime(2025, 8, 26)] * 2,
        "subject": [row[2] for row in rows],
    }
    pq.write_table(pa.table(table), tmp_path / "list.parquet")
    book = CorporateActions.load(tmp_path / "list.parquet")
    assert [each.symbol for each in book.on_ex_date(EX)] == ["X"]
    with pytest.raises(DataError, match="absent"):
        CorporateActions.load(tmp_path / "absent.parquet")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(DataError, match="other"):
        CorporateActions.load(tmp_path / "other.parquet")


def test_the_rows_of_the_table_name_known_sources_and_stay_within_a_share():
    table = msgspec.json.decode(FILE.read_bytes())
    for row in [*table["demergers"], *table["extraordinary"]]:
        assert set(row["source"]) <= set(table["sources"])
    assert all(0 < row["share"] < 1 and row["ratio"] > 0 for row in table["demergers"])


def test_a_malformed_table_is_a_data_error(tmp_path):
    (tmp_path / "corporate_actions.json").write_text('{"demergers": []}')
    with pytest.raises(DataError, match=r"corporate_actions\.json"):
        CorporateActions([], tmp_path / "corporate_actions.json")
