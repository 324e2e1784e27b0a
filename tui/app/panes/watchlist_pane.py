"""The watch list: last price, change, the last minutes, best bid and ask, and their age."""

import zlib
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Final

from compiled.model.values import SECOND
from engine.board_rows import Board, WatchRow
from engine.config.watch_lists import EVERYTHING
from engine.numbers import age, compact, percent_move, price
from tui.app.panes.watch.watch_book import WatchBook
from tui.app.widgets.pane_view import FEW, PaneCell, PaneColumn, View
from tui.formats import sparkline

_KINDS: Final = {
    "EQ": "shares",
    "INDEX": "indices",
    "FUT": "futures",
    "CE": "options",
    "PE": "options",
}
_NO_POSITION: Final = "no position"


def missing_row(symbol: str) -> WatchRow:
    """Return the row of a symbol that is in a list and not under watch."""
    # below 0, where no token is, and the same at every frame
    key = -1 - zlib.crc32(symbol.encode())
    return WatchRow(key, symbol, 0.0, 0.0, 0.0, 0.0, -1, 0, stale=False, spark=())


def day_range(low: float, high: float, last: float, width: int) -> str:
    """Draw where the last price stands between the day's lowest and highest."""
    if not 0.0 < low < high or width < 2:
        return ""
    at = round((min(max(last, low), high) - low) / (high - low) * (width - 1))
    return "┈" * at + "●" + "┈" * (width - 1 - at)


Cell = Callable[[WatchRow, int, int], PaneCell]
"""Makes a cell of a row, the desk's time (ns UTC) and the column's width."""


def _symbol_cell(row: WatchRow, now: int, width: int) -> PaneCell:
    del now, width
    return PaneCell(row.symbol, "faint" if row.stale or row.token < 0 else "strong")


def _last_cell(row: WatchRow, now: int, width: int) -> PaneCell:
    del now, width
    return PaneCell(price(row.ltp), "faint" if row.stale else "", row.ltp)


def _change_cell(row: WatchRow, now: int, width: int) -> PaneCell:
    del now, width
    if row.token < 0:
        return PaneCell("", still=True)
    way = "up" if row.change > 0 else "down" if row.change < 0 else "dim"
    return PaneCell(percent_move(row.change), "faint" if row.stale else way, still=True)


def _spark_cell(row: WatchRow, now: int, width: int) -> PaneCell:
    del now
    # it moves with the price beside it, which flashes
    return PaneCell(sparkline(row.spark, width), "faint", still=True)


def _age_cell(row: WatchRow, now: int, width: int) -> PaneCell:
    del width
    # no tick has come yet
    old = age(now - row.ts) if row.ts else "-"
    return PaneCell(old, "notice" if row.stale else "faint", still=True)


def _range_cell(row: WatchRow, now: int, width: int) -> PaneCell:
    del now
    return PaneCell(day_range(row.low, row.high, row.ltp, width), "dim", still=True)


def _dim_cell(text: Callable[[WatchRow], str]) -> Cell:
    def make(row: WatchRow, now: int, width: int) -> PaneCell:
        del now, width
        return PaneCell(text(row), "faint" if row.stale else "dim", still=True)

    return make


COLUMNS: Final[dict[str, tuple[PaneColumn, Cell]]] = {
    "symbol": (PaneColumn("symbol", 10, 14, right=False, names="symbol"), _symbol_cell),
    "LTP": (PaneColumn("LTP", 10), _last_cell),
    "change": (PaneColumn("change", 8), _change_cell),
    "spark": (PaneColumn("", 8, 15, rank=2, right=False), _spark_cell),
    "bid": (PaneColumn("bid", 9, rank=3), _dim_cell(lambda row: price(row.bid))),
    "ask": (PaneColumn("ask", 9, rank=3), _dim_cell(lambda row: price(row.ask))),
    "volume": (PaneColumn("volume", 8, rank=4), _dim_cell(lambda row: compact(row.volume))),
    "VWAP": (PaneColumn("VWAP", 10, rank=5), _dim_cell(lambda row: price(row.average))),
    "open": (PaneColumn("open", 10, rank=7), _dim_cell(lambda row: price(row.open))),
    "low": (PaneColumn("low", 10, rank=6), _dim_cell(lambda row: price(row.low))),
    "range": (PaneColumn("range", 8, 12, rank=5, right=False), _range_cell),
    "high": (PaneColumn("high", 10, rank=6), _dim_cell(lambda row: price(row.high))),
    "age": (PaneColumn("age", 3, rank=1), _age_cell),
}
"""What the watch list can show; the symbol is always there."""
USUAL: Final = ("LTP", "change", "spark", "bid", "ask", "volume", "age")


