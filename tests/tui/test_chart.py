"""The chart without its screen: where things stand on it, and which bars are seen."""

import pytest

from engine.board_rows import BarRow, FillMark
from tui.app.charts.candle_chart import (
    ChartContent,
    ChartLevel,
    PlacedFill,
    axis_width,
    chart_rows,
    draw_chart,
)
from tui.app.charts.cell_canvas import CellCanvas
from tui.app.charts.chart_caption import compared_line, span_name
from tui.app.charts.chart_studies import BELOW, OVERLAYS, StudyLine, study_lines
from tui.app.charts.chart_window import STRIDES, ChartWindow, SeenBars
from tui.app.charts.price_axis import PriceAxis, axis_for, round_prices, round_step
from tui.app.screens.chart_screen import placed_fills

MINUTE = 60_000_000_000
OPENING = 1_783_914_300_000_000_000
"""09:15 IST on Monday 13 July 2026."""
HOURS = 3_600_000_000_000


def bar(start, open=1.0, high=2.0, low=0.5, close=1.5, volume=10):
    return BarRow(start, open, high, low, close, volume)


def minutes(count, start=OPENING, price=100.0):
    return [
        bar(start + k * MINUTE, price + k, price + k + 2, price + k - 1, price + k + 1, 10 + k)
        for k in range(count)
    ]


def drawn(bars, *, width=60, height=14, window=None, level=None, **content):
    window = window or ChartWindow()
    content = ChartContent(bars, content.pop("span", 60), content.pop("last", 0.0), **content)
    seen = window.seen(bars, width - axis_width(content))
    return draw_chart(content, seen, width=width, height=height, stride=window.stride, level=level)


# cells and dots


def test_a_line_sets_the_dots_of_its_way_in_cells_of_two_by_four():
    canvas = CellCanvas(2, 2)
    # Straight down the first column of dots, then one step to the right.
    canvas.draw_line([(0, 0.0)], "focus", range(2), 2)
    canvas.draw_line([(1, 0.0), (2, 7.0)], "focus", range(2), 2)
    # (0, 0) and (1, 0) are dots 1 and 4 of the first cell; the way from 0 to 7 lies at x = 2,
    # all of the left column of the second cell but its beginning, and the one below it.
    assert canvas.text() == [chr(0x2809) + chr(0x2846), " " + chr(0x2847)]


def test_a_line_gives_way_to_what_stands_in_its_cell_unless_that_is_soft():
    canvas = CellCanvas(2, 1)
    canvas.put(0, 0, "┃", "up")
    canvas.put(1, 0, "│", "up", soft=True)
    canvas.draw_line([(0, 0.0), (3, 0.0)], "focus", range(1), 2)
    assert canvas.text() == ["┃" + chr(0x2809)]


def test_a_line_stays_in_its_rows_and_columns():
    canvas = CellCanvas(3, 3)
    canvas.draw_line([(0, -9.0), (1, 30.0), (5, 30.0)], "focus", range(1, 2), 1)
    assert [bool(line) for line in canvas.text()] == [False, True, False]
    assert all(len(line) == 1 for line in canvas.text() if line)


def test_a_gap_in_the_values_is_a_gap_in_the_line():
    canvas = CellCanvas(3, 1)
    canvas.draw_line([(0, 0.0), None, (4, 0.0)], "focus", range(1), 3)
    assert canvas.text() == ["⠁ ⠁"]


# the axis


def test_a_price_has_its_half_cell_and_its_row():
    axis = PriceAxis(100.0, 104.0, top=3, rows=2)
    assert [axis.half(x) for x in (103.9, 102.9, 101.9, 100.1)] == [6, 7, 8, 9]
    # What lies beyond is held at the ends.
    assert (axis.half(200.0), axis.half(1.0), axis.row(200.0), axis.row(1.0)) == (6, 9, 3, 4)
    assert (axis.price_at(3), axis.price_at(4)) == (103.0, 101.0)
    assert axis.dot(104.0) == 11.5


