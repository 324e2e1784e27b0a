"""The card of the day: earnings, what stays open, its protection, and failures."""

from collections.abc import Iterator, Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from engine.board_rows import OTHERS, UNREADABLE, Board, PositionRow, TradeRow
from engine.numbers import count, day_name, gain, price, rupees
from engine.texts import plain_text
from tui.app.panes.orders_pane import ENDED, order_state
from tui.app.panes.positions_pane import is_naked
from tui.app.panes.risk_pane import exceeded_limits
from tui.app.widgets.theme import ToneStyles

ALARMS = 8
"""Alarms it lists; the log has the others."""


def card_title(board: Board) -> str:
    """Return the title of the card."""
    when = "The day is over" if board.header.day_over else "The day so far"
    return f"{when} · {day_name(board.header.now)}".rstrip(" ·")


def day_card(
    board: Board, tones: ToneStyles, score: Sequence[tuple[str, str]] = (), *, low: bool = False
) -> Group:
    """Return the card as the board is now, with what a practised day has of a score.

    `low` leaves out the blank lines.
    """
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    for name, rows in (
        ("P&L", _profit_line(board, tones)),
        *((name, [Text(plain_text(text), tones.ink(""))]) for name, text in score),
        ("strategies", _strategy_lines(board, tones)),
        ("trades", _trade_lines(board, tones)),
        ("stays open", _open_lines(board, tones)),
        ("went wrong", _trouble_lines(board, tones)),
    ):
        for number, text in enumerate(rows):
            table.add_row(Text("" if number else name, tones.ink("faint")), text)
        if not low:
            table.add_row()
    ends = "^q ends the desk" if board.header.day_over else "esc goes back"
    # a dry run has no trades
    what = "orders" if board.header.mode == "DRY-RUN" else "trades"
    keeps = f"patang export {what} --mode {board.header.mode.lower()} keeps it"
    return Group(*([] if low else [Text()]), table, Text(f"{ends} · {keeps}", tones.ink("faint")))


def _signed_money(paise: int, tones: ToneStyles) -> Text:
    return Text(
        gain(paise).strip(), tones.ink("up" if paise > 0 else "down" if paise < 0 else "dim")
    )


def _profit_line(board: Board, tones: ToneStyles) -> Iterator[Text]:
    header = board.header
    text = _signed_money(header.pnl, tones)
    text.stylize("bold")
    text.append(f" after {rupees(header.charges)} charges", tones.ink("dim"))
    yield text


def _strategy_lines(board: Board, tones: ToneStyles) -> Iterator[Text]:
    rows = board.strategies.rows[:]
    failed = {row.strategy: row for row in board.failures.rows[:]}
    width = max((len(row.name) for row in rows), default=0)
    for row in rows:
        text = Text(plain_text(row.name).ljust(width + 2), tones.ink(""))
        text.append(_signed_money(row.net, tones))
        # that it is stopped follows from it
        if row.name in failed:
            text.append(f"  FAILED: {plain_text(failed[row.name].error)}\n", tones.ink("danger"))
            text.append(f"the traceback: patang trace {row.name}", tones.ink("dim"))
        elif row.stopped:
            text.append(f"  stopped: {plain_text(row.stopped)}", tones.ink("notice"))
        # those are no strategy that could run
        elif row.name != OTHERS:
            text.append("  runs", tones.ink("faint"))
        yield text
    if not rows:
        yield Text("none", tones.ink("dim"))


def _trade_lines(board: Board, tones: ToneStyles) -> Iterator[Text]:
    trades, orders = board.trades, board.orders.rows[:]
    refused = sum(order_state(row) == "rejected" for row in orders)
    text = Text(f"{count(trades.number)} over", tones.ink(""))
    text.append(f"  {count(len(orders))} orders", tones.ink("dim"))
    if refused:
        text.append(f", {count(refused)} refused", tones.ink("notice"))
    yield text
    for name, trade in (("best", trades.best), ("worst", trades.worst)):
        if trade is not None:
            yield _trade_line(name, trade, tones)


def _trade_line(name: str, trade: TradeRow, tones: ToneStyles) -> Text:
    text = Text(f"{name}  ".ljust(7), tones.ink("dim"))
    text.append(_signed_money(trade.pnl, tones))
    words = " ".join(filter(None, (plain_text(trade.symbol), trade.rung)))
    text.append(f"  {words}", tones.ink("strong"))
    return text.append(f"  {plain_text(trade.strategy)}", tones.ink("dim"))


def _open_lines(board: Board, tones: ToneStyles) -> Iterator[Text]:
    rows = board.positions.rows[:]
    for row in rows:
        words = " ".join(filter(None, (plain_text(row.symbol), row.rung.strip("-"))))
        text = Text(f"{words}  ", tones.ink("strong"))
        text.append(f"{count(row.quantity)} at {price(row.average)}  ", tones.ink(""))
        text.append(_signed_money(row.pnl, tones))
        text.append(f"  {_protection_text(row)}", tones.ink("danger" if is_naked(row) else "dim"))
        yield text
    if not rows:
        yield Text("nothing: flat", tones.ink("dim"))
    for order in board.orders.rows[:]:
        # it may still fill after everybody has gone home
        if order_state(order) not in ENDED and order.purpose == "ENTRY":
            yield Text(
                f"entry {order.key} still works: {order.side} {count(order.quantity)} "
                f"{plain_text(order.symbol)}",
                tones.ink("notice"),
            )


def _protection_text(row: PositionRow) -> str:
    """Say what protects a position."""
    if row.protected <= 0:
        return "NAKED: nothing protects it"
    stop = f"a stop at {price(row.stop)} rests at the broker" if row.stop else "an exit is at work"
    return f"{stop}, for {count(row.protected)} only" if is_naked(row) else stop


def _trouble_lines(board: Board, tones: ToneStyles) -> Sequence[Text]:
    alarms = list(board.alarms.items())
    lines = [
        Text(f"■ {plain_text(text)}" + (f"  ×{times}" if times > 1 else ""), tones.ink("danger"))
        # the newest: what is wrong now was told last
        for text, times in alarms[-ALARMS:]
    ]
    if len(alarms) > ALARMS:
        lines.append(
            Text(f"and {len(alarms) - ALARMS} alarms before, in the log", tones.ink("dim"))
        )
    lines += [
        Text(cell.text, tones.ink("danger"))
        for cell in exceeded_limits(board)
        if cell.tone == "danger"
    ]
    # what was decided on is not wrong any more
    rows = [row for row in board.differences.rows[:] if not row.ignored]
    if any(row.kind == UNREADABLE for row in rows):
        lines.append(Text("the broker's books cannot be compared: screen 6", tones.ink("danger")))
    if differing := sum(row.kind != UNREADABLE for row in rows):
        what = "difference" if differing == 1 else "differences"
        lines.append(
            Text(f"{differing} {what} from the broker's books: screen 6", tones.ink("danger"))
        )
    return lines or [Text("nothing", tones.ink("dim"))]
