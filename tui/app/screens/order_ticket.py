"""The order ticket: fields, what the desk says of them while they are typed, and one button."""

from collections.abc import Sequence
from typing import ClassVar, Final

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Grid, Horizontal
from textual.suggester import SuggestFromList
from textual.widgets import Button, Input, Label, Static

from engine.board_rows import Board, WatchRow
from engine.numbers import percent_move, price
from engine.operator_requests import EngineRequest, ModifyRequest, PlaceRequest
from engine.texts import plain_text
from tui.app.desk_port import DeskPort
from tui.app.screens.modal_dialogs import DIALOG_BOX, ModalDialog
from tui.app.screens.screen_frame import ScreenFrame
from tui.app.screens.ticket_form import (
    KINDS,
    PRODUCTS,
    SIDES,
    SIZES,
    VALIDITIES,
    TicketError,
    TicketForm,
    TicketVerdict,
    preview_of,
    read_verdict,
    ticket_size,
)
from tui.app.widgets.choice_field import ChoiceField

_CHOICES: Final = {
    "side": SIDES,
    "sized_by": SIZES,
    "kind": KINDS,
    "product": PRODUCTS,
    "validity": VALIDITIES,
}
_LABELS: Final = {
    "symbol": "symbol",
    "side": "side",
    "amount": "quantity",
    "sized_by": "counts",
    "kind": "type",
    "price": "price",
    "trigger": "trigger",
    "validity": "validity",
    "stop": "stop %",
    "target": "target %",
    "product": "product",
    "minutes": "minutes",
}
"""The fields in their order, two a row, each with its label."""
_CHANGED: Final = {"amount", "price", "trigger"}
"""What can be changed of a working order."""
_WAIT: Final = 4
"""Frames without a change before the desk is asked: each answer costs the broker a request."""
_LOW: Final = 22
_NARROW: Final = 64
_SIZED_AGAIN: Final = 50
"""Frames after which shares by rupees, or by risk, are counted anew at the market of then."""