@pytest.mark.parametrize(
    ("reach", "most", "step"),
    [(10.0, 5, 2.0), (10.0, 4, 5.0), (0.9, 4, 0.5), (1.0, 10, 0.1), (7_000.0, 6, 2_000.0)],
)
def test_steps_are_round(reach, most, step):
    assert round_step(reach, most) == pytest.approx(step)


def test_round_prices_lie_on_the_axis_from_the_top():
    assert round_prices(PriceAxis(1_514.2, 1_521.7, 0, 20), 6) == [1520.0, 1518.0, 1516.0]


def test_prices_that_stand_still_have_an_axis_and_none_have_not():
    axis = axis_for([250.0, 250.0], 0, 10)
    assert axis is not None
    assert axis.low < 250.0 < axis.high
    assert axis_for([], 0, 10) is None
    assert axis_for([1.0, 2.0], 0, 0) is None
    assert axis_for([0.0, 0.0], 0, 4) is not None


# candles


def test_a_candle_has_light_wicks_and_a_heavy_body_in_half_cells():
    # Four halves between 100 and 104, and a margin of 3 % of it above and below.
    bars = [
        bar(OPENING, 101.0, 104.0, 100.0, 103.0),
        bar(OPENING + MINUTE, 103.9, 104.0, 100.0, 100.1),
        bar(OPENING + 2 * MINUTE, 102.5, 102.6, 102.4, 102.5),
    ]
    lines = drawn(bars, height=3, with_volume=False).canvas.text()
    assert [line[:5].rstrip() for line in lines[:2]] == ["╽ ┃ ╻", "╿ ┃"]


def test_near_candles_are_blocks_with_a_blank_between_them():
    window = ChartWindow()
    window.stride = 4
    bars = [
        bar(OPENING, 100.0, 104.0, 100.0, 104.0),
        bar(OPENING + MINUTE, 104.0, 104.0, 100.0, 100.0),
    ]
    lines = drawn(bars, height=3, window=window, with_volume=False).canvas.text()
    assert [line[:7] for line in lines[:2]] == ["███ ███"] * 2


def test_volume_fills_eighths_up_to_the_highest():
    bars = [
        bar(OPENING, volume=80),
        bar(OPENING + MINUTE, volume=40),
        bar(OPENING + 2 * MINUTE, volume=5),
    ]
    drawing = drawn(bars, height=14)
    rows = chart_rows(14, volume=True, below=False).volume
    text = drawing.canvas.text()
    assert len(rows) == 2
    assert [text[row][:5].rstrip() for row in rows] == ["█", "█ █ ▁"]
    assert "vol 80" in text[rows[0]]


@pytest.mark.parametrize("stride", STRIDES)
def test_no_bars_no_volume_and_little_room_are_drawn_all_the_same(stride):
    window = ChartWindow()
    window.stride = stride
    for count in (0, 1, 2, 200):
        for width, height in ((1, 1), (16, 2), (20, 3), (80, 24), (400, 100)):
            drawing = drawn(
                [each._replace(volume=0) for each in minutes(count)],
                width=width,
                height=height,
                window=window,
                below=BELOW[1],
                below_lines=study_lines(BELOW[1], minutes(count)),
            )
            assert all(len(line) <= width for line in drawing.canvas.text())


def test_the_last_candle_is_whole():
    for stride in STRIDES:
        window = ChartWindow()
        window.stride = stride
        for columns in range(8, 40):
            wide = 1 if stride < 4 else stride - 1
            room = window.room(columns)
            assert (room - 1) * stride + wide <= columns
            assert room * stride + wide > columns


# marks and levels


def test_fills_stand_beside_their_candle_in_the_row_of_their_price():
    bars = minutes(3)
    fills = [PlacedFill(0, 100.0, "BUY"), PlacedFill(2, 103.0, "SELL"), PlacedFill(2, 103.0, "BUY")]
    drawing = drawn(bars, fills=fills, with_volume=False)
    text = drawing.canvas.text()
    assert text[drawing.axis.row(100.0)][1] == "▲"
    assert text[drawing.axis.row(103.0)][5] == "◆"
    assert "▼" not in "".join(text)


