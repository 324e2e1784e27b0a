"""Parts of reports: figures, scales, thinned curves, colours, days to remember."""

import re
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.backtest.report import page_shell, report_sections, result_spreads, svg_charts
from engine.backtest.report.html_markup import HtmlMarkup, tag
from engine.backtest.report.trade_candles import grouped_bars, trade_picture
from engine.backtest.results import figure_text
from engine.backtest.statistics import stress_days
from engine.backtest.statistics.run_metrics import METRICS, RunMetric
from engine.history.bar_series import BarSeries, day_number, numbered_day
from engine.market.calendar import Calendar
from tests.engine.backtest.demo_run import demo
from tests.engine.backtest.demo_run import sessions as numbered_sessions
from tests.engine.backtest.made_up import outcome, trade


@pytest.mark.parametrize(
    ("paise", "signed", "text"),
    [
        (12_345_678, False, "₹1,23,456.78"),
        (12_345_678, True, "+₹1,23,456.78"),
        (-5, True, "-₹0.05"),
        (0, True, "₹0.00"),
    ],
)
def test_amounts_are_rupees_to_the_paisa(paise, signed, text):
    assert figure_text.money(paise, signed=signed) == text


@pytest.mark.parametrize(
    ("rupees", "texts"),
    [
        ([2_000_000, 2_500_000], ["₹20 L", "₹25 L"]),
        ([998_500, 999_000, 999_500], ["₹9.985 L", "₹9.990 L", "₹9.995 L"]),
        ([-5_000, 0, 5_000], ["-₹5,000", "₹0", "₹5,000"]),
        ([0, 12_500_000, 25_000_000], ["₹0.00 Cr", "₹1.25 Cr", "₹2.50 Cr"]),
        ([0.5, 1.0], ["₹0.5", "₹1.0"]),
        ([], []),
    ],
)
def test_amounts_beside_a_chart_are_short_and_told_apart(rupees, texts):
    assert figure_text.short_money([each * 100 for each in rupees]) == texts


@pytest.mark.parametrize(
    ("other", "own", "dwarfs"),
    [
        ([1, 100], [10, 12], True),
        ([1, 8], [10, 12], False),
        ([np.nan, np.nan], [10, 12], False),
        ([1, 100], [10, 10], False),
    ],
)
def test_what_moves_more_than_five_times_as_much_leaves_the_picture(other, own, dwarfs):
    assert svg_charts.spreads_wider(np.array(other, float), np.array(own, float)) == dwarfs


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (42, "42 s"),
        (725, "12 m 5 s"),
        (3_600, "1 h"),
        (273_600, "3 d 4 h"),
        (86_430, "1 d"),
        (None, figure_text.NONE),
    ],
)
def test_durations_have_two_units(seconds, text):
    assert figure_text.duration_text(seconds) == text


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("net", 123_456.78, "+₹1,23,456.78"),
        ("charges", 12.5, "₹12.50"),
        ("max_drawdown", -4.768, "-4.77%"),
        ("win_rate", 46.987, "46.99%"),
        ("break_even_turnover", 0.01743, "0.0174%"),
        ("sharpe", 1.234, "1.23"),
        ("trades", 123_456, "1,23,456"),
        ("deflated_sharpe", 0.9004, "0.900"),
        ("annual_turnover", 3.2, "3.20×"),
        ("average_holding", 5_400, "1 h 30 m"),
        ("start", "2024-06-04", "2024-06-04"),
        ("alpha", None, figure_text.NONE),
        ("skew", -0.5, "-0.50"),
        ("cagr", 0.0, "0.00%"),
    ],
)
def test_a_figure_is_spelt_by_its_unit(key, value, text):
    unit = next(each.unit for each in METRICS if each.key == key)
    assert figure_text.figure(RunMetric(key, key, unit, value)) == text


def test_the_figures_that_matter_and_those_with_a_sign_are_metrics():
    keys = {each.key for each in METRICS}
    assert set(figure_text.KEY) <= keys
    assert keys >= figure_text.SIGNED


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (-0.004, ("0.00%", "")),
        (0.004, ("0.00%", "")),
        (-0.006, ("-0.01%", "down")),
        (0.006, ("+0.01%", "up")),
        (None, (figure_text.NONE, "")),
    ],
)
def test_what_rounds_to_nothing_is_neither_gain_nor_loss(value, cell):
    assert report_sections._percent_cell(value) == cell


def test_what_is_no_markup_is_escaped():
    assert tag("b", "<&>", HtmlMarkup("<i>"), title='"') == '<b title="&quot;">&lt;&amp;&gt;<i></b>'


@given(st.integers(0, 2**32), st.integers(1, 3_000), st.integers(2, 50))
def test_a_thinned_curve_keeps_its_ends_its_highest_and_its_lowest(seed, points, columns):
    x, y = (
        np.arange(points, dtype=np.float64),
        np.random.default_rng(seed).normal(size=points).cumsum(),
    )
    kept_x, kept_y = svg_charts.thinned_points(x, y, columns)
    assert len(kept_x) <= max(4 * columns, 4)
    assert (kept_x[0], kept_x[-1]) == (x[0], x[-1])
    assert (kept_y.min(), kept_y.max()) == (y.min(), y.max())
    assert (np.diff(kept_x) > 0).all()
    assert (y[kept_x.astype(int)] == kept_y).all()


