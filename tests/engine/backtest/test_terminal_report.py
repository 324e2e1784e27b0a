"""The report on a terminal: the verdict first, then the figures, in any number of columns."""

import io
import re

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from engine.backtest.linter.result_linter import lint_outcome, overall_verdict
from engine.backtest.results.figure_text import figure, key_figures
from engine.backtest.statistics.run_statistics import statistics
from tests.engine.backtest.demo_run import demo
from tests.foreign import FORGED, HOSTILE, obeyed
from tui.commands.backtest.backtest_report import print_report


def shown(outcome, width=80, *, terminal=False):
    metrics = statistics(outcome, trials=24)
    out = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=terminal,
        color_system="truecolor" if terminal else None,
        highlight=False,
        markup=False,
        emoji=False,
    )
    print_report(outcome, metrics, lint_outcome(outcome, metrics), out)
    return out.file.getvalue()


@pytest.fixture(scope="module")
def run():
    return demo(trades=600, days=200)[0]


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_report_fits_its_terminal_and_begins_with_the_verdict(run, width):
    text = shown(run, width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert (
        overall_verdict(lint_outcome(run, statistics(run, trials=24)))[:60] in text.splitlines()[0]
    )
    assert "\x1b" not in text
    assert "…" not in text


def test_twelve_months_that_all_lose_are_shown_whole(run):
    days = len(run.daily.day)
    falling = run.manifest.start_cash * 0.996 ** np.arange(1, days + 1)
    year = run._replace(
        daily=run.daily._replace(
            day=19_724 + np.arange(days) * 365 // days, equity=falling.astype(np.int64)
        )
    )
    months = shown(year, 80).split("Months, %")[1].split("Where the money went")[0]
    assert "…" not in months
    assert len(months.splitlines()[4].split()) == 14


def test_a_long_name_gives_way_to_its_numbers(run):
    named = run._replace(trades=[each._replace(exit_reason="why " * 3_000) for each in run.trades])
    table = shown(named, 80).split("By why out")[1].split("By hour")[0]
    [line] = [each for each in table.splitlines() if each.lstrip().startswith("why")]
    numbers = line.split("…")[1].split()
    assert len(numbers) == 5
    assert max(map(cell_len, table.splitlines())) <= 80


def test_the_levels_of_a_shallow_drawdown_differ(run):
    equity = run.manifest.start_cash - np.arange(len(run.daily.day)) * 100
    shallow = shown(run._replace(daily=run.daily._replace(equity=equity)), 80)
    drawn = shallow.split("Under water")[1].split("Months, %")[0]
    levels = re.findall(r"-?\d+\.\d+%", drawn)
    assert len(set(levels)) == len(levels) == 4


@pytest.mark.parametrize("width", [60, 80, 100, 110, 120, 200])
def test_the_ten_figures_come_before_everything_else(run, width):
    text = shown(run, width)
    top = text[: text.index("Account after charges")]
    figures = key_figures(statistics(run, trials=24))
    assert len(figures) == 10
    assert all(f"{each.label}  {figure(each)}" in top for each in figures)


def test_no_line_of_a_chart_ends_with_blanks_and_a_small_account_is_not_flattened(run):
    text = shown(run, 80)
    chart = text[text.index("Account after charges") : text.index("Months, %")]
    assert all(line == line.rstrip() for line in chart.splitlines())
    start = run.manifest.start_cash
    small = run._replace(daily=run.daily._replace(equity=start + (run.daily.equity - start) // 100))
    assert "buy and hold moves so much more that it is left out" in shown(small, 80)


def test_a_terminal_gets_colours_and_a_pipe_gets_none(run):
    coloured = shown(run, terminal=True)
    assert "\x1b[" in coloured
    assert "\x1b" not in shown(run)


def test_a_wide_terminal_is_told_more(run):
    assert (
        "MFE" not in shown(run, 80).split("Run  ")[0].split("By strategy")[1].split("By symbol")[0]
    )
    assert "MFE" in shown(run, 200).split("By strategy")[1].split("By symbol")[0]


def test_foreign_names_change_nothing_on_the_terminal():
    outcome, _ = demo(trades=40, days=4, loud=HOSTILE)
    text = shown(outcome, 200)
    assert not [each for each in obeyed(text) if len(each) == 1]
    assert not [line for line in text.splitlines() if line[:2].strip() and FORGED in line[:8]], (
        "none begins with it"
    )
    assert "[bold]" in text


@pytest.mark.parametrize(
    "case",
    [
        {"trades": 0, "days": 5},
        {"trades": 3, "days": 1},
        {"trades": 0, "days": 0},
        {"trades": 60, "days": 9, "edge": -9.0},
    ],
)
def test_a_run_of_any_kind_is_shown(case):
    outcome, _ = demo(**case)
    text = shown(outcome)
    assert "nan" not in text
    assert overall_verdict(lint_outcome(outcome, statistics(outcome, trials=24)))[:40] in text