class WatchlistPaneView(View[WatchRow]):
    """One line per instrument; a stale one is dim from end to end."""

    name = "watch"
    title = "WATCHLIST"
    help = (
        "The instruments under watch, or one of your lists of them: { and } turn, l keeps the "
        "lists, a adds a symbol, x takes it off. Change is against the previous close; the spark "
        "shows the closes of the last minutes between their own lowest and highest. A line without "
        "a tick for too long is dim and its age amber: entries in it are inhibited until ticks "
        "come again. A faint line without a price is not under watch: it is asked for, and a "
        "notice says why it cannot be had."
    )

    def __init__(self, book: WatchBook | None = None) -> None:
        self._book = book or WatchBook()
        self._chosen: tuple[str, ...] = ()
        self._makers: tuple[Cell, ...] = ()
        self._counted: tuple[object, ...] = ()
        self._stale = 0
        """Instruments that are stale, as of `_counted`."""
        self._held: dict[str, str] = {}
        """Symbol → the strategies that hold it."""
        self._choose_columns(USUAL)

    def _choose_columns(self, names: Sequence[str]) -> None:
        self._chosen = tuple(names)
        chosen = [
            COLUMNS[name] for name in ("symbol", *(each for each in COLUMNS if each in names))
        ]
        self.columns = tuple(column for column, _ in chosen)
        self._makers = tuple(make for _, make in chosen)

    def version(self, board: Board) -> int:
        """Return the version of the watch section, of the lists and of what groups go by."""
        chosen = self._book.lists.columns or USUAL
        if chosen != self._chosen:
            self._choose_columns(chosen)
        no_list = self._book.current is None
        self.empty = "no instrument under watch" if no_list else "empty: a adds a symbol"
        held = board.positions.version if self._book.group in {"position", "strategy"} else 0
        # the parts far apart: a change of one must not make up for that of another
        return board.watch.version + (self._book.version << 80) + (held << 40)

    def opening_text(self, board: Board) -> str:
        """Return how far the desk has come: nothing looks dead for seconds."""
        return board.opening or super().opening_text(board)

    def rows(self, board: Board) -> Sequence[WatchRow]:
        """Return the instruments as the engine listed them, or those of the list that is shown."""
        held: dict[str, dict[str, None]] = {}
        for position in board.positions.rows[:]:
            held.setdefault(position.symbol, {})[position.strategy] = None
        self._held = {symbol: ", ".join(names) for symbol, names in held.items()}
        shown, rows = self._book.current, board.watch.rows
        if shown is None:
            return rows
        there = {row.symbol: row for row in rows[:]}
        return [there.get(symbol) or missing_row(symbol) for symbol in shown.symbols]

    def groups(self, rows: Sequence[WatchRow]) -> list[tuple[str, list[WatchRow]]]:
        """Return the rows by what they are put together by, in the order of their first row."""
        if not self._book.group:
            return []
        found: dict[str, list[WatchRow]] = {}
        for row in rows:
            found.setdefault(self._heading_of(row), []).append(row)
        # what is held first, wherever it stands in the list
        return sorted(found.items(), key=lambda each: each[0] == _NO_POSITION)

    def _heading_of(self, row: WatchRow) -> str:
        if self._book.group == "segment":
            return f"{row.exchange} {_KINDS.get(row.kind, row.kind)}"
        held = self._held.get(row.symbol, "")
        if self._book.group == "strategy":
            return held or _NO_POSITION
        return "in a position" if held else _NO_POSITION

    def stamp(self, row: WatchRow, now: int) -> int:
        """Return the age in seconds: the line changes with it."""
        # the age is shown in seconds, so no line is made anew more often
        return (now - row.ts) // SECOND if row.ts else 0

    def attention(self, row: WatchRow) -> bool:
        """Return whether the feed of this instrument is stale."""
        return row.stale

    def cells(self, row: WatchRow, now: int, widths: Sequence[int]) -> tuple[PaneCell, ...]:
        """Return the line of one instrument."""
        return tuple(
            [make(row, now, width) for make, width in zip(self._makers, widths, strict=True)]
        )

    def _count_stale(self, board: Board) -> int:
        """Return how many instruments are stale; of very many as of the last second."""
        rows = board.watch.rows
        # a walk over thousands at each frame would be most of what the frame costs
        moment = board.watch.version if len(rows) <= FEW else board.header.now // SECOND
        at = board, len(rows), moment
        if at != self._counted:
            self._counted, self._stale = at, sum(map(attrgetter("stale"), rows))
        return self._stale

    def summary(self, board: Board) -> list[PaneCell]:
        """Name the list, and count instruments, stale ones and price alerts."""
        book, rows = self._book, board.watch.rows
        shown = book.current
        stale = self._count_stale(board)
        waiting = sum(not row.fired for row in board.alerts.rows[:])
        count = len(rows) if shown is None else len(shown.symbols)
        parts = [PaneCell(str(count), "dim")]
        if len(book.names) > 1 or shown is not None:
            parts.insert(0, PaneCell(EVERYTHING if shown is None else shown.name, "focus"))
        if book.group:
            parts.append(PaneCell(f"by {book.group}", "dim"))
        if stale:
            parts.append(PaneCell(f"{stale} stale", "notice"))
        if waiting:
            parts.append(PaneCell(f"{waiting} alert{'s' if waiting > 1 else ''}", "dim"))
        return parts