@given(st.floats(-1e7, 1e7), st.floats(1e-3, 1e7), st.integers(2, 8))
def test_ticks_are_round_inside_the_scale_and_few(low, size, most):
    scale = svg_charts.AxisScale(low, low + size)
    ticks = svg_charts.round_ticks(scale, most)
    assert 1 <= len(ticks) <= most + 1
    assert all(low - size * 1e-9 <= each <= low + size * (1 + 1e-9) for each in ticks)
    step = np.diff(ticks)
    assert np.allclose(step, step[:1], atol=size * 1e-6)


@pytest.mark.parametrize(
    ("ticks", "places"),
    [
        ([0, 5, 10], 0),
        ([-5.0, -2.5, 0.0], 1),
        ([0.0, 0.25], 2),
        ([0.0, 0.1, 0.2], 1),
        ([0.0], 0),
        ([], 0),
    ],
)
def test_ticks_have_the_decimals_it_takes_to_tell_them_apart(ticks, places):
    assert svg_charts.places(ticks) == places


@pytest.mark.parametrize("sessions", [1, 2, 5, 12, 40, 250, 750, 2_500])
def test_there_are_few_dates_below_a_chart_and_fewer_on_a_phone(sessions):
    ticks = svg_charts.day_ticks(np.arange(20_000, 20_000 + sessions))
    assert 1 <= len(ticks) <= 12
    assert sum(not each.wide for each in ticks) <= 5
    assert all(0 <= each.at <= 1 for each in ticks)
    assert [each.at for each in ticks] == sorted(each.at for each in ticks)


@pytest.mark.parametrize(
    ("sessions", "labels"),
    [
        (30, ["8 May", "15 May", "22 May", "29 May", "5 Jun", "12 Jun"]),
        (200, ["Jun 23", "Jul 23", "Aug 23", "Sep 23", "Oct 23", "Nov 23", "Dec 23", "Jan 24"]),
        (500, ["Jul 23", "Oct 23", "Jan 24", "Apr 24", "Jul 24", "Oct 24", "Jan 25"]),
        (1_500, ["2024", "2025", "2026", "2027", "2028"]),
    ],
)
def test_dates_below_a_chart_are_first_sessions_of_weeks_months_quarters_or_years(sessions, labels):
    assert [each.label for each in svg_charts.day_ticks(numbered_sessions(sessions))] == labels


@given(st.integers(1, 800), st.integers(1, 150))
def test_bands_cover_a_chart_once_and_each_tells_of_its_last_session(sessions, most):
    days, told = np.arange(20_000, 20_000 + sessions), []
    made = svg_charts.bands(days, lambda i: str(told.append(i)), most)
    assert len(told) == min(sessions, most)
    assert told == sorted(set(told))
    assert told[-1] == sessions - 1
    widths = [float(each) for each in re.findall(r'width="([\d.]+)%"', made)]
    assert sum(widths) == pytest.approx(100, abs=0.01 * len(widths))


def test_candles_of_several_bars_span_them():
    n = 301
    low = np.arange(n) + 1.0
    bars = BarSeries(
        np.arange(n),
        low + 1,
        low + 3,
        low,
        low + 2,
        np.ones(n, np.int64),
        np.ones(n, np.int64),
        np.zeros(n, np.int64),
    )
    made = grouped_bars(bars, 120)
    assert len(made.start) == 101
    assert (made.open[0], made.high[0], made.low[0], made.close[0], made.volume[0]) == (
        2,
        6,
        1,
        5,
        3,
    )
    assert (made.open[-1], made.close[-1], made.volume[-1]) == (302, 303, 1)


def dots(drawn, tone):
    return "".join(re.findall(rf'<path d="([^"]*)" class="dot {tone}"', drawn)).count("M")


def test_what_won_and_what_lost_are_told_apart_among_excursions():
    won, lost = (
        trade(i, gross=gross, mae=-i * 1_000, mfe=i * 1_000) for i, gross in ((1, 900), (2, -1_700))
    )
    drawn = result_spreads.excursion_charts(
        [won, lost, trade(3, gross=-2_900, mae=-3_000, mfe=100), trade(4, gross=1, exit_ts=0)]
    )
    assert (dots(drawn, "gain"), dots(drawn, "loss")) == (2, 4), (
        "on each of two charts, without the open one"
    )


