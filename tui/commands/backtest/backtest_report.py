"""The report of a backtest for a terminal: the verdict and the figures that matter, the curves, then the tables."""

import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from engine.backtest import stress, tables
from engine.backtest.figures import (
    SIGNED,
    by_group,
    day,
    figure,
    key_figures,
    length,
    moment,
    money,
    percent,
    ratio,
    short,
    tone,
)
from engine.backtest.linter import Finding, verdict
from engine.backtest.metrics import Metric
from engine.backtest.outcome import Outcome
from engine.backtest.report.svg import dwarfs
from engine.history.series import Floats
from engine.numbers import count
from engine.texts import plain

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.table import Table
    from rich.text import Text

WIDE: Final = 130
"""Columns from which on tables show all they have."""
WIDEST: Final = 160
"""Columns of a chart at most."""
NAMES: Final = {
    "strategy": "Strategy", "symbol": "Symbol", "side": "Side", "rung": "Rung", "exit": "Why out",
    "hour": "Hour", "weekday": "Weekday",
}  # fmt: skip
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
"""A text, and what it is painted as: up, down, a status, or nothing."""


def show(
    outcome: Outcome, metrics: Sequence[Metric], findings: Sequence[Finding], console: "Console | None" = None
) -> None:
    """Print the report on stdout, or on `console`: in colours on a terminal, plainly where it is piped."""
    from rich.console import Console  # noqa: PLC0415 - 50 ms, for who shows a report

    out = console or Console(highlight=False, markup=False, emoji=False)
    for part in _parts(outcome, metrics, findings, out.width, coloured=out.color_system is not None):
        out.print(part)
        out.print()


def _parts(
    outcome: Outcome, metrics: Sequence[Metric], findings: Sequence[Finding], width: int, *, coloured: bool
) -> "Iterable[RenderableType]":
    yield verdict_line(findings)
    yield _about(outcome)
    if not len(outcome.daily.day):
        yield _text("No session was replayed: there is nothing to show.")
        return
    yield _figures(metrics, width)
    yield from _curves(outcome, width, coloured=coloured)
    yield _months(outcome, width)
    yield _ladder(outcome, width)
    groups = tables.breakdowns(outcome)
    yield from (_breakdown(title, groups[name], width) for name, title in NAMES.items() if groups.get(name))
    yield _drawdowns(outcome, width)
    yield _stress(outcome)
    yield findings_table("Checks", findings)
    yield _metrics(metrics, width)


def _text(text: str, style: str = "") -> "Text":
    from rich.text import Text  # noqa: PLC0415

    return Text(plain(text), STYLES.get(style, style))


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]], left: int = 1) -> "Table":
    """Return a table whose first `left` columns are texts and whose others are numbers, to the right."""
    from rich import box  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    edges = box.MINIMAL if left > 1 else box.SIMPLE_HEAD  # where texts wrap each line shows whose it is
    made = Table(title=_text(title, "bold"), title_justify="left", box=edges, pad_edge=False, header_style="dim")
    for i, name in enumerate(columns):
        wraps = 0 < i < left  # a name that wraps could pass for a row of its own
        made.add_column(_text(name), justify="left" if i < left else "right", no_wrap=not wraps, overflow="ellipsis")
    for row in rows:
        made.add_row(*(_text(*cell) for cell in row))
    return made


def _signed(paise: float) -> Cell:
    return money(paise, signed=True), tone(paise)


def _percent(value: float, places: int = 2) -> Cell:
    return percent(value, signed=True, places=places), tone(round(value, places))


def verdict_line(findings: Sequence[Finding]) -> "Text":
    """Return the verdict with its mark."""
    worst = next((each for each in ("fail", "warn", "pass") if any(one.status == each for one in findings)), "not run")
    return _text(f"{MARKS[worst]} {verdict(findings)}", STYLES[worst])


def _about(outcome: Outcome) -> "Remarks":
    held = outcome.manifest
    part = "; stopped before its last session" if held.partial else ""
    return Remarks(
        f"{held.name}: {held.first} to {held.last}, {count(len(outcome.daily.day))} sessions, {count(len(held.symbols))} symbols, "
        f"slippage {held.slippage}, {'golden bars' if held.golden else 'bars not all golden'}, digest {held.digest[:12]}{part}",
        held.warnings,
    )  # fmt: skip


