"""The list of results, what runs above the others; and a tab of one of them as a table."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from engine.board_rows import Board
from engine.numbers import count, log_time, rupees
from tui.app.research_port import ResultRow, ResultTable, TabRow
from tui.app.widgets.pane_view import PaneCell, PaneColumn, View
from tui.formats import meter_bar

WHICH: Final = ("all", "backtest", "sweep", "check", "running")
"""Choices of what the list shows."""
KINDS: Final = {"job": "started", "fault": "!"}
_METER: Final = 6


class ResultsPaneView(View[ResultRow]):
    """Every result; `marked` is the key of the one that others are compared with."""

    of_desk = False
    name = "results"
    title = "RESEARCH"
    help = (
        "What was tried on the past, and what is being tried: backtests, sweeps, bias checks, the "
        "newest first, and this desk's own days on top. Net in rupees after charges, Sharpe ratio "
        "a year, luck: the deflated Sharpe ratio, the probability that it is above what chance "
        "gives, dd: the deepest drawdown in %. Below stands the one under the cursor, by tabs. "
        "What was started here runs beside the desk, and goes on when the screen is left."
    )
    empty = "reading ..."
    columns = (
        PaneColumn("what", 9, right=False),
        PaneColumn("made", 12, right=False, rank=2),
        PaneColumn("strategy", 20, 28, right=False),
        PaneColumn("symbols", 9, 20, right=False, rank=3),
        PaneColumn("from", 10, right=False, rank=6),
        PaneColumn("to", 10, right=False, rank=5),
        PaneColumn("days", 5, rank=7),
        PaneColumn("net ₹", 12),
        PaneColumn("sharpe", 6, rank=1),
        PaneColumn("luck", 5, rank=4),
        PaneColumn("dd %", 6, rank=2),
        PaneColumn("trades", 6, rank=5),
        PaneColumn("state", 11, 60, right=False),
        PaneColumn("note", 12, 40, right=False, rank=6),
    )

    def __init__(self) -> None:
        self.all: list[ResultRow] = []
        self.marked = ""
        self.which = WHICH[0]
        self.changes = 0

    def show_rows(self, rows: list[ResultRow]) -> None:
        """Take the rows of now."""
        self.all = rows
        self.changes += 1
        if len(rows) <= 1:
            self.empty = "nothing yet"

    def turn_which(self) -> None:
        """Take the next choice of what is shown."""
        self.which = WHICH[(WHICH.index(self.which) + 1) % len(WHICH)]
        self.empty = f"no {self.which}"
        self.changes += 1

    def mark(self, key: str) -> None:
        """Mark a row, or none."""
        self.marked = key
        self.changes += 1

    def version(self, board: Board) -> int:
        """Return how often the rows have changed."""
        del board
        return self.changes

    def rows(self, board: Board) -> Sequence[ResultRow]:
        """Return the rows that are wanted."""
        del board
        # the desk is no result: of a kind it is left out
        if self.which == "all":
            return self.all
        if self.which == "running":
            return [row for row in self.all if row.runs]
        return [row for row in self.all if row.kind == self.which]

    def stamp(self, row: ResultRow, now: int) -> int:
        """Return whether it is the marked one."""
        del now
        return int(row.key == self.marked)

    def attention(self, row: ResultRow) -> bool:
        """Return whether it failed."""
        return row.tone == "danger"

    def cells(self, row: ResultRow, now: int, widths: Sequence[int]) -> tuple[PaneCell, ...]:
        """Return the line of one result."""
        del now, widths
        # they have no figures of their own, and a 0 would be one
        own = row.kind in {"desk", "job", "fault"}
        mark = "◆" if row.key == self.marked else ""
        state = row.state
        # the meter first: of a line that is cut the words may go
        if row.runs:
            state = f"{meter_bar(row.share, _METER)} {100 * row.share:.0f}% {row.state}"
        return (
            PaneCell(f"{mark}{KINDS.get(row.kind, row.kind)}", "focus" if mark else "title"),
            PaneCell(_made_text(row.made), "dim", still=True),
            PaneCell(row.name, "strong"),
            PaneCell(row.symbols),
            PaneCell(row.first, "dim"),
            PaneCell(row.last, "dim"),
            PaneCell(count(row.days) if row.days else "", "dim", row.days, still=True),
            _figure_cell(row.net, lambda net: rupees(round(100 * net)), signed=True),
            _figure_cell(row.sharpe, lambda value: f"{value:.2f}", signed=True),
            _figure_cell(row.luck, lambda value: f"{value:.2f}"),
            _figure_cell(row.drawdown, lambda value: f"{value:.2f}"),
            PaneCell(
                "" if own or row.trades < 0 else count(row.trades), "", row.trades, still=True
            ),
            PaneCell(state, row.tone or "dim", still=True),
            PaneCell(row.note, "notice" if row.kind == "backtest" else "faint"),
        )

    def summary(self, board: Board) -> list[PaneCell]:
        """Count what there is, and say what is shown."""
        del board
        kept = sum(row.kind not in {"desk", "job", "fault"} for row in self.all)
        running = sum(row.runs for row in self.all)
        parts = [PaneCell(f"{count(kept)} kept", "dim")]
        if running:
            told = next(row.state for row in self.all if row.runs)
            # here as well: a narrow list has no room for rate and time left
            parts.append(PaneCell(f"{running} running: {told}", "focus"))
        # an empty list says how the first result is made
        if self.all and not kept and not running:
            parts.append(PaneCell("s begins a backtest, a a sweep; or :backtest NAME", "notice"))
        if self.which != "all":
            parts.append(PaneCell(f"only {self.which}", "notice"))
        return parts


def _made_text(made: str) -> str:
    """Return an ISO time as the log says it; empty for none."""
    return log_time(int(datetime.fromisoformat(made).timestamp()) * 10**9) if made else ""


def _figure_cell(
    value: float | None, text: Callable[[float], str], *, signed: bool = False
) -> PaneCell:
    if value is None:
        return PaneCell("")
    tone = ("up" if value > 0 else "down" if value < 0 else "") if signed else ""
    return PaneCell(text(value), tone, value, still=True)


class TabTableView(View[TabRow]):
    """A tab that is a table, whatever it is of."""

    of_desk = False
    name = "result"
    help = (
        "A tab of the result under the cursor of the list: { and } take the next. Enter charts a "
        "trade, and shows the trials of a cell of a map."
    )

    def __init__(self) -> None:
        self.table = ResultTable("", [], [])
        self.tabs: list[PaneCell] = []
        self.changes = 0

    def show_table(self, table: ResultTable) -> None:
        """Show a table."""
        self.table = table
        self.columns = tuple(
            PaneColumn(each.title, each.width, each.most, each.rank, each.right)
            for each in table.columns
        )
        self.empty = table.empty
        self.changes += 1

    def version(self, board: Board) -> int:
        """Return how often it has changed."""
        del board
        return self.changes

    def rows(self, board: Board) -> Sequence[TabRow]:
        """Return its rows."""
        del board
        return self.table.rows

    def search_text(self, row: TabRow) -> str:
        """Return the texts of a row."""
        return " ".join(row.texts).lower()

    def cells(self, row: TabRow, now: int, widths: Sequence[int]) -> tuple[PaneCell, ...]:
        """Return one row."""
        del now, widths
        return tuple(
            PaneCell(text, tone, value, still=True)
            for text, tone, value in zip(row.texts, row.tones, row.values, strict=True)
        )

    def summary(self, board: Board) -> list[PaneCell]:
        """Return the tabs, and what this one is of."""
        del board
        return [*self.tabs, PaneCell(self.table.title, "dim")]
