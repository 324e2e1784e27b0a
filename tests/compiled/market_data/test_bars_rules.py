"""The rules of docs/bars.md, one test each."""

import math
import struct

import pytest

from compiled.market_data.bar_builder import DAY, BarBuilder, batch
from compiled.model.values import NEVER, TradingHours

S = 1_000_000_000
OPEN = 1_619_408_700 * S  # 2021-04-26 09:15 IST
CLOSE = OPEN + 22_500 * S


def started(*spans, close=CLOSE):
    bars = BarBuilder(list(spans))
    bars.begin_session(OPEN, close)
    return bars


def at(seconds):
    return OPEN + int(seconds * S)


def row(bar):
    return (
        (bar.start - OPEN) // S,
        bar.span,
        bar.open,
        bar.high,
        bar.low,
        bar.close,
        bar.volume,
        bar.ticks,
    )


def rows(bars):
    return [row(bar) for bar in bars.take_bars()]


def test_a_minute_is_built_from_its_ticks():
    bars = started(60)
    for second, price, volume in (
        (0, 100.0, 10),
        (20, 103.0, 15),
        (40, 99.0, 40),
        (59, 101.0, 41),
        (60, 102.0, 50),
    ):
        bars.update(1, at(second), price, volume)
    assert rows(bars) == [(0, 60, 100.0, 103.0, 99.0, 101.0, 41, 4)]
    assert row(bars.current(1, 60)) == (60, 60, 102.0, 102.0, 102.0, 102.0, 9, 1)


def test_hours_are_counted_from_the_open_and_the_last_one_is_cut_at_the_close():
    bars = started(60, 3600)
    bars.update(1, at(0), 100.0, -1)
    bars.update(1, at(22_499), 101.0, -1)
    bars.advance(CLOSE - 1)
    assert [row(bar)[:2] for bar in bars.take_bars()] == [(0, 60), (0, 3600)]
    bars.advance(CLOSE)
    assert [row(bar)[:2] for bar in bars.take_bars()] == [(22_440, 60), (21_600, 3600)]


def test_the_day_bar_is_the_whole_session():
    bars = started(60, 86_400)
    for minute in range(375):
        bars.update(1, at(60 * minute), 100.0 + minute, 10 * (minute + 1))
    bars.advance(CLOSE)
    assert rows(bars)[-1] == (0, 86_400, 100.0, 474.0, 100.0, 474.0, 3750, 375)


def test_a_span_without_a_tick_has_no_bar():
    bars = started(1)
    bars.update(1, at(0), 100.0, 1)
    bars.update(1, at(7), 101.0, 2)
    bars.advance(at(100))
    assert [row(bar)[0] for bar in bars.take_bars()] == [0, 7]


def test_the_closing_print_belongs_to_the_last_bars():
    bars = started(1, 60)
    bars.update(1, at(22_499), 100.0, 1)
    bars.update(1, CLOSE, 105.0, 4)
    bars.advance(CLOSE)
    assert rows(bars) == [
        (22_499, 1, 100.0, 105.0, 100.0, 105.0, 3, 2),
        (22_440, 60, 100.0, 105.0, 100.0, 105.0, 3, 2),
    ]
    assert bars.outside == 0


def test_ticks_outside_the_session_make_no_bar_and_are_counted():
    bars = started(60)
    bars.update(1, OPEN - 1, 100.0, 1)
    bars.update(1, CLOSE + 1, 100.0, 1)
    bars.advance(NEVER)
    assert (rows(bars), bars.outside) == ([], 2)


def test_before_any_session_every_tick_is_outside():
    bars = BarBuilder([60])
    bars.update(1, OPEN, 100.0, 1)
    assert (bars.take_bars(), bars.outside) == ([], 1)


@pytest.mark.parametrize("price", [0.0, -1.0, math.nan])
def test_a_tick_without_a_price_makes_no_bar_and_is_counted(price):
    bars = started(60)
    bars.update(1, at(1), price, 5)
    assert (bars.current(1, 60), bars.unpriced) == (None, 1)


def test_a_late_tick_stretches_the_bars_still_open_but_never_opens_or_closes_one():
    bars = started(1, 60)
    bars.update(1, at(5), 100.0, -1)
    bars.update(1, at(6), 101.0, -1)
    bars.update(1, at(5.5), 107.0, -1)
    assert rows(bars) == [(5, 1, 100.0, 100.0, 100.0, 100.0, 0, 1)]
    bars.advance(CLOSE)
    assert rows(bars) == [
        (6, 1, 101.0, 101.0, 101.0, 101.0, 0, 1),
        (0, 60, 100.0, 107.0, 100.0, 101.0, 0, 3),
    ]
    assert bars.late == 1


def test_a_late_tick_earlier_than_the_first_does_not_become_the_open():
    bars = started(60)
    bars.update(1, at(5), 100.0, -1)
    bars.update(1, at(3), 95.0, -1)
    assert row(bars.current(1, 60)) == (0, 60, 100.0, 100.0, 95.0, 100.0, 0, 2)