class Remarks:
    """What was run, and below it what has to be said of its bars; behind a bar, so that no wrapped line passes for one of ours."""

    def __init__(self, about: str, warnings: Sequence[str]) -> None:
        self._texts = [(about, ""), *((f"! {each}", "warn") for each in warnings)]

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        """Yield its lines, as wide as there is room for."""
        del console
        for text, style in self._texts:
            for line in textwrap.wrap(plain(text), max(options.max_width - 4, 20)):
                yield _text(f"  │ {line}", style)


def _figures(metrics: Sequence[Metric], width: int) -> "Table":
    """Return the ten that matter, as many beside each other as there is room for."""
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    cells = [
        Text.assemble((f"{each.label}  ", "dim"), (figure(each), f"bold {_style(each)}".strip()), no_wrap=True)
        for each in key_figures(metrics)
    ]
    rows = [cells]
    for number in (5, 2, 1):
        rows = [cells[i : i + number] for i in range(0, len(cells), number)]
        if sum(max(each.cell_len for each in column) + 3 for column in zip(*rows, strict=True)) <= width:
            break
    made = Table.grid(padding=(0, 3, 0, 0))
    for row in rows:
        made.add_row(*row)
    return made


def _style(metric: Metric) -> str:
    value = metric.value
    return STYLES[tone(value)] if metric.key in SIGNED and isinstance(value, int | float) else ""


