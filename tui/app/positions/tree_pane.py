"""The tree behind a position: strategy, ladder, rung, its orders and GTTs, their fills."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from engine.board_rows import (
    Board,
    FillMark,
    GttRow,
    LadderRow,
    OrderRow,
    PositionRow,
)
from engine.numbers import count, gain, price, time_of_day
from tui.app.panes.orders_pane import order_state
from tui.app.widgets.pane_view import PaneCell, PaneColumn, View

_STATES: Final = {
    "-": "waits",
    "entering": "entering",
    "armed": "protected",
    "triggered": "leaving",
    "closed": "closed",
}
_TONES: Final = {
    "rejected": "danger",
    "triggered": "notice",
    "disabled": "danger",
    "leaving": "notice",
    "entering": "notice",
    "bare": "danger",
}
_LIVE_GTT: Final = frozenset({"intent", "sent", "active", "unknown", "modifying", "deleting"})


class TreeRow(NamedTuple):
    """One line of the tree; `trace` names what a trace of it is asked for with."""

    key: str
    depth: int
    what: str
    state: str = ""
    ts: int = 0
    quantity: str = ""
    at: float = 0.0
    note: str = ""
    tone: str = ""
    symbol: str = ""
    trace: str = ""


class TreePaneView(View[TreeRow]):
    """The tree of one symbol, or of everything."""

    name = "tree"
    title = "TREE"
    help = (
        "What is behind a position: strategy, ladder, rung, its entry, its stop (a GTT, or an "
        "order at the exchange) and its exits, and what they have filled, each with state and "
        "time. Enter shows the life of an order or a GTT from the tick behind it on; f shows "
        "everything or the one symbol."
    )
    empty = "nothing is held or entering"
    columns = (
        PaneColumn("", 34, 60, right=False),
        PaneColumn("state", 11, 16, right=False),
        PaneColumn("time", 8, rank=1),
        PaneColumn("qty", 8),
        PaneColumn("₹", 11, 12),
        PaneColumn("", 18, 48, rank=2, right=False),
    )

    def __init__(self) -> None:
        self.symbol = ""
        """The symbol that was asked for."""
        self.shows_all = False

    def show_symbol(self, symbol: str) -> None:
        """Show the tree of a symbol from the next frame on."""
        self.symbol, self.shows_all = symbol, not symbol

    def version(self, board: Board) -> int:
        """Return a number that changes with any part of the tree."""
        sections = (board.positions, board.ladders, board.orders, board.gtts)
        # Each of them only grows, so no two states of the board have the same sum.
        parts = sum(section.version for section in sections) + len(board.fills)
        return hash((parts, self.symbol, self.shows_all))

    def rows(self, board: Board) -> Sequence[TreeRow]:
        """Return the lines of the tree from the root on."""
        wanted = "" if self.shows_all else self.symbol
        return tree_rows(board, wanted)

    def attention(self, row: TreeRow) -> bool:
        """Return whether something is wrong there."""
        return row.tone == "danger"

    def cells(self, row: TreeRow, now: int, widths: Sequence[int]) -> tuple[PaneCell, ...]:
        """Return one line, set in by its depth."""
        del now, widths
        head = "strong" if row.depth < 2 else "title" if row.depth == 2 else ""
        signed = "up" if row.note.startswith("▲") else "down" if row.note.startswith("▼") else ""
        return (
            PaneCell("  " * row.depth + row.what, head),
            PaneCell(row.state, row.tone or "dim"),
            PaneCell(time_of_day(row.ts) if row.ts else "", "faint"),
            PaneCell(row.quantity),
            PaneCell(price(row.at) if row.at else "", "dim"),
            PaneCell(row.note, signed or "faint", still=True),
        )

    def summary(self, board: Board) -> list[PaneCell]:
        """Name what is shown."""
        del board
        return [PaneCell("everything" if self.shows_all else self.symbol, "dim")]


class _TreeIndex:
    """The board's rows by what they belong to."""

    def __init__(self, board: Board) -> None:
        self.positions = {row.key: row for row in board.positions.rows[:]}
        self.orders: dict[str, list[OrderRow]] = defaultdict(list)
        self.gtts: dict[str, list[GttRow]] = defaultdict(list)
        self.fills: dict[str, list[FillMark]] = defaultdict(list)
        for order in board.orders.rows[:]:
            if order.rung:
                self.orders[order.rung].append(order)
        for gtt in board.gtts.rows[:]:
            self.gtts[gtt.rung].append(gtt)
        # The engine's thread goes on appending.
        for fill in list(board.fills):
            self.fills[fill.order].append(fill)


