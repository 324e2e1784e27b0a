"""The ladders: the stage of each rung, and the distance from price to nearest stop."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import BindingType

from engine.board_rows import Board, LadderRow
from engine.numbers import price
from tui.app.widgets.key_bindings import scope_bindings
from tui.app.widgets.live_table import LiveTable
from tui.app.widgets.pane_view import PaneCell, PaneColumn, View
from tui.formats import meter_bar

MARKS = {"-": "·", "entering": "◔", "armed": "●", "resting": "●", "triggered": "▲", "closed": "✓"}
"""A rung's state as one mark."""

_FULL = 5.0
"""Percent to the stop at which the bar is full."""
_BAR = 2


class LaddersPaneView(View[LadderRow]):
    """One line per ladder."""

    name = "ladders"
    title = "LADDERS"
    help = (
        "The ladders and their GTTs. P1 P2 P3: · not entered, ◔ entering, ● armed (its stop rests "
        "at the broker), "
        "▲ triggered, ✓ closed. The bar is the way left to the nearest stop, full at 5 %. x, m, a, "
        "R and t act on the ladder as they do on a position: all its rungs, unless one is chosen."
    )
    empty = "no ladder"
    columns = (
        PaneColumn("symbol", 10, 14, right=False, names="symbol"),
        PaneColumn("P123", 4, right=False),
        PaneColumn("to stop", 8, 20, right=False),
        PaneColumn("", 6),
        PaneColumn("stop", 9, 10, rank=1),
        PaneColumn("high", 9, 10, rank=2),
        PaneColumn("GTT", 3, rank=3),
        PaneColumn("trailed", 7, rank=4),
        PaneColumn("strategy", 10, 16, rank=5, right=False, names="strategy"),
    )

    def version(self, board: Board) -> int:
        """Return the version of the ladders."""
        return board.ladders.version

    def rows(self, board: Board) -> Sequence[LadderRow]:
        """Return the ladders as the engine listed them."""
        return board.ladders.rows

    def attention(self, row: LadderRow) -> bool:
        """Return whether a stop has triggered or is near."""
        # without a stop the distance says nothing
        return "triggered" in row.rungs or (row.stop > 0.0 and row.distance < 0.5)

    def cells(self, row: LadderRow, now: int, widths: Sequence[int]) -> tuple[PaneCell, ...]:
        """Return the line of one ladder."""
        del now
        marks = "".join([MARKS.get(state, "?") for state in row.rungs])
        near = row.distance < 0.5
        tone = "danger" if near else "notice" if row.distance < 1.0 else "dim"
        # a ladder without a stop is over, or has not begun
        over = row.stop <= 0.0
        return (
            PaneCell(row.symbol, "faint" if over else "strong"),
            PaneCell(marks, "notice" if "triggered" in row.rungs else "faint" if over else "title"),
            PaneCell(
                # still: prices move it at every tick, and a flash each time would hide those that
                # matter
                "" if over else meter_bar(row.distance / _FULL, widths[_BAR]),
                tone,
                still=True,
            ),
            PaneCell("" if over else f"{row.distance:.2f}%", tone, still=True),
            PaneCell(price(row.stop)),
            PaneCell(price(row.high), "faint"),
            PaneCell(str(row.gtts), "dim"),
            PaneCell(str(row.trailed), "faint"),
            PaneCell(row.strategy, "faint"),
        )

    def summary(self, board: Board) -> list[PaneCell]:
        """Count ladders and what has triggered."""
        rows = board.ladders.rows[:]
        fired = sum(state == "triggered" for row in rows for state in row.rungs)
        return [
            PaneCell(str(len(rows)), "dim"),
            *([PaneCell(f"{fired} triggered", "notice")] if fired else []),
        ]


class LaddersTable(LiveTable[LadderRow]):
    """The ladders, with the keys of positions."""

    BINDINGS: ClassVar[list[BindingType]] = list(scope_bindings("positions"))