@pytest.mark.parametrize(("side", "marks"), [(1, ["▲", "▼"]), (-1, ["▼", "▲"])])
def test_fills_point_up_where_something_was_bought(side, marks):
    minute = 60 * 10**9

    def bars(_symbol, first, last):
        start = np.arange(first - first % minute, last, minute * 60)
        flat = np.full(len(start), 100.0)
        return BarSeries(start, flat, flat + 1, flat - 1, flat, *np.ones((3, len(start)), np.int64))

    drawn = trade_picture(trade(side=side), "best trade", bars, 60)
    assert re.findall("[▲▼]", drawn) == marks
    assert ("in 100.00" in drawn, "out 101.00" in drawn) == (True, True)


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (
        each / 12.92 if each <= 0.03928 else ((each + 0.055) / 1.055) ** 2.4 for each in parts
    )
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def colours(scheme):
    light, dark = re.findall(r":root \{(.*?)\}", page_shell.STYLE, re.DOTALL)
    named = dict(re.findall(r"--([\w-]+): (#\w+)", light))
    return named if scheme == "light" else named | dict(re.findall(r"--([\w-]+): (#\w+)", dark))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_and_lines_stand_out_from_what_they_stand_on(scheme):
    named = colours(scheme)
    for ink in (
        "ink",
        "dim",
        "gain",
        "loss",
        "pass",
        "warn",
        "fail",
        "none",
        "net",
        "before",
        "held",
        "sum",
    ):
        for ground in ("paper", "card", "raised"):
            assert contrast(named[ink], named[ground]) >= 4.5, (ink, ground)
    for shade in ("g1", "g2", "g3", "g4", "l1", "l2", "l3", "l4"):
        assert contrast(named["ink"], named[shade]) >= 4.5, shade


def test_every_colour_of_a_rule_is_named_and_has_its_kind_for_the_dark():
    light, dark = re.findall(r":root \{(.*?)\}", page_shell.STYLE, re.DOTALL)
    used = set(re.findall(r"var\(--([\w-]+)\)", page_shell.STYLE))
    assert used == set(re.findall(r"--([\w-]+):", light)) == set(re.findall(r"--([\w-]+):", dark))
    rules = re.sub(r":root \{.*?\}", "", page_shell.STYLE, flags=re.DOTALL)
    assert not re.search(r":[^;{]*#[0-9a-fA-F]{3,8}\b", rules)


def test_style_and_script_are_delivered_with_the_package():
    project = (Path(__file__).parents[3] / "pyproject.toml").read_text()
    assert all(f'"*.{ending}"' in project for ending in ("css", "js", "json"))


def test_the_days_to_remember_are_sessions_in_order():
    table, calendar = stress_days.load_stress_table(), Calendar.load()
    days = [each.day for each in table.days]
    assert days == sorted(set(days))
    assert [each for each in days if not calendar.is_trading_day(each)] == []
    assert {each.kind for each in table.days} | {each.kind for each in table.stretches} == set(
        table.kinds
    )


def numbered(days):
    return np.array([day_number(each) for each in days])


@pytest.mark.parametrize(
    "expiry",
    [
        date(2023, 11, 30),
        date(2024, 3, 28),
        date(2024, 6, 27),
        date(2025, 8, 28),
        date(2025, 9, 30),
        date(2026, 3, 30),
    ],
)
def test_monthly_expiries_are_the_last_thursday_then_the_last_tuesday_or_the_session_before(expiry):
    days = numbered(Calendar.load().trading_days(date(2023, 1, 2), date(2026, 4, 30)))
    found = {
        each
        for stretch in stress_days.load_stress_table().stretches
        if stretch.kind == "expiry"
        for each in stress_days._ruled_days(days, stretch)
    }
    assert day_number(expiry) in found
    months = {f"{numbered_day(each):%Y-%m}" for each in found}
    assert len(found) == len(months) == 40


def test_what_became_of_the_account_on_a_day_to_remember():
    outcome, _ = demo(trades=900, days=320)
    found = {
        each.what: each
        for each in stress_days.day_results(outcome, stress_days.load_stress_table())
    }
    day = found["General election: votes counted, NIFTY -5.9 %"]
    i = int(np.flatnonzero(outcome.daily.day == day_number(date(2024, 6, 4)))[0])
    before, after = (int(outcome.daily.equity[k]) for k in (i - 1, i))
    assert day.net == after - before
    assert day.account == pytest.approx(100 * (after - before) / before)
    assert day.held == pytest.approx(
        100 * (outcome.daily.benchmark[i] / outcome.daily.benchmark[i - 1] - 1)
    )


def test_kinds_of_days_and_all_others_are_the_whole_run():
    outcome, _ = demo(trades=200, days=60)
    table = stress_days.StressTable(
        "", {"a": "A"}, [], [stress_days.StressDay(date(2023, 5, 8), "a", "x")]
    )
    one, others = stress_days.kind_results(outcome, table)
    assert (one.name, one.days, others.days) == ("A", 1, 59)
    assert one.net + others.net == int(outcome.daily.equity[-1]) - outcome.manifest.start_cash


def test_the_manifest_names_what_was_an_authors_own():
    def shown(**manifest):
        return str(report_sections.manifest_tables(outcome([100_00] * 3, **manifest)))

    page = shown(
        parts={"slippage": {"class": "Slow", "sha256": "ab12"}},
        compiled=["mine"],
        universe={"file": "NIFTY50.csv", "sha256": "cd34"},
        seconds=0.2,
    )
    for words in ("Own slippage", "Slow ab12", "mine", "NIFTY50.csv cd34", "0.20 s"):
        assert words in page
    assert "Own " not in shown()
    assert "12 s" in shown(seconds=12.2)
