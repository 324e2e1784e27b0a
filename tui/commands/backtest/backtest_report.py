"""The report of a backtest for a terminal: verdict and figures, the curves, the tables."""

import textwrap
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from rich import box
from rich.columns import Columns
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from engine.backtest.linter.result_linter import LinterFinding, overall_verdict
from engine.backtest.report.svg_charts import spreads_wider
from engine.backtest.results.figure_text import (
    SIGNED,
    day_text,
    duration_text,
    figure,
    key_figures,
    metrics_by_group,
    moment_text,
    money,
    percent,
    ratio,
    short_money,
    tone,
)
from engine.backtest.run_outcome import RunOutcome
from engine.backtest.statistics import result_tables, stress_days
from engine.backtest.statistics.run_metrics import RunMetric
from engine.history.bar_series import Floats
from engine.numbers import count, counted
from engine.texts import plain_text

WIDE: Final = 130
"""Columns from which on tables show all they have."""
WIDEST: Final = 160
"""Columns of a chart at most."""
NAMES: Final = {
    "strategy": "Strategy",
    "symbol": "Symbol",
    "side": "Side",
    "rung": "Rung",
    "exit": "Why out",
    "hour": "Hour",
    "weekday": "Weekday",
}
MARKS: Final = {"fail": "✕", "warn": "!", "pass": "✓", "not run": "·"}
STYLES: Final = {
    "fail": "bold red",
    "warn": "yellow",
    "pass": "green",
    "not run": "dim",
    "up": "green",
    "down": "red",
    "": "",
}

Cell = tuple[str, str]
"""A text, and its paint: up, down, a status, or nothing."""


def print_report(
    outcome: RunOutcome,
    metrics: Sequence[RunMetric],
    findings: Sequence[LinterFinding],
    console: Console | None = None,
) -> None:
    """Print the report on stdout, or on `console`, in colours on a terminal only."""
    out = console or Console(highlight=False, markup=False, emoji=False)
    for part in _report_parts(
        outcome, metrics, findings, out.width, coloured=out.color_system is not None
    ):
        out.print(part)
        out.print()


def _report_parts(
    outcome: RunOutcome,
    metrics: Sequence[RunMetric],
    findings: Sequence[LinterFinding],
    width: int,
    *,
    coloured: bool,
) -> "Iterable[RenderableType]":
    yield verdict_line(findings)
    yield _run_remarks(outcome)
    # every figure below would be divided by nothing
    if not len(outcome.daily.day):
        yield _styled_text("No session was replayed: there is nothing to show.")
        return
    yield _key_figures(metrics, width)
    yield from _equity_curves(outcome, width, coloured=coloured)
    yield _months_table(outcome, width)
    yield _cost_ladder(outcome, width)
    groups = result_tables.breakdowns(outcome)
    yield from (
        _breakdown_table(title, groups[name], width)
        for name, title in NAMES.items()
        if groups.get(name)
    )
    yield _drawdown_table(outcome, width)
    yield _stress_table(outcome)
    yield findings_table("Checks", findings)
    yield _metric_tables(metrics, width)


def _styled_text(text: str, style: str = "") -> Text:
    return Text(plain_text(text), STYLES.get(style, style))


def _report_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]], left: int = 1
) -> Table:
    """Return a table of `left` columns of texts, then numbers to the right."""
    # where texts wrap each line shows whose it is
    edges = box.MINIMAL if left > 1 else box.SIMPLE_HEAD
    made = Table(
        title=_styled_text(title, "bold"),
        title_justify="left",
        box=edges,
        pad_edge=False,
        header_style="dim",
    )
    for i, name in enumerate(columns):
        # a name that wraps could pass for a row of its own
        wraps = 0 < i < left
        made.add_column(
            _styled_text(name),
            justify="left" if i < left else "right",
            no_wrap=not wraps,
            overflow="ellipsis",
        )
    for row in rows:
        made.add_row(*(_styled_text(*cell) for cell in row))
    return made


def _signed_money(paise: float) -> Cell:
    return money(paise, signed=True), tone(paise)


def _signed_percent(value: float, places: int = 2) -> Cell:
    return percent(value, signed=True, places=places), tone(round(value, places))


def verdict_line(findings: Sequence[LinterFinding]) -> Text:
    """Return the verdict with its mark."""
    worst = next(
        (each for each in ("fail", "warn", "pass") if any(one.status == each for one in findings)),
        "not run",
    )
    return _styled_text(f"{MARKS[worst]} {overall_verdict(findings)}", STYLES[worst])


def _run_remarks(outcome: RunOutcome) -> "RunRemarks":
    held = outcome.manifest
    part = "; stopped before its last session" if held.partial else ""
    bars = "golden bars" if held.golden else "bars not all golden"
    data = f"ticks, latency {held.latency}" if held.feeds else bars
    return RunRemarks(
        f"{held.name}: {held.first} to {held.last}, {counted(len(outcome.daily.day), 'session')}, "
        f"{counted(len(held.symbols), 'symbol')}, "
        f"slippage {held.slippage}, {data}, "
        f"digest {held.digest[:12]}{part}",
        held.warnings,
    )


