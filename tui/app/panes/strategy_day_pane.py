"""A strategy's day: its decisions and what became of them, its trades, and its fault."""

from collections.abc import Sequence
from typing import ClassVar, Final, NamedTuple

from textual.binding import BindingType

from engine.board_rows import OTHERS, Board, DecisionRow, OrderRow
from engine.numbers import count, gain, price, time_of_day
from tui.app.panes.blotter_pane import LifeLine
from tui.app.panes.orders_pane import order_state
from tui.app.widgets.key_bindings import scope_bindings
from tui.app.widgets.live_table import LiveTable
from tui.app.widgets.pane_view import PaneCell, PaneColumn, View

SHOWN: Final = ("all", "refused", "sent")
"""Choices of which decisions are shown."""


class DecisionLine(NamedTuple):
    """A decision, and the order that followed it as far as it has come."""

    number: int
    symbol: str
    decision: DecisionRow
    order: OrderRow | None

    @property
    def outcome(self) -> str:
        """Return what became of it in words, with the figures of a refusal."""
        decision, order = self.decision, self.order
        if decision.refused:
            times = f" ({count(decision.times)} times)" if decision.times > 1 else ""
            return decision.words + times
        if order is None:
            return "done" if decision.kind in {"exit", "change"} else "sent"
        state = order_state(order)
        if order.filled:
            return f"{state}: {count(order.filled)} at {price(order.average)}"
        return f"{state}: {order.reason}" if order.reason else state


class DecisionsPaneView(View[DecisionLine]):
    """One line per decision of one strategy, the newest last."""

    name = "decisions"
    title = "DECISIONS"
    help = (
        "What the strategy asked for today: signal, size and price as reckoned, and what became of "
        "it: the refusal in words with its figures, counted while it repeats, or the order. f "
        "takes the refused or the sent ones, t shows one from the tick behind it to its fills, "
        "enter charts its symbol, W tells all answers to one symbol."
    )
    empty = "it has asked for nothing today"
    follows = True
    columns = (
        PaneColumn("time", 8, right=False),
        PaneColumn("symbol", 8, 14, right=False, names="symbol"),
        PaneColumn("", 4, right=False),
        PaneColumn("signal", 12, 22, right=False, rank=1),
        PaneColumn("size", 14, 18, rank=2),
        PaneColumn("became", 20, 300, right=False),
    )

    def __init__(self) -> None:
        self.strategy = ""
        self.shown = SHOWN[0]
        self.changes = 0

    def choose(self, strategy: str) -> None:
        """Show those of a strategy."""
        if strategy != self.strategy:
            self.strategy = strategy
            self.changes += 1

    def turn_shown(self) -> None:
        """Take the next choice of what is shown."""
        self.shown = SHOWN[(SHOWN.index(self.shown) + 1) % len(SHOWN)]
        self.changes += 1

    def version(self, board: Board) -> int:
        """Return a number that grows with decisions, orders and choice."""
        return board.decisions.version + board.orders.version + (self.changes << 48)

    def rows(self, board: Board) -> Sequence[DecisionLine]:
        """Return the decisions, each with its order."""
        # One look for all: there may be a thousand of either.
        orders = {row.key: row for row in board.orders.rows[:]}
        return [
            DecisionLine(row.number, row.symbol, row, orders.get(row.intent))
            for row in board.decisions.rows[:]
            if row.strategy == self.strategy
            and (self.shown == "all" or row.refused == (self.shown == "refused"))
        ]

    def search_text(self, row: DecisionLine) -> str:
        """Return symbol, side, signal, answer and outcome."""
        decision = row.decision
        words = (row.symbol, decision.side, decision.reason, decision.verdict, row.outcome)
        return " ".join(words).lower()

    def cells(self, row: DecisionLine, now: int, widths: Sequence[int]) -> tuple[PaneCell, ...]:
        """Return the line of one decision."""
        del now, widths
        decision = row.decision
        what = {"exit": "EXIT", "change": "MOD"}.get(decision.kind, decision.side)
        size = ""
        if decision.quantity or decision.price:
            size = f"{count(decision.quantity)} × {price(decision.price)}"
        return (
            PaneCell(time_of_day(decision.ts), "faint"),
            PaneCell(row.symbol, "strong"),
            PaneCell(what, "dim"),
            PaneCell(decision.reason),
            PaneCell(size, "dim"),
            PaneCell(row.outcome, "notice" if decision.refused else "", still=True),
        )

    def summary(self, board: Board) -> list[PaneCell]:
        """Count them, and say what is shown."""
        own = [row for row in board.decisions.rows[:] if row.strategy == self.strategy]
        refused = sum(row.times for row in own if row.refused)
        parts = [PaneCell(f"{len(own)}", "dim"), PaneCell(f"{count(refused)} refused", "dim")]
        return parts if self.shown == "all" else [*parts, PaneCell(f"only {self.shown}", "notice")]