def test_of_two_ticks_at_one_time_the_one_that_came_last_is_the_close():
    bars = started(60)
    bars.update(1, at(5), 100.0, -1)
    bars.update(1, at(5), 99.0, -1)
    assert (bars.current(1, 60).close, bars.late) == (99.0, 0)


def test_a_tick_that_comes_after_its_second_was_closed_still_counts_in_its_minute():
    bars = started(1, 60)
    bars.update(1, at(1), 100.0, 10)
    bars.advance(at(5))
    bars.update(1, at(3), 104.0, 30)
    bars.advance(at(60))
    assert rows(bars) == [
        (1, 1, 100.0, 100.0, 100.0, 100.0, 0, 1),
        (0, 60, 100.0, 104.0, 100.0, 104.0, 30, 2),
    ]
    assert bars.late == 1


def test_a_closed_bar_is_never_opened_again():
    bars = started(60)
    bars.update(1, at(10), 100.0, -1)
    bars.advance(at(60))
    bars.take_bars()
    bars.update(1, at(59), 200.0, -1)
    bars.advance(CLOSE)
    assert (bars.take_bars(), bars.late) == ([], 1)


def test_volume_that_dips_is_counted_and_never_taken_off_a_bar():
    bars = started(60)
    for second, volume in ((0, 100), (1, 90), (2, 120), (3, 110), (4, 120)):
        bars.update(1, at(second), 50.0, volume)
    bars.update(1, at(60), 50.0, 115)
    bars.advance(CLOSE)
    assert [bar.volume for bar in bars.take_bars()] == [120, 0]
    assert bars.dipped == 3


def test_volume_of_an_index_is_zero():
    bars = started(60)
    bars.update(264_969, at(0), 50.0, -1)
    bars.update(264_969, at(60), 51.0, -1)
    assert [bar.volume for bar in bars.take_bars()] == [0]


def test_a_desk_that_joins_late_gives_the_volume_it_missed_to_the_day_only():
    bars = started(60, 86_400)
    bars.update(1, at(7230), 50.0, 1_000_000)
    bars.update(1, at(7231), 50.0, 1_000_400)
    bars.advance(CLOSE)
    assert [(bar.span, bar.volume) for bar in bars.take_bars()] == [(60, 400), (86_400, 1_000_400)]


def test_volume_traded_before_the_open_is_in_no_bar():
    bars = started(60, 86_400)
    bars.update(1, OPEN - 400 * S, 50.0, 700)
    bars.update(1, at(1), 50.0, 900)
    bars.advance(CLOSE)
    assert [bar.volume for bar in bars.take_bars()] == [200, 200]


def test_yesterdays_volume_before_the_open_is_not_taken_for_todays():
    bars = started(60)
    bars.update(1, OPEN - 400 * S, 50.0, 5_000_000)
    bars.update(1, at(1), 50.0, 900)
    assert (bars.current(1, 60).volume, bars.dipped) == (900, 0)


def test_a_new_session_closes_what_is_open_and_starts_volume_anew():
    bars = started(60)
    bars.update(1, at(1), 50.0, 900)
    tomorrow = OPEN + 86_400 * S
    bars.begin_session(tomorrow, tomorrow + 22_500 * S)
    bars.update(1, tomorrow, 51.0, 30)
    bars.advance(tomorrow + 60 * S)
    assert [(bar.start, bar.volume) for bar in bars.take_bars()] == [(OPEN, 900), (tomorrow, 30)]
    assert bars.dipped == 0


