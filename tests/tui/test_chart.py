"""Figures of the chart before it is drawn."""

from engine.board_rows import BarRow, FillMark
from tui.app.screens.chart_screen import ema, fill_marks, span_name

MINUTE = 60_000_000_000


def bar(start):
    return BarRow(start, 1.0, 2.0, 0.5, 1.5, 10)


def test_the_average_starts_at_the_first_close_and_moves_by_its_alpha():
    # alpha = 2 / (3 + 1) = 0.5
    assert ema([10.0, 20.0, 20.0, 0.0], 3) == [10.0, 15.0, 17.5, 8.75]
    assert ema([], 9) == []


def test_a_fill_is_marked_on_the_bar_it_fell_into():
    bars = [bar(n * MINUTE) for n in (100, 101, 102)]
    fills = [
        FillMark(101 * MINUTE, 7, "BUY", 1.2, 5),
        FillMark(103 * MINUTE - 1, 7, "SELL", 1.4, 5),
        FillMark(99 * MINUTE, 7, "BUY", 1.0, 5),
        FillMark(101 * MINUTE, 8, "BUY", 1.0, 5),
    ]
    assert fill_marks(fills, 7, bars, 60) == [(1, 1.2, "BUY"), (2, 1.4, "SELL")]
    assert fill_marks(fills, 7, [], 60) == []


def test_bars_that_start_off_the_round_hour_keep_their_own_grid():
    # An hour bar from 09:15 IST starts at a quarter past.
    bars = [bar(15 * MINUTE), bar(75 * MINUTE)]
    assert fill_marks([FillMark(80 * MINUTE, 7, "BUY", 1.0, 1)], 7, bars, 3_600) == [
        (1, 1.0, "BUY")
    ]
    assert fill_marks([FillMark(74 * MINUTE, 7, "BUY", 1.0, 1)], 7, bars, 3_600) == [
        (0, 1.0, "BUY")
    ]


def test_spans_are_named_in_their_largest_unit():
    assert [span_name(n) for n in (15, 60, 900, 3_600)] == ["15s", "1m", "15m", "1h"]
