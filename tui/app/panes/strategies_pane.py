"""The strategies of the day, and the parameters of the one under the cursor."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from textual.binding import BindingType

from engine.board_rows import OTHERS, Board, DecisionRow, ParameterRow, StrategyRow
from engine.numbers import count, gain, time_of_day
from tui.app.widgets.key_bindings import scope_bindings
from tui.app.widgets.live_table import LiveTable
from tui.app.widgets.pane_view import PaneCell, PaneColumn, View

STATE_TONES: Final = {"failed": "danger", "limit": "danger", "runs": ""}
"""The tone of a state; any other wants a look, and is no alarm."""


def signal_text(row: DecisionRow) -> str:
    """Return what a strategy asked for, and why."""
    verb = {"exit": "EXIT", "change": "CHANGE"}.get(row.kind, row.side)
    return " ".join(filter(None, (verb, row.symbol, row.reason)))


def refusal_text(row: DecisionRow) -> str:
    """Return what was refused, why, and how often."""
    times = f" ({count(row.times)} times)" if row.times > 1 else ""
    return f"{row.symbol}: {row.words}{times}"


class StrategiesPaneView(View[StrategyRow]):
    """One line per strategy; `earned` is what each has made with its closed trades of all days."""

    name = "strategies"
    title = "STRATEGIES"
    help = (
        "Every strategy of the day. Today is its P&L after charges; in all that of every closed "
        "trade on record, and of what is open. A state that is not runs stands with its reason "
        "above the list: warming waits for bars, no entries is the desk's doing, limit and failed "
        "have stopped by themselves, stopped was you. Below stands the one under the cursor. "
        "x stops it for the day, s starts it anew."
    )
    empty = "no strategy runs on this desk"
    columns = (
        PaneColumn("strategy", 12, 20, right=False, names="name"),
        PaneColumn("state", 10, right=False),
        PaneColumn("open", 4),
        PaneColumn("today ₹", 11, 14),
        PaneColumn("in all ₹", 12, 15, rank=1),
        PaneColumn("trades", 6, rank=2),
        PaneColumn("won", 4, rank=5),
        PaneColumn("symbols", 7, rank=6),
        PaneColumn("at", 8, right=False, rank=4),
        PaneColumn("last signal", 14, 40, right=False, rank=3),
        PaneColumn("at", 8, right=False, rank=7),
        PaneColumn("last refusal", 24, 200, right=False, rank=5),
    )

    def __init__(self) -> None:
        self.earned: Mapping[str, int] = {}
        self.changes = 0
        self.pointed = ""
        """The strategy under the cursor."""

    def show_earned(self, earned: Mapping[str, int]) -> None:
        """Show other totals of closed trades, in paise by strategy."""
        if earned != self.earned:
            self.earned = earned
            self.changes += 1

    def version(self, board: Board) -> int:
        """Return a number that grows with the strategies, and with their totals."""
        return board.strategies.version + (self.changes << 32)

    def rows(self, board: Board) -> Sequence[StrategyRow]:
        """Return the strategies as the engine listed them."""
        return board.strategies.rows[:]

    def stamp(self, row: StrategyRow, now: int) -> int:
        """Return the number of the totals that the row shows."""
        del row, now
        return self.changes

    def attention(self, row: StrategyRow) -> bool:
        """Return whether a strategy has stopped by itself."""
        return row.state in {"failed", "limit"}

    def cells(self, row: StrategyRow, now: int, widths: Sequence[int]) -> tuple[PaneCell, ...]:
        """Return the line of one strategy."""
        del now, widths
        named = row.name != OTHERS
        whole = self.earned.get(row.name, 0) + row.open_pnl
        signal, refusal = row.signal, row.refusal
        return (
            PaneCell(row.name, "strong"),
            PaneCell(row.state, STATE_TONES.get(row.state, "notice")),
            PaneCell(count(row.rungs) if named else ""),
            PaneCell(gain(row.net), _tone_of(row.net), row.net),
            PaneCell(gain(whole) if named else "", _tone_of(whole), whole, still=True),
            PaneCell(count(row.trades) if named else "", "dim"),
            PaneCell(count(row.wins) if named else "", "dim"),
            PaneCell(count(row.symbols) if named else "", "dim"),
            PaneCell(time_of_day(signal.last) if signal else "", "faint", still=True),
            PaneCell(signal_text(signal) if signal else "", "", still=True),
            PaneCell(time_of_day(refusal.last) if refusal else "", "faint", still=True),
            PaneCell(refusal_text(refusal) if refusal else "", "dim", still=True),
        )

    def summary(self, board: Board) -> list[PaneCell]:
        """Say how many run, and why the one under the cursor does not."""
        rows = [row for row in board.strategies.rows[:] if row.name != OTHERS]
        runs = sum(row.state == "runs" for row in rows)
        parts = [PaneCell(f"{runs} of {len(rows)} run", "dim")]
        row = next((row for row in rows if row.name == self.pointed and row.why), None)
        if row is not None:
            tone = STATE_TONES.get(row.state, "notice")
            parts.append(PaneCell(f"{row.name} {row.state}: {row.why}", tone))
        return parts


def _tone_of(paise: int) -> str:
    return "up" if paise > 0 else "down" if paise < 0 else "dim"


class StrategiesTable(LiveTable[StrategyRow]):
    """The strategies, with their keys."""

    BINDINGS: ClassVar[list[BindingType]] = list(scope_bindings("strategies"))


class ParametersPaneView(View[ParameterRow]):
    """One line per parameter of one strategy."""

    name = "parameters"
    title = "PARAMETERS"
    help = (
        "What the strategy goes by: the value in force, what is configured where that differs, who "
        "has changed it today and why, and what it means; above the list stands the whole of the "
        "one under the cursor, with its bounds. m changes it for the rest of the day. What the "
        "strategy holds keeps the stops and targets that it was entered with."
    )
    empty = "its parameters are not known"
    columns = (
        PaneColumn("parameter", 14, 24, right=False, names="name"),
        PaneColumn("value", 8, 14),
        PaneColumn("config", 7, 14, rank=1),
        PaneColumn("changed by", 12, 30, right=False, rank=2),
        PaneColumn("meaning", 16, 200, right=False, rank=3),
    )

    def __init__(self) -> None:
        self.strategy = ""
        self.changes = 0
        self.pointed: ParameterRow | None = None
        """The row under the cursor."""

    def choose(self, strategy: str) -> None:
        """Show those of a strategy."""
        if strategy != self.strategy:
            self.strategy = strategy
            self.changes += 1

    def version(self, board: Board) -> int:
        """Return a number that grows with the parameters, and with the choice."""
        return board.parameters.version + (self.changes << 32)

    def rows(self, board: Board) -> Sequence[ParameterRow]:
        """Return the parameters in the order of their declaration."""
        return [row for row in board.parameters.rows[:] if row.strategy == self.strategy]

    def cells(self, row: ParameterRow, now: int, widths: Sequence[int]) -> tuple[PaneCell, ...]:
        """Return the line of one parameter."""
        del now, widths
        changed = row.value != row.configured
        return (
            PaneCell(row.name, "faint" if row.is_fixed else ""),
            PaneCell(row.value, "notice" if changed else "strong"),
            PaneCell(row.configured if changed else "", "dim"),
            PaneCell(row.note, "notice" if row.note else ""),
            PaneCell(row.meaning, "dim", still=True),
        )

    def summary(self, board: Board) -> list[PaneCell]:
        """Explain the parameter under the cursor, with its bounds."""
        del board
        row = self.pointed
        if row is None or row.strategy != self.strategy:
            return [PaneCell(self.strategy, "dim")]
        return [PaneCell(row.name, ""), PaneCell(f"{row.meaning} {bounds_text(row)}", "dim")]


def bounds_text(row: ParameterRow) -> str:
    """Return the bounds of a parameter as a sentence."""
    return f"{row.bounds[:1].upper()}{row.bounds[1:]}."


class ParametersTable(LiveTable[ParameterRow]):
    """The parameters, with their keys."""

    BINDINGS: ClassVar[list[BindingType]] = list(scope_bindings("parameters"))
