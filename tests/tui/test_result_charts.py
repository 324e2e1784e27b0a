"""Curves in Braille and maps of cells, as pure functions."""

import pytest

from tests.tui.test_theme import variables
from tui.app.charts.heat_map import HeatValues, draw_heat, first_seen, fitting_text, heat_level
from tui.app.charts.line_chart import ChartLine, day_text, dot_places, draw_lines
from tui.app.widgets.theme import ToneStyles

DAY = 86_400_000_000_000
TUESDAY = 1_717_466_400_000_000_000
"""4 June 2024, 07:30 IST."""


def test_a_curve_has_its_legend_axis_depth_and_days():
    net = [100.0, 120.0, 110.0, 90.0, 130.0, 140.0]
    below = [0.0, 0.0, -8.33, -25.0, 0.0, 0.0]
    moments = [TUESDAY + k * DAY for k in range(6)]
    drawn = draw_lines(
        [ChartLine("gross", "faint", [value + 10 for value in net]), ChartLine("net", "up", net)],
        moments,
        width=60,
        height=12,
        below=below,
        cursor=3,
        unit="₹",
    )
    text = drawn.canvas.text()
    assert len(text) == 12
    # Of the day under the cross-hair: what it was worth, and what that is beside the beginning.
    assert text[0] == " 2024-06-07  ━ net ₹90.00 -10.00  drawdown -25.00%"
    assert [line[-3:].strip() for line in text if line.endswith(("100", "120", "140"))]
    assert text[-1].startswith("2024-06-04")
    # The deepest of the drawdown reaches the last of its rows, the peak none.
    assert text[-2].strip().endswith("-25.0%")
    assert drawn.cursor_column == 3 * (2 * drawn.columns - 1) // 5 // 2
    assert text[-2][drawn.cursor_column] != " "
    assert text[-2][drawn.columns - 1] == " "


def test_a_curve_of_one_moment_or_of_none_draws_nothing():
    for values in ([], [1.0]):
        drawn = draw_lines([ChartLine("net", "", values)], [0] * len(values), width=30, height=8)
        assert set(drawn.canvas.text()) == {""}


def test_of_more_moments_than_dots_each_column_shows_one():
    assert dot_places(3, 7) == [(0, 0), (3, 1), (6, 2)]
    places = dot_places(1_000, 10)
    assert [x for x, _ in places] == list(range(10))
    assert (places[0][1], places[-1][1]) == (0, 999)


def test_a_deep_day_between_two_columns_is_seen():
    below = [0.0] * 400
    below[201] = -50.0
    drawn = draw_lines(
        [ChartLine("net", "", [1.0] * 400)],
        [TUESDAY + k * DAY for k in range(400)],
        width=50,
        height=12,
        below=below,
    )
    assert drawn.canvas.text()[-2][: drawn.columns].strip()


MAP = HeatValues(
    "sharpe",
    "fast",
    ["5", "7", "9"],
    "slow",
    ["20", "40"],
    [[1.0, -2.0, None], [0.5, 2.0, 4.0]],
)


def test_a_map_has_values_where_there_is_room_and_names_the_best_and_the_cursor():
    assert draw_heat(MAP, width=52, height=4, column=1, row=0).canvas.text() == [
        " sharpe  fast 7  slow 20  -2.000   ◆ 4.000 at 9, 40",
        " slow╲          5          7          9",
        "    20      1.00 [    -2.00 ]    ·",
        "    40      0.50       2.00       4.00◆",
    ]


def test_a_narrow_map_says_the_same_by_heights():
    text = draw_heat(MAP, width=14, height=4, column=9, row=9).canvas.text()
    # -2 is the lowest and 4 the best: 0.5 and 1 stand between them.
    assert text[2:] == [" 20  ▅  ▁ ·", " 40  ▄  ▆[ ◆]"]


def test_the_ground_tells_sign_and_size_in_every_theme():
    assert heat_level(4.0, -2.0, 4.0) == "heat-up-4"
    assert heat_level(0.5, -2.0, 4.0) == "heat-up-1"
    assert heat_level(-1.0, -2.0, 4.0) == "heat-down-3"
    assert heat_level(0.0, 0.0, 0.0) == "heat-up-1"
    for name in ("dark", "light", "high-contrast", "colour-blind"):
        tones = ToneStyles(variables(name))
        grounds = {
            tones.style("", f"heat-{way}-{n}").bgcolor.name
            for way in ("up", "down")
            for n in (1, 4)
        }
        assert len(grounds) == 4
        # What is written on it is never in the sign's own colour.
        assert tones.style("down", "heat-down-4").color == tones.style("strong").color


@pytest.mark.parametrize(
    ("value", "room", "text"),
    [
        (1.234, 4, "1.23"),
        (-12.34, 5, "-12.3"),
        (-12.34, 3, "-12"),
        (12_345.6, 6, "12,346"),
        (12_345.6, 5, "12346"),
        (123_456.0, 4, "123k"),
        (-4.5, 1, ""),
    ],
)
def test_a_number_takes_the_form_that_fits(value, room, text):
    assert fitting_text(value, room) == text


def test_a_map_that_is_too_large_goes_with_its_cursor():
    assert [first_seen(cursor, 4, 10) for cursor in (0, 2, 5, 9)] == [0, 0, 3, 6]
    assert first_seen(3, 20, 10) == 0


def test_a_day_is_that_of_india():
    assert day_text(TUESDAY) == "2024-06-04"
    assert day_text(TUESDAY - 8 * 3_600_000_000_000) == "2024-06-03"
