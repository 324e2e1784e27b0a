"""The watchlist: last price, change, the shape of the last minutes, the best bid and ask, and how old all that is."""

from collections.abc import Sequence

from engine.numbers import SECOND, age, compact, moved, price
from engine.trading.board import Board, WatchRow
from tui.numbers import spark
from tui.widgets.view import Cell, Column, View

_SPARK = 3


class Watchlist(View[WatchRow]):
    """One line per instrument; a stale one is dim from end to end."""

    name = "watch"
    title = "WATCHLIST"
    help = (
        "The instruments under watch. Change is against the previous close; the spark shows the closes of the last "
        "minutes between their own lowest and highest. A line without a tick for too long is dim and its age amber: "
        "entries in it are inhibited until ticks come again."
    )
    empty = "no instrument under watch"
    columns = (
        Column("symbol", 10, 14, right=False, names="symbol"),
        Column("LTP", 10),
        Column("change", 8),
        Column("", 8, 15, rank=2, right=False),
        Column("bid", 9, rank=3),
        Column("ask", 9, rank=3),
        Column("volume", 8, rank=4),
        Column("age", 3, rank=1),
    )

    def version(self, board: Board) -> int:
        """Return the version of the watch section."""
        return board.watch.version

    def rows(self, board: Board) -> Sequence[WatchRow]:
        """Return the instruments as the engine listed them."""
        return board.watch.rows

    def stamp(self, row: WatchRow, now: int) -> int:
        """Return the age in seconds: the line changes with it."""
        return (now - row.ts) // SECOND if row.ts else 0

    def attention(self, row: WatchRow) -> bool:
        """Tell whether the feed of this instrument is stale."""
        return row.stale

    def cells(self, row: WatchRow, now: int, widths: Sequence[int]) -> tuple[Cell, ...]:
        """Return the line of one instrument."""
        stale = row.stale
        way = "up" if row.change > 0 else "down" if row.change < 0 else "dim"
        old = age(now - row.ts) if row.ts else "-"
        return (
            Cell(row.symbol, "faint" if stale else "strong"),
            Cell(price(row.ltp), "faint" if stale else "", row.ltp),
            Cell(moved(row.change), "faint" if stale else way, still=True),
            Cell(spark(row.spark, widths[_SPARK]), "faint", still=True),
            Cell(price(row.bid), "faint" if stale else "dim", still=True),
            Cell(price(row.ask), "faint" if stale else "dim", still=True),
            Cell(compact(row.volume), "faint" if stale else "dim", still=True),
            Cell(old, "notice" if stale else "faint", still=True),
        )

    def summary(self, board: Board) -> list[Cell]:
        """Count instruments and stale ones."""
        rows = board.watch.rows
        stale = sum(row.stale for row in rows)
        return [Cell(str(len(rows)), "dim"), *([Cell(f"{stale} stale", "notice")] if stale else [])]