def symbol_answers(board: Board, symbol: str) -> list[str]:
    """Return what every strategy has asked for in a symbol today, and what it was answered.

    The same answer is one line with its count, the latest last.
    """
    lines = []
    orders = {row.key: row for row in board.orders.rows[:]}
    decisions = [row for row in board.decisions.rows[:] if row.symbol == symbol]
    for strategy in board.strategies.rows[:]:
        if strategy.name == OTHERS:
            continue
        why = f": {strategy.why}" if strategy.why else ""
        lines.append(f"{strategy.name} · {strategy.state}{why}")
        grouped: dict[tuple[str, str, str], list[DecisionRow]] = {}
        for row in decisions:
            if row.strategy == strategy.name:
                grouped.setdefault((row.side, row.kind, row.verdict), []).append(row)
        for (side, kind, _), rows in grouped.items():
            last = rows[-1]
            line = DecisionLine(
                last.number, symbol, last._replace(times=1), orders.get(last.intent)
            )
            times = sum(row.times for row in rows)
            many = f"{count(times)} times, last " if times > 1 else ""
            verb = kind.upper() if kind in {"exit", "change"} else side
            signal = f", {last.reason}" if last.reason else ""
            lines.append(f"  {verb} {many}{time_of_day(last.last)}{signal}")
            lines.append(f"    {line.outcome}")
        if not grouped:
            lines.append("  has not asked for it today")
    return lines


class DecisionsTable(LiveTable[DecisionLine]):
    """The decisions, with their keys."""

    BINDINGS: ClassVar[list[BindingType]] = list(scope_bindings("decisions"))


class StrategyTrade(NamedTuple):
    """A position of a strategy, or a trade of the day that is over; `pnl` in paise."""

    key: str
    symbol: str
    rung: str
    since: int
    until: int
    """0: it is open."""
    quantity: int
    entry: float
    price: float
    """The exit, or the last price."""
    pnl: int
    note: str