def test_a_level_close_by_widens_the_axis_and_one_far_off_is_an_arrow():
    bars = minutes(20)
    near = drawn(bars, levels=[ChartLevel("stop", 97.0, "notice")])
    assert near.axis.shows(97.0)
    assert "stop   97.00" in "\n".join(near.canvas.text())
    far = drawn(
        bars, levels=[ChartLevel("stop", 60.0, "notice"), ChartLevel("goal", 300.0, "notice")]
    )
    text = "\n".join(far.canvas.text())
    assert not far.axis.shows(60.0)
    assert "▾stop  60.00" in text
    assert "▴goal 300.00" in text


def test_an_arrow_leaves_each_level_its_name_on_its_line():
    # Two stops are far below the lowest price of 99, and one is close by.
    levels = [ChartLevel("stop", at, "notice") for at in (50.0, 60.0, 97.0)]
    text = drawn(minutes(20), levels=levels, last=110.0).canvas.text()
    assert [line for line in text if "╌" in line] == [line for line in text if "  97.00" in line]
    assert all(f"▾stop  {far}.00" in "\n".join(text) for far in (50, 60))


def test_tags_stand_in_the_order_of_their_prices_and_the_last_price_in_its_row():
    bars = minutes(20)
    levels = [ChartLevel(f"l{k}", 110.0 + k / 100, "dim") for k in range(4)]
    drawing = drawn(bars, last=110.015, levels=levels, height=24)
    text = drawing.canvas.text()
    rows = {
        name: next(k for k, line in enumerate(text) if f"{name} " in line)
        for name in ("l3", "l2", "last", "l1", "l0")
    }
    assert list(rows.values()) == sorted(rows.values())
    assert rows["last"] == drawing.axis.row(110.015)


# times


def test_days_are_named_where_they_begin_and_times_between_them():
    yesterday = minutes(10, OPENING - 24 * HOURS)
    drawing = drawn([*yesterday, *minutes(30)], width=110)
    times = drawing.canvas.text()[-1]
    assert times.startswith("12 Jul")
    assert times.index("13 Jul") == 20
    assert "09:20" in times or "09:25" in times
    assert "┊" in drawing.canvas.text()[0] + drawing.canvas.text()[1]


def test_bars_of_days_are_named_by_their_days():
    bars = [bar(OPENING + 24 * k * HOURS) for k in range(30)]
    times = drawn(bars, width=90, span=86_400).canvas.text()[-1]
    assert times.split()[:4] == ["13", "Jul", "17", "Jul"]


# the window


def test_the_newest_bars_are_followed_until_it_is_moved_away():
    window, bars = ChartWindow(), minutes(100)
    assert window.seen(bars, 39) == SeenBars(80, 100, None)
    assert window.seen(minutes(103), 39) == SeenBars(83, 103, None)
    window.pan(bars, 39, -10)
    assert window.seen(bars, 39) == SeenBars(70, 90, None)
    # Other bars come: what is seen stays.
    assert window.seen(minutes(103), 39) == SeenBars(70, 90, None)
    assert not window.follows
    window.pan(bars, 39, -1_000)
    assert window.seen(bars, 39) == SeenBars(0, 20, None)
    window.pan(bars, 39, 1_000)
    assert window.follows


def test_the_cross_hair_stays_on_its_bar_and_takes_the_window_with_it():
    window, bars = ChartWindow(), minutes(100)
    window.move_cursor(bars, 39, -1)
    # The first press brings it.
    assert window.seen(bars, 39) == SeenBars(80, 100, 99)
    window.move_cursor(bars, 39, -25)
    assert window.seen(bars, 39) == SeenBars(74, 94, 74)
    assert window.seen(minutes(140), 39).cursor == 74
    window.move_cursor(bars, 39, 1_000)
    assert window.seen(bars, 39) == SeenBars(80, 100, 99)
    window.follow()
    assert window.seen(bars, 39).cursor is None