def _curves(outcome: Outcome, width: int, *, coloured: bool) -> "Iterable[RenderableType]":
    daily, start = outcome.daily, outcome.manifest.start_cash
    equity = np.concatenate(([start], daily.equity)) / 100
    held = np.concatenate(([float(start)], daily.benchmark)) / 100
    below = np.array([0.0, *tables.underwater(outcome)])
    room = min(width, WIDEST) - 8
    starts = np.arange(0, len(below), max(-(-len(below) // room), 1))
    ends = [day(int(daily.day[0])), day(int(daily.day[-1]))]
    places = 1 + int(below.min() > -1.0) + int(below.min() > -0.1)  # two levels never say the same
    depths = [percent(each, places=places) for each in _ticks(below)]
    title, lines = "Account after charges, and buy and hold (dotted)", [equity, held]
    if dwarfs(held, equity):
        title, lines = "Account after charges (buy and hold moves so much more that it is left out)", [equity]
    levels = short([each * 100 for each in _ticks(np.concatenate(lines))])
    yield _plot(title, lines, ends, width, 16, levels, coloured=coloured)
    lowest = np.minimum.reduceat(below, starts)
    yield _plot("Under water, % of the highest close", [lowest], ends, width, 9, depths, coloured=coloured)


def _plot(
    title: str, lines: Sequence[Floats], ends: Sequence[str], width: int, height: int, labels: Sequence[str], *, coloured: bool
) -> "Text":  # fmt: skip
    """Draw lines above the days they begin and end on; the first one thinly, another with dots."""
    import plotext  # noqa: PLC0415 - as much as all the rest
    from rich.text import Text  # noqa: PLC0415

    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plotsize(min(width, WIDEST), height)
    plotext.frame(False)
    looks = (("braille", "cyan"), ("dot", "gray"))
    for line, (marker, colour) in reversed(list(zip(lines, looks, strict=False))):
        there = np.isfinite(line)
        plotext.plot(
            np.flatnonzero(there).tolist(), line[there].tolist(), marker=marker, color=colour if coloured else None
        )
    ticks = _ticks(np.concatenate(lines))
    plotext.ylim(ticks[0], ticks[-1])
    plotext.yticks(ticks, labels)
    plotext.xticks([0, len(lines[0]) - 1], ends)
    lined = Text.from_ansi(plotext.build()).split()
    for each in lined:
        each.rstrip()
    return _text(title, "bold").append("\n") + Text("\n").join(lined)


def _ticks(values: Floats) -> list[float]:
    """Return four levels from the lowest to the highest of the finite values, apart from each other."""
    there = values[np.isfinite(values)]
    low, high = (float(there.min()), float(there.max())) if len(there) else (0.0, 0.0)
    found: list[float] = np.linspace(low, high if high > low else low + 1.0, 4).tolist()
    return found


def _months(outcome: Outcome, width: int) -> "Table":
    names = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Year")

    def cell(value: float | None) -> Cell:
        if value is None:
            return "", ""
        return percent(value, places=1 if abs(value) < 9.95 else 0).rstrip("%"), tone(round(value, 1))

    rows = [((str(year.year), ""), *map(cell, year.months), cell(year.total)) for year in tables.years(outcome)]
    made = _table("Months, %", names, rows)
    made.padding = (0, 1 if width >= 90 else 0, 0, 0)
    return made


def _ladder(outcome: Outcome, width: int) -> "Table":
    steps = tables.ladder(outcome)
    whole = max((abs(each.amount) for each in steps), default=0) or 1
    room = 18 if width < WIDE else 60
    rows = [
        (
            (each.label, "bold" if each.total else ""), _signed(each.amount),
            (percent(100 * each.amount / whole, places=1), ""), ("█" * round(abs(each.amount) / whole * room), "dim"),
        )
        for each in steps
    ]  # fmt: skip
    made = _table("Where the money went", ("", "₹", "of the largest", ""), rows)
    made.columns[-1].justify = "left"
    return made


def _breakdown(title: str, groups: Sequence[tables.Group], width: int) -> "Table":
    wide = width >= WIDE
    columns = [title, "Trades", "Won", "Net", "Average", "Profit factor" if wide else "Factor"]
    rows = []
    for each in groups:
        row: list[Cell] = [
            (each.name, ""), (count(each.trades), ""), (percent(each.win_rate, places=1), ""), _signed(each.net),
            _signed(each.average), (ratio(each.profit_factor), ""),
        ]  # fmt: skip
        if wide:
            row += [(money(value), "") for value in (each.gross, each.charges, each.slippage, each.mae, each.mfe)]
        rows.append(row)
    columns += ["Gross", "Charges", "Slippage", "MAE", "MFE"] * wide
    made = _table(f"By {title.lower()}", columns, rows)
    numbers = [[name, *(row[k][0] for row in rows)] for k, name in enumerate(columns) if k]
    made.columns[0].max_width = max(width - sum(3 + max(map(len, each)) for each in numbers) - 2, 8)
    return made


def _drawdowns(outcome: Outcome, width: int) -> "Table":
    rows: list[list[Cell]] = []
    for each in tables.drawdowns(outcome, 5):
        row = [(moment(each.start)[:10], ""), (moment(each.trough)[:10], ""), (moment(each.end)[:10] if each.end else "not yet", ""),
               _percent(each.depth), (length(each.length), "")]  # fmt: skip
        rows.append([*row, _signed(each.amount), (length(each.recovery), "")] if width >= WIDE else row)
    more = ("Amount", "Recovery") if width >= WIDE else ()
    return _table("Deepest drawdowns", ("Peak", "Bottom", "Back", "Depth", "Length", *more), rows, left=3)


def _stress(outcome: Outcome) -> "Table":
    rows = [
        ((each.name, ""), (count(each.days), ""), _signed(each.net), _percent(each.mean, 3),
         _percent(each.worst))
        for each in stress.kinds(outcome, stress.load())
    ]  # fmt: skip
    return _table("Days of a kind", ("", "Days", "Net", "Mean", "Worst"), rows)


def findings_table(title: str, findings: Sequence[Finding]) -> "Table":
    """Return what each rule has found, and how to mend it."""
    rows = [
        (
            (f"{MARKS[each.status]} {each.label}", each.status),
            (f"{each.text}. {each.mend}" if each.status in {"fail", "warn"} else each.text, ""),
        )
        for each in findings
    ]
    return _table(title, ("", "Found, and how to mend it"), rows, left=2)


def _metrics(metrics: Sequence[Metric], width: int) -> "RenderableType":
    from rich.columns import Columns  # noqa: PLC0415

    groups = [
        _table(name, ("", ""), [((each.label, ""), (figure(each), _style(each))) for each, _ in members])
        for name, members in by_group(metrics).items()
    ]
    for each in groups:
        each.show_header = False
    return Columns(groups, padding=(0, 4), column_first=width < WIDE)
