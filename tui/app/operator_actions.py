"""The operator's requests from the screen: exits, cancels, the release; each is confirmed first."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from rich.text import Text

from engine.board_rows import EXTERNAL, OrderRow
from engine.errors import PatangError
from engine.numbers import count, gain, price
from engine.operator_requests import (
    CancelRequest,
    EngineRequest,
    ModifyRequest,
    PlaceRequest,
)
from engine.texts import plain_text
from tui.app.desk_port import DeskPort
from tui.app.panes.orders_pane import ENDED, order_state
from tui.app.panes.positions_pane import is_naked
from tui.app.panes.strategy_day_pane import symbol_answers
from tui.app.screens.dialog_set import DialogSet
from tui.app.screens.modal_dialogs import EntryField
from tui.app.screens.order_ticket import TicketDialog
from tui.app.screens.ticket_form import TicketForm, changed_ticket, repeated_ticket, ticket_size

Row = TypeVar("Row")


class OperatorHost(Protocol):
    """The app as the operator's requests need it."""

    def chosen(self, row_type: type[Row]) -> Row | None:
        """Return the row under the cursor, if it is of that type."""
        ...

    def submit(self, label: str, request: EngineRequest) -> None:
        """Hand a request to the engine and show what becomes of it."""
        ...

    def warn(self, text: str) -> None:
        """Show why nothing is done."""
        ...