def tree_rows(board: Board, symbol: str = "") -> list[TreeRow]:
    """Return the tree of a symbol, or of everything, depth first."""
    index = _TreeIndex(board)
    ladders: dict[str, list[LadderRow]] = defaultdict(list)
    for ladder in board.ladders.rows[:]:
        if not symbol or ladder.symbol == symbol:
            ladders[ladder.strategy].append(ladder)
    found: list[TreeRow] = []
    for strategy, own in ladders.items():
        keys = {key for ladder in own for key in ladder.keys}
        pnl = sum(row.pnl for key, row in index.positions.items() if key in keys)
        named = f"{len(own)} ladder{'s' if len(own) > 1 else ''}"
        found.append(TreeRow(f"s{strategy}", 0, strategy, state=named, note=gain(pnl).strip()))
        for ladder in own:
            found += _ladder_rows(index, ladder)
    return found


def _ladder_rows(index: _TreeIndex, ladder: LadderRow) -> Iterator[TreeRow]:
    held = [index.positions[key] for key in ladder.keys if key in index.positions]
    yield TreeRow(
        f"l{ladder.key}",
        1,
        f"{ladder.symbol} {ladder.product}".strip(),
        state=f"{len(held)} of {len(ladder.keys)} held",
        quantity=count(sum(row.quantity for row in held)),
        at=held[-1].ltp if held else 0.0,
        note=gain(sum(row.pnl for row in held)).strip() if held else "",
        symbol=ladder.symbol,
    )
    # A ladder that has just grown may be told before its row has the new rung's state.
    for number, (key, state) in enumerate(zip(ladder.keys, ladder.rungs, strict=False), start=1):
        yield _rung_row(ladder, key, number, state, index.positions.get(key))
        for order in index.orders[key]:
            yield from _order_rows(index, order)
        for gtt in index.gtts[key]:
            yield _gtt_row(gtt)


def _rung_row(
    ladder: LadderRow, key: str, number: int, state: str, held: PositionRow | None
) -> TreeRow:
    row = TreeRow(f"r{key}", 2, f"P{number}", state=_STATES.get(state, state), symbol=ladder.symbol)
    if held is None:
        return row._replace(tone=_TONES.get(row.state, "faint"))
    covered = held.protected >= abs(held.quantity)
    told = row.state if covered or row.state != "protected" else "bare"
    return row._replace(
        state=told,
        tone=_TONES.get(told, ""),
        ts=held.since,
        quantity=count(held.quantity),
        at=held.average,
        note=gain(held.pnl).strip(),
    )


def _order_rows(index: _TreeIndex, order: OrderRow) -> Iterator[TreeRow]:
    state = order_state(order)
    yield TreeRow(
        f"o{order.key}",
        3,
        f"{order.purpose.lower()} {order.side} {order.kind}",
        state=state,
        ts=order.ts,
        quantity=f"{count(order.filled)}/{count(order.quantity)}",
        at=order.average or order.price,
        note=order.reason or order.order_id,
        tone=_TONES.get(state, ""),
        symbol=order.symbol,
        trace=order.key,
    )
    for number, fill in enumerate(index.fills[order.key]):
        yield TreeRow(
            f"f{order.key}-{number}",
            4,
            "fill",
            ts=fill.ts,
            quantity=count(fill.quantity),
            at=fill.price,
            symbol=order.symbol,
            trace=order.key,
        )


def _gtt_row(gtt: GttRow) -> TreeRow:
    target = f"target {price(gtt.target)}" if gtt.target else ""
    state = gtt.status.lower()
    return TreeRow(
        f"g{gtt.key}",
        3,
        f"GTT {gtt.gtt_id or ''} stop".replace("  ", " "),
        state=state,
        ts=gtt.changed,
        quantity=count(gtt.quantity),
        at=gtt.stop,
        note=gtt.reason or target,
        tone=_TONES.get(state, "" if state in _LIVE_GTT else "faint"),
        symbol=gtt.symbol,
        trace=gtt.key,
    )