def test_bars_come_by_end_then_span_then_the_order_in_which_tokens_were_first_seen():
    bars = started(1, 2)
    for second in range(4):
        for token in (9, 3, 7) if second == 0 else (3, 7, 9):
            bars.update(token, at(second), 10.0, -1)
    bars.advance(CLOSE)
    order = [((bar.end - OPEN) // S, bar.span, bar.token) for bar in bars.take_bars()]
    assert order == [
        (end, span, t)
        for end in (1, 2, 3, 4)
        for span in (1, 2)
        if end % span == 0
        for t in (9, 3, 7)
    ]


def test_a_bar_that_ends_by_now_closes_without_a_tick_and_one_that_does_not_stays():
    bars = started(60)
    bars.update(1, at(0), 10.0, -1)
    bars.advance(at(60) - 1)
    assert bars.take_bars() == []
    bars.advance(at(60))
    assert len(bars.take_bars()) == 1


def test_a_bar_taken_once_is_not_taken_again():
    bars = started(60)
    bars.update(1, at(0), 10.0, -1)
    bars.advance(CLOSE)
    assert (len(bars.take_bars()), len(bars.take_bars())) == (1, 0)


def test_drained_rows_are_the_bars_that_would_have_been_taken():
    bars = started(60)
    bars.update(77, at(61), 10.0, 5)
    bars.update(77, at(62), 12.0, 9)
    bars.advance(CLOSE)
    whole, prices = bars.drain()
    assert (list(whole), list(prices)) == ([77, at(60), 60, 4, 2], [10.0, 12.0, 10.0, 12.0])
    assert bars.take_bars() == []


@pytest.mark.parametrize("spans", [[], [0], [60, 1], [60, 60], [60, 90], [-60]])
def test_spans_that_do_not_ascend_in_multiples_of_the_first_are_refused(spans):
    with pytest.raises(ValueError, match="spans"):
        BarBuilder(spans)


def test_a_session_without_length_and_a_span_that_is_not_built_are_refused():
    with pytest.raises(ValueError, match="session"):
        BarBuilder([60]).begin_session(OPEN, OPEN)
    with pytest.raises(ValueError, match="300"):
        started(60).current(1, 300)


def test_columns_that_are_not_one_table_are_refused():
    with pytest.raises(ValueError, match="columns"):
        batch([60], OPEN, CLOSE, bytes(16), bytes(16), bytes(8), bytes(16))


# hours of one's own


def own(bars, token, closes, pause=0, resumes=0):
    bars.set_hours(
        token,
        TradingHours(OPEN, at(closes), at(pause) if pause else 0, at(resumes) if resumes else 0),
    )


def test_a_token_that_closes_earlier_has_its_last_bars_cut_and_the_others_do_not():
    bars = started(60, 1_800, DAY)
    own(bars, 1, 21_600)  # 15:15
    for token in (1, 2):
        for second in (21_590, 21_600, 21_610):
            bars.update(token, at(second), 100.0, -1)
    assert bars.outside == 1
    bars.advance(at(21_600))
    assert rows(bars) == [
        # token 1, with the tick stamped at its close
        (21_540, 60, 100.0, 100.0, 100.0, 100.0, 0, 2),
        (21_540, 60, 100.0, 100.0, 100.0, 100.0, 0, 1),
        (19_800, 1_800, 100.0, 100.0, 100.0, 100.0, 0, 2),
        (19_800, 1_800, 100.0, 100.0, 100.0, 100.0, 0, 1),
        (0, DAY, 100.0, 100.0, 100.0, 100.0, 0, 2),
    ]
    bars.advance(CLOSE)
    assert [(start, span, ticks) for start, span, *_, ticks in rows(bars)] == [
        (21_600, 60, 2),
        (21_600, 1_800, 2),
        (0, DAY, 3),
    ]


@pytest.mark.parametrize("bulk", [False, True])
def test_the_first_bar_after_a_pause_shorter_than_a_bar_begins_with_the_second_part(bulk):
    bars = started(60)
    own(bars, 1, 12_000, pause=90, resumes=120)
    for second, price in ((80, 100.0), (130, 101.0), (200, 102.0)):
        if bulk:
            bars.feed(
                *(
                    struct.pack(f"<{kind}", value)
                    for kind, value in zip("qqdq", (1, at(second), price, -1), strict=True)
                )
            )
        else:
            bars.update(1, at(second), price, -1)
    bars.advance(NEVER)
    assert [(start, ticks) for start, _, *_, ticks in rows(bars)] == [(60, 1), (120, 1), (180, 1)]


def test_bars_of_a_day_in_two_parts_begin_anew_with_the_second_and_the_days_bar_spans_both():
    bars = started(60, 1_800, DAY)
    own(bars, 1, 12_000, pause=2_700, resumes=8_100)
    bars.update(1, at(2_690), 100.0, 10)
    bars.update(1, at(2_700), 101.0, 20)  # stamped at the end of the part: its last tick
    bars.update(1, at(5_000), 150.0, 20)  # the pause: nothing trades
    bars.advance(at(8_000))
    assert rows(bars) == [
        (2_640, 60, 100.0, 101.0, 100.0, 101.0, 10, 2),
        (1_800, 1_800, 100.0, 101.0, 100.0, 101.0, 10, 2),
    ]
    bars.update(1, at(8_050), 103.0, 50)  # the pre-open's match before the second part
    bars.update(1, at(8_105), 102.0, 60)
    bars.update(1, at(2_695), 90.0, 10)  # far too late
    bars.advance(NEVER)
    assert rows(bars) == [
        (8_100, 60, 102.0, 102.0, 102.0, 102.0, 10, 1),
        (8_100, 1_800, 102.0, 102.0, 102.0, 102.0, 10, 1),
        (0, DAY, 100.0, 102.0, 100.0, 102.0, 60, 3),
    ]
    assert bars.outside == 3


def test_hours_of_ones_own_end_with_the_session():
    bars = started(60)
    own(bars, 1, 60)
    bars.begin_session(OPEN, CLOSE)
    bars.update(1, at(90), 100.0, -1)
    assert bars.outside == 0