class RunRemarks:
    """Remarks on a run and its bars, behind a bar, so that no wrapped line passes for ours."""

    def __init__(self, about: str, warnings: Sequence[str]) -> None:
        self._texts = [(about, ""), *((f"! {each}", "warn") for each in warnings)]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield its lines, as wide as there is room for."""
        del console
        for text, style in self._texts:
            for line in textwrap.wrap(plain_text(text), max(options.max_width - 4, 20)):
                yield _styled_text(f"  │ {line}", style)


def _key_figures(metrics: Sequence[RunMetric], width: int) -> Table:
    """Return the ten that matter, as many beside each other as there is room for."""
    cells = [
        Text.assemble(
            (f"{each.label}  ", "dim"),
            (figure(each), f"bold {_metric_style(each)}".strip()),
            no_wrap=True,
        )
        for each in key_figures(metrics)
    ]
    rows = [cells]
    # the widest arrangement that fits
    for number in (5, 2, 1):
        rows = [cells[i : i + number] for i in range(0, len(cells), number)]
        if (
            sum(max(each.cell_len for each in column) + 3 for column in zip(*rows, strict=True))
            <= width
        ):
            break
    made = Table.grid(padding=(0, 3, 0, 0))
    for row in rows:
        made.add_row(*row)
    return made


def _metric_style(metric: RunMetric) -> str:
    value = metric.value
    return STYLES[tone(value)] if metric.key in SIGNED and isinstance(value, int | float) else ""


def _equity_curves(
    outcome: RunOutcome, width: int, *, coloured: bool
) -> "Iterable[RenderableType]":
    daily, start = outcome.daily, outcome.manifest.start_cash
    equity = np.concatenate(([start], daily.equity)) / 100
    held = np.concatenate(([float(start)], daily.benchmark)) / 100
    # both begin with the cash before the first session
    below = np.array([0.0, *result_tables.underwater(outcome)])
    room = min(width, WIDEST) - 8
    # a cell shows the lowest of its days: a deep one must not fall between two cells
    starts = np.arange(0, len(below), max(-(-len(below) // room), 1))
    ends = [day_text(int(daily.day[0])), day_text(int(daily.day[-1]))]
    # two levels never say the same
    places = 1 + int(below.min() > -1.0) + int(below.min() > -0.1)
    depths = [percent(each, places=places) for each in _axis_ticks(below)]
    title, lines = "Account after charges, and buy and hold (dotted)", [equity, held]
    if spreads_wider(held, equity):
        title, lines = (
            "Account after charges (buy and hold moves so much more that it is left out)",
            [equity],
        )
    levels = short_money([each * 100 for each in _axis_ticks(np.concatenate(lines))])
    yield _plot_lines(
        title, lines, ends=ends, width=width, height=16, labels=levels, coloured=coloured
    )
    # an average would make drawdowns look shallower
    lowest = np.minimum.reduceat(below, starts)
    yield _plot_lines(
        "Under water, % of the highest close",
        [lowest],
        ends=ends,
        width=width,
        height=9,
        labels=depths,
        coloured=coloured,
    )


def _plot_lines(
    title: str,
    lines: Sequence[Floats],
    ends: Sequence[str],
    width: int,
    height: int,
    labels: Sequence[str],
    *,
    coloured: bool,
) -> Text:
    """Draw lines above the days they begin and end on; the first one thinly, another with dots."""
    import plotext

    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plotsize(min(width, WIDEST), height)
    plotext.frame(False)
    looks = (("braille", "cyan"), ("dot", "gray"))
    # the first line is drawn last, over the others
    for line, (marker, colour) in reversed(list(zip(lines, looks, strict=False))):
        # buy and hold has no value before the index has one
        there = np.isfinite(line)
        plotext.plot(
            np.flatnonzero(there).tolist(),
            line[there].tolist(),
            marker=marker,
            color=colour if coloured else None,
        )
    ticks = _axis_ticks(np.concatenate(lines))
    plotext.ylim(ticks[0], ticks[-1])
    plotext.yticks(ticks, labels)
    plotext.xticks([0, len(lines[0]) - 1], ends)
    # plotext fills every line to its width, which a copied text would keep
    lined = Text.from_ansi(plotext.build()).split()
    for each in lined:
        each.rstrip()
    return _styled_text(title, "bold").append("\n") + Text("\n").join(lined)


def _axis_ticks(values: Floats) -> list[float]:
    """Return four levels from the lowest to the highest of the finite values, set apart."""
    there = values[np.isfinite(values)]
    low, high = (float(there.min()), float(there.max())) if len(there) else (0.0, 0.0)
    found: list[float] = np.linspace(low, high if high > low else low + 1.0, 4).tolist()
    return found


def _months_table(outcome: RunOutcome, width: int) -> Table:
    names = (
        "",
        "Jan",
        "Feb",
        "Mar",
        "Apr",
        "May",
        "Jun",
        "Jul",
        "Aug",
        "Sep",
        "Oct",
        "Nov",
        "Dec",
        "Year",
    )

    def cell(value: float | None) -> Cell:
        if value is None:
            return "", ""
        # a cell of the narrow table has four characters
        return percent(value, places=1 if abs(value) < 9.95 else 0).rstrip("%"), tone(
            round(value, 1)
        )

    rows = [
        ((str(year.year), ""), *map(cell, year.months), cell(year.total))
        for year in result_tables.yearly_returns(outcome)
    ]
    made = _report_table("Months, %", names, rows)
    made.padding = (0, 1 if width >= 90 else 0, 0, 0)
    return made


def _cost_ladder(outcome: RunOutcome, width: int) -> Table:
    steps = result_tables.cost_steps(outcome)
    # a run without a trade has only zeros
    whole = max((abs(each.amount) for each in steps), default=0) or 1
    room = 18 if width < WIDE else 60
    rows = [
        (
            (each.label, "bold" if each.total else ""),
            _signed_money(each.amount),
            (percent(100 * each.amount / whole, places=1), ""),
            ("█" * round(abs(each.amount) / whole * room), "dim"),
        )
        for each in steps
    ]
    made = _report_table("Where the money went", ("", "₹", "of the largest", ""), rows)
    made.columns[-1].justify = "left"
    return made


def _breakdown_table(title: str, groups: Sequence[result_tables.TradeGroup], width: int) -> Table:
    wide = width >= WIDE
    columns = [title, "Trades", "Won", "Net", "Average", "Profit factor" if wide else "Factor"]
    rows = []
    for each in groups:
        row: list[Cell] = [
            (each.name, ""),
            (count(each.trades), ""),
            (percent(each.win_rate, places=1), ""),
            _signed_money(each.net),
            _signed_money(each.average),
            (ratio(each.profit_factor), ""),
        ]
        if wide:
            row += [
                (money(value), "")
                for value in (each.gross, each.charges, each.slippage, each.mae, each.mfe)
            ]
        rows.append(row)
    columns += ["Gross", "Charges", "Slippage", "MAE", "MFE"] * wide
    made = _report_table(f"By {title.lower()}", columns, rows)
    numbers = [[name, *(row[k][0] for row in rows)] for k, name in enumerate(columns) if k]
    # long names give way before a number is cut
    made.columns[0].max_width = max(width - sum(3 + max(map(len, each)) for each in numbers) - 2, 8)
    return made


def _drawdown_table(outcome: RunOutcome, width: int) -> Table:
    rows: list[list[Cell]] = []
    for each in result_tables.drawdowns(outcome, 5):
        row = [
            (moment_text(each.start)[:10], ""),
            (moment_text(each.trough)[:10], ""),
            (moment_text(each.end)[:10] if each.end else "not yet", ""),
            _signed_percent(each.depth),
            (duration_text(each.length), ""),
        ]
        rows.append(
            [*row, _signed_money(each.amount), (duration_text(each.recovery), "")]
            if width >= WIDE
            else row
        )
    more = ("Amount", "Recovery") if width >= WIDE else ()
    return _report_table(
        "Deepest drawdowns", ("Peak", "Bottom", "Back", "Depth", "Length", *more), rows, left=3
    )


def _stress_table(outcome: RunOutcome) -> Table:
    rows = [
        (
            (each.name, ""),
            (count(each.days), ""),
            _signed_money(each.net),
            _signed_percent(each.mean, 3),
            _signed_percent(each.worst),
        )
        for each in stress_days.kind_results(outcome, stress_days.load_stress_table())
    ]
    return _report_table("Days of a kind", ("", "Days", "Net", "Mean", "Worst"), rows)


def findings_table(title: str, findings: Sequence[LinterFinding]) -> Table:
    """Return what each rule has found, and how to mend it."""
    rows = [
        (
            (f"{MARKS[each.status]} {each.label}", each.status),
            (f"{each.text}. {each.mend}" if each.status in {"fail", "warn"} else each.text, ""),
        )
        for each in findings
    ]
    return _report_table(title, ("", "Found, and how to mend it"), rows, left=2)


def _metric_tables(metrics: Sequence[RunMetric], width: int) -> RenderableType:
    groups = [
        _report_table(
            name,
            ("", ""),
            [((each.label, ""), (figure(each), _metric_style(each))) for each, _ in members],
        )
        for name, members in metrics_by_group(metrics).items()
    ]
    for each in groups:
        # name and figure need no heads
        each.show_header = False
    return Columns(groups, padding=(0, 4), column_first=width < WIDE)