class StrategyTradesPaneView(View[StrategyTrade]):
    """The positions of one strategy, and its trades of the day."""

    name = "trades"
    title = "POSITIONS AND TRADES"
    help = (
        "What the strategy holds, and its trades of today that are over, with their P&L after "
        "charges, and why each was left."
    )
    empty = "no position, and no trade today"
    columns = (
        PaneColumn("symbol", 8, 14, right=False, names="symbol"),
        PaneColumn("", 2, right=False),
        PaneColumn("since", 8, right=False, rank=2),
        PaneColumn("until", 8, right=False),
        PaneColumn("qty", 6),
        PaneColumn("entry", 9, 10, rank=1),
        PaneColumn("exit, LTP", 9, 10),
        PaneColumn("P&L ₹", 11, 14),
        PaneColumn("left by", 10, 60, right=False, rank=3),
    )

    def __init__(self) -> None:
        self.strategy = ""
        self.changes = 0

    def choose(self, strategy: str) -> None:
        """Show those of a strategy."""
        if strategy != self.strategy:
            self.strategy = strategy
            self.changes += 1

    def version(self, board: Board) -> int:
        """Return a number that grows with positions, trades and choice."""
        return board.positions.version + board.trips.version + (self.changes << 48)

    def rows(self, board: Board) -> Sequence[StrategyTrade]:
        """Return what is open, then what is over, the latest first."""
        held = [
            StrategyTrade(
                row.key,
                row.symbol,
                row.rung,
                row.since,
                0,
                quantity=row.quantity,
                entry=row.average,
                price=row.ltp,
                pnl=row.pnl,
                note=f"stop {price(row.stop)}" if row.stop else "no stop",
            )
            for row in board.positions.rows[:]
            if row.strategy == self.strategy
        ]
        over = [
            StrategyTrade(
                row.key,
                row.symbol,
                row.rung,
                row.opened,
                row.closed,
                quantity=row.quantity,
                entry=row.entry,
                price=row.exit,
                pnl=row.pnl,
                note=row.reason,
            )
            for row in reversed(board.trips.rows[:])
            if row.strategy == self.strategy
        ]
        return held + over

    def cells(self, row: StrategyTrade, now: int, widths: Sequence[int]) -> tuple[PaneCell, ...]:
        """Return the line of one trade."""
        del now, widths
        way = "up" if row.pnl > 0 else "down" if row.pnl < 0 else "dim"
        is_open = not row.until
        return (
            PaneCell(row.symbol, "strong"),
            PaneCell(row.rung, "title"),
            PaneCell(time_of_day(row.since), "faint"),
            PaneCell("open" if is_open else time_of_day(row.until), "" if is_open else "faint"),
            PaneCell(count(row.quantity)),
            PaneCell(price(row.entry), "dim"),
            PaneCell(price(row.price), "" if is_open else "dim", row.price),
            PaneCell(gain(row.pnl), way, row.pnl),
            PaneCell(row.note, "dim", still=True),
        )

    def summary(self, board: Board) -> list[PaneCell]:
        """Count what is open and what is over, with their P&L."""
        rows = self.rows(board)
        over = [row for row in rows if row.until]
        won = sum(row.pnl > 0 for row in over)
        return [
            PaneCell(f"{len(rows) - len(over)} open", "dim"),
            PaneCell(f"{len(over)} over, {won} won", "dim"),
        ]


class FaultPaneView(View[LifeLine]):
    """The traceback of a strategy that has failed."""

    name = "fault"
    title = "FAULT"
    help = (
        "What the strategy raised, with its traceback: the last line of its own says where. Mend "
        "its file and start it anew with s; its positions stay protected meanwhile."
    )
    empty = "it has not failed"
    columns = (PaneColumn("", 40, 400, right=False),)

    def __init__(self) -> None:
        self.strategy = ""
        self.changes = 0

    def choose(self, strategy: str) -> None:
        """Show that of a strategy."""
        if strategy != self.strategy:
            self.strategy = strategy
            self.changes += 1

    def version(self, board: Board) -> int:
        """Return a number that grows with the failures, and with the choice."""
        return board.failures.version + board.strategies.version + (self.changes << 48)

    def rows(self, board: Board) -> Sequence[LifeLine]:
        """Return the lines of the traceback, the error itself first."""
        row = next((row for row in board.failures.rows[:] if row.strategy == self.strategy), None)
        if row is None:
            # Its mark is gone once somebody has looked; that it failed stands.
            failed = [row for row in board.strategies.rows[:] if row.state == "failed"]
            why = [row.why for row in failed if row.name == self.strategy]
            told = [*why, f"the traceback: patang trace {self.strategy}"] if why else []
            return [LifeLine(number, text) for number, text in enumerate(told)]
        lines = [f"{row.error}, at {time_of_day(row.ts)}", *row.trace]
        return [LifeLine(number, text) for number, text in enumerate(lines)]

    def cells(self, row: LifeLine, now: int, widths: Sequence[int]) -> tuple[PaneCell, ...]:
        """Return one line."""
        del now, widths
        return (PaneCell(row.text, "danger" if row.number == 0 else "", still=True),)