class OperatorActions:
    """The acts on the rows under the cursor."""

    def __init__(self, bench: OperatorHost, face: DeskPort, dialogs: DialogSet) -> None:
        self._bench = bench
        self._face = face
        self._dialogs = dialogs

    def _own_working_order(self, act: str) -> OrderRow | None:
        """Return the order under the cursor, if it can be acted on; say why it cannot."""
        row = self._bench.chosen(OrderRow)
        if row is None:
            return None
        # what others have placed on the account is theirs
        if row.strategy == EXTERNAL:
            self._bench.warn(f"{row.symbol} {row.side}: somebody else's order; it is never touched")
            return None
        if order_state(row) in ENDED:
            self._bench.warn(f"{row.symbol} {row.side}: {order_state(row)}; nothing to {act}")
            return None
        return row

    def cancel_order(self) -> None:
        """Ask whether to cancel the order under the cursor."""
        row = self._own_working_order("cancel")
        if row is None:
            return
        key = row.key

        def body() -> str:
            now = next((each for each in self._face.board.orders.rows[:] if each.key == key), row)
            return (
                f"{now.side} {count(now.quantity)} {plain_text(now.symbol)} at "
                f"{price(now.price) or 'market'}, "
                f"{count(now.filled)} filled\nno {plain_text(key)} of {plain_text(now.strategy)}, "
                f"{plain_text(order_state(now))}"
            )

        self._dialogs.ask_question(
            f"Cancel this {row.purpose.lower()} order?",
            body,
            "Cancel the order",
            lambda: self._bench.submit(f"cancel {row.side} {row.symbol}", CancelRequest(key)),
            keep="Keep it",
        )

    def open_ticket(self, side: str, symbol: str, at: float = 0.0) -> None:
        """Open a ticket for a symbol; `at` is a price that was pointed at, 0.0 for the market's."""
        watched = self._face.board.watch.rows[:]
        row = next((each for each in watched if each.symbol == symbol), None)
        form = TicketForm(symbol=symbol, side=side)
        if row is not None:
            # on the side of the book it is sent from: it rests there, and crosses by a key
            best = row.bid if side == "BUY" else row.ask
            form.price = f"{at or best or row.ltp:.2f}"
            form.step_price("price", 0, row)
        self._show_ticket(form)

    def repeat_order(self) -> None:
        """Open a ticket like the order under the cursor."""
        row = self._bench.chosen(OrderRow)
        if row is not None:
            self._show_ticket(repeated_ticket(row))

    def modify_order(self) -> None:
        """Open a ticket that changes the order under the cursor."""
        row = self._own_working_order("change")
        if row is not None:
            self._show_ticket(changed_ticket(row))

    def _show_ticket(self, form: TicketForm) -> None:
        ticket = self._dialogs.modal(TicketDialog)
        ticket.prepare(form, self._face)

        def send(request: EngineRequest | None) -> None:
            if isinstance(request, PlaceRequest):
                self._bench.submit(f"{ticket_size(request)} {request.symbol}", request)
            elif isinstance(request, ModifyRequest):
                self._bench.submit(f"change order {request.order}", request)

        self._dialogs.open_dialog(ticket, send)

    async def trace_order(self) -> None:
        """Show the life of the order under the cursor, read from the journal beside the loop."""
        row = self._bench.chosen(OrderRow)
        if row is None:
            return
        try:
            # a slow disk must not hold up the screen
            lines = await asyncio.to_thread(self._face.trace, row.key)
        except PatangError as error:
            self._bench.warn(str(error))
            return
        title = f"{row.side} {count(row.quantity)} {row.symbol} · {order_state(row)}"
        self._dialogs.explain(title, Text("\n".join(["", *map(plain_text, lines)])))

    def explain_symbol(self, symbol: str) -> None:
        """Show what strategies have asked for in a symbol today, and what they were answered."""

        def body() -> Text:
            lines = symbol_answers(self._face.board, symbol)
            return Text("\n".join(["", *map(plain_text, lines), ""]))

        self._dialogs.explain(f"{symbol} · asked for today, and answered", body)

    def resume(self) -> None:
        """Ask for the reason to let a stopped desk go on."""
        header = self._face.board.header
        if not header.kill:
            self._bench.warn("the kill switch is not latched: there is nothing to resume")
            return
        body = (
            f"{plain_text(f'{header.kill}: {header.kill_reason}')}\n"
            "Strategies may enter again at once."
        )
        self._dialogs.ask_entry(
            "Let the desk go on?",
            body,
            [EntryField("reason", "what you found, for the record")],
            lambda texts: "" if texts[0] else "a reason is needed",
            lambda texts: self._release_kill(texts[0]),
        )

    def _release_kill(self, reason: str) -> None:
        try:
            self._face.resume(reason)
        except PatangError as error:
            self._bench.warn(str(error))

    def quit(self, leave: Callable[[], None], ending: Sequence[str]) -> None:
        """Leave; ask first with open positions, or with research that ends with the screen.

        The desk ends with its own screen. `ending` names that research.
        """
        moment = self._face.moment
        # a past day that is only watched is there again tomorrow
        watched = moment is not None and not moment.practice
        held = not (self._face.standing.role or watched) and bool(self._face.board.positions.rows)
        if not held and not ending:
            leave()
            return
        lost = f"It ends with the screen, what is done is kept: {', '.join(ending)}."

        # asked again with each frame: positions change while the question stands
        def body() -> str:
            return "\n".join([self._quit_text()] * held + [lost] * bool(ending))

        title = "Quit with open positions?" if held else "Quit while research runs?"
        self._dialogs.ask_question(title, body, "Quit", leave, keep="Stay")

    def _quit_text(self) -> str:
        rows = self._face.board.positions.rows[:]
        bare = sum(is_naked(row) for row in rows)
        pnl = gain(sum(row.pnl for row in rows)).strip()
        # an own exchange ends with the desk, and its GTTs with it: they protect nothing afterwards
        gone = (
            self._face.board.header.mode in {"SANDBOX", "REPLAY"}
            and not self._face.board.header.place
        )
        kept = (
            "All protected; exchange and GTTs end with the desk."
            if gone
            else "All protected at the broker; their GTTs stay."
        )
        return (
            f"{len(rows)} position{'s' if len(rows) > 1 else ''} open · P&L {pnl}\n"
            + (f"{bare} NAKED: no stop at the broker\n" if bare else f"{kept}\n")
            + "Quitting stops the desk; it does not exit them."
        )
