"""The watchlist: last price, change, the last minutes, best bid and ask, and their age."""

from collections.abc import Sequence

from compiled.model.values import SECOND
from engine.board_rows import Board, WatchRow
from engine.numbers import age, compact, percent_move, price
from tui.app.widgets.pane_view import PaneCell, PaneColumn, View
from tui.formats import sparkline

_SPARK = 3


class WatchlistPaneView(View[WatchRow]):
    """One line per instrument; a stale one is dim from end to end."""

    name = "watch"
    title = "WATCHLIST"
    help = (
        "The instruments under watch. Change is against the previous close; the spark shows the "
        "closes of the last "
        "minutes between their own lowest and highest. A line without a tick for too long is dim "
        "and its age amber: "
        "entries in it are inhibited until ticks come again."
    )
    empty = "no instrument under watch"
    columns = (
        PaneColumn("symbol", 10, 14, right=False, names="symbol"),
        PaneColumn("LTP", 10),
        PaneColumn("change", 8),
        PaneColumn("", 8, 15, rank=2, right=False),
        PaneColumn("bid", 9, rank=3),
        PaneColumn("ask", 9, rank=3),
        PaneColumn("volume", 8, rank=4),
        PaneColumn("age", 3, rank=1),
    )

    def version(self, board: Board) -> int:
        """Return the version of the watch section."""
        return board.watch.version

    def rows(self, board: Board) -> Sequence[WatchRow]:
        """Return the instruments as the engine listed them."""
        return board.watch.rows

    def stamp(self, row: WatchRow, now: int) -> int:
        """Return the age in seconds: the line changes with it."""
        # the age is shown in seconds, so no line is made anew more often
        return (now - row.ts) // SECOND if row.ts else 0

    def attention(self, row: WatchRow) -> bool:
        """Return whether the feed of this instrument is stale."""
        return row.stale

    def cells(self, row: WatchRow, now: int, widths: Sequence[int]) -> tuple[PaneCell, ...]:
        """Return the line of one instrument."""
        stale = row.stale
        way = "up" if row.change > 0 else "down" if row.change < 0 else "dim"
        # no tick has come yet
        old = age(now - row.ts) if row.ts else "-"
        return (
            PaneCell(row.symbol, "faint" if stale else "strong"),
            PaneCell(price(row.ltp), "faint" if stale else "", row.ltp),
            PaneCell(percent_move(row.change), "faint" if stale else way, still=True),
            # it moves with the price beside it, which flashes
            PaneCell(sparkline(row.spark, widths[_SPARK]), "faint", still=True),
            PaneCell(price(row.bid), "faint" if stale else "dim", still=True),
            PaneCell(price(row.ask), "faint" if stale else "dim", still=True),
            PaneCell(compact(row.volume), "faint" if stale else "dim", still=True),
            PaneCell(old, "notice" if stale else "faint", still=True),
        )

    def summary(self, board: Board) -> list[PaneCell]:
        """Count instruments and stale ones."""
        rows = board.watch.rows
        stale = sum(row.stale for row in rows)
        return [
            PaneCell(str(len(rows)), "dim"),
            *([PaneCell(f"{stale} stale", "notice")] if stale else []),
        ]
