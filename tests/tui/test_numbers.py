import pytest

from engine import numbers
from tui import formats as drawn

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("n", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1_000, "1,000"),
        (99_999, "99,999"),
        (100_000, "1,00,000"),
        (1_234_567, "12,34,567"),
        (-1_234_567, "-12,34,567"),
        (1_234_567_890, "1,23,45,67,890"),
    ],
)
def test_whole_numbers_are_grouped_the_indian_way(n, text):
    assert numbers.count(n) == text


@pytest.mark.parametrize(
    ("paise", "text"),
    [
        (123_456_780, "12,34,567.80"),
        (5, "0.05"),
        (-5, "-0.05"),
        (-100_000, "-1,000.00"),
        (0, "0.00"),
    ],
)
def test_paise_become_rupees_to_the_paisa(paise, text):
    assert numbers.rupees(paise) == text


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (1412.35, "1,412.35"),
        (131245.0, "1,31,245.00"),
        (83.4275, "83.4275"),
        (0.05, "0.05"),
        (0.0, ""),
        (-12.5, "-12.50"),
    ],
)
def test_a_price_has_four_decimals_only_on_a_finer_grid(x, text):
    assert numbers.price(x) == text


def test_a_loss_has_a_falling_arrow_and_its_sign():
    assert numbers.gain(-1_234_500) == "▼ -12,345.00"
    assert numbers.gain(1_234_500) == "▲ 12,345.00"
    assert numbers.percent_move(-1.234) == "▼ 1.23%"
    assert numbers.percent_move(0.0) == "  0.00%"


@pytest.mark.parametrize(
    ("n", "text"),
    [
        (-1, ""),
        (0, "0"),
        (81_234, "81,234"),
        (99_994, "99,994"),
        (99_995, "1.00 L"),
        (1_234_567, "12.35 L"),
        (9_999_499, "99.99 L"),
        (9_999_500, "1.00 Cr"),
        (123_456_789, "12.35 Cr"),
        (45_678_900_000, "4568 Cr"),
    ],
)
def test_volumes_are_given_in_lakh_and_crore(n, text):
    assert numbers.compact(n) == text


def test_the_clock_shows_ist_without_the_date():
    assert numbers.time_of_day(1_784_017_800 * SECOND) == "14:00:00"
    assert numbers.time_of_day(1_783_967_399 * SECOND) == "23:59:59"
    assert numbers.time_of_day(0) == "--:--:--"


def test_a_countdown_is_rounded_up_so_that_it_ends_at_zero():
    assert numbers.countdown(252 * SECOND) == "4:12"
    assert numbers.countdown(251 * SECOND + 1) == "4:12"
    assert numbers.countdown(3_852 * SECOND) == "1:04:12"
    assert numbers.countdown(-SECOND) == "0:00"


def test_ages_grow_from_seconds_to_hours():
    assert [numbers.age(n * SECOND) for n in (0, 59, 60, 3_599, 3_600)] == [
        "0s",
        "59s",
        "1m",
        "59m",
        "1h",
    ]


def test_a_spark_is_a_thin_line_of_two_values_a_cell_from_the_lowest_to_the_highest():
    # dots 1 2 | 3 4 from the bottom: 0x40+0x20, 0x02+0x08
    assert drawn.sparkline((1.0, 2.0, 3.0, 4.0), 8) == "⡠⠊"
    # the last two; the step from the lowest to the highest is drawn
    assert drawn.sparkline((9.0, 1.0, 4.0), 1) == "⡸"
    assert drawn.sparkline((5.0, 5.0), 8) == "⠤"
    assert drawn.sparkline((1.0, 2.0, 1.0), 8) == "⢀⢷"
    assert drawn.sparkline((), 8) == ""


def test_a_bar_fills_in_half_cells_and_never_leaves_its_width():
    assert drawn.meter_bar(0.5, 4) == "━━┈┈"
    assert drawn.meter_bar(0.625, 4) == "━━╸┈"
    assert drawn.meter_bar(7.0, 4) == "━━━━"
    assert drawn.meter_bar(-1.0, 4) == "┈┈┈┈"


def test_amounts_from_the_engine_are_grouped_and_other_texts_left_alone():
    assert numbers.amount("1240000.50") == "12,40,000"
    assert numbers.amount("25000") == "25,000"
    assert numbers.amount("0.44") == "0.44"
    assert numbers.amount("1.2 bp") == "1.2 bp"
    assert numbers.amount("off") == "off"
    assert numbers.amount("") == ""