def test_the_oldest_bars_fall_out_under_a_window():
    window, bars = ChartWindow(), minutes(100)
    window.pan(bars, 39, -1_000)
    assert window.seen(bars[60:], 39) == SeenBars(0, 20, None)
    window.move_cursor(bars, 39, 0)
    assert window.seen(bars[60:], 39).cursor == 0


def test_zooming_ends_at_both_ends():
    window = ChartWindow()
    window.zoom(9)
    assert window.stride == STRIDES[-1]
    window.zoom(-9)
    assert window.stride == STRIDES[0]


# studies


@pytest.mark.parametrize("study", [*OVERLAYS, *BELOW], ids=lambda study: study.name)
def test_every_study_has_a_value_for_each_bar_or_none(study):
    bars = minutes(300)
    for line in study_lines(study, bars):
        assert len(line.values) == 300
        assert line.values[-1] is not None
    assert all(not line.values for line in study_lines(study, []))


def test_an_average_begins_where_it_has_its_bars():
    # Closes are 101, 102, ...: the mean of the first nine is 105, then it moves by 1/5 of the way.
    line = study_lines(OVERLAYS[0], minutes(12))[0]
    assert line.values[:8] == [None] * 8
    assert line.values[8:10] == [105.0, 105.0 + (110.0 - 105.0) / 5]


def test_the_average_by_volume_begins_anew_each_day():
    study = next(each for each in OVERLAYS if each.name == "VWAP")
    bars = [
        bar(OPENING - 24 * HOURS, 0.0, 12.0, 9.0, 9.0, 100),
        bar(OPENING, 0.0, 22.0, 19.0, 19.0, 10),
        bar(OPENING + MINUTE, 0.0, 32.0, 29.0, 29.0, 30),
    ]
    # Typical prices 10, 20 and 30; of the second day (20 × 10 + 30 × 30) / 40.
    assert study_lines(study, bars)[0].values == pytest.approx([10.0, 20.0, 27.5])


def test_another_instrument_starts_at_the_same_place():
    bars = minutes(5)
    others = [bar(each.start, close=each.close * 2) for each in bars[1:]]
    others[-1] = others[-1]._replace(close=others[-1].close * 1.1)
    line = compared_line(bars, others, 0, "SBIN", 7.0)
    assert line == StudyLine("SBIN", "sell", [None, 102.0, 103.0, 104.0, pytest.approx(115.5)])
    assert compared_line(bars, [], 0, "SBIN", 7.0).values == [None] * 5
    # Only the charted one has the bar that forms: the other one's last price stands for it.
    now = compared_line(bars, others[:-1], 0, "SBIN", others[-1].close)
    assert now == line


# fills on bars


def test_a_fill_is_marked_on_the_bar_it_fell_into():
    bars = [bar(n * MINUTE) for n in (100, 101, 102)]
    fills = [
        FillMark(101 * MINUTE, 7, "BUY", 1.2, 5),
        FillMark(103 * MINUTE - 1, 7, "SELL", 1.4, 5),
        FillMark(99 * MINUTE, 7, "BUY", 1.0, 5),
        FillMark(101 * MINUTE, 8, "BUY", 1.0, 5),
    ]
    assert placed_fills(fills, 7, bars, 60) == [(1, 1.2, "BUY"), (2, 1.4, "SELL")]
    assert placed_fills(fills, 7, [], 60) == []


def test_bars_that_start_off_the_round_hour_keep_their_own_grid():
    # An hour bar from 09:15 IST starts at a quarter past.
    bars = [bar(15 * MINUTE), bar(75 * MINUTE)]
    assert placed_fills([FillMark(80 * MINUTE, 7, "BUY", 1.0, 1)], 7, bars, 3_600) == [
        (1, 1.0, "BUY")
    ]
    assert placed_fills([FillMark(74 * MINUTE, 7, "BUY", 1.0, 1)], 7, bars, 3_600) == [
        (0, 1.0, "BUY")
    ]


def test_spans_are_named_in_their_largest_unit():
    assert [span_name(n) for n in (15, 60, 900, 3_600, 86_400)] == ["15s", "1m", "15m", "1h", "1d"]
