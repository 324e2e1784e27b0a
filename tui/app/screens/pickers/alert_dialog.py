"""Price alerts on the screen: one is typed in a line, the others stand below."""

import re
from collections.abc import Callable
from typing import ClassVar, Final

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widgets import Input, Static

from engine.board_rows import AlertRow
from engine.numbers import price
from engine.operator_requests import AlertRequest, AlertWay
from engine.texts import plain_text
from tui.app.panes.watch.alerts_pane import AlertsPaneView
from tui.app.screens.modal_dialogs import DIALOG_BOX, ModalDialog
from tui.app.screens.screen_frame import ScreenFrame
from tui.app.widgets.live_table import LiveTable
from tui.app.widgets.theme import ToneStyles

_WAYS: Final[dict[str, AlertWay]] = {"above": "above", ">": "above", "below": "below", "<": "below"}
_TYPED: Final = re.compile(r"(above|below|>|<)?\s*([+-]?\d[\d,]*(?:\.\d+)?)\s*(%?)")
FORMS: Final = "above 1600, below 1500, +2%, -2%"


def read_alert(symbol: str, text: str, last: float) -> AlertRequest:
    """Return what was typed; a bare price waits on the side where it lies. Raise `ValueError`."""
    found = _TYPED.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError(f"write it as {FORMS}")
    word, figure, percent = found.groups()
    level = float(figure.replace(",", ""))
    # a sign alone would leave open whether a price or a change is meant
    if percent:
        if word is not None or not -100.0 <= level <= 1_000.0 or level == 0.0:
            raise ValueError("a change is written as +2% or -2%")
        return AlertRequest(symbol, "change", level)
    if level <= 0.0:
        raise ValueError("a price above 0 is needed")
    return AlertRequest(
        symbol, _WAYS[word] if word else "above" if level >= last else "below", level
    )


class AlertsTable(LiveTable[AlertRow]):
    """The alerts, with the key that removes one."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("x", "drop_alert", show=False)]

    def __init__(self, tones: Callable[[], ToneStyles]) -> None:
        super().__init__(AlertsPaneView(), tones)
        self.drop: Callable[[AlertRow], None] = lambda _: None

    def action_drop_alert(self) -> None:
        """Remove the alert under the cursor."""
        row = self.chosen
        if row is not None:
            self.drop(row)


class AlertDialog(ModalDialog[AlertRequest | None]):
    """Dismissed with a new alert, None by escape; the list below is that of all symbols."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", show=False)]
    DEFAULT_CSS = f"""
    AlertDialog {{ {DIALOG_BOX}
        Input, Input:focus {{ height: 1; border: none; background: $surface; margin: 1 0; }}
        #error {{ color: $danger; height: auto; }}
        LiveTable {{ height: 8; background: $surface; margin-top: 1; }}
        #keys {{ margin-top: 1; width: 100%; }}
    }}
    """

    def __init__(self, mode: str) -> None:
        super().__init__(mode)
        self._symbol = ""
        self._last = 0.0
        self._typed = ""
        self._tones: Callable[[], ToneStyles] | None = None
        self._table: AlertsTable | None = None

    def prepare(
        self,
        symbol: str,
        last: float,
        typed: str,
        tones: Callable[[], ToneStyles],
        drop: Callable[[AlertRow], None],
    ) -> None:
        """Take the symbol with its last price (₹), what is typed for it, and what removes one."""
        self._symbol, self._last, self._typed, self._tones = symbol, last, typed, tones
        # once: the dialog is kept, and its table with it
        if self._table is None:
            self._table = AlertsTable(tones)
        self._table.drop = drop

    def compose(self) -> ComposeResult:
        """Show the line above the list."""
        assert self._table is not None
        yield self.bands
        with Container(id="box"):
            yield Static(id="title")
            yield Input(placeholder=FORMS, select_on_focus=False)
            yield Static(id="error")
            yield self._table
            yield Static("enter sets it  tab list  x removes  esc leaves", id="keys")

    def fill_widgets(self) -> None:
        """Begin with the price that was pointed at."""
        title = f"Price alert on {self._symbol}, last {price(self._last)}"
        self.query_one("#title", Static).update(Text(plain_text(title)))
        self.query_one("#error", Static).update("")
        field = self.query_one(Input)
        field.value = self._typed
        field.cursor_position = len(self._typed)
        self.set_focus(field)

    def draw(self, frame: ScreenFrame) -> None:
        """Keep the bands and the list up to date."""
        super().draw(frame)
        if self._table is not None and self.is_mounted:
            self._table.pull(frame.board, frame.number)

    @on(Input.Submitted)
    def _field_submitted(self, event: Input.Submitted) -> None:
        try:
            self.dismiss(read_alert(self._symbol, event.value, self._last))
        except ValueError as error:
            self.query_one("#error", Static).update(Text(plain_text(str(error))))