class TicketDialog(ModalDialog[EngineRequest | None]):
    """A ticket; dismissed with the request, or with None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", show=False),
        Binding("down", "step(-1)", show=False, priority=True),
        Binding("up", "step(1)", show=False, priority=True),
        Binding("pagedown", "step(-10)", show=False),
        Binding("pageup", "step(10)", show=False),
    ]
    DEFAULT_CSS = f"""
    TicketDialog {{ {DIALOG_BOX}
        #box {{ width: 76; padding: 0 2; }}
        #quote {{ color: $ink-dim; height: 1; }}
        #fields {{ grid-size: 4; grid-columns: 9 1fr 9 1fr; grid-rows: 1; grid-gutter: 0 1;
                  height: 6; margin-top: 1; }}
        Label {{ color: $ink-dim; }}
        Input, Input:focus {{ height: 1; border: none; background: $surface; padding: 0 1; }}
        Input:disabled {{ background: $panel; color: $ink-faint; }}
        #answer {{ margin-top: 1; color: $ink; }}
        #answer.-refused {{ color: $danger; }}
        #yes {{ color: $ink-strong; min-width: 26; }}
        &.-low #box {{ max-height: 100%; margin-top: 1; }}
        &.-low #title {{ display: none; }}
        &.-low #fields {{ margin: 0; }}
        &.-low #answer {{ margin: 0; }}
        &.-narrow #box {{ max-width: 100%; padding: 0; }}
        &.-narrow #keys {{ display: none; }}
        &.-narrow Input, &.-narrow ChoiceField {{ padding: 0; }}
    }}
    """

    def __init__(self, mode: str) -> None:
        super().__init__(mode)
        self._form = TicketForm()
        self._face: DeskPort | None = None
        self._changed_at = 0
        self._frame = 0
        self._asked: tuple[int, PlaceRequest] | None = None
        """The preview that is on its way, and its order."""
        self._known: tuple[PlaceRequest, TicketVerdict] | None = None
        """The last order the desk has spoken of, and what it said."""
        self._filling = False
        self._offered: PlaceRequest | ModifyRequest | None = None
        """What the button says, and sends."""

    def prepare(self, form: TicketForm, face: DeskPort) -> None:
        """Take the next ticket."""
        self._form, self._face = form, face
        self._asked = self._known = self._offered = None

    def compose(self) -> ComposeResult:
        """Show quote, fields, answer and buttons."""
        yield self.bands
        with Container(id="box"):
            yield Static(id="title")
            yield Static(id="quote")
            with Grid(id="fields"):
                for name, label in _LABELS.items():
                    yield Label(label)
                    yield (
                        ChoiceField(_CHOICES[name], id=f"of-{name}")
                        if name in _CHOICES
                        else Input(id=f"of-{name}", select_on_focus=True)
                    )
            yield Static(id="answer")
            with Horizontal(id="buttons"):
                yield Static("tab  ↑↓ tick  enter  esc", id="keys")
                yield Button("Keep out", id="cancel", compact=True)
                yield Button("", id="yes", compact=True)

    def on_resize(self, event: events.Resize) -> None:
        """Keep every field, the answer and the button in sight on a small terminal."""
        self.set_class(event.size.height < _LOW, "-low")
        self.set_class(event.size.width < _NARROW, "-narrow")
        self.query_one("#answer").styles.height = min(max(event.size.height - 10, 2), 5)

    def fill_widgets(self) -> None:
        """Show the ticket, with the focus on the first thing that is missing."""
        form, changes = self._form, bool(self._form.modifies)
        title = f"Change order {form.modifies}" if changes else "Order"
        self.query_one("#title", Static).update(Text(plain_text(title)))
        # Texts that are put in are no typing of the operator's.
        self._filling = True
        for name in _LABELS:
            fixed = changes and name not in _CHANGED
            value = str(getattr(form, name))
            if name in _CHOICES:
                self._choice_field(name).show_choice(value, fixed=fixed)
            else:
                self._text_field(name).value = value
                self._text_field(name).disabled = fixed
        self._filling = False
        names = [row.symbol for row in self._watched_rows()]
        self._text_field("symbol").suggester = SuggestFromList(names, case_sensitive=False)
        self._note_change()
        first = "symbol" if not form.symbol else "amount"
        self.set_focus(self._text_field(first))

    def draw(self, frame: ScreenFrame) -> None:
        """Keep bands, quote and answer up to date; ask the desk once the typing rests."""
        super().draw(frame)
        if not self.is_mounted or not self.is_current:
            return
        self._frame = frame.number
        self._show_quote(frame.board)
        if self._asked is not None:
            self._take_answer()
        elif self._frame - self._changed_at >= _WAIT:
            self._ask_desk()

    # what was typed

    @on(Input.Changed)
    def _text_changed(self, event: Input.Changed) -> None:
        self._take_text((event.input.id or "").removeprefix("of-"), event.value)

    @on(ChoiceField.ChoiceTaken)
    def _choice_taken(self, event: ChoiceField.ChoiceTaken) -> None:
        self._take_text((event.field.id or "").removeprefix("of-"), event.field.value)

    def _take_text(self, name: str, text: str) -> None:
        if not self._filling:
            setattr(self._form, name, text.strip().upper() if name == "symbol" else text.strip())
            self._note_change()

    @on(Input.Submitted)
    def _text_submitted(self, event: Input.Submitted) -> None:
        """Go on to the button once nothing is missing; a name that was begun is completed."""
        if event.input.id == "of-symbol":
            self._complete_symbol()
        try:
            self._typed_request()
        except TicketError as error:
            self._show_answer(TicketVerdict(False, (str(error),)))
            named = str(error).partition(":")[0]
            field = {"quantity": "amount"}.get(named, named)
            if field in _LABELS and field not in _CHOICES:
                self._text_field(field).focus()
            return
        self.query_one("#yes", Button).focus()

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        """Complete a name that was begun, once its field is left."""
        if event.widget.id == "of-symbol":
            self._complete_symbol()

    def _complete_symbol(self) -> None:
        """Take the one symbol under watch that begins as what was typed does."""
        typed = self._form.symbol
        names = [row.symbol for row in self._watched_rows()]
        begun = [name for name in names if name.startswith(typed)]
        if typed and typed not in names and len(begun) == 1:
            self._text_field("symbol").value = begun[0]

    def action_step(self, steps: int) -> None:
        """Move a price by ticks; in any other field go to the next one."""
        focused = self.focused
        name = (focused.id or "").removeprefix("of-") if focused is not None else ""
        if name in {"price", "trigger"}:
            self._form.step_price(name, steps, self._quoted_row())
            self._text_field(name).value = str(getattr(self._form, name))
        elif steps < 0:
            self.focus_next()
        else:
            self.focus_previous()

    @on(Button.Pressed)
    def _button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id != "yes":
            self.dismiss(None)
            return
        # Shares by rupees follow the market: what leaves is what was read.
        if self._offered is not None:
            self.dismiss(self._offered)
        else:
            self._show_answer(TicketVerdict(False, (self._offer_order(),)))

    # what the desk says

    def _typed_request(self) -> PlaceRequest | ModifyRequest:
        if self._form.modifies:
            return self._form.modify_request()
        return self._form.place_request(self._quoted_row())

    def _note_change(self) -> None:
        self._changed_at = self._frame
        # An answer on its way is to an order that stands here no longer.
        self._asked = None
        self._offer_order()

    def _offer_order(self) -> str:
        """Put the order that stands in the fields on the button; return what is wrong with it."""
        request, fault = None, ""
        try:
            request = self._typed_request()
        except TicketError as error:
            fault = str(error)
        self._offered = request
        label = "Change it" if request else "Send"
        if isinstance(request, PlaceRequest):
            label = f"Send {ticket_size(request)} {request.symbol}"
        self.query_one("#yes", Button).label = Text(label)
        return fault

    def _ask_desk(self) -> None:
        """Ask for the worth, the charges and the verdict of what stands in the fields."""
        face = self._face
        if self._offered is None or self._frame % _SIZED_AGAIN == 0:
            fault = self._offer_order()
            if fault:
                self._show_answer(TicketVerdict(False, (fault,)))
        request = self._offered
        if request is None:
            return
        if not isinstance(request, PlaceRequest):
            self._show_answer(TicketVerdict(True, ("the order keeps what is left as it is",)))
            return
        if face is None or (self._known is not None and self._known[0] == request):
            return
        self._asked = face.submit(preview_of(request)), request

    def _take_answer(self) -> None:
        if self._asked is None or self._face is None:
            return
        number, request = self._asked
        outcome = self._face.outcome(number)
        if outcome is not None:
            self._asked = None
            self._known = request, read_verdict(request, outcome, self._quoted_row())
            self._show_answer(self._known[1])

    def _show_answer(self, verdict: TicketVerdict) -> None:
        answer = self.query_one("#answer", Static)
        answer.set_class(not verdict.ok, "-refused")
        answer.update(Text("\n".join(map(plain_text, verdict.lines))))

    def _show_quote(self, board: Board) -> None:
        row = self._quoted_row()
        held = sum(
            each.quantity
            for each in board.positions.rows[:]
            if row is not None and each.symbol == row.symbol
        )
        text = Text("not under watch" if self._form.symbol else "")
        if row is not None:
            text = Text(
                f"{price(row.ltp)}  {percent_move(row.change)}  "
                f"bid {price(row.bid) or '-'}  ask {price(row.ask) or '-'}  tick {row.tick:g}"
                + (f"  held {held}" if held else ""),
                no_wrap=True,
            )
        self.query_one("#quote", Static).update(text)

    def _quoted_row(self) -> WatchRow | None:
        return next((row for row in self._watched_rows() if row.symbol == self._form.symbol), None)

    def _watched_rows(self) -> Sequence[WatchRow]:
        return self._face.board.watch.rows[:] if self._face is not None else ()

    def _text_field(self, name: str) -> Input:
        return self.query_one(f"#of-{name}", Input)

    def _choice_field(self, name: str) -> ChoiceField:
        return self.query_one(f"#of-{name}", ChoiceField)
